"""The inventory: what each store counts of its own content, to compare a restored store with its backup.

Everything is counted up to a time `at` in the past, by which all its data has arrived. A backup counts before and after
it copies: the copy is between the two counts, which are usually equal. Metrics and logs are counted for each hour of a
day, so that the part of an old archive that has not expired can be compared.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode

from cli.context import Context
from cli.errors import UserError
from components.grafana_api import GrafanaApi, GrafanaError
from observability import topology
from observability.configs import loki
from observability.periods import VOLUME, Periods
from observability.settings import Settings, seconds

SETTLED_SECONDS: Final = 30
"""Two scrapes at the longest usual interval: everything older has arrived."""
WINDOW_SECONDS: Final = 24 * 3_600
TRACES: Final = 1_000
"""Most traces of each service that are counted, because Jaeger counts traces only by returning them."""
_HOUR: Final = 3_600
_PATIENCE_SECONDS: Final = 60
_PROXY: Final = "/api/datasources/proxy/uid"

Json = dict[str, Any]
Counts = dict[str, int]
"""A count by the beginning of its hour, in seconds since 1970; `0` for one without a time."""


@dataclass(frozen=True)
class Measure:
    """How much of `what` the `store` holds: at least `low`, at most `high`, by time."""

    store: str
    what: str
    low: Counts
    high: Counts

    def document(self) -> Json:
        """Return this as JSON."""
        return {"store": self.store, "what": self.what, "low": self.low, "high": self.high}


@dataclass(frozen=True)
class Verdict:
    """One line of the comparison; data that has expired since is in neither number."""

    store: str
    what: str
    expected: str
    found: str
    passed: bool


def run(context: Context, *, as_json: bool) -> int:
    """Count what the stores hold and print it."""
    settings = context.settings
    context.pulumi.select()
    at = int(time.time()) - SETTLED_SECONDS
    with context.console.status("counting"):
        measures = measure(context.grafana(), settings, at)
    if as_json:
        context.console.json({"stack": context.stack, "at": at, "counts": [m.document() for m in measures]})
    else:
        context.console.table(
            f"what stack '{context.stack}' holds",
            ("store", "what", "number"),
            [(m.store, m.what, f"{sum(m.low.values()):,}") for m in measures],
        )
        for signal in external_signals(settings):
            context.console.say(f"{signal} are kept elsewhere and are not counted")
    return 0


def measure(api: GrafanaApi, settings: Settings, at: int, stores: Sequence[str] = ()) -> list[Measure]:
    """Count what the named stores (by default all) hold up to `at`; raise UserError if one does not answer."""
    measures = []
    for store, count in _STORES.items():
        if (stores and store not in stores) or store not in settings.containers:
            continue
        try:
            measures += [Measure(store, what, counts, counts) for what, counts in count(api, settings, at)]
        except (GrafanaError, KeyError, TypeError, ValueError) as error:
            msg = f"{store} could not be counted: {error}"
            raise UserError(msg) from None
    return measures


def external_signals(settings: Settings) -> tuple[str, ...]:
    """Return what external stores keep, which is neither counted nor in a backup."""
    signals = tuple(part.store.signal for part in topology.STORES if part.store and part not in settings.parts)
    bucket = settings.logs.object_store
    if not bucket:
        return signals
    return (*signals, f"logs from {bucket.first_day} {f'to {bucket.until}' if bucket.until else 'on'}")


def merge(before: Sequence[Measure], after: Sequence[Measure]) -> list[Measure]:
    """Return the bounds of a copy that was made between two counts."""
    later = {(m.store, m.what): m for m in after}
    return [_join(m, later[m.store, m.what]) for m in before]


def _join(before: Measure, after: Measure) -> Measure:
    keys = [*before.low, *(k for k in after.low if k not in before.low)]
    pairs = {k: sorted((before.low.get(k, 0), after.low.get(k, 0))) for k in keys}
    return Measure(before.store, before.what, {k: p[0] for k, p in pairs.items()}, {k: p[1] for k, p in pairs.items()})


def compare(
    expected: Sequence[Mapping[str, Any]], actual: Sequence[Measure], settings: Settings, now: float
) -> list[Verdict]:
    """Compare what was found with an archive's counts, without what has expired in the meantime."""
    by_name = {(m.store, m.what): m for m in actual}
    kept = {
        part.name: seconds(getattr(settings, part.store.retention))
        for part in topology.STORES
        if part.store is not None and part.store.retention
    }
    verdicts = []
    for counted in expected:
        store, what = str(counted["store"]), str(counted["what"])
        if (store, what) not in by_name:
            continue
        oldest = now - kept[store] if store in kept else 0
        times = [k for k in counted["low"] if k == "0" or int(k) >= oldest]
        seen = by_name[store, what].low
        low, high, here = (sum(c.get(k, 0) for k in times) for c in (counted["low"], counted["high"], seen))
        passed = all(counted["low"].get(k, 0) <= seen.get(k, 0) <= counted["high"].get(k, 0) for k in times)
        expired = len(counted["low"]) - len(times)
        verdicts.append(
            Verdict(
                store,
                what,
                (f"{low:,}" if low == high else f"{low:,} to {high:,}")
                + (f" ({expired} h expired)" if expired else ""),
                f"{here:,}",
                passed,
            )
        )
    return verdicts


