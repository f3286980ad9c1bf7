"""From a service's few lines of configuration to its recording rules.

One group per service, evaluated in order at the rule interval, so that a rule may read what an earlier one
wrote.

The arithmetic. `slo:requests:total` and `slo:errors:total` are running totals of exact increases (see
`counting`). What a window holds is the difference of two of their values; from a day on it is the sum of
subtotals of 5 minutes (`slo:*:increase5m`) and of what came since the last of these (`slo:*:late5m`), because
these outlive a total that had to begin again. A ratio over a window is errors by requests: weighted by events. The
divisor is never below EPSILON, which no real request gets near: no traffic is an error ratio of exactly 0, never
NaN.

Absence. `slo:measured:bool` is 1 while events are counted: their series are there, or a target answers, and their
outcome can be known. It is absent for requests without a status, and for a latency threshold that is no bucket of the
histogram. Then nothing is added, no subtotal is recorded, and coverage, the share of subtotals that are there, falls:
missing numbers, not perfect ones. A good counter that does not exist has counted nothing: every event is an error.

What it cannot see: events before the first sample of a target, and those of a gap in which its process restarted.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from observability.names import series
from observability.rules import exclusions, units
from observability.rules.counting import (
    CARRY,
    NOW,
    RECOVERY,
    Counter,
    Events,
    Processes,
    counted,
    events_of,
    largest,
    remembered,
    samples_of,
)
from observability.rules.incidents import IncidentRules, grown
from observability.rules.values import EPSILON, HELD, ROUNDED, Counted, ValueRules
from observability.rules.windows import (
    AVAILABILITY_WINDOW,
    BASE_WINDOW,
    BURN_WINDOWS,
    CONSUMED_WINDOWS,
    LATENCY_WINDOW,
    BurnAlert,
    burn_alerts,
    canonical,
)
from observability.settings import CALENDAR, CustomSlo, LatencySlo, milliseconds, quoted, rename_order, seconds
from observability.text import dump
from observability.watched import watched

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from observability.settings import Exclusion, MetricNames, Settings, Slo, TimeSlice, WatchedService

_BASE_SECONDS: Final = Decimal(milliseconds(BASE_WINDOW)) / 1000
LONG_WINDOW: Final = "1d"
"""From here on a window is summed from subtotals of 5 minutes."""
TOLERATED: Final = 0.01
"""Share of requests with an unknown outcome beyond which an SLO counts as not measured.

