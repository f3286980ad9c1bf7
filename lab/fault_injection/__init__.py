"""Fault injection for `make faults`: one file for each kind of fault; every scenario returns an `Outcome`."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

import docker.errors

from lab.sandbox import Sandbox

RATE = 20
"""Requests per second during a fault. Each is looked up by its ID afterwards, so the rate is low."""
AROUND_SECONDS = 15.0
"""Seconds of traffic before a fault and after its end."""
SETTLE_SECONDS = 30.0
"""Seconds until a new stack has been scraped and its rules and alerts evaluated."""
_SHORT = 220


@dataclass(frozen=True)
class Outcome:
    """One row of the report.

    Attributes:
        fault: what was injected.
        lost: which data was lost.
        recovery: how long until the stack worked again, and how.
        visible: what a person saw: alerts, log lines, messages.
        missed: the requirements that were not met, one sentence each.
    """

    fault: str
    lost: str
    recovery: str
    visible: str
    missed: Sequence[str] = field(default_factory=tuple)


Scenario = Callable[[Sandbox, ExitStack], Outcome]
"""Brings its stack up, injects the fault and returns the outcome.

Callbacks registered on the second argument run after the stack is removed.
"""


def missed(requirements: Mapping[str, object]) -> tuple[str, ...]:
    """Return the requirements that are not met."""
    return tuple(requirement for requirement, held in requirements.items() if not held)


def after(seconds: float) -> str:
    """Format a duration for the report; "never" for infinity."""
    return "never" if seconds == float("inf") else f"{seconds:.0f} s"


def log_line(stack: Sandbox, service: str, pattern: str, since: float = 0.0) -> str:
    """Return the first matching line of a container's log since a Unix time, shortened; "" if there is none."""
    try:
        printed = stack.container(service).logs(since=int(since) or None).decode(errors="replace")
    except docker.errors.NotFound:
        return ""
    line = next((line for line in printed.splitlines() if re.search(pattern, line)), "")
    # The time is in the report already.
    line = re.sub(r'(time|ts|t|logger)=\S+ |"?\d{4}-\d\d-\d\dT[^\s"]+"?\s*', "", line).strip()
    return line if len(line) <= _SHORT else line[:_SHORT] + "…"


def restarts(stack: Sandbox) -> dict[str, int]:
    """Return how many times the engine restarted each container of the stack."""
    prefix = f"observability-{stack.name}-"
    return {
        str(container.name).removeprefix(prefix): int(container.attrs["RestartCount"])
        for container in stack.docker.containers.list(all=True, filters={"name": prefix})
    }


def settle(stack: Sandbox) -> None:
    """Bring a stack up and wait until it has been scraped and evaluated."""
    stack.up()
    time.sleep(SETTLE_SECONDS)
