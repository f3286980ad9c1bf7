"""`faults`: injects every rehearsed fault into a temporary stack, and prints the outcomes in one table.

`ONLY` names one scenario, or all of a kind by its first word (`disk`). Exit code 1 when a requirement was missed.
"""

from __future__ import annotations

import os
import tempfile
import time
import traceback
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Final

import docker
import docker.errors

from cli.console import say, table
from cli.context import Context
from cli.errors import UsageError, UserError
from lab import sandbox
from lab.fault_injection import (
    Outcome,
    Scenario,
    abuse,
    clock_skew,
    concurrent_up,
    corruption,
    disk,
    engine,
    missed,
    network,
    process_kill,
)
from lab.sandbox import Sandbox
from observability.settings import SERVICES

STACK: Final = "faults"
"""Prefix of the stacks' names. Each scenario has its own stack, so two can run at the same time."""
_RECOVERY_SECONDS: Final = 120.0
_SHORT: Final = 300
SCENARIOS: Final[dict[str, Scenario]] = {
    **{f"kill-{service}": process_kill.of(service) for service in SERVICES},
    **{f"disk-{service}": disk.of(service) for service in disk.OWNERS},
    "byte-prometheus": corruption.prometheus_log,
    **{f"byte-grafana-{place}": corruption.grafana_database(place) for place in corruption.PLACES},
    "concurrent-up": concurrent_up.scenario,
    "network-prometheus": network.of("network", "prometheus"),
    "network-loki": network.of("network", "loki"),
    "disconnected-prometheus": network.of("disconnected", "prometheus"),
    "clock-skew": clock_skew.scenario,
    "requests": abuse.scenario,
    "forged": abuse.forged,
}
ON_REQUEST: Final[dict[str, Scenario]] = {"engine": engine.scenario}
"""Scenarios that affect more than their own stack. They run only when ONLY names them."""


def run(context: Context, only: str) -> int:
    """Print one table; a scenario that could not be finished counts as a missed requirement."""
    chosen = choose(only)
    if reason := sandbox.missing():
        raise UserError(f"no stack for faults: {reason}")
    if os.geteuid():
        raise UserError("fault injection mounts disks, kills processes and changes files: run it as root")
    del context  # each scenario has a stack of its own
    outcomes = []
    for name, scenario in chosen.items():
        say(f"{name} …")
        outcomes.append(run_scenario(name, scenario))
        _show((outcomes[-1],))
    if len(outcomes) > 1:
        _show(outcomes)
    failed = [requirement for outcome in outcomes for requirement in outcome.missed]
    say(f"{len(failed)} requirements were missed" if failed else "every requirement was met")
    return 1 if failed else 0


def choose(only: str) -> dict[str, Scenario]:
    """Return the scenarios that ONLY selects; without ONLY, all that affect only their own stack."""
    scenarios = SCENARIOS | ON_REQUEST
    if not only:
        return SCENARIOS
    chosen = {name: scenarios[name] for name in scenarios if only in (name, name.split("-")[0])}
    if not chosen:
        raise UsageError(f"ONLY: '{only}'; accepted: {', '.join(scenarios)}, or the first word of several")
    return chosen


def run_scenario(name: str, scenario: Scenario) -> Outcome:
    """Run one scenario on a stack of its own, then check that the stack works and has not changed."""
    with tempfile.TemporaryDirectory(prefix="faults-") as folder, ExitStack() as after:
        stack = Sandbox.make(Path(folder) / "stack", f"{STACK}-{name}", engine=docker.from_env(), base="staging")
        stack.configure(portOffset=stack.offset)
        try:
            outcome = scenario(stack, after)
            return replace(outcome, missed=(*outcome.missed, *_missed_afterwards(stack)))
        except (AssertionError, OSError, RuntimeError, docker.errors.DockerException) as error:
            traceback.print_exc()
            return Outcome(name, "", "", f"{error}".strip()[-_SHORT:], ("the scenario finishes",))
        finally:
            stack.sweep()


def _missed_afterwards(stack: Sandbox) -> tuple[str, ...]:
    """Return the requirements that the stack misses after the fault."""
    done = stack.run("verify")
    began = time.monotonic()
    while done.returncode and time.monotonic() - began < _RECOVERY_SECONDS:
        done = stack.run("verify")
    try:
        stack.expect_no_changes()
        changed = ""
    except AssertionError as error:
        changed = f"{error}"
    if done.returncode or changed:
        say(done.stdout + done.stderr + changed)
    return missed({"`make verify` passes afterwards": not done.returncode, "no change afterwards": not changed})


def _show(outcomes: Sequence[Outcome]) -> None:
    table(
        "fault injection",
        ("fault", "lost", "recovery", "what a person sees", "requirements missed"),
        [(o.fault, o.lost, o.recovery, o.visible, "; ".join(o.missed) or "none") for o in outcomes],
    )
