"""`down`: removes the containers, with time to flush; volumes and the state stay."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from docker.models.containers import Container

from cli.context import Context


def run(context: Context) -> int:
    """Remove the stack's containers; `up` brings them back with their data."""
    engine = context.engine
    context.pulumi.select()
    containers = engine.containers()
    with ThreadPoolExecutor() as pool:
        list(pool.map(remove, containers))
    context.console.say(
        f"{len(containers)} containers of stack '{context.stack}' removed; the data stays. `make up` brings them back."
    )
    return 0


def remove(container: Container) -> None:
    """Stop a container, with its own time to flush, and remove it."""
    container.stop(timeout=int(container.attrs["Config"].get("StopTimeout") or 60))
    container.remove(force=True, v=True)
