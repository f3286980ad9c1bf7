"""Two people who run `make up` at once: on what is not there yet, and on a change of what is."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass

from lab.fault_injection import Outcome, missed
from lab.sandbox import Sandbox


@dataclass(frozen=True)
class Run:
    """One person's `make up`: its exit code, its last words (as printed), and how many seconds it took."""

    code: int
    said: str
    seconds: float

    @property
    def sentence(self) -> str:
        """What the person who did not get through reads: all but what was made ready on the way."""
        return "\n".join(
            line for line in self.said.strip().splitlines() if not line.startswith(("mended:", "installing"))
        )


def at_once(stack: Sandbox, apart: float = 0.0) -> tuple[Run, Run]:
    """Run `make up` twice, the second `apart` seconds after the first."""
    began = time.monotonic()
    processes = [stack.start("up")]
    time.sleep(apart)
    processes.append(stack.start("up"))
    said = [process.communicate()[0] for process in processes]
    first, second = (
        Run(process.returncode, text, time.monotonic() - began) for process, text in zip(processes, said, strict=True)
    )
    return first, second


def scenario(stack: Sandbox, _after: ExitStack) -> Outcome:
    """Two at once from nothing, then two at once with a change."""
    pairs = {}
    for what, change in (("nothing", {}), ("a change of every container", {"healthInterval": "9s"})):
        stack.configure(**change)
        pairs[what] = at_once(stack)
    kept: dict[str, object] = {}
    for what, runs in pairs.items():
        losers = [run for run in runs if run.code]
        kept[f"from {what}: one gets through"] = len(losers) == 1
        kept[f"from {what}: the other reads one sentence"] = all("\n" not in run.sentence for run in losers)
    words = {run.sentence for runs in pairs.values() for run in runs if run.code}
    slowest = max(run.seconds for runs in pairs.values() for run in runs)
    return Outcome(
        "two `make up` at once, from nothing and with a change",
        "nothing",
        f"{slowest:.0f} s, when the first was done",
        " / ".join(sorted(words)),
        missed(kept),
    )
