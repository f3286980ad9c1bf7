"""A service to watch: how it is scraped, how its series are selected, and its SLOs."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from observability.settings.promql import Selector
from observability.settings.slos import RESERVED_SLOS, AvailabilitySlo, CustomSlo, LatencySlo, Slo
from observability.settings.value_types import Address, Frozen, Label, Metric, Name, OptionalOwner, Url


class MetricNames(Frozen):
    """What the service calls the metrics of the contract; `duration` is the histogram's base name."""

    requests: Metric = "http_requests_total"
    duration: Metric = "http_request_duration_seconds"
    in_progress: Metric | None = Field("http_requests_in_progress", alias="inProgress")


class LabelNames(Frozen):
    """What the service calls the labels of the contract; null where it has none."""

    endpoint: Label | None = "endpoint"
    method: Label | None = "method"
    status: Label = "status"

    @model_validator(mode="after")
    def _can_be_renamed(self) -> LabelNames:
        own = {"endpoint": self.endpoint, "method": self.method, "status": self.status}
        rename_order({contract: name for contract, name in own.items() if name is not None and name != contract})
        return self


def rename_order(renamed: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Order renames (new name to old) so that every label is read before another overwrites it.

    Raises ValueError for a circle.
    """
    left, ordered = dict(renamed), []
    while left:
        free = [new for new in left if all(new != old for other, old in left.items() if other != new)]
        if not free:
            msg = f"names that are not swapped in a circle, as {', '.join(left)} are: no rule can undo that"
            raise ValueError(msg)
        ordered.append((free[0], left.pop(free[0])))
    return tuple(ordered)


OTLP_METRICS: Mapping[str, Any] = {
    "requests": "http_server_request_duration_seconds_count",
    "duration": "http_server_request_duration_seconds",
    "inProgress": "http_server_active_requests",
}
OTLP_LABELS: Mapping[str, Any] = {
    "endpoint": "http_route",
    "method": "http_request_method",
    "status": "http_response_status_code",
}
OTLP_LATENCY: Mapping[str, Any] = {"threshold": "500ms"}
"""OpenTelemetry's conventions for HTTP servers, as they are called in Prometheus. Its buckets: 0.25 s, then 0.5 s."""


class WatchedService(Frozen):
    """One HTTP service to watch: how to scrape it, how to select its series, and its SLOs.

    `otlp` is one that pushes: its series are those whose `service.name` is `name`, by OpenTelemetry's conventions.
    """

    name: Name
    otlp: bool = False
    targets: tuple[Address, ...] = ()
    dns: tuple[Address, ...] = ()
    http_sd: tuple[Url, ...] = Field((), alias="httpSd")
    metrics_path: Annotated[str, Field(pattern=r"^/")] = Field("/metrics", alias="metricsPath")
    scheme: Literal["http", "https"] = "http"
    target_labels: Mapping[Label, str] = Field(default_factory=dict, alias="targetLabels")
    selector: Selector = ""
    errors: Annotated[str, Field(min_length=1)] = "5.."
    metrics: MetricNames = MetricNames()
    labels: LabelNames = LabelNames()
    availability: AvailabilitySlo | None = AvailabilitySlo()
    latency: LatencySlo | None = LatencySlo()
    slos: tuple[CustomSlo, ...] = ()
    buckets: tuple[Annotated[float, Field(gt=0)], ...] = ()
    """The histogram's upper bounds in seconds; given, the latency threshold has to be one of them."""
    owner: OptionalOwner = ""
    absence_alerts: bool = Field(default=True, alias="absenceAlerts")
    """Off: no alert when the service, its targets or its request counters are gone."""

    @property
    def slo_by_name(self) -> Mapping[str, Slo]:
        """Every SLO by the value of its `slo` label, each with its owner."""
        built_in = dict(zip(RESERVED_SLOS, (self.availability, self.latency), strict=True))
        named: dict[str, Slo | None] = {**built_in, **{slo.name: slo for slo in self.slos}}
        return {
            name: slo if slo.owner else slo.model_copy(update={"owner": self.owner})
            for name, slo in named.items()
            if slo is not None
        }

    @property
    def matchers(self) -> str:
        """The PromQL matchers that select this service's series."""
        return self.selector or f'service="{self.name}"'

    @model_validator(mode="before")
    @classmethod
    def _by_convention(cls, given: Any) -> Any:  # noqa: ANN401 - what pydantic checks next
        if not isinstance(given, dict) or given.get("otlp") is not True:
            return given
        conventions = {"metrics": OTLP_METRICS, "labels": OTLP_LABELS, "latency": OTLP_LATENCY}
        filled: dict[str, Any] = {"selector": f"service_name={json.dumps(given.get('name'))}"} | given
        for key, usual in conventions.items():
            own: Any = filled.get(key, {})
            if isinstance(own, dict):  # anything else is null, or wrong
                filled[key] = {**usual, **own}
        return filled

    @model_validator(mode="after")
    def _pushed_or_scraped(self) -> WatchedService:
        if self.otlp and (self.targets or self.dns or self.http_sd):
            msg = "otlp: false where there is something to scrape (targets, dns, httpSd)"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _regex(self) -> WatchedService:
        try:
            re.compile(self.errors)
        except re.error:
            msg = "errors: a regular expression over the status label, like 5.."
            raise ValueError(msg) from None
        return self
