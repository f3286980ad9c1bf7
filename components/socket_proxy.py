"""The engine filter as a service: the Docker engine's socket, of which only the collector gets to read a little.

What it lets through are four reading calls: which containers there are, what one is made of, what it uses, and what
happens. It has no network but the stack's, and only the collector is answered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from components.service import ServiceSpec, SocketMount
from observability.names.paths import ENGINE_FILTER_PORT
from observability.settings import ENGINE_FILTER
from observability.versions import image

if TYPE_CHECKING:
    from observability.settings import Settings

NAME: Final = ENGINE_FILTER
SOCKET: Final = "/var/run/docker.sock"
"""Where the socket is in the container."""
READS: Final = r"(/v1\.[0-9]+)?/(_ping|version|events|containers/json|containers/[0-9a-f]{64}/(json|stats))"


def spec(settings: Settings) -> ServiceSpec:
    """Return the filter's container: user nobody, in the group that the socket belongs to."""
    return ServiceSpec(
        name=NAME,
        image=image(NAME),
        user="65534:65534",
        command=(
            "-listenip=0.0.0.0",
            f"-proxyport={ENGINE_FILTER_PORT}",
            "-allowfrom=collector",
            f"-allowGET={READS}",
            f"-allowHEAD={READS}",
            "-allowhealthcheck",
            "-loglevel=WARN",
            "-shutdowngracetime=5",
        ),
        environment={},
        data="",
        files={},
        checker=(),
        health=("/healthcheck",),
        health_interval=settings.health_interval,
        ports=(),
        ready_url="",
        limits=settings.limit(NAME),
        tmp_mib=1,
        stop_seconds=10,
        socket=SocketMount(settings.docker_socket, SOCKET, group_image=image("prometheus")),
    )
