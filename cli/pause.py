"""A stack that stands still for a moment, and that cannot stay so: not even when this process is killed.

The engine pauses containers by the kernel's freezer: their processes keep everything and notice nothing but that time
has passed. What they have written is in their volumes, as after a `kill -9`, and all of it is of one moment.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import docker.errors
from docker import DockerClient
from docker.models.containers import Container

from cli import context, engine
from cli.bootstrap import ROOT

_DONE = "done\n"
_PATIENCE_SECONDS = 30


class Stillness:
    """How long it lasted, in seconds, once it is over."""

    seconds = 0.0


@contextmanager
def frozen(containers: Sequence[Container]) -> Iterator[Stillness]:
    """Pause the containers, all at once, and let them go on afterwards, whatever happens."""
    watcher = subprocess.Popen(  # noqa: S603 - ourselves
        [sys.executable, "-m", "cli.pause", *(str(c.id) for c in containers)],
        cwd=ROOT,
        env=context.environment(),
        stdin=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a Ctrl-C is for us
    )
    told = Stillness()
    began = time.monotonic()
    try:
        with ThreadPoolExecutor(max_workers=len(containers)) as pool:
            list(pool.map(lambda c: c.pause(), containers))
        yield told
    finally:
        said = ""  # the watcher then does it
        try:
            release(containers)
            said = _DONE
        finally:
            told.seconds = time.monotonic() - began
            with suppress(BrokenPipeError, subprocess.TimeoutExpired):
                watcher.communicate(said, timeout=_PATIENCE_SECONDS)


def release(containers: Sequence[Container]) -> list[str]:
    """Let paused containers go on; return the names of those that were."""
    released = []
    for container in containers:
        with suppress(docker.errors.NotFound):
            container.reload()
            if container.status == "paused":
                container.unpause()
                released.append(str(container.name))
    return released


def watch(client: DockerClient, ids: Sequence[str]) -> None:
    """Wait until the parent says that all is well, or is gone: then let the containers go on in its place."""
    if sys.stdin.read() != _DONE:
        for id_ in ids:
            with suppress(docker.errors.NotFound):
                release([client.containers.get(id_)])


if __name__ == "__main__":
    watch(engine.connect(), sys.argv[1:])
