"""The limits of the stack's alerts, and what one kind of alert has of its own, are settings."""

from __future__ import annotations

import json
import re

import pytest

from dashboards.catalogue import dashboards
from observability import alerts
from observability.alerts.model import Alert
from observability.names.alert_kinds import kinds
from observability.settings import Settings, SettingsError, Thresholds, load

COPIED = {"metrics": {"writeUrl": "https://metrics.example.org/api/v1/push"}}


def found(**raw: object) -> dict[str, Alert]:
    """Return one alert of each kind."""
    given: Settings = load("dev", {key: json.dumps(value) for key, value in raw.items()})
    return {alert.kind: alert for group in alerts.groups(given) for alert in group.alerts}


def rendered(**raw: object) -> tuple[str, str]:
    """Return every alert and every dashboard as text, of a stack that copies its metrics."""
    settings = load("dev", {key: json.dumps(value) for key, value in (COPIED | raw).items()})
    return repr(list(alerts.groups(settings))), json.dumps(dashboards(settings), default=str)


@pytest.mark.parametrize(
    ("threshold", "value", "kind", "usual", "changed"),
    [
        ("diskFreeGib", 5, "disk-nearly-full", "$free < 2147483648", "$free < 5368709120"),
        ("forecastFreeGib", 1, "disk-filling", "$ahead <= 0", "$ahead <= 1073741824"),
        ("metricsSizePercent", 80, "metrics-size-limit", "$used > 0.9 * $limit", "$used > 0.8 * $limit"),
        ("memoryPercent", "75", "container-memory", "$used > 0.9 * $limit", "$used > 0.75 * $limit"),
        ("queuePercent", 50, "collector-waiting", "$waiting > 0.25 * $room", "$waiting > 0.5 * $room"),
        ("seriesPercent", 50, "sender-over-limit", "$series > 40000", "$series > 25000"),
        ("restarts", 4, "container-restarting", "$restarts >= 3", "$restarts >= 4"),
        ("missedEvaluations", 9, "rules-failing", "$missed >= 3", "$missed >= 9"),
        ("staleAfter", "5m", "metrics-not-stored", "$age > 120", "$age > 300"),
        ("repairedFor", "2h", "metrics-repaired", "$age < 3600", "$age < 7200"),
        ("budgetLowPercent", 40, "slo-budget-nearly-gone", "$left < 0.25 ", "$left < 0.4 "),
        ("coveragePercent", 5, "slo-budget-nearly-gone", "$coverage >= 0.1", "$coverage >= 0.05"),
        ("unmeasuredPercent", 20, "slo-unmeasured", "$blind > 0.5 * $all", "$blind > 0.2 * $all"),
    ],
)
def test_a_threshold_is_a_setting(threshold: str, value: object, kind: str, usual: str, changed: str) -> None:
    assert usual in found()[kind].condition
    assert changed in found(thresholds={threshold: value})[kind].condition


@pytest.mark.parametrize("name", Thresholds.model_fields)
def test_every_threshold_changes_an_alert_or_a_dashboard(name: str) -> None:
    field = Thresholds.model_fields[name]
    other = "17m" if isinstance(field.default, str) else field.default + 1
    usual, changed = rendered(), rendered(thresholds={field.alias or name: other})
    assert usual != changed


def test_an_alert_and_the_dashboards_have_the_same_low_budget() -> None:
    alerts_, pages = rendered(thresholds={"budgetLowPercent": 37})
    assert "$left < 0.37 " in alerts_
    assert pages.count("0.37") >= len(("state", "verdict", "column of what is left", "gauge of availability"))
    assert "0.25 unless" not in pages


def test_a_forecast_looks_as_far_as_the_setting_says() -> None:
    texts = repr(found(thresholds={"forecastDays": 7}))
    assert str(7 * 86_400) in texts
    assert str(3 * 86_400) not in texts
    assert "7 days" in texts


def test_a_kind_of_alert_may_differ() -> None:
    given = {"disk-filling": {"severity": "page", "pending": "10m"}, "jaeger-dropping": {"enabled": False}}
    usual, changed = found(), found(alerts=given)
    assert (changed["disk-filling"].severity, changed["disk-filling"].pending) == ("page", "10m")
    assert changed["disk-filling"].uid == usual["disk-filling"].uid
    assert usual.keys() - changed.keys() == {"jaeger-dropping"}
    assert {k: v for k, v in usual.items() if k not in given} == {k: v for k, v in changed.items() if k not in given}


def test_every_alert_can_be_switched_off() -> None:
    off = {kind: {"enabled": False} for kind in kinds()}
    assert found(alerts=off) == {}


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({"alerts": {"disk-fulling": {}}}, r"alerts\.disk-fulling: unknown kind of alert; accepted: .*disk-filling"),
        ({"alerts": {"disk-full": {"severity": "email"}}}, r"severity: 'email'; accepted: page or ticket"),
        ({"alerts": {"disk-full": {"for": "5m"}}}, r"for: unknown field; .*enabled, pending, severity"),
        ({"alerts": {"watchdog": {"severity": "page"}}}, "enabled alone"),
        ({"thresholds": {"memoryPercent": 0}}, "a number from 0.0000001 to 100"),
        ({"thresholds": {"memoryPercent": "nan"}}, "a number from 0.0000001 to 100"),
        ({"thresholds": {"restarts": 1.5}}, "a whole number"),
        ({"thresholds": {"diskFree": 5}}, "did you mean `diskFreeGib`"),
        ({"thresholds": []}, "an object"),
        ({"thresholds": {"usageWarningPercent": 95}}, "usageWarningPercent below usageBadPercent"),
        ({"thresholds": {"diskBadPercent": 80}}, "diskWarningPercent below diskBadPercent"),
        ({"thresholds": {"fullBadDays": 30}}, "fullBadDays below fullWarningDays"),
    ],
)
def test_what_can_never_work_is_refused(raw: dict[str, object], said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load("dev", {key: json.dumps(value) for key, value in raw.items()})
    assert re.search(said, str(caught.value))
