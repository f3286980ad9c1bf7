"""Two `make up` at the same time: on a stack that does not exist yet, and on one with a change to apply."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass

from lab.fault_injection import Outcome, missed
from lab.sandbox import Sandbox


@dataclass(frozen=True)
class Run:
    """One `make up`: its exit code, what it printed, and how many seconds it took."""

    code: int
    output: str
    seconds: float

    @property
    def sentence(self) -> str:
        """Return what a refused run printed, without the lines about repairs and installations."""
        return "\n".join(
            line for line in self.output.strip().splitlines() if not line.startswith(("repaired:", "installing"))
        )


def at_once(stack: Sandbox, apart: float = 0.0) -> tuple[Run, Run]:
    """Run `make up` twice, the second `apart` seconds after the first."""
    began = time.monotonic()
    processes = [stack.start("up")]
    time.sleep(apart)
    processes.append(stack.start("up"))
    output = [process.communicate()[0] for process in processes]
    first, second = (
        Run(process.returncode, text, time.monotonic() - began) for process, text in zip(processes, output, strict=True)
    )
    return first, second


def scenario(stack: Sandbox, _after: ExitStack) -> Outcome:
    """Start two runs from nothing, then two with a change."""
    pairs = {}
    for start, change in (("nothing", {}), ("a change of every container", {"healthInterval": "9s"})):
        stack.configure(**change)
        pairs[start] = at_once(stack)
    requirements: dict[str, object] = {}
    for start, runs in pairs.items():
        refused = [run for run in runs if run.code]
        requirements[f"from {start}: one run succeeds"] = len(refused) == 1
        requirements[f"from {start}: the other prints one sentence"] = all("\n" not in run.sentence for run in refused)
    sentences = {run.sentence for runs in pairs.values() for run in runs if run.code}
    slowest = max(run.seconds for runs in pairs.values() for run in runs)
    return Outcome(
        "two `make up` at once, from nothing and with a change",
        "nothing",
        f"{slowest:.0f} s, after the first had finished",
        " / ".join(sorted(sentences)),
        missed(requirements),
    )
