"""When alerts fire, by promtool, over every phase of an outage against scrapes and evaluations.

Grafana evaluates on its own, up to one of its intervals after Prometheus has recorded. A test here therefore asks that
the recorded series fire the alert that much, and one scrape, before the limit: whatever the phases, it is kept.
"""

from __future__ import annotations

import pytest

from observability.alerts import groups
from observability.alerts.model import Alert
from observability.alerts.services import evaluation_seconds
from observability.rules.windows import BURN_ALERTS
from observability.settings import Settings, seconds
from tests.observability.alerts.conftest import fires, settings_of
from tests.observability.rules.conftest import Promtool

PAGE = BURN_ALERTS[0]
DUE = PAGE.factor * 0.005 * seconds(PAGE.long)
"""4 min 20 s of total outage are 7.2 % of an hour."""
HOUR = 3600
START = 7 * HOUR
"""Every window of a page has its data by then."""
OK = 'http_requests_total{service="shop",endpoint="/pay",method="GET",status="200"}'
BAD = 'http_requests_total{service="shop",endpoint="/pay",method="GET",status="500"}'
UP = 'up{job="shop",instance="shop:8000"}'
PER_SCRAPE = 1000


def shop(scrape: str = "15s", rule: str = "1m") -> Settings:
    service = {"name": "shop", "targets": ["shop:8000"], "latency": None}
    return settings_of(watchStack=False, scrapeInterval=scrape, ruleInterval=rule, services=[service])


def alert_of(settings: Settings, kind: str) -> Alert:
    (result,) = (a for group in groups(settings) for a in group.alerts if (a.kind, a.service) == (kind, "shop"))
    return result


def traffic(settings: Settings, *parts: tuple[float, float]) -> dict[str, str]:
    """Return counters over parts of (seconds, share that fails)."""
    good, bad = 0, 0
    values: tuple[list[str], list[str]] = ([], [])
    for length, share in parts:
        count = round(length / seconds(settings.scrape_interval))
        failing = round(PER_SCRAPE * share)
        values[0].append(f"{good}+{PER_SCRAPE - failing}x{count - 1}")
        values[1].append(f"{bad}+{failing}x{count - 1}")
        good, bad = good + (PER_SCRAPE - failing) * count, bad + failing * count
    return {OK: " ".join(values[0]), BAD: " ".join(values[1]), UP: f"1x{round(sum(p[0] for p in parts))}"}


def allowed(settings: Settings, began: float, pending: float) -> float:
    """Return the last evaluation of the rules at which an outage that began then still pages in time."""
    every = seconds(settings.rule_interval)
    unseen = evaluation_seconds(settings) + seconds(settings.scrape_interval)
    return (began + DUE + pending + 2 * every - unseen) // every * every


PHASES = [("15s", "1m", phase) for phase in (0, 15, 30, 45)] + [("5s", "15s", p) for p in (0, 5, 10)]


@pytest.mark.parametrize(("scrape", "rule", "phase"), PHASES)
def test_a_total_outage_pages_in_time(promtool: Promtool, scrape: str, rule: str, phase: int) -> None:
    settings = shop(scrape, rule)
    page = alert_of(settings, "slo-burning-fast")
    began = START + phase
    assert abs(DUE - (4 * 60 + 20)) < 1
    fires(
        promtool, page, settings, traffic(settings, (began, 0), (HOUR, 1)),
        [(began + 120, False), (allowed(settings, began, seconds(page.pending) if page.pending != "0s" else 0), True)],
    )  # fmt: skip


def test_a_rate_below_the_budget_never_pages_or_tickets(promtool: Promtool) -> None:
    """0.4 % at 99.5 %, while the windows are still short of their data and after the longest has filled."""
    settings = shop("1m", "5m")
    hours = [(float(hour * HOUR), False) for hour in (1, 2, 6, 12, 24, 48, 74)]
    for kind in ("slo-burning-fast", "slo-burning-slowly"):
        fires(promtool, alert_of(settings, kind), settings, traffic(settings, (75 * HOUR, 0.004)), hours)


