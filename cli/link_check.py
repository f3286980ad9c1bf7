"""One request with a known trace ID, followed from signal to signal by the configured links, through Grafana only.

Each hop takes its query from the link itself (exemplar destination, traces to logs, traces to metrics, derived field),
so that a link whose query is wrong fails here as it would under a mouse.
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

from components.grafana_api import GrafanaApi, GrafanaError
from lab.otlp import call, new_span, new_trace, push, record
from observability import explore
from observability.configs.correlations import CORRELATIONS, CorrelationSpec
from observability.configs.datasources import datasources
from observability.names import series
from observability.names.uids import DATASOURCE_JAEGER, DATASOURCE_LOKI, DATASOURCE_PROMETHEUS
from observability.settings import DEMO, Settings, seconds
from observability.watched import watched

Json = dict[str, Any]
Frames = list[Json]
Ask = Callable[[str, Json], Frames]
"""Asks a data source, by its UID, one query; HopError when that fails."""

PATIENCE_SECONDS = 60
PIXELS = 64
"""Of a picture that the demo's model reads."""
_POLL_SECONDS = 0.5
_AT_ONCE = 5
"""Requests sent for an exemplar: at each scrape one of ours has to be the newest in its bucket, others' beside it."""
_CROWDED = 100
"""Requests sent without one being the newest: the service is too busy to wait for that."""
_RANGE = {"from": "now-15m", "to": "now"}


@dataclass(frozen=True)
class Canary:
    """The request that is followed: `send` sends one with a given trace ID; OSError when it is not taken.

    `service` answers it, `client` calls `server` on its way, `container` carries it, and `durations` selects the
    histogram that counts it. `where` is the address that it is sent to.
    """

    client: str
    server: str
    service: str
    container: str
    durations: str
    where: str
    send: Callable[[str], None]


@dataclass(frozen=True)
class Hop:
    """One step: what was tried, whether it led anywhere, what came back, and seconds from the request until it did."""

    name: str
    tried: str
    passed: bool
    said: str
    seconds: float


class HopError(Exception):
    """A hop that did not lead anywhere yet: `said` is what came back."""

    def __init__(self, tried: str, said: str) -> None:
        self.tried, self.said = tried, said
        super().__init__(f"{tried}: {said}")


Step = Callable[[], tuple[str, str]]
"""Returns what was tried and what came back; raises HopError."""


def pushed(otlp: str) -> Canary:
    """Return a request that two services claim to have taken part in, whose names no real service has."""
    client, server = "verify-links", "verify-links-backend"

    def send(trace: str) -> None:
        answered = call(otlp, trace, client, server, name="GET /verify")
        push(otlp, "records", {server: [record(f"make verify asked, trace_id={trace}", trace, answered)]})

    durations = f'{series.SPAN_DURATION_BUCKET}{{service_name="{server}"}}'
    return Canary(client, server, server, "collector", durations, otlp, send)


def answered(gateway: str) -> Canary:
    """Return a request to the demo's gateway at this URL, which asks its model."""
    asked = json.dumps({"instances": [[0] * PIXELS]}).encode()
    url = f"{gateway}/v1/models/digits/predict"

    def send(trace: str) -> None:
        headers = {"Content-Type": "application/json", "traceparent": f"00-{trace}-{new_span()}-01"}
        request = urllib.request.Request(url, asked, headers=headers)  # noqa: S310 - the stack's own address
        try:
            with urllib.request.urlopen(request, timeout=10):  # noqa: S310 - as above
                pass
        except urllib.error.HTTPError as refused:  # an answer too: its trace and lines are wanted most in an outage
            refused.close()

    client, server = DEMO[:2]
    durations = f'http_request_duration_seconds_bucket{{service="{client}"}}'
    return Canary(client, server, client, client, durations, url, send)


