"""The watched services: the configured ones, the demo's, and, with `watchStack`, three of the stack's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from observability.settings import LabelNames, LatencySlo, MetricNames, WatchedService

if TYPE_CHECKING:
    from observability.settings import Settings

# The selectors leave out health checks, which fail while a service starts, and connections that stay open as long as a
# page does, whose duration is no latency. Each latency threshold is a bucket of its histogram.
STACK: Final = (
    WatchedService(
        name="grafana",
        selector='job="grafana", handler!~"/api/live/.*"',
        metrics=MetricNames(
            requests="grafana_http_request_duration_seconds_count",
            duration="grafana_http_request_duration_seconds",
            in_progress="grafana_http_request_in_flight",
        ),
        labels=LabelNames(endpoint="handler", method="method", status="status_code"),
        latency=LatencySlo(threshold="500ms"),
    ),
    WatchedService(
        name="prometheus",
        selector='job="prometheus", handler!~"/-/(healthy|ready)|/api/v1/notifications/live"',
        metrics=MetricNames(
            requests="prometheus_http_requests_total",
            duration="prometheus_http_request_duration_seconds",
            in_progress=None,
        ),
        labels=LabelNames(endpoint="handler", method=None, status="code"),
        latency=LatencySlo(threshold="400ms"),
    ),
    # Without gRPC: a single Loki process calls itself that way, also by streams that last for hours.
    WatchedService(
        name="loki",
        selector='job="loki", method!="gRPC", ws!="true", route!="ready"',
        metrics=MetricNames(
            requests="loki_request_duration_seconds_count",
            duration="loki_request_duration_seconds",
            in_progress="loki_inflight_requests",
        ),
        labels=LabelNames(endpoint="route", method="method", status="status_code"),
        latency=LatencySlo(threshold="1s"),
    ),
)
"""Grafana, Prometheus and Loki, with the names that their sources have at the pinned versions."""


DEMO: Final = (
    WatchedService(name="inference-gateway", targets=("inference-gateway:8000",), owner="ml-platform"),
    WatchedService(name="inference-model", otlp=True, owner="ml-platform"),
)
"""The demo's services: one is scraped and follows the metric contract, one pushes with OpenTelemetry's names."""


def applications(settings: Settings) -> tuple[WatchedService, ...]:
    """Return every service that is not a part of the stack: configured ones, the demo's, and probes."""
    return (*settings.services, *(DEMO if settings.demo else ()), *(probe.service for probe in settings.probes))


def watched(settings: Settings) -> tuple[WatchedService, ...]:
    """Return every service with an SLO, which therefore gets rules and panels; the configured ones first."""
    return tuple(service for service in (*applications(settings), *_of_stack(settings)) if service.slo_by_name)


def _of_stack(settings: Settings) -> tuple[WatchedService, ...]:
    """Return the stack's own services that are watched, because the stack runs them and `watchStack` is on."""
    return tuple(service for service in STACK if settings.watch_stack and service.name in settings.containers)


def exporters(settings: Settings) -> tuple[WatchedService, ...]:
    """Return the services without an SLO: they are scraped, and the only alert is on their absence."""
    return tuple(service for service in applications(settings) if not service.slo_by_name)


def telemetry_name(service: str, settings: Settings) -> str:
    """Return the `service.name` in the logs and traces of the service called `service` in this stack."""
    return next((s.telemetry_name for s in applications(settings) if s.name == service), service)
