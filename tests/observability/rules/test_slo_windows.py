"""SLOs by gauges, by good minutes, and by the calendar. By promtool, whose time begins on Thursday, 1 January 1970."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from observability.names import series
from observability.rules import exclusions, slo
from observability.rules.windows import burn_alerts
from observability.settings import Exclusion, Slo, WatchedService
from tests.observability.rules.conftest import near
from tests.observability.rules.test_slo_numbers import of

if TYPE_CHECKING:
    from tests.observability.rules.conftest import Promtool

DAY = 1440
GOOD, BAD = (f'http_requests_total{{service="checkout", status="{status}"}}' for status in ("200", "500"))
PROBE = 'probe_success{job="probe"}'


def rules_of(fields: dict[str, Any], *excluded: Exclusion) -> slo.RuleGroup:
    own = fields if "name" in fields else None
    service = {
        "name": "checkout",
        "latency": None,
        "availability": None if own else fields,
        "slos": [own] if own else [],
    }
    return slo.group(WatchedService.model_validate(service), "1m", excluded)


@pytest.fixture
def probe() -> slo.RuleGroup:
    return rules_of({"name": "probe", "objective": 99, "gauge": PROBE})


def test_a_gauge_is_the_share_of_its_good_samples(promtool: Promtool, probe: slo.RuleGroup) -> None:
    """Case s6: 30 of 120 minutes are bad. Samples count from the first evaluation on, without those before it."""
    checks = [
        ("120m", of(series.REQUESTS_PERIOD, "probe"), 120),
        ("120m", of(series.ERRORS_PERIOD, "probe"), 30),
        ("120m", of(series.GOOD_PERIOD, "probe"), 0.75),
        ("91m", f"{of(series.PAGE_RATIO, 'probe')} >= bool 1", 1),
    ]
    promtool.evaluate(probe, {PROBE: "1x60 0x29 1x29"}, checks)


def test_every_sample_of_a_gauge_counts_whatever_a_gap_hides(promtool: Promtool, probe: slo.RuleGroup) -> None:
    """Three targets, one of which is not scraped for ten minutes, one of which shows nonsense and NaN once."""
    inputs = {
        'probe_success{job="probe", instance="a"}': "1x59",
        'probe_success{job="probe", instance="b"}': "1x19 _x10 0x29",
        'probe_success{job="probe", instance="c"}': "1x29 NaN 1x9 37 1x18",
    }
    promtool.evaluate(
        probe,
        inputs,
        [("59m", of(series.REQUESTS_PERIOD, "probe"), 165), ("59m", of(series.ERRORS_PERIOD, "probe"), 30)],
    )


def test_a_gauge_that_is_gone_is_not_measured(promtool: Promtool, probe: slo.RuleGroup) -> None:
    gone = {PROBE: "1x60 _x60", 'up{job="checkout"}': "1x120"}
    checks = [
        ("2h", of(series.SLO_MEASURED, "probe"), None),
        ("2h", *near(of(series.COVERAGE, "probe"), 12 / 8640, 0.1)),
    ]
    promtool.evaluate(probe, gone, checks)


def test_a_gauge_beyond_1_is_not_measured(promtool: Promtool, probe: slo.RuleGroup) -> None:
    promtool.evaluate(probe, {PROBE: "100x60"}, [("1h", of(series.SLO_MEASURED, "probe"), None)])


def test_a_condition_is_a_gauge_of_each_evaluation(promtool: Promtool) -> None:
    rules = rules_of({"name": "queue", "objective": 99, "gauge": 'queue_length{job="a"} < bool 100  # short'})
    checks = [("100m", of(series.GOOD_PERIOD, "queue"), 0.8), ("100m", of(series.REQUESTS_PERIOD, "queue"), 100)]
    promtool.evaluate(rules, {'queue_length{job="a"}': "5x80 500x19"}, checks)


def test_a_minute_is_good_when_enough_of_it_is(promtool: Promtool) -> None:
    """In 30 minutes 4 % fail, in 10 of them 6 % do, and in an idle hour nothing happens."""
    rules = rules_of({"objective": 99, "timeSlice": {"atLeast": 95}})
    inputs = {GOOD: "0+96x30 2974+94x9 3820x79", BAD: "0+4x30 126+6x9 180x79"}
    checks = [
        ("2h", of(series.REQUESTS_PERIOD), 120),
        ("2h", of(series.ERRORS_PERIOD), 10),
        ("2h", *near(of(series.GOOD_PERIOD), 110 / 120)),
        ("2h", *near(of(series.BUDGET_REMAINING), 1 - 10 / 120 / 0.01)),
        ("40m", of(series.error_ratio("30m")), 10 / 30),
        ("2h", of(series.COVERAGE), 25 / 8640),
    ]
    promtool.evaluate(rules, inputs, checks)


def test_slices_of_five_minutes(promtool: Promtool) -> None:
    """One bad minute of 60 % makes a slice of 12 % bad; a minute of 20 % does not."""
    rules = rules_of({"objective": 99, "timeSlice": {"atLeast": 95, "length": "5m"}})
    inputs = {GOOD: "0+100x22 2240 2340+100x19 4320+100x75", BAD: "0x22 60x20 80x75"}
    checks = [("2h", of(series.REQUESTS_PERIOD), 24), ("2h", of(series.ERRORS_PERIOD), 1)]
    promtool.evaluate(rules, inputs, checks)


def test_a_minute_of_which_nothing_is_known_counts_neither_way(promtool: Promtool) -> None:
    rules = rules_of({"objective": 99, "timeSlice": {"atLeast": 95}})
    inputs = {GOOD: "0+100x60 _x60 6000+100x60", 'up{job="checkout"}': "1x60 0x60 1x60"}
    checks = [
        ("3h", f"{of(series.REQUESTS_PERIOD)} > bool 115", 1),
        ("3h", f"{of(series.REQUESTS_PERIOD)} < bool 125", 1),
        ("3h", of(series.ERRORS_PERIOD), 0),
    ]
    promtool.evaluate(rules, inputs, checks)


@pytest.mark.parametrize("window", ["month", "quarter"])
def test_a_budget_begins_anew_on_the_first(promtool: Promtool, window: str) -> None:
    """A service that began on 31 January at 19:00 fails then, and again after 1:00; the quarter has both."""
    rules = rules_of({"objective": 99, "window": window})
    inputs = {GOOD: "0+10x600", BAD: "0x60 1+1x99 100x200 101+1x99 200x140"}
    both = window == "quarter"
    length = 90 if both else 28
    bad, hours = (200, 9) if both else (100, 4)
    checks = [
        ("4h", *near(of(series.ERRORS_PERIOD), 100)),
        ("4h", *near(of(series.REQUESTS_PERIOD), 10 * 4 * 60 + 100, 0.01)),
        ("9h", *near(of(series.ERRORS_PERIOD), bad)),
        ("9h", *near(of(series.REQUESTS_PERIOD), 10 * hours * 60 + bad, 0.03)),
        ("9h", *near(of(series.BUDGET_REMAINING), 1 - bad / (10 * hours * 60 + bad) / 0.01, 0.03)),
        ("9h", *near(of(series.COVERAGE), hours / 24 / length, 0.03)),
        ("9h", of(series.WINDOW), 86_400 * length),
    ]
    promtool.evaluate(rules, inputs, checks, start=30 * 86_400 + 19 * 3_600)


def test_an_exclusion_over_the_border_of_a_month_is_out_of_both(promtool: Promtool) -> None:
    """Everything fails from 21:00 to 03:00; excluded are 22:00 to 02:00."""
    over = Exclusion(start="1970-01-31T22:00Z", end="1970-02-01T02:00Z", reason="x")
    rules = rules_of({"objective": 99, "window": "month"}, over)
    inputs = {GOOD: "0+10x60 600x359 610+10x300", BAD: "0x60 1+1x359 360x300"}
    checks = [
        ("3h50m", *near(of(series.ERRORS_PERIOD), 60, 0.1)),
        ("10h", *near(of(series.ERRORS_PERIOD), 60, 0.1)),
        ("10h", *near(of(series.REQUESTS_PERIOD), 10 * 180 + 60, 0.05)),
    ]
    promtool.evaluate(rules, inputs, checks, start=30 * 86_400 + 20 * 3_600)


def test_the_quarter_is_three_months_long() -> None:
    assert exclusions.number_now("quarter") == "floor((year() * 12 + month() - 1) / 3)"


def test_every_burn_alert_can_fire_whatever_the_objective() -> None:
    """Where nothing is good, the budget of 90 % burns 10 times too fast: a factor of 14.4 would never be reached."""
    assert [alert.factor for alert in burn_alerts(Slo(objective=90))] == [8, 6, 3, 1]
    assert [alert.factor for alert in burn_alerts(Slo(objective=99.5))] == [14.4, 6, 3, 1]
