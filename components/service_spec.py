"""What a part's container is, as plain values: everything that is known before anything exists."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from observability import endpoints, versions
from observability.configs.process import HostSocket
from observability.settings import Limits
from observability.versions import Image

if TYPE_CHECKING:
    from observability.configs.process import Process
    from observability.settings import Settings
    from observability.topology import Part

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Port:
    """A port `internal` of the container, published as `external` on the Docker host's `address`."""

    internal: int
    external: int
    address: str = LOOPBACK


@dataclass(frozen=True)
class ServiceSpec:
    """What one container is. Plain values only, no secret.

    Attributes:
        user: `uid:gid` of the process.
        data: where the data volume is mounted, "" without one.
        files: absolute path in the container to text.
        checker: command that accepts or refuses `files`; empty for no check.
        health: command of the health check.
        health_interval: time between two health checks, as Docker spells it ("15s").
        networks: names of the stack's networks, as in the table of parts.
        ready_url: URL that answers 200 once the service can be used; "" if the health check alone tells that.
        tmp_mib: size of /tmp, in memory.
        stop_seconds: how long the container may take to stop before it is killed.
        data_needs_owner: whether a job has to give a new data volume to `user`, because the image does not contain the
            directory with that owner.
        socket: the Docker host's socket that the container reads, None for none.
        reaches_host: whether the name `host.docker.internal` leads to the Docker host.
        others_networks: Docker networks of other projects that the container joins too.
        borrows_tools: whether the health check runs the helper's shell.
        host_paths: paths on the Docker host to read-only paths in the container.
    """

    name: str
    image: Image
    user: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    data: str
    files: Mapping[str, str]
    checker: tuple[str, ...]
    health: tuple[str, ...]
    health_interval: str
    networks: tuple[str, ...]
    ports: tuple[Port, ...]
    ready_url: str
    limits: Limits
    tmp_mib: int
    stop_seconds: int
    data_needs_owner: bool = False
    socket: HostSocket | None = None
    reaches_host: bool = False
    others_networks: tuple[str, ...] = ()
    borrows_tools: bool = False
    host_paths: Mapping[str, str] = field(default_factory=dict)

    def fingerprint(self) -> str:
        """Return 16 hexadecimal digits that change with any field but `files` and those of one-shot jobs.

        The container carries them as a label, so that a change which the provider would miss replaces it.
        """
        # The names and values of earlier versions, so that a container that did not change is not replaced.
        plain = asdict(self) | {"limits": self.limits.model_dump(), "files": "", "owner_image": ""}
        del plain["borrows_tools"], plain["data_needs_owner"]
        if not self.host_paths:
            del plain["host_paths"]
        if self.socket is not None:
            plain["socket"] = [self.socket.host, self.socket.inside]
        return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:16]


def service_spec(part: Part, process: Process, settings: Settings, *, image: Image | None = None) -> ServiceSpec:
    """Return the container of a part on a Docker host.

    Args:
        part: its row in the table of parts.
        process: what runs in the container.
        settings: the stack's settings.
        image: image that is built here, by default the pinned one of versions.toml.

    """
    return ServiceSpec(
        name=part.name,
        image=image or versions.image(part.name),
        user=part.user,
        command=process.command,
        environment=process.environment,
        data=part.data,
        files=process.uploads or process.files,
        checker=process.checker,
        health=process.health,
        health_interval=process.health_interval,
        networks=(*part.networks, *process.networks),
        ports=tuple(
            Port(
                part.published(name, outside=settings.otlp_outside),
                settings.port(port.key),
                settings.published_address(port.key),
            )
            for name, port in part.ports.items()
            if port.key in settings.published
        ),
        ready_url=endpoints.ready_url(part, settings),
        limits=settings.limit(part.name),
        tmp_mib=part.tmp_mib,
        stop_seconds=part.stop_seconds,
        data_needs_owner=part.data_needs_owner,
        socket=process.socket,
        others_networks=settings.networks if part.reaches_applications else (),
        reaches_host=part.reaches_applications,
        borrows_tools=process.borrows_tools,
        host_paths=process.host_paths,
    )
