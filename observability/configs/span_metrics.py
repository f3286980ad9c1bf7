"""Request rates and durations counted from spans, by the same pieces wherever they are counted.

In Jaeger, where the stack has one of its own; in the collector, where traces are kept elsewhere.
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
"""Kinds of spans (name, kind, status, route) of one service that are counted each on its own; about 20 series each."""


def counted_by(settings: Settings) -> topology.Part:
    """Return the part that counts them."""
    return topology.JAEGER if settings.keeps_traces else topology.COLLECTOR


def connector(settings: Settings) -> dict[str, Any]:
    """Return the connector that counts spans."""
    return {
        "exemplars": {"enabled": True},
        "metrics_flush_interval": settings.scrape_interval,
        "metrics_expiration": "15m",
        # Of one service; what is over it is counted as one, with `otel_metric_overflow`.
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
