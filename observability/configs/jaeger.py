"""Jaeger's configuration: it receives OTLP, stores spans in badger with a TTL, and counts them for Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from observability import endpoints, topology
from observability.configs import otelcol, span_metrics
from observability.configs.process import WGET, Process, restarting
from observability.names.paths import CONFIG
from observability.settings import milliseconds
from observability.text import to_yaml

if TYPE_CHECKING:
    from observability.settings import Settings

DATA = topology.JAEGER.data
FILE = f"{CONFIG}/jaeger.yaml"
_BINARY = "/cmd/jaeger/jaeger-linux"


def command() -> tuple[str, ...]:
    """Return Jaeger's command line."""
    return (f"--config={FILE}",)


def process(settings: Settings) -> Process:
    """Return Jaeger's process."""
    return Process(
        command=command(),
        environment=otelcol.environment(settings.limit(topology.JAEGER.name)),
        files={FILE: render(settings)},
        checker=(_BINARY, "validate", *command()),
        health=restarting(*WGET, f"http://{topology.JAEGER.local('health')}/status"),
        health_interval=settings.health_interval,
    )


def _go_duration(duration: str) -> str:
    """Return a duration in Go's spelling, which has no unit longer than an hour."""
    return f"{milliseconds(duration) // 1000}s" if set(duration) & set("dwy") else duration


def render(settings: Settings) -> str:
    """Return jaeger.yaml."""
    return to_yaml(
        "jaeger",
        {
            "service": {
                "extensions": ["jaeger_storage", "jaeger_query", "healthcheckv2"],
                "pipelines": {
                    "traces": {
                        "receivers": ["otlp"],
                        # No batches: an acknowledged span is on disk, and until then it is in the collector's queue.
                        "processors": ["memory_limiter"],
                        "exporters": ["jaeger_storage_exporter", span_metrics.CONNECTOR],
                    },
                    span_metrics.PIPELINE: {
                        "receivers": [span_metrics.CONNECTOR],
                        "exporters": [span_metrics.EXPORTER],
                    },
                },
                "telemetry": otelcol.telemetry(topology.JAEGER.name, topology.JAEGER.port("metrics")),
            },
            "extensions": {
                "healthcheckv2": {
                    "use_v2": True,
                    "http": {"endpoint": f"{otelcol.ALL}:{topology.JAEGER.port('health')}"},
                    "component_health": {"include_permanent_errors": True, "include_recoverable_errors": True},
                },
                "jaeger_query": {
                    "storage": {"traces": "badger", "metrics": "prometheus"},
                    # Jaeger's own spans of a search contain its whole answer, and would exceed the collector's limits.
                    "enable_tracing": False,
                    "http": {"endpoint": f"{otelcol.ALL}:{topology.JAEGER.port('http')}"},
                    "grpc": {"endpoint": f"{otelcol.ALL}:{topology.JAEGER.port('grpc')}"},
                },
                "jaeger_storage": {
                    "backends": {
                        "badger": {
                            "badger": {
                                "directories": {"keys": f"{DATA}/keys", "values": f"{DATA}/values"},
                                "ephemeral": False,
                                # The kernel writes to disk later, as for the other stores, so a killed process loses
                                # nothing. With a sync for every span, Jaeger handled only 450 requests a second.
                                "consistency": False,
                                "ttl": {"spans": _go_duration(settings.jaeger_retention)},
                            }
                        }
                    },
                    "metric_backends": {
                        "prometheus": {
                            "prometheus": {
                                "endpoint": endpoints.api(topology.PROMETHEUS).url,
                                "normalize_calls": True,
                                "normalize_duration": True,
                            }
                        }
                    },
                },
            },
            "receivers": {"otlp": otelcol.OTLP},
            "processors": {"memory_limiter": otelcol.MEMORY_LIMITER},
            "connectors": {span_metrics.CONNECTOR: span_metrics.connector(settings)},
            "exporters": {
                "jaeger_storage_exporter": {"trace_storage": "badger"},
                span_metrics.EXPORTER: span_metrics.exporter(topology.JAEGER),
            },
        },
    )
