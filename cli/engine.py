"""The Docker engine that one stack runs on."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import docker
import docker.errors
from docker import DockerClient
from docker.models.containers import Container

from cli import stack_config
from cli.console import Console
from cli.errors import MissingToolError, NoEngineError
from components import engine
from observability import versions
from observability.failures import reason
from observability.names import labels
from observability.settings import Settings

SETTLE_SECONDS = 30


def connect(stack: str) -> Engine:
    """Return the stack's engine (docker:host, DOCKER_HOST or the local one); NoEngineError when it does not answer."""
    host = stack_config.docker_host(stack)
    try:
        client = engine.client(host)
        client.ping()
    except (docker.errors.DockerException, OSError) as error:
        msg = (
            f"Docker does not answer at {engine.address(host)} ({reason(error)}). Install it"
            " (https://docs.docker.com/engine/install/), start it, and check that you may use it; or set docker:host."
            " `make plan` and `make render` work without it."
        )
        raise NoEngineError(msg) from None
    return Engine(client, stack)


@dataclass(frozen=True)
class Engine:
    """A Docker engine, as one stack sees it."""

    client: DockerClient
    stack: str
    console: Console = field(default_factory=Console)

    def pull(self, settings: Settings) -> None:
        """Pull the missing images; raise MissingToolError with the name of one that cannot be pulled."""
        used = {*settings.containers, *(("demo",) if settings.demo else ())}
        for name, image in versions.images().items():
            if name not in used:
                continue
            self.pull_image(image.reference, "Is the tag in versions.toml right, and is there a network?")

    def pull_image(self, reference: str, hint: str) -> None:
        """Pull one image unless it is there; raise MissingToolError, with a hint, if it cannot be pulled."""
        try:
            self.client.images.get(reference)
        except docker.errors.ImageNotFound:
            self.console.say(f"pulling {reference} …")
            try:
                self.client.images.pull(reference)
            except docker.errors.APIError as error:
                msg = (
                    f"image {reference} is neither on the Docker host nor in its registry"
                    f" ({reason(error)}). {hint} Nothing was changed."
                )
                raise MissingToolError(msg) from None

    def containers(self) -> list[Container]:
        """Return the containers of the stack's services, without the loaders."""
        return list(
            self.client.containers.list(all=True, filters={"label": [f"{labels.STACK}={self.stack}", labels.SPEC]})
        )

    def settle(self) -> None:
        """Wait, at most SETTLE_SECONDS, until every container has been checked for the first time."""
        until = time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < until and any(health(c) == "starting" for c in self.containers()):
            time.sleep(1)


def published(container: Container) -> set[int]:
    """Return the host's ports that a running container publishes."""
    bound: dict[str, list[dict[str, str]] | None] = container.attrs["NetworkSettings"]["Ports"] or {}
    return {int(b["HostPort"]) for bindings in bound.values() for b in bindings or ()}


def health(container: Container) -> str:
    """Return `healthy`, `starting`, `unhealthy` or the container's status."""
    state = container.attrs["State"]
    return str(state.get("Health", {}).get("Status") or state["Status"])


def _short(error: Exception) -> str:
    return str(getattr(error, "explanation", None) or error).strip().splitlines()[0][:200]
