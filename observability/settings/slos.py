"""Service level objectives in the configuration."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal, get_args

from pydantic import Field, model_validator

from observability.settings.promql import Events, Gauge, counted_ranges, is_selector
from observability.settings.value_types import (
    Accepts,
    Boolean,
    Frozen,
    Name,
    Objective,
    OptionalExactUrl,
    OptionalOwner,
    RefusedError,
    check_label,
    duration,
    milliseconds,
    number,
    one_of,
    to_text,
    whole,
)

SHORTEST_WINDOW: Final = "3d"
"""Longest window of the burn-rate alerts; a test keeps it equal to theirs."""
Window = Annotated[str, duration("1m", "1y")]
"""Longest window of an SLO; checks.py checks whether its alerts are possible."""
CALENDAR: Final = {"month": "31d", "quarter": "92d"}
"""Windows that begin on the first of a month, in UTC, with their greatest length in days."""
Threshold = Annotated[str, duration("1ms", "1h")]
HistogramKind = Literal["classic", "native"]


Severity = Literal["page", "ticket"]
SliceLength = Literal["1m", "5m"]


class BurnTier(Frozen):
    """An alert that fires while the budget burns at `factor` or faster over both windows."""

    severity: Annotated[Severity, one_of(*get_args(Severity))] = Field(description="page or ticket")
    factor: Annotated[float, number(0.1, 10_000)] = Field(description="How many times faster than the budget allows")
    long: Window = Field(description="Window over which the budget burns")
    short: Window = Field(description="Window that ends the alert: shorter than long")

    @model_validator(mode="after")
    def _in_order(self) -> BurnTier:
        if milliseconds(self.short) >= milliseconds(self.long):
            msg = "short: a window shorter than long"
            raise ValueError(msg)
        return self


def _window(value: object) -> str:
    text = to_text(value)
    if text.lower() in CALENDAR:
        return text.lower()
    if not milliseconds("1m") <= milliseconds(text) <= milliseconds("1y"):
        raise ValueError
    return text


SloWindow = Annotated[
    str, Accepts("a duration from 1m to 1y, like 30d, or month or quarter, which begin on the 1st (UTC)", _window)
]


class TimeSlice(Frozen):
    """Slices of time that count instead of events; a slice is good if at least `atLeast` percent of its events are.

    A slice without events is good; one without data is not counted.
    """

    at_least: Annotated[float, number(0.001, 100)] = Field(
        alias="atLeast", description="Percentage of a slice's events that have to be good for the slice to be good"
    )
    length: Annotated[SliceLength, one_of(*get_args(SliceLength))] = Field("1m", description="Length of a slice")


_RESERVED_LABELS: Final = frozenset({"le", "quantile", "service", "slo"})


def _label(value: object) -> str:
    label = check_label(value)
    if label in _RESERVED_LABELS:
        raise RefusedError("a label that tells events apart, like tenant: not le, quantile, service or slo")
    return label


class EachValue(Frozen):
    """An SLO for each value of a label, in addition to the one of all: the same objective, window and burn alerts.

    The first `atMost` values get one; a value without series for a day makes room for a new one.
    """

    label: Annotated[str, Accepts("a label's name, like tenant", _label)] = Field(
        description="Label of the counted series, as they have it: endpoint, tenant, cluster"
    )
    at_most: Annotated[int, whole(1, 200)] = Field(
        20, alias="atMost", description="How many values have an SLO of their own"
    )


class Slo(Frozen):
    """An objective: `objective` percent of events are good over `window`."""

    objective: Objective = Field(description="Percentage of events that have to be good")
    window: SloWindow = Field(
        "30d", description="Time over which the objective holds: rolling like 30d, or the calendar's month or quarter"
    )
    time_slice: TimeSlice | None = Field(
        None, alias="timeSlice", description="Count good minutes instead of good events: {atLeast: 95, length: 1m}"
    )
    each: EachValue | None = Field(
        None, description="An SLO of each value of a label, beside that of all: {label: tenant, atMost: 20}"
    )
    alerting: Boolean = Field(default=True, description="false keeps the numbers and leaves the alerts out")
    owner: OptionalOwner = Field("", description="Who answers for it; empty means the service's owner")
    runbook: OptionalExactUrl = Field("", description="Address of its runbook; empty means this repository's")
    burn_alerts: tuple[BurnTier, ...] | None = Field(
        None, alias="burnAlerts", description="Burn rates that alert, instead of those that follow from the window"
    )
    page_after_errors: Annotated[int, whole(1, 1_000_000)] = Field(
        5, alias="pageAfterErrors", description="Least number of bad events in a page's long window"
    )

    @property
    def length(self) -> str:
        """Length of the window; for a month or quarter its greatest length."""
        return CALENDAR.get(self.window, self.window)

    @property
    def calendar(self) -> bool:
        """Whether the window begins on the first of a month instead of rolling."""
        return self.window in CALENDAR

    @model_validator(mode="after")
    def _tiers_can_fire(self) -> Slo:
        fastest = 100 / (100 - self.objective)
        for tier in self.burn_alerts or ():
            if tier.factor > fastest:
                msg = f"burnAlerts.factor: at most {fastest:g}, at which nothing is good at this objective"
                raise ValueError(msg)
            if milliseconds(tier.long) > milliseconds(self.length):
                msg = f"burnAlerts.long: at most the window, {self.window}"
                raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _can_be_told_apart(self) -> Slo:
        if self.each is not None and (self.calendar or self.time_slice is not None):
            msg = "each: with a rolling window, and without timeSlice"
            raise ValueError(msg)
        return self


class AvailabilitySlo(Slo):
    """The SLO whose good events are requests that do not fail."""

    objective: Objective = Field(99.5, description="Percentage of requests that must not fail")


class LatencySlo(Slo):
    """The SLO whose good events are requests that are answered within `threshold`.

    A classic histogram needs a bucket at exactly the threshold. With a native one, Prometheus interpolates within the
    bucket that contains the threshold.
    """

    objective: Objective = Field(99.0, description="Percentage of requests that have to be answered in time")
    window: SloWindow = Field(
        "7d", description="Time over which the objective holds: rolling like 7d, or the calendar's month or quarter"
    )
    threshold: Threshold = Field("300ms", description="Slower than this is an error; a bucket of a classic histogram")
    histogram: Annotated[HistogramKind, one_of(*get_args(HistogramKind))] = Field(
        "classic", description="Kind of the histogram: classic or native"
    )


_GAUGE: Final = re.compile(r"\s*(up|\w+_up|\w+_success)\s*(\{|#|$)")
"""A plain selector of a metric that, by its name, is 1 or 0."""


class CustomSlo(Slo):
    """An SLO by PromQL: the good events are `good` of `total`, or `total` without `bad`, or the samples of `gauge`.

    `good`, `bad` and `total` are selectors of counters, or other PromQL in events per second, such as a recorded series
    (with a colon in its name). 5-minute rates of counters, and sums and differences of these, are counted event by
    event. `gauge` is 1 (good), 0 or in between. Each sample of a selector is an event; of any other expression each
    evaluation of the rules is one.
    """

    name: Name = Field(description="Value of the label slo; unique within the service")
    good: Events | None = Field(None, description="PromQL: a counter of good events, or good events per second")
    bad: Events | None = Field(None, description="PromQL of bad events, instead of good")
    total: Events | None = Field(None, description="PromQL: a counter of all events, or all events per second")
    gauge: Gauge | None = Field(
        None, description="PromQL of a gauge from 0 to 1 like probe_success, or x < bool 300, instead of good and total"
    )

    @model_validator(mode="after")
    def _one_of_two(self) -> CustomSlo:
        counters = [text for text in (self.good, self.bad, self.total) if text is not None]
        if self.gauge is not None:
            if self.each is not None:
                msg = "each: with total and good or bad, not with a gauge"
                raise ValueError(msg)
            if counters:
                msg = "gauge alone, or total with good or bad: a gauge's samples are its events"
                raise ValueError(msg)
            return self
        if self.total is None:
            msg = "total with good or bad, or gauge: what is counted"
            raise ValueError(msg)
        if (self.good is None) == (self.bad is None):
            msg = "either good or bad: the one is what the other leaves of total"
            raise ValueError(msg)
        if counted_ranges(self.good or self.bad or "") != counted_ranges(self.total):
            msg = "good or bad and total over the same time: rates, like sum(rate(orders_total[5m]))"
            raise ValueError(msg)
        if self.each is not None and not all(is_selector(text) for text in counters):
            msg = "each: with selectors of counters as total and good or bad; an expression has lost its labels"
            raise ValueError(msg)
        if any(_GAUGE.match(text) for text in counters):
            msg = "good, bad, total: counters; of a gauge like probe_success write gauge: probe_success"
            raise ValueError(msg)
        return self


RESERVED_SLOS = ("availability", "latency")
