"""Jaeger as a service: traces, and the metrics made from their spans."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.files import Checker
from components.service import Port, ServiceSpec
from configs import jaeger
from configs.paths import JAEGER_HEALTH_PORT
from versions import image

if TYPE_CHECKING:
    from settings import Settings

NAME = "jaeger"
_BINARY = "/cmd/jaeger/jaeger-linux"
_USER = "10001:10001"


def spec(settings: Settings) -> ServiceSpec:
    """Return Jaeger's container: user 10001, badger on its volume.

    The image has no directory for badger that its user owns, so a new volume starts as root's. The checker, which
    runs before the service on every change of the configuration, hands the volume to the service's user.
    """
    return ServiceSpec(
        name=NAME,
        image=image(NAME),
        user=_USER,
        command=jaeger.command(),
        environment={},
        data=jaeger.DATA,
        files={jaeger.FILE: jaeger.render(settings)},
        checker=Checker(
            (
                "/bin/sh",
                "-c",
                f"chown {_USER} {jaeger.DATA} && exec {_BINARY} validate --config={jaeger.FILE}",
            ),
            user="0:0",
            capabilities=("CHOWN",),
        ),
        health=("wget", "-q", "-O", "/dev/null", f"http://127.0.0.1:{JAEGER_HEALTH_PORT}/status"),
        health_interval=settings.health_interval,
        ports=(Port(16686, settings.port(NAME)),),
        ready_url=f"{settings.address(NAME)}/api/services",
        limits=settings.limit(NAME),
        tmp_mib=64,
        stop_seconds=60,
    )
