"""From a service's few lines of configuration to its recording rules.

One group per service, evaluated in order at the rule interval, so that a rule may read what an earlier one
wrote.

The arithmetic. `slo:requests:rate5m` and `slo:errors:rate5m` are recorded at every evaluation, and a ratio
over a window is the sum of the one over the sum of the other: weighted by events, because a busy minute adds
more than a quiet one. Quiet time adds 0 to both. The divisor is never below EPSILON, which no real request
gets near: no traffic is an error ratio of exactly 0, never NaN, and no errors are exactly 0 too. From a day on
the same sum is taken from subtotals of 5 minutes (`slo:*:increase5m`), a fifth of the samples at one evaluation a
minute, and corrected at both ends for what the subtotals lack (`slo:*:late5m`).

Absence. Requests are 0, not absent, while the service is scraped without having counted anything yet (`up`);
when nothing is known about it they are absent, coverage stops growing, and the ratios speak of the data there
is. A latency threshold that is no bucket of the histogram leaves its SLO absent with coverage 0: missing
numbers, not perfect ones. A good counter that does not exist has counted nothing: every event is an error.

What it cannot see: a counter's first sample. A series born with a value of 1 has an error that no rate
counts. Changing the rule interval gives the older evaluations in a window of hours another weight until they
leave it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from promql_parser import VectorSelector, parse

from observability.names import series
from observability.rules import units
from observability.rules.windows import (
    AVAILABILITY_WINDOW,
    BASE_WINDOW,
    BURN_WINDOWS,
    CONSUMED_WINDOWS,
    LATENCY_WINDOW,
    canonical,
)
from observability.settings import CustomSlo, LatencySlo, milliseconds, quoted, rename_order, seconds
from observability.text import dump
from observability.watched import watched

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from observability.settings import Settings, Slo, WatchedService

_BASE_SECONDS: Final = Decimal(milliseconds(BASE_WINDOW)) / 1000
LONG_WINDOW: Final = "1d"
"""From here on a window is summed from subtotals of 5 minutes."""
EPSILON: Final = "1e-09"
"""Stands for no requests in a divisor: one request in 30 days sums to seven orders of magnitude more."""
NOISE_FLOOR: Final = "1e-09"
"""A smaller share of errors, in 5 minutes, is what is left of subtracting sums that are equal."""
QUANTILES: Final = ((series.DURATION_P50, 0.5), (series.DURATION_P95, 0.95), (series.DURATION_P99, 0.99))


@dataclass(frozen=True, slots=True)
class RecordingRule:
    """One recorded series, or one set of them."""

    record: str
    expr: str
    labels: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Return the rule as Prometheus' rule file has it."""
        return {"record": self.record, "expr": self.expr, "labels": dict(self.labels)}


