"""A verdict, a budget and a ratio of one SLO never contradict each other: each changes at the same value."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboards import palette, queries, style
from dashboards.model import Thresholds
from observability.names import series
from observability.rules import slo
from observability.settings import Settings
from tests.observability.rules.conftest import Promtool

OF = '{service="shop",slo="availability"}'
OBJECTIVE = 99.5
COLORS = {queries.MISSED: palette.BAD, queries.BUDGET_LOW: palette.WARNING, queries.MET: palette.GOOD}
SETTINGS = Settings(stack="test")
BUDGET = style.budget_thresholds(SETTINGS)
LEFT = (-0.42, -0.0001, 0.0, 0.0001, 0.2499, 0.25, 1.0)


def color(thresholds: Thresholds, value: float) -> str:
    return [step[1] for step in thresholds.steps if step[0] is None or value >= step[0]][-1]


@pytest.mark.parametrize("left", LEFT)
def test_budget_and_ratio_have_the_same_color(left: float) -> None:
    good = round(OBJECTIVE + left * (100 - OBJECTIVE), 7)
    assert color(BUDGET, left) == color(style.availability_thresholds(SETTINGS, OBJECTIVE), good)


def test_the_verdict_is_what_the_colors_say(promtool: str, tmp_path: Path) -> None:
    nothing = slo.RuleGroup("none", "1m", ())
    inputs = {
        f"{series.BUDGET_REMAINING}{OF}": " ".join(f"{left:g}" for left in LEFT),
        f"{series.COVERAGE}{OF}": f"1x{len(LEFT)}",
    }
    state = queries.verdict(SETTINGS).replace(queries.SERVICE, 'service="shop"')
    wanted = {color: number for number, color in COLORS.items()}
    checks = [(f"{at}m", state, float(wanted[color(BUDGET, left)])) for at, left in enumerate(LEFT)]
    Promtool(promtool, tmp_path).evaluate(nothing, inputs, checks)
