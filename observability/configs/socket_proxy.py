"""The Docker socket proxy's process. It lets only the collector read four paths of the engine's API.

These are the list of containers, one container, its resource usage, and events. Every other request is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from observability import topology
from observability.configs.process import HostSocket, Process, restarting_without_shell

if TYPE_CHECKING:
    from observability.settings import Settings

SOCKET: Final = "/var/run/docker.sock"
"""Path of the socket in the container."""
READS: Final = r"(/v1\.[0-9]+)?/(_ping|version|events|containers/json|containers/[0-9a-f]{64}/(json|stats))"


def process(settings: Settings) -> Process:
    """Return the socket proxy's process, in the group that owns the socket."""
    return Process(
        command=(
            "-listenip=0.0.0.0",
            f"-proxyport={topology.SOCKET_PROXY.port('http')}",
            f"-allowfrom={topology.COLLECTOR.name}",
            f"-allowGET={READS}",
            f"-allowHEAD={READS}",
            "-allowhealthcheck",
            "-loglevel=WARN",
            "-shutdowngracetime=5",
        ),
        health=restarting_without_shell("/healthcheck"),
        health_interval=settings.health_interval,
        socket=HostSocket(settings.docker_socket, SOCKET),
    )
