"""Follows one request with a known trace ID from signal to signal by the configured links, through Grafana only.

Each step takes its query from the link itself (exemplar destination, traces to logs, traces to metrics, derived field),
so that a link with a wrong query fails here as it would for a person who clicks it.
"""

from __future__ import annotations

import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from cli.otlp import call, new_span, new_trace, push, record
from components.grafana_api import GrafanaApi, GrafanaError
from observability import explore
from observability.configs.correlations import CorrelationSpec, correlations
from observability.configs.datasources import datasources
from observability.names import series
from observability.names.uids import (
    DATASOURCE_JAEGER,
    DATASOURCE_LOKI,
    DATASOURCE_LONG_TERM,
    DATASOURCE_PROMETHEUS,
)
from observability.settings import DEMO, Settings, seconds
from observability.watched import watched

Json = dict[str, Any]
Frames = list[Json]
Query = Callable[[str, Json], Frames]
"""Sends a query to a data source, by its UID; raises LinkError if that fails."""

PATIENCE_SECONDS = 60
PIXELS = 64
"""Pixels of a picture for the demo's model."""
_POLL_SECONDS = 0.5
_BATCH = 5
"""Requests for each exemplar: at a scrape, one of them has to be the newest in its bucket."""
_CROWDED = 100
"""Requests after which an exemplar of other requests is used, because the service is too busy."""
_RANGE = {"from": "now-15m", "to": "now"}
_TYPES = {DATASOURCE_LONG_TERM: DATASOURCE_PROMETHEUS}
"""Types of data sources that do not equal their UID."""


@dataclass(frozen=True)
class SyntheticTrace:
    """The request that is followed.

    Attributes:
        send: sends a request with a given trace ID; raises OSError if it is not accepted.
        service: service that answers it.
        client: service that calls `server` for it.
        server: service that is called.
        container: container of `service`.
        durations: selector of the histogram that counts it.
        address: where it is sent to.
    """

    client: str
    server: str
    service: str
    container: str
    durations: str
    address: str
    send: Callable[[str], None]


@dataclass(frozen=True)
class Link:
    """The result of one link: its query, whether it returned data, the data, and the seconds since the request."""

    name: str
    query: str
    passed: bool
    result: str
    seconds: float


class LinkError(Exception):
    """A link whose `query` returns no data yet; `result` is its answer."""

    def __init__(self, query: str, result: str) -> None:
        self.query, self.result = query, result
        super().__init__(f"{query}: {result}")


Step = Callable[[], tuple[str, str]]
"""Returns the query and its result; raises LinkError."""


def pushed(otlp: str) -> SyntheticTrace:
    """Return a request between two services that do not exist, pushed to this OTLP endpoint."""
    client, server = "verify-links", "verify-links-backend"

    def send(trace: str) -> None:
        received = call(otlp, trace, client, server, name="GET /verify")
        push(otlp, "records", {server: [record(f"make verify, trace_id={trace}", trace, received)]})

    durations = f'{series.SPAN_DURATION_BUCKET}{{service_name="{server}"}}'
    return SyntheticTrace(client, server, server, "collector", durations, otlp, send)


def demo_request(gateway: str) -> SyntheticTrace:
    """Return a request to the demo's gateway at this URL, which calls its model."""
    body = json.dumps({"instances": [[0] * PIXELS]}).encode()
    url = f"{gateway}/v1/models/digits/predict"

    def send(trace: str) -> None:
        headers = {"Content-Type": "application/json", "traceparent": f"00-{trace}-{new_span()}-01"}
        request = urllib.request.Request(url, body, headers=headers)  # noqa: S310 - the stack's own address
        try:
            with urllib.request.urlopen(request, timeout=10):  # noqa: S310 - as above
                pass
        except urllib.error.HTTPError as refused:  # an answer too: its trace and lines matter most in an outage
            refused.close()

    client, server = DEMO[:2]
    durations = f'http_request_duration_seconds_bucket{{service="{client}"}}'
    return SyntheticTrace(client, server, client, client, durations, url, send)


def check(api: GrafanaApi, request: SyntheticTrace, settings: Settings) -> list[Link]:
    """Send the request and follow every link, also after one has failed."""
    trace = new_trace()
    began = time.monotonic()
    try:
        request.send(trace)
    except OSError as error:
        return [Link("the request itself", f"POST {request.address}", passed=False, result=str(error), seconds=0.0)]
    patience = PATIENCE_SECONDS + 2 * seconds(settings.scrape_interval)
    with ThreadPoolExecutor(max_workers=8) as pool:  # in parallel, so that each measures its own time
        links = [
            pool.submit(_follow, name, step, began, patience) for name, step in _steps(api, request, settings, trace)
        ]
        return [link.result() for link in links]


