"""A figure of the benchmark: two things measured in one run, and their ratio.

Times alone mean little on a busy machine.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Ratio:
    """How `this` compares with `that`, both in the same `unit`; `goal` is the largest good ratio, None without one."""

    what: str
    over: str
    this: float
    that: float
    goal: float | None = None
    unit: str = "s"

    @property
    def value(self) -> float:
        """Return the ratio."""
        return self.this / self.that

    def row(self) -> tuple[str, str, str, str, str, str]:
        """Return the line of the table; a missed goal is shown, not hidden."""
        if self.goal is None:
            verdict = "for comparison"
        else:
            missed = f": missed by {self.value - self.goal:.2f}" if self.value > self.goal else ""
            verdict = f"at most {self.goal:g}{missed}"
        return (
            self.what,
            self.over,
            f"{self.this:.2f} {self.unit}",
            f"{self.that:.2f} {self.unit}",
            f"{self.value:.2f}",
            verdict,
        )


def timed(run: Callable[[], object]) -> float:
    """Return the seconds that `run` takes."""
    started = time.monotonic()
    run()
    return time.monotonic() - started


def in_turns(runs: int, *measured: Callable[[], object]) -> list[float]:
    """Return the median seconds of each, measured in turns, so that all run under the same load."""
    times: list[list[float]] = [[] for _ in measured]
    for _ in range(runs):
        for found, run in zip(times, measured, strict=True):
            found.append(timed(run))
    return [statistics.median(found) for found in times]
