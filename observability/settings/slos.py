"""Service level objectives as the configuration has them."""

from __future__ import annotations

from typing import Literal

from observability.settings.promql import Events
from observability.settings.value_types import Duration, Frozen, Name, Objective, OptionalExactUrl, OptionalOwner


class Slo(Frozen):
    """`objective` percent of events are good over `window`.

    `alerting` off keeps the numbers and leaves the alerts out. `owner` is who answers for it, empty means the
    service's; `runbook` is where that person reads on, empty means this repository's.
    """

    objective: Objective
    window: Duration = "30d"
    alerting: bool = True
    owner: OptionalOwner = ""
    runbook: OptionalExactUrl = ""


class AvailabilitySlo(Slo):
    """Good: requests that do not fail."""

    objective: Objective = 99.5


class LatencySlo(Slo):
    """Good: requests answered within `threshold`.

    A classic histogram needs a bucket at exactly the threshold. A native one does not, and interpolates within the
    bucket that holds it.
    """

    objective: Objective = 99.0
    threshold: Duration = "300ms"
    histogram: Literal["classic", "native"] = "classic"
    window: Duration = "7d"


class CustomSlo(Slo):
    """Good: what `good` counts of `total`.

    Each is a counter's selector, which gets its 5-minute rate, or any other PromQL that gives events per second, such
    as a recorded series (known by the colon in its name).
    """

    name: Name
    good: Events
    total: Events


RESERVED_SLOS = ("availability", "latency")
