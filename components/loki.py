"""Loki as a service: logs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.service import Port, ServiceSpec
from observability.configs import loki
from observability.versions import image

if TYPE_CHECKING:
    from observability.settings import Settings

NAME = "loki"


def spec(settings: Settings) -> ServiceSpec:
    """Return Loki's container: user 10001, no shell in the image, checked and probed by its own binary."""
    return ServiceSpec(
        name=NAME,
        image=image(NAME),
        user="10001:10001",
        command=loki.command(),
        environment={},
        data=loki.DATA,
        files={loki.FILE: loki.render(settings)},
        checker=("/usr/bin/loki", "-verify-config", *loki.command()),
        health=("/usr/bin/loki", "-health"),
        health_interval=settings.health_interval,
        ports=(Port(loki.PORT, settings.port(NAME)),),
        ready_url=f"{settings.address(NAME)}/ready",
        limits=settings.limit(NAME),
        tmp_mib=64,
        stop_seconds=60,
    )