def _follow(name: str, step: Step, began: float, patience: float) -> Link:
    while True:
        try:
            query, result = step()
        except LinkError as error:
            if time.monotonic() - began < patience:
                time.sleep(_POLL_SECONDS)
                continue
            return Link(name, error.query, passed=False, result=error.result, seconds=time.monotonic() - began)
        return Link(name, query, passed=True, result=result, seconds=time.monotonic() - began)


def _steps(api: GrafanaApi, request: SyntheticTrace, settings: Settings, trace: str) -> Iterator[tuple[str, Step]]:
    sources = {spec.uid: spec.json_data for spec in datasources(settings)}
    exemplar, derived = sources[DATASOURCE_PROMETHEUS], sources[DATASOURCE_LOKI]
    to_logs, to_metrics = (sources[DATASOURCE_JAEGER][key] for key in ("tracesToLogsV2", "tracesToMetrics"))

    sent = [trace]
    """Every request that was sent: the first is followed, the others are needed for rates and exemplars."""

    def another() -> None:
        sent.append(new_trace())
        try:
            request.send(sent[-1])
        except OSError as error:
            raise LinkError(f"POST {request.address}", str(error)) from None

    def query(uid: str, body: Json) -> Frames:
        return _query(api, uid, body)

    yield "metric → its exemplar → the trace", lambda: _by_exemplar(query, exemplar, request.durations, sent, another)
    yield (
        "trace → its log lines",
        lambda: _lines(query, str(to_logs["query"]).replace("${__span.traceId}", trace), trace),
    )
    for metric in to_metrics["queries"]:
        expr = str(metric["query"]).replace("$__tags", f'{to_metrics["tags"][0]["value"]}="{request.service}"')
        yield f"trace → the service's {metric['name'].lower()}", lambda expr=expr: _rate(query, expr, another)  # type: ignore[misc]
    yield "log line → the trace", lambda: _by_line(query, derived["derivedFields"], request.service, trace)
    names = [service.telemetry_name for service in watched(settings)]
    values = correlation_values(trace, request.service, names[-1] if names else "")
    for spec in correlations(settings):
        if names or "${service}" not in json.dumps(dict(spec.query)):
            yield f"correlation {spec.name}", lambda spec=spec: _correlated(query, spec, values)  # type: ignore[misc]
    edge = f'sum(traces_service_graph_request_total{{client="{request.client}", server="{request.server}"}})'
    yield "service map: who called whom", lambda: _number(query, edge)
    yield (
        f"container metrics of {request.container}, in the same time",
        lambda: _number(query, f'container:memory_bytes:max{{container="{request.container}"}}'),
    )
    yield "alert history", lambda: _history(query, request.service)


def _by_exemplar(
    query: Query, source: Mapping[str, Any], expr: str, sent: Sequence[str], another: Callable[[], None]
) -> tuple[str, str]:
    """Find one of the requests sent: a bucket keeps only the newest exemplar, and others send requests too.

    Where others' are always newer, one of theirs is used.
    """
    frames = query(DATASOURCE_PROMETHEUS, {"expr": expr, "exemplar": True, "range": True, "instant": False})
    for destination in source["exemplarTraceIdDestinations"]:
        traces = _column(frames, destination["name"])
        own = [trace for trace in traces if trace in sent]
        others = traces if len(sent) > _CROWDED else []
        for trace in (own or others)[-1:]:
            spans = _column(_open(query, destination, trace), "spanID")
            if not spans:
                raise LinkError(json.dumps(destination).replace(explore.VALUE, trace), "no such trace")
            owner = "" if own else f"; of another request, newer than all {len(sent)} of ours"
            return expr, f"exemplar {trace[:8]}…, {len(spans)} spans{owner}"
    for _ in range(_BATCH):
        another()
    raise LinkError(expr, f"no exemplar of {len(sent)} requests among {len(_column(frames, 'Value'))}")


def _open(query: Query, destination: Mapping[str, str], trace: str) -> Frames:
    """Query what a click on the exemplar asks; to a data source, that is a query as Tempo takes it."""
    if "datasourceUid" in destination:
        return query(destination["datasourceUid"], {"query": trace, "queryType": "traceql"})
    (target,) = explore.queries_of(destination["url"].replace(explore.VALUE, trace))
    return query(target["datasource"]["uid"], target)


def _lines(query: Query, expr: str, trace: str) -> tuple[str, str]:
    lines = _column(query(DATASOURCE_LOKI, {"expr": expr, "queryType": "range", "maxLines": 100}), "Line")
    if not lines:
        raise LinkError(expr, f"no line of {trace}")
    return expr, f"{len(lines)} lines: {str(lines[0])[:60]}"


