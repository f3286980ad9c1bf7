"""Thresholds of alerts and of panel colours, and overrides for one kind of alert."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from observability.settings.value_types import Boolean, Frozen, RefusedError, duration, number, one_of, ratio, whole

AlertSeverity = Literal["page", "ticket"]
Percent = Annotated[float, number(1e-7, 100)]
Count = Annotated[int, whole(1, 1_000_000)]


class Thresholds(Frozen):
    """The values at which alerts fire and panels change colour."""

    disk_free_gib: Annotated[float, number(0.001, 1e6)] = Field(
        2, alias="diskFreeGib", description="disk-nearly-full: fires below so many GiB of free disk space"
    )
    forecast_days: Annotated[int, whole(1, 90)] = Field(
        3, alias="forecastDays", description="disk-filling, metrics-size-limit: days that the forecast looks ahead"
    )
    forecast_free_gib: Annotated[float, number(0, 1e9)] = Field(
        0, alias="forecastFreeGib", description="disk-filling: fires where the forecast leaves no more than so many GiB"
    )
    metrics_size_percent: Percent = Field(
        90,
        alias="metricsSizePercent",
        description="metrics-size-limit: fires above so much of prometheusRetentionSize",
    )
    memory_percent: Percent = Field(
        90, alias="memoryPercent", description="container-memory: fires above so much of a container's memory limit"
    )
    host_memory_percent: Percent = Field(
        90, alias="hostMemoryPercent", description="host-memory: fires above so much of the Docker host's memory"
    )
    host_cpu_percent: Percent = Field(
        90,
        alias="hostCpuPercent",
        description="host-cpu: fires above so much of the Docker host's processors, while processes wait for them",
    )
    queue_percent: Percent = Field(
        25, alias="queuePercent", description="collector-waiting: fires above so much of the collector's queue"
    )
    series_percent: Percent = Field(
        80, alias="seriesPercent", description="sender-over-limit: fires above so much of a target's limit of series"
    )
    restarts: Count = Field(3, description="container-restarting: fires from so many starts in 30 minutes on")
    missed_evaluations: Count = Field(
        3,
        alias="missedEvaluations",
        description="rules-failing: fires from so many missed in 10 minutes on",
    )
    query_errors: Count = Field(
        5, alias="queryErrors", description="queries-failing: fires above so many 5xx answers to Grafana in 2 minutes"
    )
    stale_after: Annotated[str, duration("30s", "1h", unit="1s")] = Field(
        "2m",
        alias="staleAfter",
        description="metrics-not-stored: fires where the newest sample is older than this, or than four scrapes",
    )
    copy_behind: Annotated[str, duration("1m", "2h", unit="1s")] = Field(
        "10m", alias="copyBehind", description="metrics-copy-behind: fires where the newest sample sent is older"
    )
    repaired_for: Annotated[str, duration("10m", "7d", unit="1s")] = Field(
        "1h", alias="repairedFor", description="metrics-repaired: fires for so long after Prometheus repaired its data"
    )
    budget_low_percent: Annotated[float, number(0, 99)] = Field(
        25,
        alias="budgetLowPercent",
        description="slo-budget-nearly-gone, and the state Low: below so much of an SLO's error budget",
    )
    coverage_percent: Percent = Field(
        10,
        alias="coveragePercent",
        description="Share of an SLO's window that needs data before its budget gets a state or an alert",
    )
    unmeasured_percent: Percent = Field(
        50, alias="unmeasuredPercent", description="slo-unmeasured: fires above so much of a service's requests"
    )
    calls_failing_percent: Percent = Field(
        1,
        alias="callsFailingPercent",
        description="Service map: a service of which more calls than this fail is marked as failing",
    )
    incident_percent: Percent = Field(
        1,
        alias="incidentPercent",
        description="SLO report: an incident is listed where it spent so much of an error budget within 6 hours",
    )
    usage_warning_percent: Percent = Field(
        75, alias="usageWarningPercent", description="Panels: the use of a limit turns yellow"
    )
    usage_bad_percent: Percent = Field(90, alias="usageBadPercent", description="Panels: the use of a limit turns red")
    disk_warning_percent: Percent = Field(
        80, alias="diskWarningPercent", description="Home: the use of the disk turns yellow"
    )
    disk_bad_percent: Percent = Field(90, alias="diskBadPercent", description="Home: the use of the disk turns red")
    full_warning_days: Annotated[int, whole(1, 3_650)] = Field(
        30, alias="fullWarningDays", description="Stack Health: days until a store is full turn yellow"
    )
    full_bad_days: Annotated[int, whole(1, 3_650)] = Field(
        7, alias="fullBadDays", description="Stack Health: days until a store is full turn red"
    )

    @property
    def budget_low(self) -> float:
        """Share of an error budget below which the budget is low."""
        return ratio(self.budget_low_percent)

    @property
    def coverage(self) -> float:
        """Share of a window that has to have data before its budget is judged."""
        return ratio(self.coverage_percent)

    @model_validator(mode="after")
    def _ordered(self) -> Thresholds:
        pairs = (
            (self.usage_warning_percent < self.usage_bad_percent, "usageWarningPercent below usageBadPercent"),
            (self.disk_warning_percent < self.disk_bad_percent, "diskWarningPercent below diskBadPercent"),
            (self.full_bad_days < self.full_warning_days, "fullBadDays below fullWarningDays"),
        )
        if wrong := [accepted for holds, accepted in pairs if not holds]:
            msg = " and ".join(wrong)
            raise RefusedError(msg)
        return self


class AlertOverride(Frozen):
    """Overrides for one kind of alert."""

    enabled: Boolean = Field(default=True, description="false leaves alerts of this kind out")
    severity: Annotated[AlertSeverity, one_of(*get_args(AlertSeverity))] | None = Field(
        None, description="page or ticket; null for its own"
    )
    pending: Annotated[str, duration("0s", "1d", unit="1s")] | None = Field(
        None, description="How long its condition holds before it fires; null for its own"
    )