Not a setting: up to it the shown ratios may be wrong by as much, so a larger share would make them worthless.
"""
HISTOGRAM_COUNT: Final = "histogram_count({})"
CALENDAR_CARRY: Final = "14d"
"""The sum of a month or quarter is continued after an absence up to here."""
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
    interval, excluded = settings.rule_interval, settings.exclusions
    return {f"slo-{service.name}.yml": to_yaml(group(service, interval, excluded)) for service in watched(settings)}


def to_yaml(*groups: RuleGroup) -> str:
    """Return one rule file that holds `groups`."""
    return dump({"groups": [g.to_dict() for g in groups]})


def group(service: WatchedService, interval: str, excluded: Iterable[Exclusion] = ()) -> RuleGroup:
    """Return every rule of one service."""
    rules = [*_base(service, interval)]
    for name, slo in service.slo_by_name.items():
        own = tuple(x for x in excluded if x.applies(service.name, name))
        rules += _SloRules(service, name, slo, interval, own).rules()
    return RuleGroup(f"slo-{service.name}", interval, tuple(rules))


def _base(service: WatchedService, interval: str) -> Iterator[RecordingRule]:
    """Rates and what follows from them. Means and percentiles are absent without traffic, never NaN."""
    labels = {"service": service.name}
    metrics, names = service.metrics, service.labels

    def rule(record: str, expr: str) -> RecordingRule:
        return RecordingRule(record, expr, labels)

    def rate(metric: str) -> str:
        return f"rate({_own(service, metric)}[{BASE_WINDOW}])"

    def read(record: str) -> str:
        return _select(record, _equals(**labels))

    def summed(classic: str, function: str, **contract: str | None) -> str:
        found = _sum_by(rate(classic), **contract)
        if not service.may_push_native:
            return found
        return f"{found} or {_sum_by(f'{function}({rate(metrics.duration)})', **contract)}"

    status = {"endpoint": names.endpoint, "method": names.method, "status": names.status}
    yield rule(series.REQUESTS, summed(metrics.requests, "histogram_count", **status))
    if metrics.in_progress is not None:
        yield rule(series.IN_PROGRESS, f"sum({_own(service, metrics.in_progress)})")
    buckets = units.by_bound(rate(f"{metrics.duration}_bucket"), metrics)
    # A native histogram has no unit that could be changed: in milliseconds it has no percentiles here.
    native = service.may_push_native and metrics.unit == "seconds"
    yield rule(series.DURATION_BUCKET, f"{buckets} or sum({rate(metrics.duration)})" if native else buckets)
    durations = summed(f"{metrics.duration}_sum", "histogram_sum", endpoint=names.endpoint)
    yield rule(series.DURATION_SUM, units.total(durations, metrics))
    yield rule(series.DURATION_COUNT, summed(f"{metrics.duration}_count", "histogram_count", endpoint=names.endpoint))
    mean = f"sum({read(series.DURATION_SUM)}) / (sum({read(series.DURATION_COUNT)}) > 0)"
    yield rule(series.DURATION_MEAN, mean)
    # A quantile of no requests is NaN; NaN >= 0 is not, so it is dropped.
    for record, quantile in QUANTILES:
        yield rule(record, f"histogram_quantile({quantile}, {read(series.DURATION_BUCKET)}) >= 0")
    # 5-minute rates at 5-minute steps meet without overlap: a fifth of the samples, and every request still
    # counts once. Summed, not averaged, so that a bucket that appears late does not weigh too much.
    week = f"sum_over_time({read(series.DURATION_BUCKET)}[{LATENCY_WINDOW}:{BASE_WINDOW}])"
    p99 = f"histogram_quantile(0.99, {week}) >= 0"
    yield rule(series.DURATION_P99_7D, seldom(p99, read(series.DURATION_P99_7D), interval))


def seldom(expr: str, record: str, interval: str, evaluations: int = 2) -> str:
    """Return an expression that is evaluated once in 5 minutes: reading weeks of samples is what costs.

    A subquery has no step in most evaluations, and reads nothing then: its steps are at whole multiples of 5 minutes,
    and its range is that of so many evaluations, of which all but one may be missed. `record` is where the last value
    is found in between, for a day.
    """
    every = canonical(f"{max(milliseconds(BASE_WINDOW), milliseconds(interval))}ms")
    reach = canonical(f"{evaluations * milliseconds(interval)}ms")
    return f"last_over_time(({expr})[{reach}:{every}]) or on () {remembered(record)}"


class _Made(NamedTuple):
    """What is recorded of the requests and of the errors alike."""

    total: str
    rate: str
    slot: str
    mark: str
    late: str
    slots: str
    period: str
    in_period: str
    raw: str


_REQUESTS: Final = _Made(
    series.SLO_REQUESTS_TOTAL,
    series.SLO_REQUESTS,
    series.SLO_REQUESTS_SLOT,
    series.SLO_REQUESTS_MARK,
    series.SLO_REQUESTS_LATE,
    series.SLO_REQUESTS_SLOTS,
    series.REQUESTS_PERIOD,
    series.SLO_REQUESTS_IN_PERIOD,
    series.SLO_RAW_REQUESTS_TOTAL,
)
_ERRORS: Final = _Made(
    series.SLO_ERRORS_TOTAL,
    series.SLO_ERRORS,
    series.SLO_ERRORS_SLOT,
    series.SLO_ERRORS_MARK,
    series.SLO_ERRORS_LATE,
    series.SLO_ERRORS_SLOTS,
    series.ERRORS_PERIOD,
    series.SLO_ERRORS_IN_PERIOD,
    series.SLO_RAW_ERRORS_TOTAL,
)


@dataclass(frozen=True, slots=True)
class _SloRules:
    """The rules of one SLO, in the order in which they read each other."""

    service: WatchedService
    name: str
    slo: Slo
    interval: str
    exclusions: tuple[Exclusion, ...] = ()

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

    def rules(self) -> Iterator[RecordingRule]:
        yield from self._promise()
        yield from self._count()
        yield from self._ratios()
        yield from self._spend()
        yield self._failing()
        yield self._coverage()
        alerts = {}
        for severity, record in (("page", series.PAGE_RATIO), ("ticket", series.TICKET_RATIO)):
            if tiers := [alert for alert in burn_alerts(self.slo) if alert.severity == severity]:
                alerts[severity] = record
                nearest = largest(*(self._tier(record, alert) for alert in tiers))
                # A service that was taken away is no reason any more: that it is gone is an alert of its own.
                there = f"last_over_time({self._read(series.SLO_MEASURED)}[{BASE_WINDOW}])"
                none = f"max(0 * {self._read(_REQUESTS.total)})"
                yield self._rule(record, f"{nearest} and on () {there} or {none}")
        incidents = IncidentRules(self._read, self.interval, self.exclusions, alerts if self.slo.alerting else {})
        yield from (self._rule(record, expr) for record, expr in incidents.rules())
        if self.slo.each is not None:
            requests, errors, good, _ = _events(self.service, self.slo, self.interval)
            made = ValueRules(self.slo, self.slo.each, _number(self.budget), self._read, self.interval, self.exclusions)
            counted_now = Counted(requests, errors, good, self._processes)
            labels = {**self.labels, "by": self.slo.each.label}
            yield from (RecordingRule(record, expr, labels) for record, expr in made.rules(counted_now))

    def _rule(self, record: str, expr: str) -> RecordingRule:
        return RecordingRule(record, expr, self.labels)

    def _read(self, record: str) -> str:
        return _select(record, _equals(**self.labels))

    def _promise(self) -> Iterator[RecordingRule]:
        yield self._rule(series.OBJECTIVE, f"vector({_number(1 - self.budget)})")
        yield self._rule(series.BUDGET, f"vector({_number(self.budget)})")
        length = _number(Decimal(milliseconds(self.slo.length)) / 1000)
        window = exclusions.seconds_now(self.window) if self.slo.calendar else f"vector({length})"
        yield self._rule(series.WINDOW, window)
        if isinstance(self.slo, LatencySlo):
            yield self._rule(series.THRESHOLD, f"vector({_threshold(self.slo)})")

    def _count(self) -> Iterator[RecordingRule]:
        measured = self._read(series.SLO_MEASURED)
        requests, errors, good, unknown = _events(self.service, self.slo, self.interval)
        yield self._rule(
            series.SLO_MEASURED, f"({requests.present()}){f' unless on () ({unknown})' if unknown else ''}"
        )
        standing = exclusions.standing_still(self.exclusions, self.interval)
        again = bool(standing) or self.slo.time_slice is not None
        all_total, error_total = (made.raw if again else made.total for made in (_REQUESTS, _ERRORS))

        for events in (errors, good):
            if events is not None and events.family:
                yield self._rule(series.SLO_READ, events.read())
        if requests.exact and requests.family:
            yield self._rule(series.SLO_RESTARTED, requests.restarted(self.interval))

        def total(record: str, events: Events) -> RecordingRule:
            return self._rule(record, events.running_total(self._read(record), measured, self._processes))

        yield total(all_total, requests)
        if good is not None:
            yield total(series.SLO_GOOD_TOTAL, good)
            missed = f"{self._read(all_total)} - {self._read(series.SLO_GOOD_TOTAL)}"
            yield self._rule(error_total, f"round({missed}, {ROUNDED})")
        if errors is not None:
            yield total(error_total, errors)
        if again:
            yield from self._counted_again(standing)
        for made in (_REQUESTS, _ERRORS):
            yield from self._recorded(made)
        if self.slo.calendar:
            yield from self._summed_by_calendar()

    @property
    def _processes(self) -> Processes:
        return Processes(self._read(series.SLO_READ), self._read(series.SLO_RESTARTED), self.interval)

    def _counted_again(self, standing: str) -> Iterator[RecordingRule]:
        """Count time slices instead of events, and nothing in excluded hours of the week."""
        if self.slo.time_slice is None:
            grown = {m: f"{self._read(m.raw)} - {self._before(m.raw, RECOVERY)}" for m in (_REQUESTS, _ERRORS)}
        else:
            grown = self._slices(self.slo.time_slice)
        for made, expr in grown.items():
            last = f"last_over_time({self._read(made.total)}[{CARRY}]) or 0 * {self._read(series.SLO_MEASURED)}"
            more = f"({expr}) unless on () ({standing})" if standing else expr
            yield self._rule(made.total, f"({last}) + ({more} or 0 * {self._read(made.raw)})")

    def _slices(self, slices: TimeSlice) -> dict[_Made, str]:
        """Return 1 for the slice that ends at this evaluation, and 1 where it is bad, else 0.

        A slice is known when its SLO was measured, and evaluated, at its beginning and at its end.
        """
        length, every = milliseconds(slices.length), milliseconds(self.interval)
        span, ago = canonical(f"{every // 2}ms"), canonical(f"{length - every // 4}ms")
        requests, errors = (
            f"({self._read(made.raw)} - last_over_time({self._read(made.raw)}[{span}] offset {ago}))"
            for made in (_REQUESTS, _ERRORS)
        )
        ends = f" and on () (vector(time() % {length // 1000}) < {every / 1000:g})" if length != every else ""
        known = f"{self._read(series.SLO_MEASURED)}{ends}"
        allowed = _number(1 - Decimal(str(slices.at_least)) / 100)
        bad = f"{errors} > bool {allowed} * {requests} + {ROUNDED}"
        return {_REQUESTS: f"0 * {requests} + 1 and {known}", _ERRORS: f"({bad}) and {known}"}

    def _before(self, record: str, reach: str) -> str:
        """Return the last value before this evaluation."""
        return f"last_over_time({self._read(record)}[{reach}] offset {self.interval})"

    def _summed_by_calendar(self) -> Iterator[RecordingRule]:
        """Sum the slots of this month or quarter, with each of them. That in which a new one begins is of the last."""
        number, slot = exclusions.number_now(self.window), self._read(_REQUESTS.slot)
        last = f"last_over_time({self._read(series.SLO_PERIOD)}[{CALENDAR_CARRY}])"
        for record, more in (
            (_REQUESTS.in_period, slot),
            (_ERRORS.in_period, self._read(_ERRORS.slot)),
            (series.SLO_SLOTS_PERIOD, f"(0 * {slot} + 1)"),
        ):
            before = f"last_over_time({self._read(record)}[{CALENDAR_CARRY}])"
            same = f"{more} + {before} and on () ({last} == on () ({number}))"
            yield self._rule(record, f"{same} or 0 * {more} and on () {last} or {more}")
        yield self._rule(series.SLO_PERIOD, f"0 * {slot} + on () group_left () ({number})")
        for made in (_REQUESTS, _ERRORS):
            yield self._rule(made.period, self._within(made, self.window))

    def _in_period(self, record: str) -> str:
        """Return what a sum of this month or quarter has reached."""
        last = f"last_over_time({self._read(series.SLO_PERIOD)}[{CALENDAR_CARRY}])"
        now = f"on () ({last} == on () ({exclusions.number_now(self.window)}))"
        return f"last_over_time({self._read(record)}[{CALENDAR_CARRY}]) and {now}"

    def _recorded(self, made: _Made) -> Iterator[RecordingRule]:
        total, mark, measured = (self._read(name) for name in (made.total, made.mark, series.SLO_MEASURED))
        per_second = f"{self._within(made, BASE_WINDOW)} / {_number(_BASE_SECONDS)}"
        yield self._rule(made.rate, f"{per_second} and on () {measured}")
        # A slot ends when the last one ended 5 minutes ago, or at the first evaluation after that.
        every, count = milliseconds(self.interval), _evaluations(self.interval)
        recent = canonical(f"{count * every - every // 2}ms")
        due = f"{measured} unless on () last_over_time({mark}[{recent}])"
        since = f"{total} - (last_over_time({mark}[{CARRY}]) or 0 * {total})"
        yield self._rule(made.slot, f"{since} and on () ({due})")
        yield self._rule(made.mark, f"{total} and on () ({due})")
        yield self._rule(made.late, f"{since} or 0 * {self._read(series.BUDGET)}")
        if self._sums_slots(self.window):
            yield self._rule(made.slots, self._slots(made))
        if not self.slo.calendar:
            yield self._rule(made.period, self._within(made, self.window))

    @staticmethod
    def _sums_slots(window: str) -> bool:
        return window not in CALENDAR and milliseconds(window) >= milliseconds(LONG_WINDOW)

    def _slots(self, made: _Made) -> str:
        """Return the sum of the window's slots: all of them once in 5 minutes, else with what was added and taken off.

        Those that are read seldom end before this evaluation, whose own slot is added in any case. A missed evaluation
        only puts off the next reading.
        """
        slot, total = self._read(made.slot), self._read(made.total)
        half = canonical(f"{milliseconds(self.interval) // 2}ms")
        slots = f"sum_over_time({slot}[{self.window}] offset 1ms)"
        every = seldom(slots, self._read(made.slots), self.interval, evaluations=1)
        none = f"0 * {total} unless on () last_over_time({slot}[{LONG_WINDOW}] offset {half})"
        new, old = f"last_over_time({slot}[{half}])", f"last_over_time({slot}[{half}] offset {self.window})"
        return f"({every} or on () ({none})) + ({new} or 0 * {total}) - ({old} or 0 * {total})"

    def _within(self, made: _Made, window: str) -> str:
        """Return how many events a window holds: never below 0, which two counters that are not in step can give.

        Below a day, the growth of the running total; when that began within the window, since it began. From a day on,
        the slots that ended in it, with what came since the last of them, without what the first had from before.
        """
        total, late = self._read(made.total), self._read(made.late)
        if window in CALENDAR:
            found = f"({self._in_period(made.in_period)} or 0 * {total}) + {late}"
        elif not self._sums_slots(window):
            found = f"{total} - ({total} offset {window} or first_over_time({total}[{window}]))"
        else:
            slots = f"(sum_over_time({self._read(made.slot)}[{window}]) or 0 * {total})"
            if window == self.window:
                slots = self._read(made.slots)
            found = f"{slots} + {late} - ({late} offset {window} or 0 * {late})"
        return f"clamp_min({found}{self._excluded(total, window)}, 0)"

    def _excluded(self, total: str, window: str) -> str:
        """Return what has to be subtracted from a window for what is excluded of it."""
        if window not in CALENDAR:
            found = [span.within(total, window) for span in exclusions.spans(self.exclusions)]
        else:
            number = exclusions.number_now(window)
            found = [
                f"{span.since(total)} and on () ({number} == {exclusions.number_of(span, window)})"
                for span in exclusions.spans(self.exclusions, window)
            ]
        return "".join(f" - ({expr} or 0 * {total})" for expr in found)

    def _ratios(self) -> Iterator[RecordingRule]:
        windows = {*self._burn_windows, self.window}
        shares = {BASE_WINDOW, self.window}
        if self.kind == series.SLO_AVAILABILITY:
            windows.add(AVAILABILITY_WINDOW)
            shares.add(AVAILABILITY_WINDOW)
        for window in sorted(windows, key=_length):
            yield self._rule(series.error_ratio(window), self._error_ratio(window))
        for window in sorted(shares, key=_length):
            good = f"1 - {self._read(series.error_ratio(window))}"
            yield self._rule(series.good_ratio(self.kind, window), good)
        yield self._rule(series.GOOD_PERIOD, f"1 - {self._read(series.error_ratio(self.window))}")

    def _error_ratio(self, window: str) -> str:
        if window == self.window:
            errors, requests = self._read(series.ERRORS_PERIOD), self._read(series.REQUESTS_PERIOD)
        else:
            errors, requests = self._within(_ERRORS, window), self._within(_REQUESTS, window)
        return f"clamp_max({_ratio(errors, requests)}, 1)"

    def _spend(self) -> Iterator[RecordingRule]:
        budget = _number(self.budget)
        for window in self._burn_windows:
            yield self._rule(series.burn_rate(window), f"{self._read(series.error_ratio(window))} / {budget}")
        whole = f"{self._read(series.error_ratio(self.window))} / {budget}"
        yield self._rule(series.BURN_RATE_PERIOD, whole)
        yield self._rule(series.BUDGET_REMAINING, f"1 - {self._read(series.BURN_RATE_PERIOD)}")
        # By events, not by time: one failed request in a quiet night spends one request's share of the
        # budget, and what the hours spent adds up to what the window lost.
        allowed = f"{budget} * {self._read(series.REQUESTS_PERIOD)}"
        for window in CONSUMED_WINDOWS:
            spent = self._within(_ERRORS, window)
            yield self._rule(series.budget_consumed(window), _ratio(spent, allowed))

    def _failing(self) -> RecordingRule:
        """Return how many seconds of the newest evaluation were worse than the objective."""
        errors, requests = (grown(self._read(made.total), self.interval) for made in (_ERRORS, _REQUESTS))
        every = _number(Decimal(milliseconds(self.interval)) / 1000)
        failing = f"{every} * ({errors} > bool {_number(self.budget)} * {requests})"
        excluded = exclusions.now_excluded(self.exclusions)
        return self._rule(series.FAILING_SECONDS, f"{failing} unless on () ({excluded})" if excluded else failing)

    @property
    def _burn_windows(self) -> list[str]:
        own = {window for alert in burn_alerts(self.slo) for window in (alert.long, alert.short)}
        return sorted({*BURN_WINDOWS, *own}, key=milliseconds)

    def _tier(self, record: str, alert: BurnAlert) -> str:
        """Return the burn rates over both windows, the lower of them, by the factor: at 1 the tier fires.

        What the long window of a page lacks because the SLO is younger counts as good, and so does what the short one
        of a ticket lacks: minutes are no trend. A page needs its least number of bad events.
        """
        total = self._read(_REQUESTS.total)
        burn = {
            window: f"{self._read(series.burn_rate(window))} / {alert.factor:g}" for window in (alert.long, alert.short)
        }
        needed = alert.long if alert.severity == "page" else alert.short
        young = f"({self._filled(needed)} or 0 * {total}) unless {total} offset {needed}"
        long = f"{burn[alert.long]} * ({young} or {total} * 0 + 1)"
        if alert.severity == "page":
            long += f" and {self._within(_ERRORS, alert.long)} >= {self.slo.page_after_errors}"
        firing = f"scalar(max(last_over_time({self._read(record)}[{BASE_WINDOW}]) >= bool 1 or vector(0)))"
        held = f"scalar({burn[alert.short]}) * (1 + {HELD - 1} * {firing})"
        return f"clamp_max({long}, {held}) >= 0"

    def _filled(self, window: str) -> str:
        """Return which share of a window has data."""
        if milliseconds(window) < milliseconds(LONG_WINDOW):
            parts = _number(Decimal(milliseconds(window)) / milliseconds(self.interval))
            return f"clamp_max(count_over_time({self._read(_REQUESTS.total)}[{window}]) / {parts}, 1)"
        slots = _number(Decimal(milliseconds(window)) / (_evaluations(self.interval) * milliseconds(self.interval)))
        return f"clamp_max(count_over_time({self._read(_REQUESTS.slot)}[{window}]) / {slots}, 1)"

    def _coverage(self) -> RecordingRule:
        """A slot counts when anything was recorded in it."""
        slot = _evaluations(self.interval) * milliseconds(self.interval)
        if self.slo.calendar:
            slots = f"({exclusions.seconds_now(self.window)} / {_number(Decimal(slot) / 1000)})"
            share = f"{self._in_period(series.SLO_SLOTS_PERIOD)}"
            return self._rule(
                series.COVERAGE, f"clamp_max(({share}) / on () group_left () {slots}, 1) or on () vector(0)"
            )
        slots = _number(Decimal(milliseconds(self.window)) / slot)
        present = f"count_over_time({self._read(series.SLO_REQUESTS_SLOT)}[{self.window}])"
        coverage = seldom(f"clamp_max({present} / {slots}, 1)", self._read(series.COVERAGE), self.interval)
        return self._rule(series.COVERAGE, f"{coverage} or on () vector(0)")


def _events(service: WatchedService, slo: Slo, interval: str) -> tuple[Events, Events | None, Events | None, str]:
    """Return what counts requests, errors or else good ones, and what is there when the outcome cannot be known."""
    if isinstance(slo, CustomSlo):
        if slo.gauge is not None or slo.total is None:
            return *samples_of(slo.gauge or "", service.name, interval), None, ""
        requests = events_of(slo.total, service.name)
        part = events_of(slo.good or slo.bad or "", service.name)
        part = replace(part, family=(*part.family, *requests.family))
        return (requests, part, None, "") if slo.bad is not None else (requests, None, part, "")
    if not isinstance(slo, LatencySlo):
        return _availability(service)
    return _native_latency(service, slo) if slo.histogram == "native" else _latency(service, slo)


def _availability(service: WatchedService) -> tuple[Events, Events, None, str]:
    """Count every request, and those whose status is an error."""
    every, failed, mute = (
        Counter(_own(service, service.metrics.requests, *matchers))
        for matchers in (
            (),
            (f"{service.labels.status}=~{quoted(service.errors)}",),
            (f'{service.labels.status}=""',),
        )
    )
    # With series that are new: a label that is renamed begins with all that was counted before.
    unknown = f"sum({mute.came(BASE_WINDOW)}) > {TOLERATED} * sum({every.came(BASE_WINDOW)})"
    if not service.may_push_native:
        return counted((every,), service.name), counted((failed,), service.name, (every,)), None, unknown
    native, native_failed, native_mute = (
        Counter(_own(service, service.metrics.duration, *matchers), HISTOGRAM_COUNT)
        for matchers in (
            (),
            (f"{service.labels.status}=~{quoted(service.errors)}",),
            (f'{service.labels.status}=""',),
        )
    )
    unknown += f" or sum({native_mute.came(BASE_WINDOW)}) > {TOLERATED} * sum({native.came(BASE_WINDOW)})"
    family = (every, native)
    return counted(family, service.name), counted((failed, native_failed), service.name, family), None, unknown


def _latency(service: WatchedService, slo: LatencySlo) -> tuple[Events, None, Events, str]:
    """Count every timed request, and as good those in the threshold's bucket."""
    count = Counter(_own(service, f"{service.metrics.duration}_count"))
    bucket = Counter(
        _own(service, f"{service.metrics.duration}_bucket", f"le=~{json.dumps(_bounds(slo, service.metrics))}")
    )
    without = f"sum({count.grown(BASE_WINDOW)} unless ignoring (le) {bucket.highest(BASE_WINDOW)})"
    unknown = (
        f"{without} > {TOLERATED} * sum({count.grown(BASE_WINDOW)})"
        f" or group({count.highest(NOW)}) unless on () {bucket.highest(BASE_WINDOW)}"
    )
    if not service.may_push_native:
        return counted((count,), service.name), None, counted((bucket,), service.name, (count,)), unknown
    native, fast = _native(service, slo)
    family = (count, native)
    return counted(family, service.name), None, counted((bucket, fast), service.name, family), unknown


