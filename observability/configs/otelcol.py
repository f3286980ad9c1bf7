"""Configuration that Jaeger and the collector share, because both are OpenTelemetry collectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from observability.settings import Limits

ALL: Final = "0.0.0.0"  # noqa: S104 - inside its own container; what is published is the settings' business

PUSH_BYTES: Final = 4 * 1024 * 1024
"""Largest push, decompressed: the default of gRPC. A few larger ones at once would fill the memory."""
OTLP: Final[dict[str, Any]] = {
    "protocols": {
        "grpc": {"endpoint": f"{ALL}:4317", "max_recv_msg_size_mib": PUSH_BYTES // 1024**2},
        "http": {"endpoint": f"{ALL}:4318", "max_request_body_size": PUSH_BYTES},
    }
}


def receiver(cors_origins: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the OTLP receiver; web pages with an origin in `cors_origins` may push to its HTTP port."""
    if not cors_origins:
        return OTLP
    cors = {"allowed_origins": list(cors_origins), "allowed_headers": ["*"], "max_age": 7200}
    grpc, http = OTLP["protocols"]["grpc"], OTLP["protocols"]["http"]
    return {"protocols": {"grpc": grpc, "http": {**http, "cors": cors}}}


MEMORY_LIMITER: Final[dict[str, Any]] = {"check_interval": "1s", "limit_percentage": 85, "spike_limit_percentage": 15}
"""Refuses new data for a moment before the container's memory limit is reached."""
_KEPT_FREE: Final = 0.35


def environment(limits: Limits) -> dict[str, str]:
    """Return the variables that make Go collect garbage below the memory limiter; by default its heap doubles first."""
    return {"GOMEMLIMIT": f"{limits.memory * (1 - _KEPT_FREE):.0f}MiB"}


def telemetry(name: str, port: int, **logs: Any) -> dict[str, Any]:  # noqa: ANN401 - YAML
    """Return the settings of the collector's own metrics, served on `port`, and of its log."""
    return {
        "resource": {"attributes": [{"name": "service.name", "value": name}]},
        "metrics": {
            "level": "normal",
            "readers": [{"pull": {"exporter": {"prometheus": {"host": ALL, "port": port}}}}],
        },
        "logs": {"level": "warn", **logs},
    }
