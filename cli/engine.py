"""The Docker engine that the stack runs on."""

from __future__ import annotations

import time

import docker
import docker.errors
from docker import DockerClient
from docker.models.containers import Container

from cli import context, stack_config
from cli.bootstrap import UserError
from cli.console import say
from components import engine
from observability import versions
from observability.names import labels
from observability.settings import Settings

SETTLE_SECONDS = 30


def connect() -> DockerClient:
    """Return a client of the stack's engine (docker:host, DOCKER_HOST or the local one); UserError without it."""
    host = stack_config.docker_host(context.stack())
    try:
        client = engine.client(host)
        client.ping()
    except (docker.errors.DockerException, OSError) as error:
        msg = (
            f"Docker does not answer at {engine.address(host)} ({_short(error)}). Install it (https://docs.docker.com/engine/install/),"
            " start it, and see that you may use it; or set docker:host. `make plan` and `make render` work without it."
        )
        raise UserError(msg) from None
    return client


def pull(client: DockerClient, settings: Settings) -> None:
    """See that the engine has every image needed, pulling what is missing; UserError names what cannot be had."""
    for name, image in versions.images().items():
        if name == "demo" and not settings.demo:
            continue
        try:
            client.images.get(image.reference)
        except docker.errors.ImageNotFound:
            say(f"pulling {image.reference} …")
            try:
                client.images.pull(image.reference)
            except docker.errors.APIError as error:
                msg = (
                    f"image {image.reference} is not on the Docker host and the registry does not give it"
                    f" ({_short(error)}). Is the tag in versions.toml right, and is there a network?"
                    " Nothing was changed."
                )
                raise UserError(msg) from None


def containers(client: DockerClient) -> list[Container]:
    """Return the stack's services' containers, loaders left out."""
    found = client.containers.list(all=True, filters={"label": f"{labels.STACK}={context.stack()}"})
    return [c for c in found if labels.SPEC in c.labels]


def published(container: Container) -> set[int]:
    """Return the host's ports that a running container holds."""
    bound: dict[str, list[dict[str, str]] | None] = container.attrs["NetworkSettings"]["Ports"] or {}
    return {int(b["HostPort"]) for bindings in bound.values() for b in bindings or ()}


def health(container: Container) -> str:
    """Return `healthy`, `starting`, `unhealthy` or the container's status."""
    state = container.attrs["State"]
    return str(state.get("Health", {}).get("Status") or state["Status"])


def settle(client: DockerClient) -> None:
    """Wait, at most SETTLE_SECONDS, while a container has not been checked for the first time."""
    until = time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < until and any(health(c) == "starting" for c in containers(client)):
        time.sleep(1)


def _short(error: Exception) -> str:
    return str(getattr(error, "explanation", None) or error).strip().splitlines()[0][:200]
