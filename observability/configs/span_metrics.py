"""Metrics of requests that are counted from spans: by the stack's Jaeger, or by the collector if it has none.

Both are OpenTelemetry collectors, so both use the same configuration.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from observability import topology
from observability.configs import otelcol

if TYPE_CHECKING:
    from observability.settings import Settings

CONNECTOR: Final = "span_metrics"
EXPORTER: Final = "prometheus"
PIPELINE: Final = "metrics/span_metrics"
PORT: Final = "span-metrics"
SPAN_SERIES: Final = 1_000
"""Most combinations of span name, kind, status and route of one service that are counted singly; 20 series each."""


def counted_by(settings: Settings) -> topology.Part:
    """Return the part that counts spans."""
    return topology.JAEGER if settings.keeps_traces else topology.COLLECTOR


def connector(settings: Settings) -> dict[str, Any]:
    """Return the connector that counts spans."""
    return {
        "exemplars": {"enabled": True},
        "metrics_flush_interval": settings.scrape_interval,
        "metrics_expiration": "15m",
        # For one service. All further combinations are counted together, with the label `otel_metric_overflow`.
        "aggregation_cardinality_limit": SPAN_SERIES,
        "dimensions": [{"name": "http.route"}, {"name": "http.response.status_code"}],
    }


def exporter(part: topology.Part) -> dict[str, Any]:
    """Return the exporter that Prometheus scrapes."""
    return {
        "endpoint": f"{otelcol.ALL}:{part.port(PORT)}",
        "enable_open_metrics": True,  # without it there are no exemplars
        "resource_to_telemetry_conversion": {"enabled": True},
    }
