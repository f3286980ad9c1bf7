"""When the stack's own alerts fire, and what one kind of alert has of its own."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field

from observability.settings.value_types import Boolean, Frozen, duration, number, one_of, whole

AlertSeverity = Literal["page", "ticket"]
Percent = Annotated[float, number(1e-7, 100)]
Count = Annotated[int, whole(1, 1_000_000)]


class Thresholds(Frozen):
    """The limits of the stack's own alerts."""

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


class AlertOverride(Frozen):
    """What one kind of alert has of its own."""

    enabled: Boolean = Field(default=True, description="false leaves alerts of this kind out")
    severity: Annotated[AlertSeverity, one_of(*get_args(AlertSeverity))] | None = Field(
        None, description="page or ticket; null for its own"
    )
    pending: Annotated[str, duration("0s", "1d", unit="1s")] | None = Field(
        None, description="How long its condition holds before it fires; null for its own"
    )
