"""What Jaeger and the collector, both of them OpenTelemetry collectors, configure alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from observability.settings import Limits

ALL: Final = "0.0.0.0"  # noqa: S104 - inside its own container; what is published is the settings' business

PUSH_BYTES: Final = 4 * 1024 * 1024
"""The most that one push may hold, unpacked: what gRPC takes by default. A few larger ones at once fill the memory."""
OTLP: Final[dict[str, Any]] = {
    "protocols": {
        "grpc": {"endpoint": f"{ALL}:4317", "max_recv_msg_size_mib": PUSH_BYTES // 1024**2},
        "http": {"endpoint": f"{ALL}:4318", "max_request_body_size": PUSH_BYTES},
    }
}


def receiver(cors_origins: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the OTLP receiver; web pages of `cors_origins` may push to its HTTP port."""
    if not cors_origins:
        return OTLP
    cors = {"allowed_origins": list(cors_origins), "allowed_headers": ["*"], "max_age": 7200}
    grpc, http = OTLP["protocols"]["grpc"], OTLP["protocols"]["http"]
    return {"protocols": {"grpc": grpc, "http": {**http, "cors": cors}}}


MEMORY_LIMITER: Final[dict[str, Any]] = {"check_interval": "1s", "limit_percentage": 85, "spike_limit_percentage": 15}
"""Refuses what comes in, for a moment, before the container's limit is reached."""
_KEPT_FREE: Final = 0.35


def environment(limits: Limits) -> dict[str, str]:
    """Return what makes Go collect its garbage below the limiter: left to itself it lets the heap double first."""
    return {"GOMEMLIMIT": f"{limits.memory * (1 - _KEPT_FREE):.0f}MiB"}


def telemetry(name: str, port: int, **logs: Any) -> dict[str, Any]:  # noqa: ANN401 - YAML
    """Return how it shows its own metrics, on `port`, and what it logs."""
    return {
        "resource": {"attributes": [{"name": "service.name", "value": name}]},
        "metrics": {
            "level": "normal",
            "readers": [{"pull": {"exporter": {"prometheus": {"host": ALL, "port": port}}}}],
        },
        "logs": {"level": "warn", **logs},
    }
