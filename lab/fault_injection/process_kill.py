"""Each container of the stack is killed (SIGKILL) under light load."""

from __future__ import annotations

from contextlib import ExitStack

from lab.fault_injection import RATE, Outcome, Scenario, after, missed, settle
from lab.fault_injection.alarms import watched
from lab.sandbox import Sandbox
from lab.stress import kill


def of(service: str) -> Scenario:
    """Return the scenario for a service."""

    def scenario(stack: Sandbox, _after: ExitStack) -> Outcome:
        settle(stack)
        with watched(stack) as alarms:
            killed = kill(stack, service, RATE)
        return Outcome(
            f"kill -9 of {service}",
            f"{killed.counted}; {killed.gap:.0f} s of its own metrics",
            f"serves after {after(killed.serves)}, healthy after {after(killed.healthy)}",
            alarms.summary() or "no alert",
            missed({"it recovers without help": killed.back, "acknowledged data is stored": killed.counted.whole}),
        )

    return scenario