def _number(query: Query, expr: str) -> tuple[str, str]:
    frames = query(DATASOURCE_PROMETHEUS, {"expr": expr, "instant": True})
    numbers = [value for value in _column(frames, type_="number") if value is not None]
    if not numbers:
        raise LinkError(expr, "no value")
    return expr, f"{float(numbers[-1]):.6g}"


def _rate(query: Query, expr: str, another: Callable[[], None]) -> tuple[str, str]:
    """As `_number`: a rate needs another request after the first that was seen."""
    try:
        return _number(query, expr)
    except LinkError:
        another()
        raise


def _by_line(query: Query, fields: Sequence[Mapping[str, str]], service: str, trace: str) -> tuple[str, str]:
    expr = f'{{service_name="{service}"}} |= `{trace}`'  # a busy service has written a hundred others since
    frames = query(DATASOURCE_LOKI, {"expr": expr, "queryType": "range", "maxLines": 100})
    for field in fields:
        for line, labels in zip(_column(frames, "Line"), _column(frames, "labels"), strict=False):
            if field["matcherType"] == "label":
                values = [v for k, v in dict(labels or {}).items() if re.fullmatch(field["matcherRegex"], k)]
            else:
                values = re.findall(field["matcherRegex"], str(line))
            if trace in values and _column(query(field["datasourceUid"], {"query": trace}), "spanID"):
                return f"{expr}, field {field['name']}", f"trace {trace[:8]}…"
    raise LinkError(expr, f"no field of {len(_column(frames, 'Line'))} lines leads to {trace}")


def correlation_values(trace: str, telemetry_name: str, service: str) -> dict[str, str]:
    """Return a value for every variable of the correlations' queries.

    Args:
        trace: the trace's ID.
        telemetry_name: `service.name` of the sender.
        service: the service's name in the recorded series.

    """
    # `unlinked` only decides whether Grafana shows the link; here its query is run in any case.
    return {"traceId": trace, "traceID": trace, "unlinked": "{", "serviceName": telemetry_name, "service": service}


def _correlated(query: Query, spec: CorrelationSpec, values: Mapping[str, str]) -> tuple[str, str]:
    text = re.sub(r"\$\{(\w+)\}", lambda m: json.dumps(values[m.group(1)])[1:-1], json.dumps(dict(spec.query)))
    frames = query(spec.target, json.loads(text))
    rows = sum(map(rows_of, frames))
    if not rows:
        raise LinkError(text, "nothing")
    return text, f"{rows} rows of {spec.target}"


def _history(query: Query, service: str) -> tuple[str, str]:
    expr = f'{{from="state-history"}} |= `"service":"{service}"`'
    lines = _column(query(DATASOURCE_LOKI, {"expr": expr, "queryType": "range", "maxLines": 10}), "Line")
    return expr, f"{len(lines)} changes of state" if lines else "no change of state yet"


def _query(api: GrafanaApi, uid: str, body: Json) -> Frames:
    full = {
        "refId": "A",
        "datasource": {"uid": uid, "type": _TYPES.get(uid, uid)},
        "maxDataPoints": 100,
        "intervalMs": 15_000,
    } | body
    try:
        results: dict[str, Json] = api.request("POST", "/api/ds/query", {"queries": [full], **_RANGE})["results"]
    except GrafanaError as error:
        raise LinkError(str(body), str(error)) from None
    result = results.get("A", {})  # Jaeger's plugin omits the result of a query that it does not understand
    if result.get("error"):
        raise LinkError(str(body), str(result["error"]))
    return list(result.get("frames") or ())


def value(api: GrafanaApi, uid: str, expr: str) -> float | None:
    """Return the newest value of a PromQL query, None where there is none or the query fails."""
    try:
        frames = _query(api, uid, {"expr": expr, "instant": True})
    except LinkError:
        return None
    found = [number for number in _column(frames, type_="number") if number is not None]
    return float(found[-1]) if found else None


def rows_of(frame: Json) -> int:
    """Return how many rows a data frame has."""
    columns = (frame.get("data") or {}).get("values") or []
    return max((len(column) for column in columns), default=0)


def _column(frames: Frames, name: str = "", *, type_: str = "") -> list[Any]:
    """Return the values of the fields of that name, or type, of every frame."""
    found: list[Any] = []
    for frame in frames:
        fields = frame["schema"]["fields"]
        values = (frame.get("data") or {}).get("values") or [[] for _ in fields]
        for field, column in zip(fields, values, strict=False):
            if name in (field["name"], "") and type_ in (field.get("type"), ""):
                found += column
    return found
