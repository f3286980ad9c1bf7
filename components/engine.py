"""A client of the Docker engine, for what Pulumi's provider cannot do: run a health check, limit processes.

The package `docker` is imported inside the functions, because an `up` that changes nothing does not need it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container


def address(host: str) -> str:
    """Return the engine's address: `host` (the setting docker:host), else DOCKER_HOST, else the local socket."""
    return host or os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"


def limit_processes(container: Container, most: int) -> None:
    """Limit the processes and threads of a container to `most`; the Docker provider has no argument for it."""
    # Nor has the client's own `update`, so the request is written out.
    api: Any = container.client.api if container.client else None
    answer = api._post_json(api._url("/containers/{0}/update", container.id), data={"PidsLimit": most})  # noqa: SLF001
    api._raise_for_status(answer)  # noqa: SLF001


def check_health(container: Container) -> str:
    """Run the container's health check now; return its error, "" when it succeeds.

    The engine itself would run it only after a whole interval.
    """
    import docker.errors  # noqa: PLC0415

    command = [str(part) for part in container.attrs["Config"]["Healthcheck"]["Test"][1:]]
    try:
        code, output = cast("tuple[int, bytes]", container.exec_run(command))
    except (docker.errors.APIError, OSError) as error:  # not running yet, or between two starts
        return str(error)
    return "" if code == 0 else f"its health check failed: {output.decode(errors='replace').strip()[-200:]}"


def client(host: str) -> DockerClient:
    """Return a client of the engine at `address(host)`.

    Raises:
        docker.errors.DockerException: the engine does not answer.

    """
    from docker import DockerClient  # noqa: PLC0415

    where = address(host)
    return DockerClient(base_url=where, use_ssh_client=where.startswith("ssh://"), timeout=60)
