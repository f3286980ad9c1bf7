"""Service level objectives as the configuration has them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from observability.settings.promql import Events
from observability.settings.value_types import (
    Duration,
    Frozen,
    Name,
    Objective,
    OptionalExactUrl,
    OptionalOwner,
    milliseconds,
)


class BurnTier(Frozen):
    """Alert when the budget burns at `factor` or faster over both windows."""

    severity: Literal["page", "ticket"]
    factor: Annotated[float, Field(gt=0)]
    long: Duration
    short: Duration

    @model_validator(mode="after")
    def _in_order(self) -> BurnTier:
        if milliseconds(self.short) >= milliseconds(self.long):
            msg = "short: a window shorter than long"
            raise ValueError(msg)
        return self


class Slo(Frozen):
    """`objective` percent of events are good over `window`.

    `alerting` off keeps the numbers and leaves the alerts out. `owner` is who answers for it, empty means the
    service's; `runbook` is where that person reads on, empty means this repository's. `burnAlerts` replaces the burn
    rates that alert, which otherwise follow from the window; `pageAfterErrors` is the least number of bad events in a
    page's long window.
    """

    objective: Objective
    window: Duration = "30d"
    alerting: bool = True
    owner: OptionalOwner = ""
    runbook: OptionalExactUrl = ""
    burn_alerts: tuple[BurnTier, ...] | None = Field(None, alias="burnAlerts")
    page_after_errors: Annotated[int, Field(ge=1)] = Field(5, alias="pageAfterErrors")

    @model_validator(mode="after")
    def _tiers_can_fire(self) -> Slo:
        fastest = 100 / (100 - self.objective)
        for tier in self.burn_alerts or ():
            if tier.factor > fastest:
                msg = f"burnAlerts.factor: at most {fastest:g}, at which nothing is good at this objective"
                raise ValueError(msg)
            if milliseconds(tier.long) > milliseconds(self.window):
                msg = f"burnAlerts.long: at most the window, {self.window}"
                raise ValueError(msg)
        return self


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
    """Good: what `good` counts of `total`, or what `bad` does not.

    Each is a counter's selector, or any other PromQL that gives events per second, such as a recorded series (known by
    the colon in its name). The 5-minute rates of counters, and sums and differences of these, are counted event by
    event.
    """

    name: Name
    good: Events | None = None
    bad: Events | None = None
    total: Events

    @model_validator(mode="after")
    def _one_of_two(self) -> CustomSlo:
        if (self.good is None) == (self.bad is None):
            msg = "either good or bad: the one is what the other leaves of total"
            raise ValueError(msg)
        counted = self.good or self.bad or ""
        if "".join(counted.split()) == "".join(self.total.split()):
            msg = "good, bad: other series than those of total (a gauge like probe_success is no counter)"
            raise ValueError(msg)
        return self


RESERVED_SLOS = ("availability", "latency")
