"""The drill's arithmetic: when a total outage has to page, by how long the service has been known."""

from __future__ import annotations

import pytest

from cli.drill import due_seconds, links
from observability.rules.windows import BURN_ALERTS

FAST, SLOWER = BURN_ALERTS[:2]


@pytest.mark.parametrize("known", [0, 1_800, 3_600, 86_400])
def test_the_fast_pair_is_due_when_its_share_of_a_whole_hour_has_failed(known: float) -> None:
    """What the hour of a younger service lacks counts as good."""
    assert due_seconds(FAST, 99.5, known) == pytest.approx(259.2)


def test_the_slower_pair_waits_for_six_hours_worth() -> None:
    assert due_seconds(SLOWER, 99.5, 86_400) == pytest.approx(648)
    assert due_seconds(SLOWER, 99.5, 600) == pytest.approx(648)


def test_links_are_read_by_their_titles() -> None:
    message = "half fails. 3 % is left.\nPanel: http://g/d/x?a=1: b\nRunbook: http://g/d/y\nsince: 12:00"
    assert links(message) == {"Panel": "http://g/d/x?a=1: b", "Runbook": "http://g/d/y"}
