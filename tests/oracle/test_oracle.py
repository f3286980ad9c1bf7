"""Every case against the truth. `python -m tests.oracle.table` prints them all; NIGHTLY=1 tests them all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from observability.settings import WatchedService
from tests.oracle.cases import CASES, Case
from tests.oracle.engine import Shown, observe

if TYPE_CHECKING:
    from pathlib import Path

    from tests.oracle.world import World


def shown(promtool: str, folder: Path, case: Case) -> tuple[World, Shown]:
    world = case.world().run()
    service = WatchedService.model_validate({"name": "shop", **case.service})
    inputs = case.inputs(world)
    return world, observe(
        promtool, folder, service, world, inputs, name=case.slo, interval=case.interval, peers=case.peers
    )


def problem(case: Case, world: World, result: Shown) -> str:
    """Return what is wrong with what an SLO shows; empty where nothing is."""
    if case.truth == "nothing":
        full = (world.seconds - 60) / (30 * 86_400)
        return "" if result.ratio is None or (result.coverage or 0) < full / 2 else "shows a number it cannot know"
    if result.ratio is None or result.left is None:
        return "shows nothing"
    if result.requests is None or result.errors is None:
        return "counts nothing"
    budget = 1 - WatchedService.model_validate({"name": "shop", **case.service}).slo_by_name[case.slo].objective / 100
    close = any(
        abs(result.ratio - truth) <= case.close * truth + 1e-12
        and abs(result.left - (1 - truth / budget)) <= case.close
        for truth in (world.ratio, world.known_ratio)
    )
    if case.truth == "right" and (result.coverage or 0) * 30 * 86_400 < 5 * sum(world.evaluations()) / 2 - 600:
        return f"coverage {result.coverage}, although the number is right"
    less = (result.coverage or 0) * 30 * 86_400 < 0.98 * (world.seconds - 60) - 300
    return (
        ""
        if (close and case.truth != "less coverage") or (less and case.truth != "right")
        else (
            f"error ratio {result.ratio:.6f}, truth {world.ratio:.6f}; requests {result.requests} of {world.requests}, "
            f"errors {result.errors} of {world.errors}; coverage {result.coverage}"
        )
    )


@pytest.mark.parametrize(
    "case", [pytest.param(c, id=c.name, marks=[] if c.fast else pytest.mark.nightly) for c in CASES]
)
def test_an_slo_shows_what_happened(promtool: str, tmp_path: Path, case: Case) -> None:
    world, result = shown(promtool, tmp_path, case)
    assert problem(case, world, result) == ""


def test_what_a_renamed_label_had_counted_does_not_count_twice(promtool: str, tmp_path: Path) -> None:
    """The status becomes unknown, and the series of the new name begin with all that the old had counted."""
    (case,) = (case for case in CASES if case.name == "the status label is renamed half-way")
    world, result = shown(promtool, tmp_path, case)
    assert result.requests is not None
    assert result.ratio is not None
    assert result.requests < 0.6 * world.requests
    assert abs(result.ratio / world.ratio - 1) < 0.05  # one half of the time stands for both


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 40
    assert len({case.name for case in CASES}) == len(CASES)