def walk(api: GrafanaApi, canary: Canary, settings: Settings) -> list[Hop]:
    """Send the request and take every hop; one that fails does not end the walk."""
    trace = new_trace()
    began = time.monotonic()
    try:
        canary.send(trace)
    except OSError as error:
        return [Hop("the request itself", f"POST {canary.where}", passed=False, said=str(error), seconds=0.0)]
    patience = PATIENCE_SECONDS + 2 * seconds(settings.scrape_interval)
    with ThreadPoolExecutor(max_workers=8) as together:  # each for itself, so that each tells its own time
        taken = [
            together.submit(_take, name, step, began, patience) for name, step in _steps(api, canary, settings, trace)
        ]
        return [hop.result() for hop in taken]


def _take(name: str, step: Step, began: float, patience: float) -> Hop:
    while True:
        try:
            tried, said = step()
        except HopError as error:
            if time.monotonic() - began < patience:
                time.sleep(_POLL_SECONDS)
                continue
            return Hop(name, error.tried, passed=False, said=error.said, seconds=time.monotonic() - began)
        return Hop(name, tried, passed=True, said=said, seconds=time.monotonic() - began)


def _steps(api: GrafanaApi, canary: Canary, settings: Settings, trace: str) -> Iterator[tuple[str, Step]]:
    sources = {spec.uid: spec.json_data for spec in datasources(settings)}
    exemplar, derived = sources[DATASOURCE_PROMETHEUS], sources[DATASOURCE_LOKI]
    to_logs, to_metrics = (sources[DATASOURCE_JAEGER][key] for key in ("tracesToLogsV2", "tracesToMetrics"))

    sent = [trace]
    """Every request that was sent: the first is followed, the others are needed for rates and exemplars."""

    def another() -> None:
        sent.append(new_trace())
        try:
            canary.send(sent[-1])
        except OSError as error:
            raise HopError(f"POST {canary.where}", str(error)) from None

    def ask(uid: str, query: Json) -> Frames:
        return _ask(api, uid, query)

    yield "metric → its exemplar → the trace", lambda: _by_exemplar(ask, exemplar, canary.durations, sent, another)
    yield "trace → its log lines", lambda: _lines(ask, str(to_logs["query"]).replace("${__span.traceId}", trace), trace)
    for query in to_metrics["queries"]:
        expr = str(query["query"]).replace("$__tags", f'{to_metrics["tags"][0]["value"]}="{canary.service}"')
        yield f"trace → the service's {query['name'].lower()}", lambda expr=expr: _rate(ask, expr, another)  # type: ignore[misc]
    yield "log line → the trace", lambda: _by_line(ask, derived["derivedFields"], canary.service, trace)
    known = [service.name for service in watched(settings)]
    values = {"traceId": trace, "traceID": trace, "serviceName": canary.service, "service": known[-1] if known else ""}
    for spec in CORRELATIONS:
        if known or "${service}" not in json.dumps(dict(spec.query)):
            yield f"correlation {spec.name}", lambda spec=spec: _correlated(ask, spec, values)  # type: ignore[misc]
    edge = f'sum(traces_service_graph_request_total{{client="{canary.client}", server="{canary.server}"}})'
    yield "service map: who called whom", lambda: _number(ask, edge)
    yield (
        f"container metrics of {canary.container}, in the same time",
        lambda: _number(ask, f'container:memory_bytes:max{{container="{canary.container}"}}'),
    )
    yield "alert history", lambda: _history(ask, canary.service)


def _by_exemplar(
    ask: Ask, source: Mapping[str, Any], expr: str, sent: Sequence[str], another: Callable[[], None]
) -> tuple[str, str]:
    """Find one of the requests sent: a bucket keeps only the newest exemplar, and others send requests too.

    Where others' are always newer, a busy service is asked for one of theirs.
    """
    frames = ask(DATASOURCE_PROMETHEUS, {"expr": expr, "exemplar": True, "range": True, "instant": False})
    for destination in source["exemplarTraceIdDestinations"]:
        there = _column(frames, destination["name"])
        own = [trace for trace in there if trace in sent]
        others = there if len(sent) > _CROWDED else []
        for trace in (own or others)[-1:]:
            spans = _column(_followed(ask, destination, trace), "spanID")
            if not spans:
                raise HopError(json.dumps(destination).replace(explore.VALUE, trace), "no such trace")
            whose = "" if own else f"; another's, newer than all {len(sent)} of ours"
            return expr, f"exemplar {trace[:8]}…, {len(spans)} spans{whose}"
    for _ in range(_AT_ONCE):
        another()
    raise HopError(expr, f"no exemplar of {len(sent)} requests among {len(_column(frames, 'Value'))}")