def _native_latency(service: WatchedService, slo: LatencySlo) -> tuple[Events, None, Events, str]:
    """Count the same of a native histogram. A service that has a classic one only cannot be measured by it."""
    count, fast = _native(service, slo)
    classic = Counter(_own(service, f"{service.metrics.duration}_count"))
    unknown = f"group({classic.highest(NOW)}) unless on () {count.highest(NOW)}"
    return counted((count,), service.name), None, counted((fast,), service.name, (count,)), unknown


def _native(service: WatchedService, slo: LatencySlo) -> tuple[Counter, Counter]:
    """Return what counts the requests of a native histogram, and those within the threshold."""
    own = _own(service, service.metrics.duration)
    # The share of no requests is NaN.
    share, count = f"histogram_fraction(-Inf, {units.bound(slo, service.metrics)}, {{0}})", "histogram_count({0})"
    fast = Counter(own, f"{share} * {count} >= 0 or 0 * {count}", whole=HISTOGRAM_COUNT)
    return Counter(own, HISTOGRAM_COUNT), fast


def _length(window: str) -> int:
    return milliseconds(CALENDAR.get(window, window))


def _evaluations(interval: str) -> int:
    """Return how many evaluations make a slot: as many as 5 minutes hold."""
    return milliseconds(BASE_WINDOW) // milliseconds(interval)


def _ratio(part: str, whole: str) -> str:
    return f"{part} / clamp_min({whole}, {EPSILON})"


def _threshold(slo: LatencySlo) -> str:
    return str(seconds(slo.threshold))


def _bounds(slo: LatencySlo, metrics: MetricNames) -> str:
    """Return the threshold as `le` has it: a scrape makes `1.0` of what is pushed as `1`."""
    bound = units.bound(slo, metrics)
    whole = bound.removesuffix(".0")
    return bound.replace(".", "[.]") if whole == bound else f"{whole}([.]0)?"


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