def test_a_rate_above_the_budget_gets_a_ticket_and_no_page(promtool: Promtool) -> None:
    settings = shop("1m", "5m")
    inputs = traffic(settings, (12 * HOUR, 0.0), (24 * HOUR, 0.01))
    for kind, does in (("slo-burning-slowly", True), ("slo-burning-fast", False)):
        fires(promtool, alert_of(settings, kind), settings, inputs, [(35.0 * HOUR, does)])


@pytest.mark.parametrize(
    ("share", "kind", "known", "due"),
    [
        (0.1, "slo-burning-fast", 7, 0.72),  # 7.2 % of an hour
        pytest.param(0.02, "slo-burning-slowly", 73, 18, marks=pytest.mark.nightly),  # 1.5 % of a day, 0.5 % of three
        pytest.param(0.006, "slo-burning-slowly", 73, 60, marks=pytest.mark.nightly),  # 0.5 % of three days
    ],
)
def test_a_share_of_failures_alerts_when_the_arithmetic_says(
    promtool: Promtool, share: float, kind: str, known: float, due: float
) -> None:
    """Hours of good requests, then this share fails: the alert is due when its window has so many."""
    settings = shop("1m", "5m")
    every = seconds(settings.rule_interval)
    at = (known + due) * HOUR
    inputs = traffic(settings, (known * HOUR, 0), ((due + 1) * HOUR, share))
    soon = at // every * every - every
    fires(promtool, alert_of(settings, kind), settings, inputs, [(soon, False), (soon + 3 * every, True)])


@pytest.mark.parametrize("phase", [0, 15, 30, 45])
def test_recovery_resolves_within_the_short_window(promtool: Promtool, phase: int) -> None:
    """After an outage of 8 minutes only the 1-hour pair holds, and its short window is 5 minutes."""
    settings = shop()
    page = alert_of(settings, "slo-burning-fast")
    over = START + phase + 480
    resolved = over + seconds(PAGE.short) + seconds(settings.rule_interval)
    inputs = traffic(settings, (START + phase, 0), (480, 1), (HOUR, 0))
    fires(promtool, page, settings, inputs, [(over, True), (resolved // 60 * 60, False), (over + 1800, False)])


def test_after_a_long_outage_the_longer_pair_resolves_within_its_own(promtool: Promtool) -> None:
    settings = shop()
    page = alert_of(settings, "slo-burning-fast")
    over = START + 1200
    inputs = traffic(settings, (START, 0), (1200, 1), (2 * HOUR, 0))
    ends = over + seconds(BURN_ALERTS[1].short) + seconds(settings.rule_interval)
    fires(promtool, page, settings, inputs, [(over + 600, True), (ends, False)])


def test_a_service_that_is_gone_pages(promtool: Promtool) -> None:
    settings = shop()
    gone = alert_of(settings, "service-gone")
    inputs = {UP: "1x240 0x60 1x60"}
    fires(promtool, gone, settings, inputs, [(3600, False), (3660, False), (3840, True), (4740, False)])


def test_a_service_whose_targets_are_no_more_pages_too(promtool: Promtool) -> None:
    settings = shop()
    fires(promtool, alert_of(settings, "service-gone"), settings, {UP: "1x20 stale"}, [(240, False), (600, True)])


def test_a_service_that_nothing_is_counted_of_gets_a_ticket(promtool: Promtool) -> None:
    settings = shop()
    uncounted = alert_of(settings, "service-uncounted")
    wrong = {UP: "1x200", OK.replace("shop", "other"): "0+10x200"}
    fires(promtool, uncounted, settings, wrong, [(600, False), (1200, True)])
    quiet = {UP: "1x200", OK: "0x200"}
    fires(promtool, uncounted, settings, quiet, [(600, False), (1200, False)])
