"""What `up` costs as more services are watched: resources, seconds, memory of each process, size of the state."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

import docker
import psutil

from cli.context import Context
from cli.errors import UserError
from lab.processes import watched
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

    def note(name: str, process: psutil.Process) -> None:
        memory[name] = max(process.memory_info().rss / _MEBIBYTE, memory.get(name, 0))

    try:
        with watched(note, _POLL_SECONDS):
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
        stack.sweep()
