"""The drill's arithmetic: when a total outage has to page, by how long the service has been known."""

from __future__ import annotations

import pytest

from cli.drill import due_seconds, links
from observability.rules.windows import BURN_ALERTS

FAST, SLOWER = BURN_ALERTS[:2]


@pytest.mark.parametrize(
    ("known", "due"),
    [
        (0, 0),  # all that is known is the outage
        (1_800, 1_800 * 0.072 / 0.928),  # both grow: 0.072 (1800 + x) = x
        (3_600, 259.2),  # the hour is full: 7.2 % of it
        (86_400, 259.2),
    ],
)
def test_the_fast_pair_is_due_when_its_share_of_the_hour_has_failed(known: float, due: float) -> None:
    assert due_seconds(FAST, 99.5, known) == pytest.approx(due)


def test_the_slower_pair_waits_for_six_hours_worth() -> None:
    assert due_seconds(SLOWER, 99.5, 86_400) == pytest.approx(648)
    assert due_seconds(SLOWER, 99.5, 600) == pytest.approx(600 * 0.03 / 0.97)


def test_links_are_read_by_their_titles() -> None:
    message = "half fails. 3 % is left.\nPanel: http://g/d/x?a=1: b\nRunbook: http://g/d/y\nsince: 12:00"
    assert links(message) == {"Panel": "http://g/d/x?a=1: b", "Runbook": "http://g/d/y"}
