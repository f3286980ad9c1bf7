"""Pages have reasons: enough failures, an outage that lasts, a service that is still there."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from observability.alerts import groups
from observability.alerts.model import Alert
from observability.names import series
from observability.rules import slo
from observability.rules.windows import burn_alerts
from observability.settings import AvailabilitySlo, LatencySlo, Settings, SettingsError, Slo, WatchedService
from tests.observability.alerts.conftest import fires, settings_of
from tests.observability.alerts.test_timing import BAD, OK, UP, alert_of, shop, traffic
from tests.observability.rules.conftest import Promtool

MINUTE = "1m"


def page_of(settings: Settings) -> Alert:
    return alert_of(settings, "slo-burning-fast")


def test_the_factors_follow_the_window() -> None:
    month = [(a.severity, a.factor, a.long, a.short) for a in burn_alerts(AvailabilitySlo())]
    assert month == [
        ("page", 14.4, "1h", "5m"),
        ("page", 6.0, "6h", "30m"),
        ("ticket", 3.0, "1d", "2h"),
        ("ticket", 1.0, "3d", "6h"),
    ]
    week = [(a.severity, a.factor, a.long, a.short) for a in burn_alerts(LatencySlo())]
    assert week == [
        ("page", 10.08, "30m", "5m"),
        ("page", 4.2, "2h", "30m"),
        ("ticket", 2.8, "6h", "1h"),
        ("ticket", 1.05, "1d", "2h"),
    ]


@pytest.mark.parametrize("objective", [10, 50, 90, 99, 99.99])
def test_every_tier_can_fire(objective: float) -> None:
    highest = 100 / (100 - objective)
    assert all(1 <= alert.factor <= highest for alert in burn_alerts(Slo(objective=objective)))


def test_a_tier_of_ones_own_replaces_all_and_leaves_the_others_out() -> None:
    own = [{"severity": "page", "factor": 10, "long": "12h", "short": "1h"}]
    service = {"name": "shop", "targets": ["shop:8000"], "latency": None, "availability": {"burnAlerts": own}}
    settings = settings_of(watchStack=False, services=[service])
    kinds = {a.kind for group in groups(settings) for a in group.alerts if a.slo}
    assert kinds == {"slo-burning-fast", "slo-budget-nearly-gone", "slo-unmeasured"}
    recorded = {rule.record for rule in slo.group(settings.services[0], MINUTE).rules}
    assert {series.burn_rate("12h"), series.PAGE_RATIO} <= recorded
    assert series.TICKET_RATIO not in recorded


def test_a_factor_that_nothing_reaches_is_refused() -> None:
    own = [{"severity": "page", "factor": 14.4, "long": "1h", "short": "5m"}]
    service = {"name": "shop", "targets": ["shop:8000"], "availability": {"objective": 90, "burnAlerts": own}}
    with pytest.raises(SettingsError, match="at most 10"):
        settings_of(watchStack=False, services=[service])


def test_one_failing_request_in_a_quarter_of_an_hour_does_not_page(promtool: Promtool) -> None:
    settings = shop(MINUTE, MINUTE)
    inputs = {OK: "0x300", BAD: "_x30 1x14 2x14 3x14 4x14 5x300", UP: "1x400"}
    inputs[BAD] = "0x29 1x150"
    inputs[OK] = "0x14 1x14 1x14 2x14 3x150"
    fires(promtool, page_of(settings), settings, inputs, [(at * 60.0, False) for at in (30, 31, 35, 45, 60, 90)])


def test_the_first_hour_of_a_service(promtool: Promtool) -> None:
    """60 failures of 60 requests page; 10 % failing for a minute does not."""
    settings = shop(MINUTE, MINUTE)
    fires(promtool, page_of(settings), settings, {OK: "0x60", BAD: "0+1x60", UP: "1x60"}, [(3540, True)])
    some = {OK: "0+60x4 294+60x60", BAD: "0x4 6x60", UP: "1x60"}
    fires(promtool, page_of(settings), settings, some, [(at * 60.0, False) for at in (5, 6, 8, 15, 40)])


def test_a_page_ends_when_its_service_is_removed(promtool: Promtool) -> None:
    settings = shop(MINUTE, MINUTE)
    inputs = {OK: "0+60x120 7200x9 stale", BAD: "0x120 60+60x9 stale", UP: "1x130 stale _x60"}
    fires(promtool, page_of(settings), settings, inputs, [(130 * 60, True), (140 * 60, False), (180 * 60, False)])


@pytest.mark.parametrize("hours", [8, pytest.param(24, marks=pytest.mark.nightly)])
def test_a_trickle_of_failures_pages_once(promtool: Promtool, hours: int) -> None:
    """0.1 requests a second of which 5 % fail: at most two pages, in a day too."""
    chance = random.Random(5)  # noqa: S311 - traffic, not secrets
    good, bad = [0], [0]
    for _ in range(hours * 60):
        failed = sum(chance.random() < 0.05 for _ in range(6))
        good.append(good[-1] + 6 - failed)
        bad.append(bad[-1] + failed)
    inputs = {OK: " ".join(map(str, good)), BAD: " ".join(map(str, bad)), UP: f"1x{hours * 60}"}
    rules = slo.group(WatchedService(name="shop", latency=None), MINUTE)
    page = f'{series.PAGE_RATIO}{{service="shop",slo="availability"}}'
    begun = f"count_over_time(({page} >= 1 unless {page} offset 1m >= 1)[{hours}h:1m])"
    promtool.evaluate(rules, inputs, [(f"{hours}h", f"{begun} <= bool 2", 1)])


def test_a_page_goes_on_while_prometheus_is_away_for_two_minutes(promtool: Promtool) -> None:
    """Every evaluation from the first page to the end of the outage holds it, those just after the return too."""
    away = range(19, 22)  # three evaluations; scrapes too
    good = " ".join("_" if at in away else str(60 * min(at, 10)) for at in range(60))
    bad = " ".join("_" if at in away else str(60 * max(at - 10, 0)) for at in range(60))
    there = " ".join("_" if at in away else "1" for at in range(60))
    group = slo.group(WatchedService(name="shop", latency=None), MINUTE)
    rules = tuple(replace(rule, expr=f"({rule.expr}) and on () (there == 1)") for rule in group.rules)
    inputs = {OK: good, BAD: bad, UP: there, "there": there.replace("_", "0")}
    page = f'{series.PAGE_RATIO}{{service="shop",slo="availability"}}'
    checks = [(f"{at}m", f"{page} >= bool 1", 1.0) for at in (*range(17, 19), *range(22, 40))]
    promtool.evaluate(replace(group, rules=rules), inputs, [("12m", f"{page} >= bool 1", 0.0), *checks])


@pytest.mark.parametrize("share", [0.02, 0.006])
def test_the_first_minutes_of_a_service_are_no_trend(promtool: Promtool, share: float) -> None:
    """A ticket needs its short window: 2 hours, or 6."""
    settings = shop(MINUTE, MINUTE)
    ticket = alert_of(settings, "slo-burning-slowly")
    lasts = [(minute * 60.0, False) for minute in (2, 5, 30, 60)]
    fires(promtool, ticket, settings, traffic(settings, (3.0 * 3600, share)), lasts)


def test_a_pushed_service_that_is_idle_is_not_gone(promtool: Promtool) -> None:
    """It sends its resource (`target_info`) for an hour, and nothing else; then not even that."""
    settings = settings_of(
        watchStack=False,
        scrapeInterval=MINUTE,
        ruleInterval=MINUTE,
        services=[{"name": "shop", "otlp": True, "latency": None}],
    )
    inputs = {'target_info{job="shop",instance="a"}': "1x60 stale _x60"}
    gone = [(at * 60.0, False) for at in (5, 30, 59)]
    fires(promtool, alert_of(settings, "service-gone"), settings, inputs, [*gone, (90 * 60.0, True)])


def test_a_target_without_slos_is_scraped_and_quiet(promtool: Promtool) -> None:
    settings = settings_of(
        watchStack=False,
        scrapeInterval=MINUTE,
        ruleInterval=MINUTE,
        services=[{"name": "shop", "targets": ["n:9100"], "availability": None, "latency": None}],
    )
    alerts = [a for group in groups(settings) for a in group.alerts if a.service == "shop"]
    assert {a.kind for a in alerts} == {"service-gone", "target-down"}
    for alert in alerts:
        fires(promtool, alert, settings, {'up{job="shop",instance="n:9100"}': "1x60"}, [(3000.0, False)])
