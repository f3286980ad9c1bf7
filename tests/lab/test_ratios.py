"""A figure of the benchmark says whether its goal was met."""

from __future__ import annotations

import pytest

from lab.ratios import Ratio, in_turns


@pytest.mark.parametrize(
    ("this", "goal", "verdict"),
    [(3.0, 2.0, "at most 2"), (5.0, 2.0, "at most 2: missed by 0.50"), (5.0, None, "for comparison")],
)
def test_a_missed_goal_is_shown(this: float, goal: float | None, verdict: str) -> None:
    assert Ratio("a", "b", this, 2.0, goal).row()[-1] == verdict


def test_what_is_compared_is_measured_in_turns() -> None:
    calls: list[str] = []
    assert len(in_turns(2, lambda: calls.append("a"), lambda: calls.append("b"))) == 2
    assert calls == ["a", "b", "a", "b"]
