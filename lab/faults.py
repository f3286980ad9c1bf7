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
"""The start of their names: one for each scenario, so that two can be played beside each other."""
_WHOLE_SECONDS: Final = 120.0
_SHORT: Final = 300
SCENARIOS: Final[dict[str, Scenario]] = {
    **{f"kill-{service}": process_kill.of(service) for service in SERVICES},
    **{f"disk-{service}": disk.of(service) for service in disk.OWNERS},
    "byte-prometheus": corruption.prometheus_log,
    **{f"byte-grafana-{place}": corruption.grafana_database(place) for place in corruption.PLACES},
    "twice": concurrent_up.scenario,
    "network-prometheus": network.of("network", "prometheus"),
    "network-loki": network.of("network", "loki"),
    "unplugged-prometheus": network.of("unplugged", "prometheus"),
    "clock": clock_skew.scenario,
    "requests": abuse.scenario,
    "forged": abuse.forged,
}
ON_REQUEST: Final[dict[str, Scenario]] = {"engine": engine.scenario}
"""Those that affect more than their own stack: run only when they are named."""


def run(context: Context, only: str) -> int:
    """Print one table; a scenario that could not be finished counts as a missed requirement."""
    chosen = choose(only)
    if reason := sandbox.missing():
        raise UserError(f"no stack for faults: {reason}")
    if os.geteuid():
        raise UserError("disks are mounted, processes killed, bytes flipped: run as root")
    del context  # each scenario has a stack of its own
    outcomes = []
    for name, scenario in chosen.items():
        say(f"{name} …")
        outcomes.append(play(name, scenario))
        _show((outcomes[-1],))
    if len(outcomes) > 1:
        _show(outcomes)
    failed = [requirement for outcome in outcomes for requirement in outcome.missed]
    say(f"{len(failed)} requirements were missed" if failed else "every requirement was met")
    return 1 if failed else 0


def choose(only: str) -> dict[str, Scenario]:
    """Return the scenarios that ONLY means: all that touch nothing but their own stack where it is empty."""
    known = SCENARIOS | ON_REQUEST
    if not only:
        return SCENARIOS
    chosen = {name: known[name] for name in known if only in (name, name.split("-")[0])}
    if not chosen:
        raise UsageError(f"ONLY: '{only}'; accepted: {', '.join(known)}, or the first word of several")
    return chosen


def play(name: str, scenario: Scenario) -> Outcome:
    """Play one scenario on a stack of its own, which has to be whole and unchanged afterwards."""
    with tempfile.TemporaryDirectory(prefix="faults-") as folder, ExitStack() as after:
        stack = Sandbox.make(Path(folder) / "stack", f"{STACK}-{name}", engine=docker.from_env(), base="staging")
        stack.configure(portOffset=stack.offset)
        try:
            outcome = scenario(stack, after)
            return replace(outcome, missed=(*outcome.missed, *_left(stack)))
        except (AssertionError, OSError, RuntimeError, docker.errors.DockerException) as error:
            traceback.print_exc()
            return Outcome(name, "", "", f"{error}".strip()[-_SHORT:], ("the scenario finishes",))
        finally:
            stack.sweep()


def _left(stack: Sandbox) -> tuple[str, ...]:
    """Return what is not as it was, though the fault is over."""
    done = stack.run("verify")
    began = time.monotonic()
    while done.returncode and time.monotonic() - began < _WHOLE_SECONDS:
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
        "when things break",
        ("broken", "lost", "well again", "what a person sees", "requirements missed"),
        [(o.broken, o.lost, o.well, o.seen, "; ".join(o.missed) or "none") for o in outcomes],
    )
