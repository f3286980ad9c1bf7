"""Links to panels mean the same for years: what was once a panel's number stays its number."""

from __future__ import annotations

from itertools import chain

from observability import runbooks
from observability.alerts import groups
from observability.names import uids
from observability.names.panel_ids import FIRST, FIXED, panel_id
from tests.observability.alerts.conftest import settings_of

SENT = {
    ("slo-overview", 4, 8, 10): ("budget-left", "burn-rate", "requests"),
    ("stack-health", 1, 2, 3, 4, 7, 8, 17): (
        *("services", "targets-down", "rule-failures", "data-refused"),
        *("memory", "space", "collector-queue"),
    ),
    ("runbooks", 1, 6, 17, 20): ("collector-waiting", "disk-nearly-full", "slo-burning-fast", "watchdog"),
}
"""Numbers in messages that people have in their mailboxes, written down here a second time."""


def test_old_messages_lead_to_the_same_panels() -> None:
    for (uid, *numbers), keys in SENT.items():
        assert [panel_id(str(uid), key) for key in keys] == numbers


def test_a_number_is_made_of_the_key_alone() -> None:
    assert panel_id(uids.RUNBOOKS, "a-new-kind") == panel_id(uids.RUNBOOKS, "a-new-kind") >= FIRST
    assert panel_id(uids.RUNBOOKS, "a-new-kind") != panel_id(uids.RUNBOOKS, "another-kind")


def test_no_two_numbers_of_a_dashboard_are_the_same() -> None:
    for numbers in FIXED.values():
        assert len(set(numbers.values())) == len(numbers)
        assert max(numbers.values()) < FIRST


def test_a_new_runbook_moves_no_other() -> None:
    before = {kind: panel_id(uids.RUNBOOKS, kind) for kind in runbooks.kinds()}
    after = {kind: panel_id(uids.RUNBOOKS, kind) for kind in sorted([*runbooks.kinds(), "a-new-kind"])}
    assert before.items() <= after.items()
    assert len(set(after.values())) == len(after)


def test_every_alert_names_its_panel_by_key() -> None:
    alerts = chain.from_iterable(group.alerts for group in groups(settings_of()))
    assert all(alert.panel is not None and not alert.panel.key.isdigit() for alert in alerts)
