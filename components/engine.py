"""A client of the Docker engine, for what no resource of Pulumi's can do: stop, look inside, ask."""

from __future__ import annotations

import os

from docker import DockerClient


def address(host: str) -> str:
    """Return where the engine is: `host` (docker:host), else DOCKER_HOST, else the local socket."""
    return host or os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"


def client(host: str) -> DockerClient:
    """Return a client of the engine at `address(host)`; docker.errors.DockerException when it cannot be reached."""
    where = address(host)
    return DockerClient(base_url=where, use_ssh_client=where.startswith("ssh://"), timeout=60)
