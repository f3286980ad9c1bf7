"""What `make faults` breaks, a file for each kind of fault; every scenario tells what it did as one `Outcome`."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

import docker.errors

from lab.sandbox import Sandbox

RATE = 20
"""Requests a second while something breaks: light, each looked for by its ID afterwards."""
AROUND_SECONDS = 15.0
"""Of traffic before a fault, and after its end."""
SETTLE_SECONDS = 30.0
"""Until a new stack has been scraped, its rules and its alerts evaluated."""
_SHORT = 220


@dataclass(frozen=True)
class Outcome:
    """One row of the report: what was broken, what was lost, how long until all was well, and what a person saw.

    `missed` are the promises that were not kept, a sentence each.
    """

    broken: str
    lost: str
    well: str
    seen: str
    missed: Sequence[str] = field(default_factory=tuple)


Scenario = Callable[[Sandbox, ExitStack], Outcome]
"""Brings its stack up, breaks it, and says what came of it.

What is registered at the second argument is undone after the stack was removed.
"""


def missed(promises: Mapping[str, object]) -> tuple[str, ...]:
    """Return those of the promises that are not true."""
    return tuple(promise for promise, kept in promises.items() if not kept)


def after(seconds: float) -> str:
    """Return a time as the report shows it."""
    return "never" if seconds == float("inf") else f"{seconds:.0f} s"


def said(stack: Sandbox, service: str, pattern: str, since: float = 0.0) -> str:
    """Return the first line that matches of what a container printed since then (seconds of 1970), shortened."""
    try:
        printed = stack.container(service).logs(since=int(since) or None).decode(errors="replace")
    except docker.errors.NotFound:
        return ""
    line = next((line for line in printed.splitlines() if re.search(pattern, line)), "")
    # The time is in the report already.
    line = re.sub(r'(time|ts|t|logger)=\S+ |"?\d{4}-\d\d-\d\dT[^\s"]+"?\s*', "", line).strip()
    return line if len(line) <= _SHORT else line[:_SHORT] + "…"


def restarts(stack: Sandbox) -> dict[str, int]:
    """Return how often the engine restarted each of the stack's containers."""
    prefix = f"observability-{stack.name}-"
    return {
        str(container.name).removeprefix(prefix): int(container.attrs["RestartCount"])
        for container in stack.docker.containers.list(all=True, filters={"name": prefix})
    }


def settle(stack: Sandbox) -> None:
    """Bring a stack up, and let it see itself."""
    stack.up()
    time.sleep(SETTLE_SECONDS)
