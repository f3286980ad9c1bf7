"""Print every case: the true error ratio, ours, and what Sloth's and Pyrra's published rules show. Worst first."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

from cli.console import say
from tests.oracle.cases import CASES
from tests.oracle.test_oracle import problem, shown


def main() -> None:
    """Run the cases whose name contains one of the arguments, or all."""
    promtool = shutil.which("promtool")
    if promtool is None:
        sys.exit("promtool is not on PATH")
    parts = [part for part in sys.argv[1:] if part != "--nightly"]
    rows: list[tuple[float, str]] = []
    wrong = 0
    say(f"{'case':62} {'truth':>9} {'ours':>9} {'off by':>8} {'Sloth':>9} {'Pyrra':>9} coverage")
    for case in CASES:
        if case.nightly and "--nightly" not in sys.argv:
            continue
        if parts and not any(part in case.name for part in parts):
            continue
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            world, result = shown(promtool, Path(folder), case)
        text = problem(case, world, result)
        wrong += bool(text)
        off = _off(result.ratio, world.ratio)
        columns = (
            f"{case.name[:62]:62} {world.ratio:9.5%} {_share(result.ratio):>9} {_percent(off):>8}",
            f"{_percent(_off(result.sloth, world.ratio)):>9} {_percent(_off(result.pyrra, world.ratio)):>9}",
            f"{result.coverage or 0:8.5f} {f'WRONG: {text}' if text else case.truth}",
            f"({time.monotonic() - began:.1f} s)",
        )
        rows.append((abs(off) if off is not None else 0, " ".join(columns)))
        say(rows[-1][1])
    say("worst first:")
    for _, row in sorted(rows, reverse=True):
        say(row)
    say(f"{len(rows)} cases, {wrong} wrong")


def _off(result: float | None, truth: float) -> float | None:
    if result is None:
        return None
    return result / truth - 1 if truth else result


def _share(value: float | None) -> str:
    return "none" if value is None else f"{value:.5%}"


def _percent(value: float | None) -> str:
    return "none" if value is None else f"{value:+.1%}"


if __name__ == "__main__":
    main()
