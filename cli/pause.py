"""Pauses a stack for a moment, and makes sure that it resumes, even if this process is killed.

The engine pauses containers with the kernel's freezer: their processes keep their state and only notice that time has
passed. Their volumes hold what they have written, as after a `kill -9`, all of the same moment.
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

from cli import engine
from cli.bootstrap import ROOT
from cli.context import Context

_DONE = "done\n"
_PATIENCE_SECONDS = 30


class Pause:
    """The duration of a pause in seconds, once it is over."""

    seconds = 0.0


@contextmanager
def paused(context: Context, containers: Sequence[Container]) -> Iterator[Pause]:
    """Pause the containers, all at once, and resume them afterwards, whatever happens."""
    watcher = subprocess.Popen(  # noqa: S603 - ourselves
        [sys.executable, "-m", "cli.pause", context.stack, *(str(c.id) for c in containers)],
        cwd=ROOT,
        env=context.environment.for_pulumi(context.stack),
        stdin=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a Ctrl-C is for us
    )
    pause = Pause()
    began = time.monotonic()
    try:
        with ThreadPoolExecutor(max_workers=len(containers)) as pool:
            list(pool.map(lambda c: c.pause(), containers))
        yield pause
    finally:
        message = ""  # the watcher then resumes them
        try:
            resume(containers)
            message = _DONE
        finally:
            pause.seconds = time.monotonic() - began
            with suppress(BrokenPipeError, subprocess.TimeoutExpired):
                watcher.communicate(message, timeout=_PATIENCE_SECONDS)


def resume(containers: Sequence[Container]) -> list[str]:
    """Resume paused containers; return their names."""
    resumed = []
    for container in containers:
        with suppress(docker.errors.NotFound):
            container.reload()
            if container.status == "paused":
                container.unpause()
                resumed.append(str(container.name))
    return resumed


def watch(client: DockerClient, ids: Sequence[str]) -> None:
    """Wait until the parent reports success, or is gone: then resume the containers in its place."""
    if sys.stdin.read() != _DONE:
        for id_ in ids:
            with suppress(docker.errors.NotFound):
                resume([client.containers.get(id_)])


if __name__ == "__main__":
    watch(engine.connect(sys.argv[1]).client, sys.argv[2:])