def _followed(ask: Ask, destination: Mapping[str, str], trace: str) -> Frames:
    """Ask what a click on the exemplar asks; to a data source, that is a query as Tempo takes it."""
    if "datasourceUid" in destination:
        return ask(destination["datasourceUid"], {"query": trace, "queryType": "traceql"})
    (query,) = explore.asked(destination["url"].replace(explore.VALUE, trace))
    return ask(query["datasource"]["uid"], query)


def _lines(ask: Ask, expr: str, trace: str) -> tuple[str, str]:
    found = _column(ask(DATASOURCE_LOKI, {"expr": expr, "queryType": "range", "maxLines": 100}), "Line")
    if not found:
        raise HopError(expr, f"no line of {trace}")
    return expr, f"{len(found)} lines: {str(found[0])[:60]}"


def _number(ask: Ask, expr: str) -> tuple[str, str]:
    frames = ask(DATASOURCE_PROMETHEUS, {"expr": expr, "instant": True})
    found = [value for value in _column(frames, type_="number") if value is not None]
    if not found:
        raise HopError(expr, "no value")
    return expr, f"{float(found[-1]):.6g}"


def _rate(ask: Ask, expr: str, another: Callable[[], None]) -> tuple[str, str]:
    """As `_number`: a rate needs another request after the first that was seen."""
    try:
        return _number(ask, expr)
    except HopError:
        another()
        raise


def _by_line(ask: Ask, fields: Sequence[Mapping[str, str]], service: str, trace: str) -> tuple[str, str]:
    expr = f'{{service_name="{service}"}} |= `{trace}`'  # a busy service has written a hundred others since
    frames = ask(DATASOURCE_LOKI, {"expr": expr, "queryType": "range", "maxLines": 100})
    for field in fields:
        for line, labels in zip(_column(frames, "Line"), _column(frames, "labels"), strict=False):
            if field["matcherType"] == "label":
                values = [v for k, v in dict(labels or {}).items() if re.fullmatch(field["matcherRegex"], k)]
            else:
                values = re.findall(field["matcherRegex"], str(line))
            if trace in values and _column(ask(field["datasourceUid"], {"query": trace}), "spanID"):
                return f"{expr}, field {field['name']}", f"trace {trace[:8]}…"
    raise HopError(expr, f"no field of {len(_column(frames, 'Line'))} lines leads to {trace}")


def _correlated(ask: Ask, spec: CorrelationSpec, values: Mapping[str, str]) -> tuple[str, str]:
    text = re.sub(r"\$\{(\w+)\}", lambda m: json.dumps(values[m.group(1)])[1:-1], json.dumps(dict(spec.query)))
    frames = ask(spec.target, json.loads(text))
    rows = sum(map(rows_of, frames))
    if not rows:
        raise HopError(text, "nothing")
    return text, f"{rows} rows of {spec.target}"


def _history(ask: Ask, service: str) -> tuple[str, str]:
    expr = f'{{from="state-history"}} |= `"service":"{service}"`'
    found = _column(ask(DATASOURCE_LOKI, {"expr": expr, "queryType": "range", "maxLines": 10}), "Line")
    return expr, f"{len(found)} changes of state" if found else "no change of state yet"


def _ask(api: GrafanaApi, uid: str, query: Json) -> Frames:
    asked = {"refId": "A", "datasource": {"uid": uid, "type": uid}, "maxDataPoints": 100, "intervalMs": 15_000} | query
    try:
        results: dict[str, Json] = api.request("POST", "/api/ds/query", {"queries": [asked], **_RANGE})["results"]
    except GrafanaError as error:
        raise HopError(str(query), str(error)) from None
    result = results.get("A", {})  # of what it does not understand Jaeger's plugin says nothing at all
    if result.get("error"):
        raise HopError(str(query), str(result["error"]))
    return list(result.get("frames") or ())


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
