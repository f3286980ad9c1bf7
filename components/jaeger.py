"""Jaeger as a service: traces, and the metrics made from their spans."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.service import Port, ServiceSpec
from observability.configs import jaeger, otelcol
from observability.names.paths import JAEGER_HEALTH_PORT
from observability.versions import image

if TYPE_CHECKING:
    from observability.settings import Settings

NAME = "jaeger"
_BINARY = "/cmd/jaeger/jaeger-linux"


def spec(settings: Settings) -> ServiceSpec:
    """Return Jaeger's container: user 10001, badger on its volume."""
    return ServiceSpec(
        name=NAME,
        image=image(NAME),
        user="10001:10001",
        command=jaeger.command(),
        environment=otelcol.environment(settings.limit(NAME)),
        data=jaeger.DATA,
        files={jaeger.FILE: jaeger.render(settings)},
        checker=(_BINARY, "validate", *jaeger.command()),
        health=("wget", "-q", "-O", "/dev/null", f"http://127.0.0.1:{JAEGER_HEALTH_PORT}/status"),
        health_interval=settings.health_interval,
        ports=(Port(16686, settings.port(NAME)),),
        ready_url=f"{settings.address(NAME)}/api/services",
        limits=settings.limit(NAME),
        tmp_mib=64,
        stop_seconds=60,
        owner_image=image(NAME),
    )
