"""The collector as a service: everything that is pushed, and what containers and host use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.service import Port, ServiceSpec
from observability.configs import collector, otelcol
from observability.names.paths import COLLECTOR_FORWARD_PORT, COLLECTOR_HEALTH_PORT
from observability.versions import image

if TYPE_CHECKING:
    from observability.settings import Settings

NAME = "collector"


def spec(settings: Settings) -> ServiceSpec:
    """Return the collector's container: user 10001, nothing but one binary in the image, queues on its volume."""
    return ServiceSpec(
        name=NAME,
        image=image(NAME),
        user="10001:10001",
        command=collector.command(),
        environment=otelcol.environment(settings.limit(NAME)),
        data=collector.DATA,
        files={collector.FILE: collector.render(settings)},
        checker=("/otelcol-contrib", "validate", *collector.command()),
        health=collector.health(),
        health_interval=settings.health_interval,
        ports=(
            Port(4317, settings.port("otlpGrpc")),
            Port(4318, settings.port("otlpHttp")),
            Port(COLLECTOR_HEALTH_PORT, settings.port(NAME)),
            Port(COLLECTOR_FORWARD_PORT, settings.port("containerLogs"), engine_only=True),
        ),
        ready_url=f"{settings.address(NAME)}/",
        limits=settings.limit(NAME),
        networks=settings.networks,
        reaches_host=True,
        tmp_mib=16,
        stop_seconds=30,
        owner_image=image("prometheus"),
    )
