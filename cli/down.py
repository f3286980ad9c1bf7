"""`make down`: the containers go, with time to flush; volumes and the state stay."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from docker.models.containers import Container

from cli import context, engine, pulumi
from cli.console import say


def main(_arguments: list[str]) -> int:
    """Remove the chosen stack's containers; `make up` brings them back with their data."""
    client = engine.connect()
    pulumi.select()
    found = engine.containers(client)
    with ThreadPoolExecutor() as pool:
        list(pool.map(remove, found))
    say(f"{len(found)} containers of stack '{context.stack()}' removed; the data stays. `make up` brings them back.")
    return 0


def remove(container: Container) -> None:
    """Stop a container, with its own time to flush, and remove it."""
    container.stop(timeout=int(container.attrs["Config"].get("StopTimeout") or 60))
    container.remove(force=True, v=True)