@dataclass(frozen=True, slots=True)
class RuleGroup:
    """Rules that are evaluated one after another, every `interval`."""

    name: str
    interval: str
    rules: tuple[RecordingRule, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the group as Prometheus' rule file has it."""
        rules = [rule.to_dict() for rule in self.rules]
        return {"name": self.name, "interval": self.interval, "rules": rules}


def render(settings: Settings) -> dict[str, str]:
    """Return the rule files: their name and their YAML."""
    interval = settings.rule_interval
    return {f"slo-{service.name}.yml": to_yaml(group(service, interval)) for service in watched(settings)}


def to_yaml(*groups: RuleGroup) -> str:
    """Return one rule file that holds `groups`."""
    return dump({"groups": [g.to_dict() for g in groups]})


def group(service: WatchedService, interval: str) -> RuleGroup:
    """Return every rule of one service."""
    slos = service.slo_by_name.items()
    rules = [*_base(service), *(rule for name, slo in slos for rule in _SloRules(service, name, slo, interval).rules())]
    return RuleGroup(f"slo-{service.name}", interval, tuple(rules))


def _base(service: WatchedService) -> Iterator[RecordingRule]:
    """Rates and what follows from them. Means and percentiles are absent without traffic, never NaN."""
    labels = {"service": service.name}
    metrics, names = service.metrics, service.labels

    def rule(record: str, expr: str) -> RecordingRule:
        return RecordingRule(record, expr, labels)

    def rate(metric: str) -> str:
        return f"rate({_own(service, metric)}[{BASE_WINDOW}])"

    def read(record: str) -> str:
        return _select(record, _equals(**labels))

    requests = _sum_by(rate(metrics.requests), endpoint=names.endpoint, method=names.method, status=names.status)
    yield rule(series.REQUESTS, requests)
    if metrics.in_progress is not None:
        yield rule(series.IN_PROGRESS, f"sum({_own(service, metrics.in_progress)})")
    yield rule(series.DURATION_BUCKET, units.by_bound(rate(f"{metrics.duration}_bucket"), metrics))
    durations = _sum_by(rate(f"{metrics.duration}_sum"), endpoint=names.endpoint)
    yield rule(series.DURATION_SUM, units.total(durations, metrics))
    yield rule(series.DURATION_COUNT, _sum_by(rate(f"{metrics.duration}_count"), endpoint=names.endpoint))
    mean = f"sum({read(series.DURATION_SUM)}) / (sum({read(series.DURATION_COUNT)}) > 0)"
    yield rule(series.DURATION_MEAN, mean)
    # A quantile of no requests is NaN; NaN >= 0 is not, so it is dropped.
    for record, quantile in QUANTILES:
        yield rule(record, f"histogram_quantile({quantile}, {read(series.DURATION_BUCKET)}) >= 0")
    # 5-minute rates at 5-minute steps meet without overlap: a fifth of the samples, and every request still
    # counts once. Summed, not averaged, so that a bucket that appears late does not weigh too much.
    week = f"sum_over_time({read(series.DURATION_BUCKET)}[{LATENCY_WINDOW}:{BASE_WINDOW}])"
    yield rule(series.DURATION_P99_7D, f"histogram_quantile(0.99, {week}) >= 0")


class _Made(NamedTuple):
    lead: str
    slot: str
    late: str


_MADE_OF: Final = {
    series.SLO_REQUESTS: _Made(series.SLO_REQUESTS_LEAD, series.SLO_REQUESTS_SLOT, series.SLO_REQUESTS_LATE),
    series.SLO_ERRORS: _Made(series.SLO_ERRORS_LEAD, series.SLO_ERRORS_SLOT, series.SLO_ERRORS_LATE),
}
"""What is recorded of the requests and of the errors alike."""


@dataclass(frozen=True, slots=True)
class _SloRules:
    """The rules of one SLO, in the order in which they read each other."""

    service: WatchedService
    name: str
    slo: Slo
    interval: str

    @property
    def kind(self) -> str:
        return series.SLO_CUSTOM if isinstance(self.slo, CustomSlo) else self.name

    @property
    def labels(self) -> dict[str, str]:
        return {"service": self.service.name, "slo": self.name}

    @property
    def window(self) -> str:
        return canonical(self.slo.window)

    @property
    def budget(self) -> Decimal:
        return 1 - Decimal(str(self.slo.objective)) / 100

    @property
    def every(self) -> str:
        """Seconds between two evaluations."""
        return _number(Decimal(milliseconds(self.interval)) / 1000)

    def rules(self) -> Iterator[RecordingRule]:
        yield from self._promise()
        yield from self._count()
        yield from self._ratios()
        yield from self._spend()
        yield self._coverage()

    def _rule(self, record: str, expr: str) -> RecordingRule:
        return RecordingRule(record, expr, self.labels)

    def _read(self, record: str) -> str:
        return _select(record, _equals(**self.labels))

    def _promise(self) -> Iterator[RecordingRule]:
        yield self._rule(series.OBJECTIVE, f"vector({_number(1 - self.budget)})")
        yield self._rule(series.BUDGET, f"vector({_number(self.budget)})")
        yield self._rule(series.WINDOW, f"vector({_number(Decimal(milliseconds(self.window)) / 1000)})")
        if isinstance(self.slo, LatencySlo):
            yield self._rule(series.THRESHOLD, f"vector({_threshold(self.slo)})")

    def _count(self) -> Iterator[RecordingRule]:
        read = self._read(series.SLO_REQUESTS)
        if isinstance(self.slo, CustomSlo):
            requests, errors = _custom(self.service, self.slo, read)
        elif not isinstance(self.slo, LatencySlo):
            requests, errors = _availability(self.service)
        elif self.slo.histogram == "native":
            requests, errors = _native_latency(self.service, self.slo, read)
        else:
            requests, errors = _latency(self.service, self.slo)
        yield self._rule(series.SLO_REQUESTS, requests)
        yield self._rule(series.SLO_ERRORS, f"{errors} or on () 0 * {read}")
        none = f"0 * {self._read(series.BUDGET)}"
        for rate, period in (
            (series.SLO_REQUESTS, series.REQUESTS_PERIOD),
            (series.SLO_ERRORS, series.ERRORS_PERIOD),
        ):
            read, names = self._read(rate), _MADE_OF[rate]
            yield self._rule(names.lead, f"{_lead(self.interval)} * {read} or {none}")
            yield self._rule(names.slot, self._slot(read))
            yield self._rule(names.late, f"{self._late()} * {read} or {none}")
            yield self._rule(period, self._whole(rate, self.window))

    def _slot(self, rate: str) -> str:
        """Return the events since the last slot's end, at the last evaluation of a slot only.

        Absent in between, so that a sum over days meets every evaluation once and reads a fifth of the samples.
        Its range ends half an evaluation early, so that no evaluation lies on its edge.
        """
        every, count = milliseconds(self.interval), _evaluations(self.interval)
        span = canonical(f"{count * every - every // 2}ms")
        events = f"{self.every} * sum_over_time({rate}[{span}])"
        return f"{events} and on () {self._place()} == 0" if count > 1 else events

    def _place(self) -> str:
        """Return how many evaluations ago the last slot ended, as a vector."""
        return f"floor(vector(time() / {self.every})) % {_evaluations(self.interval)}"

    def _late(self) -> str:
        """Return how many seconds of the newest rate a sum of slots lacks: since the last slot's end, and the lead."""
        lead = _lead(self.interval)
        return f"{self.every} * ({lead} + scalar({self._place()}))"

    def _whole(self, rate: str, window: str) -> str:
        """Return the events in a window, from the slots where that is long enough.

        What the slots lack now is added; what they lacked when the window began is in it by mistake. Before the
        first slot has ended there is what the rates say.
        """
        if milliseconds(window) < milliseconds(LONG_WINDOW):
            return f"{self.every} * sum_over_time({self._read(rate)}[{window}])"
        names = _MADE_OF[rate]
        late = self._read(names.late)
        edges = f"{late} - ({late} offset {window} or 0 * {late})"
        young = f"{self.every} * sum_over_time({self._read(rate)}[{BASE_WINDOW}])"
        return f"clamp_min(sum_over_time({self._read(names.slot)}[{window}]) + {edges}, 0) or {young}"

    def _ratios(self) -> Iterator[RecordingRule]:
        windows = {*BURN_WINDOWS, self.window}
        shares = {BASE_WINDOW, self.window}
        if self.kind == series.SLO_AVAILABILITY:
            windows.add(AVAILABILITY_WINDOW)
            shares.add(AVAILABILITY_WINDOW)
        for window in sorted(windows, key=milliseconds):
            yield self._rule(series.error_ratio(window), self._error_ratio(window))
        for window in sorted(shares, key=milliseconds):
            good = f"1 - {self._read(series.error_ratio(window))}"
            yield self._rule(series.good_ratio(self.kind, window), good)
        yield self._rule(series.GOOD_PERIOD, f"1 - {self._read(series.error_ratio(self.window))}")

    def _error_ratio(self, window: str) -> str:
        if window == self.window:
            whole = _ratio(self._read(series.ERRORS_PERIOD), self._read(series.REQUESTS_PERIOD))
            return f"clamp_max({whole}, 1)"
        if window == BASE_WINDOW:
            return _ratio(self._read(series.SLO_ERRORS), self._read(series.SLO_REQUESTS))
        ratio = _ratio(f"({self._events(series.SLO_ERRORS, window)})", self._events(series.SLO_REQUESTS, window))
        return f"clamp_max({ratio}, 1)" if milliseconds(window) >= milliseconds(LONG_WINDOW) else ratio

    def _events(self, rate: str, window: str) -> str:
        """Return how many events `window` holds.

        Below a day: the last 5 minutes as their rate has them, so that an outage counts from its first second, and
        before them the sum of rates, with what it still lacked 5 minutes ago and without what it has from before the
        window. Added as two series: either may be all that there is.
        """
        if milliseconds(window) >= milliseconds(LONG_WINDOW):
            return self._whole(rate, window)
        newest, lead = self._read(rate), self._read(_MADE_OF[rate].lead)
        rest = canonical(f"{milliseconds(window) - milliseconds(BASE_WINDOW)}ms")
        summed = f"sum_over_time({newest}[{rest}] offset {BASE_WINDOW})"
        edges = f"({lead} offset {BASE_WINDOW} or 0 * {lead}) - ({lead} offset {window} or 0 * {lead})"
        before = f"{self.every} * clamp_min({summed} + {edges}, 0)"
        now = f'label_replace({_number(_BASE_SECONDS)} * {newest}, "part", "newest", "", "")'
        return f"sum without (part) ({now} or {before})"

    def _spend(self) -> Iterator[RecordingRule]:
        budget = _number(self.budget)
        for window in BURN_WINDOWS:
            yield self._rule(series.burn_rate(window), f"{self._read(series.error_ratio(window))} / {budget}")
        whole = f"{self._read(series.error_ratio(self.window))} / {budget}"
        yield self._rule(series.BURN_RATE_PERIOD, whole)
        yield self._rule(series.BUDGET_REMAINING, f"1 - {self._read(series.BURN_RATE_PERIOD)}")
        # By events, not by time: one failed request in a quiet night spends one request's share of the
        # budget, and what the hours spent adds up to what the window lost.
        allowed = f"{budget} * {self._read(series.REQUESTS_PERIOD)}"
        for window in CONSUMED_WINDOWS:
            spent = self._events(series.SLO_ERRORS, window)
            yield self._rule(series.budget_consumed(window), _ratio(f"({spent})", allowed))

    def _coverage(self) -> RecordingRule:
        """A slot counts when anything was recorded in it."""
        slot = _evaluations(self.interval) * milliseconds(self.interval)
        slots = _number(Decimal(milliseconds(self.window)) / slot)
        present = f"count_over_time({self._read(series.SLO_REQUESTS_SLOT)}[{self.window}])"
        return self._rule(series.COVERAGE, f"clamp_max({present} / {slots}, 1) or on () vector(0)")


def _availability(service: WatchedService) -> tuple[str, str]:
    """Return requests and errors per second: every request, and those whose status is an error."""
    named = _equals(service=service.name)
    failed = f"status=~{quoted(service.errors)}"
    requests = f"sum({_select(series.REQUESTS, named)}) or 0 * {_scraped(service)}"
    return requests, f"sum({_select(series.REQUESTS, named, failed)})"


def _latency(service: WatchedService, slo: LatencySlo) -> tuple[str, str]:
    """Return requests and errors per second: every timed request, and those slower than the threshold.

    Subtracted series by series, so that no slow request is exactly 0 in whatever order a sum adds up.
    """
    count = _own(service, f"{service.metrics.duration}_count")
    bucket = _own(service, f"{service.metrics.duration}_bucket", _equals(le=units.bound(slo, service.metrics)))
    timed, fast = (f"rate({selector}[{BASE_WINDOW}])" for selector in (count, bucket))
    requests = f"sum({timed} and ignoring (le) {fast}) or (0 * {_scraped(service)} unless on () {count})"
    return requests, f"clamp_min(sum({timed} - ignoring (le) {fast}), 0)"


def _native_latency(service: WatchedService, slo: LatencySlo, recorded: str) -> tuple[str, str]:
    """Return requests and errors per second of a native histogram.

    Requests without one, because the service has a classic histogram only, leave the SLO absent.
    """
    timed = f"sum(rate({_own(service, service.metrics.duration)}[{BASE_WINDOW}]))"
    count = f"histogram_count({timed})"
    classic = _own(service, f"{service.metrics.duration}_count")
    fast = f"histogram_fraction(-Inf, {units.bound(slo, service.metrics)}, {timed}) * {count}"
    return f"{count} or (0 * {_scraped(service)} unless on () {classic})", _missed(fast, recorded)


def _custom(service: WatchedService, slo: CustomSlo, recorded: str) -> tuple[str, str]:
    """Return events and bad events per second: all that `total` counts, and what `good` does not."""
    return f"{_counted(slo.total)} or 0 * {_scraped(service)}", _missed(_counted(slo.good), recorded)


def _counted(events: str) -> str:
    """Return the sum of a counter's rate, or of any other expression, without what is no number of events."""
    found = parse(events)
    end = "\n" if "#" in events else ""  # after a comment
    if isinstance(found, VectorSelector) and ":" not in (found.name or ""):
        return f"sum(rate({events}{end}[{BASE_WINDOW}]))"
    return f"sum(({events}{end}) >= 0 < Inf)"


def _missed(good: str, recorded: str) -> str:
    """Return what `good` lacks of the recorded events, where it is more than NOISE_FLOOR of them."""
    return f"(sum({recorded}) - ({good} or sum(0 * {recorded}))) > {NOISE_FLOOR} * sum({recorded})"


def _scraped(service: WatchedService) -> str:
    return f"max(up{{{_equals(job=service.name)}}} == 1)"


def _lead(interval: str) -> str:
    """Return how many evaluations of the newest rate a sum of rates lacks.

    A request shows in each evaluation of the 5 minutes after it: one from a moment ago in the first of them
    only. Of even traffic, (n - 1) / 2 of n evaluations are still to come. Without them a total outage shows
    in the 1-hour ratio two minutes late, which is half of the time that a page has.
    """
    evaluations = Decimal(milliseconds(BASE_WINDOW)) / milliseconds(interval)
    return _number((evaluations - 1) / 2)


def _evaluations(interval: str) -> int:
    """Return how many evaluations make a slot: as many as 5 minutes hold."""
    return milliseconds(BASE_WINDOW) // milliseconds(interval)


def _ratio(part: str, whole: str) -> str:
    return f"{part} / clamp_min({whole}, {EPSILON})"


def _threshold(slo: LatencySlo) -> str:
    """Return the threshold as Prometheus 3 writes `le`: `0.3`, `1.0`."""
    return str(seconds(slo.threshold))


def _number(value: Decimal) -> str:
    return repr(float(value)).removesuffix(".0")


def _equals(**labels: str) -> str:
    return ", ".join(f"{name}={json.dumps(value)}" for name, value in labels.items())


def _select(metric: str, *matchers: str) -> str:
    return f"{metric}{{{', '.join(matchers)}}}"


def _own(service: WatchedService, metric: str, *more: str) -> str:
    """Return the selector of one of the service's own series."""
    return _select(metric, service.matchers.strip().rstrip(","), *more)


def _sum_by(expr: str, **names: str | None) -> str:
    """Return the sum of `expr` by the contract's labels, given the service's own name for each.

    Summed before renaming, so that a label of the service that happens to have the contract's name is gone by
    then, and again after it, so that the service's own name is.
    """
    own = {contract: name for contract, name in names.items() if name is not None}
    if not own:
        return f"sum({expr})"
    result = f"sum by ({', '.join(own.values())}) ({expr})"
    renamed = {contract: name for contract, name in own.items() if contract != name}
    for contract, name in rename_order(renamed):
        result = f'label_replace({result}, "{contract}", "$1", "{name}", "(.*)")'
    return f"sum by ({', '.join(own)}) ({result})" if renamed else result