def rows(verdicts: Sequence[Verdict]) -> list[tuple[str, str, str, str, str]]:
    """Return the verdicts as a table's rows."""
    return [(v.store, v.what, v.expected, v.found, "yes" if v.passed else "NO") for v in verdicts]


def wait_until_matching(
    api: GrafanaApi, expected: Sequence[Mapping[str, Any]], settings: Settings, at: int, stores: Sequence[str]
) -> list[Verdict]:
    """Count until everything matches, for at most as long as a store needs to start."""
    until = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            verdicts = compare(expected, measure(api, settings, at, stores), settings, time.time())
        except UserError:
            if time.monotonic() > until:
                raise
        else:
            if all(v.passed for v in verdicts) or time.monotonic() > until:
                return verdicts
        time.sleep(1)


def _grafana(api: GrafanaApi, _settings: Settings, at: int) -> Iterator[tuple[str, Counts]]:
    items: Json = {
        "dashboards": api.request("GET", "/api/search?type=dash-db&limit=5000"),
        "folders": api.request("GET", "/api/folders?limit=1000"),
        "data sources": api.request("GET", "/api/datasources"),
        "users": api.request("GET", "/api/org/users"),
        "alert rules": api.request("GET", "/api/v1/provisioning/alert-rules"),
        "contact points": api.request("GET", "/api/v1/provisioning/contact-points"),
        "annotations": api.request("GET", f"/api/annotations?limit=10000&type=annotation&from=1&to={at * 1000}"),
    }
    for what, things in items.items():
        yield what, {"0": len(things)}


def _prometheus(api: GrafanaApi, _settings: Settings, at: int) -> Iterator[tuple[str, Counts]]:
    # Of the functions over a range, this keeps the names, without which series would be told apart no more.
    query = 'count(last_over_time({__name__=~".+"}[1h]))'
    samples: Counts = {}
    series: Counts = {}
    for begin, query_string in _hours(query, at):
        answer = api.request("GET", f"{_PROXY}/prometheus/api/v1/query?{query_string}&stats=all")["data"]
        if answer["result"]:
            samples[begin] = int(answer["stats"]["samples"]["totalQueryableSamples"])
            series[begin] = int(answer["result"][0]["value"][1])
    yield "samples", samples
    yield "series, hour by hour", series


def _loki(api: GrafanaApi, settings: Settings, at: int) -> Iterator[tuple[str, Counts]]:
    kept = loki.periods(settings)
    every = '{service_name=~".+"}'
    lines: Counts = {}
    for begin, query_string in _hours(
        f"sum(count_over_time({every}[1h]))", at
    ):  # one by one: Loki aligns the steps of a range
        if kept is not None and not _on_volume(kept, int(begin)):
            continue
        answer = api.request("GET", f"{_PROXY}/loki/loki/api/v1/query?{query_string}")["data"]
        if answer["result"]:
            lines[begin] = int(answer["result"][0]["value"][1])
    yield "lines", lines
    if kept is not None:  # what a stream counts does not say which store has its lines
        return
    first = at - WINDOW_SECONDS
    selection = urlencode({"match[]": every, "start": first * 10**9, "end": at * 10**9})
    yield (
        "streams",
        {str(first): len(api.request("GET", f"{_PROXY}/loki/loki/api/v1/series?{selection}").get("data") or ())},
    )


def _on_volume(kept: Periods, begin: int) -> bool:
    """Tell whether the lines of the hour that begins then are in the volume, all of them."""
    days = {datetime.fromtimestamp(moment, UTC).date().isoformat() for moment in (begin, begin + _HOUR)}
    return all(kept.store(day) == VOLUME for day in days)


def _jaeger(api: GrafanaApi, settings: Settings, at: int) -> Iterator[tuple[str, Counts]]:
    begin = at - int(seconds(settings.jaeger_retention))
    began: dict[str, int] = {}
    spans: dict[str, int] = {}
    for service in api.request("GET", f"{_PROXY}/jaeger/api/services")["data"] or ():
        search = urlencode({"service": service, "start": begin * 10**6, "end": at * 10**6, "limit": TRACES})
        for trace in api.request("GET", f"{_PROXY}/jaeger/api/traces?{search}")["data"] or ():
            # A trace that began before it goes on after it, and a span arrives when it has ended.
            ended = [s["startTime"] for s in trace["spans"] if s["startTime"] + s["duration"] <= at * 10**6]
            if ended:
                began[trace["traceID"]] = min(ended) // 10**6
                spans[trace["traceID"]] = len(ended)
    for what, of_trace in (("traces", dict.fromkeys(began, 1)), ("spans", spans)):
        counts: Counts = {}
        for trace, number in of_trace.items():
            hour = str(began[trace] // _HOUR * _HOUR)
            counts[hour] = counts.get(hour, 0) + number
        yield what, counts


def _hours(query: str, at: int) -> Iterator[tuple[str, str]]:
    """Yield each hour before `at`: when it begins, and a query over it as a URL's parameters."""
    for end in range(at - WINDOW_SECONDS + _HOUR, at + 1, _HOUR):
        yield str(end - _HOUR), urlencode({"query": query, "time": end})


_STORES: Final[Mapping[str, Callable[[GrafanaApi, Settings, int], Iterator[tuple[str, Counts]]]]] = {
    topology.GRAFANA.name: _grafana,
    topology.PROMETHEUS.name: _prometheus,
    topology.LOKI.name: _loki,
    topology.JAEGER.name: _jaeger,
}
