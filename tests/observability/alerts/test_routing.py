"""Routing: pages and tickets go to different contact points, at different paces, and to none that is not configured."""

from __future__ import annotations

import re

import pytest

from observability.alerts import messages, routing
from observability.settings import QuietHours, Settings, load

EVERYTHING = {
    "smtpHost": "mail:25",
    "alertEmail": '["oncall@example.org"]',
    "alertWebhookUrl": "https://hooks.example.org/x",
    "alertSlackUrl": "https://slack.example.org/x",
    "alertPagerdutyKey": "key",
}


def settings_with(*keys: str, **more: str) -> Settings:
    raw = {key: EVERYTHING[key] for key in keys} | more
    return load("test", raw, frozenset({"alertSlackUrl", "alertPagerdutyKey"}))


def test_pages_go_everywhere_and_tickets_do_not_wake_anybody() -> None:
    assert routing.contacts(settings_with(*EVERYTHING)) == {
        "page": ("pagerduty", "slack", "webhook", "email"),
        "ticket": ("slack", "webhook", "email"),
        "watchdog": ("webhook",),
    }


def test_pages_are_fast_and_tickets_are_not() -> None:
    by_severity = {route.severity: route for route in routing.routes(settings_with(*EVERYTHING))}
    assert (by_severity["page"].contact, by_severity["page"].wait) == ("page", "10s")
    assert (by_severity["ticket"].contact, by_severity["ticket"].wait) == ("ticket", "5m")
    assert by_severity[None].contact == "ticket"
    assert by_severity["watchdog"].repeat == "5m"
    assert not any(route.muted for route in by_severity.values())


def test_nobody_is_told_where_nobody_is_configured() -> None:
    assert {(r.contact, r.muted) for r in routing.routes(settings_with())} == {(routing.NOBODY, routing.ALWAYS)}
    only_mail = {r.severity: r for r in routing.routes(settings_with("smtpHost", "alertEmail"))}
    assert only_mail["page"].contact == "page"
    assert only_mail["watchdog"].muted == routing.ALWAYS


def test_pagerduty_alone_gets_no_tickets() -> None:
    by_severity = {route.severity: route for route in routing.routes(settings_with("alertPagerdutyKey"))}
    assert by_severity["page"].contact == "page"
    assert by_severity["ticket"].muted == by_severity[None].muted == routing.ALWAYS


def test_quiet_hours_hold_tickets_only() -> None:
    quiet = settings_with("alertWebhookUrl", ticketQuietHours='{"start": "18:00", "end": "08:00"}')
    muted = {route.severity: route.muted for route in routing.routes(quiet)}
    assert muted == {"page": "", "watchdog": "", "ticket": routing.QUIET_HOURS, None: routing.QUIET_HOURS}


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("18:00", "08:00", [("18:00", "24:00"), ("00:00", "08:00")]),
        ("18:00", "00:00", [("18:00", "24:00")]),
        ("00:00", "06:30", [("00:00", "06:30")]),
        ("12:00", "13:00", [("12:00", "13:00")]),
    ],
)
def test_a_night_is_two_intervals(start: str, end: str, expected: list[tuple[str, str]]) -> None:
    result = routing.intervals(QuietHours(start=start, end=end, timezone="Europe/Berlin"))
    assert [(i.start, i.end) for i in result] == expected
    assert {i.timezone for i in result} == {"Europe/Berlin"}


def test_whole_days_are_quiet_too() -> None:
    (result,) = routing.intervals(QuietHours(weekdays=("saturday", "sunday")))
    assert (result.weekdays, result.start) == (("saturday", "sunday"), "")


def test_messages_define_what_is_called() -> None:
    text = messages.templates()
    defined = re.findall(r'define "([\w.]+)"', text)
    assert [f'{{{{ template "{name}" . }}}}' for name in defined] == [messages.TITLE, messages.TEXT, messages.SLACK]
    assert len(re.findall(r"\{\{-? *(?:if|range|with|define)\b", text)) == len(re.findall(r"\{\{-? *end\b", text))
    assert text.count("{{") == text.count("}}")
