"""What `up` costs as more services are watched: resources, seconds, memory of each process, size of the state."""

from __future__ import annotations

import tempfile
import threading
import time
from pathlib import Path
from typing import Final

import docker
import psutil

from cli.context import Context
from cli.errors import UserError
from lab.profile import name_of
from lab.ratios import timed
from lab.sandbox import Sandbox, missing
from observability.settings import PROJECT

_POLL_SECONDS: Final = 0.2
_MEBIBYTE: Final = 2**20
_HEADS: Final = ("services", "resources", "fresh up", "second up", "state", "largest memory by process")


def run(context: Context, sizes: tuple[int, ...]) -> int:
    """Bring up a stack for each number of services, with their SLOs, alerts and dashboards, and print the table."""
    if reason := missing():
        msg = f"growth needs the real stack: {reason}"
        raise UserError(msg)
    rows = []
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="growth-") as folder:
            rows.append(_measured(Path(folder), size))
            context.console.say(", ".join(f"{head}: {cell}" for head, cell in zip(_HEADS, rows[-1], strict=True)))
    context.console.table("growth", _HEADS, rows)
    return 0


def _measured(folder: Path, size: int) -> tuple[str, ...]:
    stack = Sandbox.make(folder / "stack", "growth", engine=docker.from_env(), base="staging")
    stack.configure(services=[{"name": f"service-{n:03}", "otlp": True} for n in range(size)])
    memory: dict[str, float] = {}
    ended = threading.Event()
    watcher = threading.Thread(target=_watch, args=(ended, memory))
    watcher.start()
    try:
        fresh, second = timed(stack.up), timed(stack.up)
        state = folder / "stack" / ".state" / ".pulumi" / "stacks" / PROJECT / "growth.json"
        resources = len(state.read_text().split('"urn":')) - 1
        largest = ", ".join(f"{name} {used:.0f} MiB" for name, used in sorted(memory.items(), key=lambda i: -i[1])[:5])
        return (
            str(size),
            str(resources),
            f"{fresh:.0f} s",
            f"{second:.0f} s",
            f"{state.stat().st_size / _MEBIBYTE:.1f} MiB",
            largest,
        )
    finally:
        ended.set()
        watcher.join()
        stack.sweep()


def _watch(ended: threading.Event, memory: dict[str, float]) -> None:
    """Note the largest memory of each process below this one, in MiB, until `ended`."""
    while not ended.is_set():
        for process in psutil.Process().children(recursive=True):
            try:
                name, used = name_of(process.cmdline()), process.memory_info().rss / _MEBIBYTE
            except psutil.Error:  # ended in between
                continue
            memory[name] = max(used, memory.get(name, 0))
        time.sleep(_POLL_SECONDS)
