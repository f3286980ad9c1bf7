"""The services to watch: the configured ones and, on request, three of the stack's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from observability.settings import LabelNames, LatencySlo, MetricNames, WatchedService

if TYPE_CHECKING:
    from observability.settings import Settings

# Left out below: probes, which fail on purpose while a service starts, and connections that stay open for as
# long as a page is open, whose length is no latency. Each latency threshold is a bucket of its histogram.
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
    # Without gRPC: in one process those are Loki's calls to itself, streams that last for hours among them.
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
"""Grafana, Prometheus and Loki as their sources at the pinned versions expose themselves."""


DEMO: Final = (
    WatchedService(name="inference-gateway", targets=("inference-gateway:8000",), owner="ml-platform"),
    WatchedService(name="inference-model", otlp=True, owner="ml-platform"),
)
"""The demo's two services: one that is scraped by the metric contract, one that pushes by OpenTelemetry's names."""


def applications(settings: Settings) -> tuple[WatchedService, ...]:
    """Return every service that is not of the stack itself."""
    return (*settings.services, *(DEMO if settings.demo else ()), *(probe.service for probe in settings.probes))


def watched(settings: Settings) -> tuple[WatchedService, ...]:
    """Return every service that gets rules and panels, because it has an SLO: the configured ones first."""
    return tuple(service for service in (*applications(settings), *_of_stack(settings)) if service.slo_by_name)


def _of_stack(settings: Settings) -> tuple[WatchedService, ...]:
    """Return those of the stack's own services that it runs and watches."""
    return tuple(service for service in STACK if settings.watch_stack and service.name in settings.containers)


def exporters(settings: Settings) -> tuple[WatchedService, ...]:
    """Return the services without any SLO: scraped, with alerts on their absence only."""
    return tuple(service for service in applications(settings) if not service.slo_by_name)


def telemetry_name(service: str, settings: Settings) -> str:
    """Return the name that the logs and traces of a service carry, by its name in this stack."""
    return next((s.telemetry_name for s in applications(settings) if s.name == service), service)
