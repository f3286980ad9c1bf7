"""Service level objectives as the configuration has them."""

from __future__ import annotations

from typing import Annotated, Final, Literal, get_args

from pydantic import Field

from observability.settings.promql import Events
from observability.settings.value_types import (
    Boolean,
    Frozen,
    Name,
    Objective,
    OptionalExactUrl,
    OptionalOwner,
    duration,
    one_of,
)

SHORTEST_WINDOW: Final = "3d"
"""The longest of the windows that the burn-rate alerts look back over; a test keeps the two equal."""
Window = Annotated[str, duration("1m", "1y")]
"""Rules can be made for any window; whether alerts can, checks.py says."""
Threshold = Annotated[str, duration("1ms", "1h")]
HistogramKind = Literal["classic", "native"]


class Slo(Frozen):
    """`objective` percent of events are good over `window`."""

    objective: Objective = Field(description="Percentage of events that have to be good")
    window: Window = Field("30d", description="Time over which the objective holds")
    alerting: Boolean = Field(default=True, description="false keeps the numbers and leaves the alerts out")
    owner: OptionalOwner = Field("", description="Who answers for it; empty means the service's owner")
    runbook: OptionalExactUrl = Field("", description="Address of its runbook; empty means this repository's")


class AvailabilitySlo(Slo):
    """Good: requests that do not fail."""

    objective: Objective = Field(99.5, description="Percentage of requests that must not fail")


class LatencySlo(Slo):
    """Good: requests answered within `threshold`.

    A classic histogram needs a bucket at exactly the threshold. A native one does not, and interpolates within the
    bucket that holds it.
    """

    objective: Objective = Field(99.0, description="Percentage of requests that have to be answered in time")
    window: Window = Field("7d", description="Time over which the objective holds")
    threshold: Threshold = Field("300ms", description="Slower than this is an error; a bucket of a classic histogram")
    histogram: Annotated[HistogramKind, one_of(*get_args(HistogramKind))] = Field(
        "classic", description="Kind of the histogram: classic or native"
    )


class CustomSlo(Slo):
    """Good: what `good` counts of `total`.

    Each is a counter's selector, which gets its 5-minute rate, or any other PromQL that gives events per second, such
    as a recorded series (known by the colon in its name).
    """

    name: Name = Field(description="Value of the label slo; unique within the service")
    good: Events = Field(description="PromQL: a counter of good events, or good events per second")
    total: Events = Field(description="PromQL: a counter of all events, or all events per second")


RESERVED_SLOS = ("availability", "latency")
