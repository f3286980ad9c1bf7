"""`make bench`: speed, each figure a ratio of two things in one run."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

from cli.context import Context
from lab import bench_collector, bench_commands, bench_slo, bench_stack
from lab.ratios import Ratio
from lab.sandbox import missing

PARTS: Final = ("commands", "installation", "stack", "collector", "slo")
"""What can be measured, each alone."""


def run(context: Context, parts: tuple[str, ...]) -> int:
    """Run what can run here of `parts`, and print the table; a missed goal is shown, not hidden."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        ratios: list[Ratio] = []
        if "commands" in parts:
            ratios += bench_commands.run(folder)
        if "installation" in parts:
            ratios += bench_commands.installation(folder)
        if "stack" in parts and (reason := missing()):
            context.console.say(f"the stack itself is not measured here: {reason}")
        elif "stack" in parts:
            ratios += bench_stack.run(context, folder)
    if ratios:
        heads = ("what", "over what", "this", "that", "ratio", "goal")
        context.console.table("speed, as ratios in one run", heads, [ratio.row() for ratio in ratios])
    if "collector" in parts:
        bench_collector.run()
    if "slo" in parts:
        bench_slo.run()
    return 0
