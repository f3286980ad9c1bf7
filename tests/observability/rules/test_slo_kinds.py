"""The SLOs that are no counter of requests: native histograms, and pairs of PromQL. Same properties, by promtool."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from observability.names import series
from observability.rules import slo
from observability.settings import WatchedService
from tests.observability.rules.conftest import near
from tests.observability.rules.test_slo_numbers import UP, of, spiky

if TYPE_CHECKING:
    from tests.observability.rules.conftest import Promtool

GOOD = 'orders_total{outcome="ok"}'
BAD = 'orders_total{outcome="lost"}'
TIMED = 'http_request_duration_seconds{service="checkout"}'
# The shares of a histogram of schema 0 around 1 s: at most 1 s, and from 1 to 2 s.
FAST, SLOW = "{{{{schema:0 count:{0} sum:{0} buckets:[{0}]}}}}", "{{{{schema:0 count:{0} sum:{0} buckets:[0 {0}]}}}}"


@pytest.fixture
def orders() -> slo.RuleGroup:
    return group({"name": "orders", "objective": 99.5, "good": GOOD, "total": "orders_total"})


@pytest.fixture
def native(promtool: Promtool) -> slo.RuleGroup:
    if promtool.run("--version").stdout.startswith("promtool, version 2."):
        pytest.skip("promtool 2 has no native histograms in its tests")
    latency = {"threshold": "1s", "histogram": "native"}
    service = {"name": "checkout", "availability": None, "latency": latency}
    return slo.group(WatchedService.model_validate(service), "1m")


def group(custom: dict[str, object]) -> slo.RuleGroup:
    service = {"name": "checkout", "availability": None, "latency": None, "slos": [custom]}
    return slo.group(WatchedService.model_validate(service), "1m")


def test_every_series_of_an_slo_is_there_whatever_its_kind(rules: slo.RuleGroup, orders: slo.RuleGroup) -> None:
    usual = {r.record for r in rules.rules if r.labels.get("slo") == "availability"}
    own = {series.good_ratio("availability", w): series.good_ratio("good", w) for w in ("5m", "30d")}
    recorded = {r.record for r in orders.rules if r.labels.get("slo") == "orders"}
    assert recorded == {own.get(r, r) for r in usual} | {series.SLO_GOOD_TOTAL}


def test_orders_are_weighted_by_events(promtool: Promtool, orders: slo.RuleGroup) -> None:
    good, bad = spiky(1, seed=7, start=10**6)
    truth = bad.total / (bad.total + good.total)
    promtool.evaluate(
        orders,
        {GOOD: str(good), BAD: str(bad)},
        [
            ("1d", *near(of(series.error_ratio("30d"), "orders"), truth)),
            ("1d", *near(f"1 - {of(series.good_ratio('good', '30d'), 'orders')}", truth)),
            ("1d", *near(of(series.BURN_RATE_PERIOD, "orders"), truth / 0.005)),
            ("1d", *near(of(series.REQUESTS_PERIOD, "orders"), good.total + bad.total)),
        ],
    )


def test_no_lost_order_is_exactly_one_through_a_quiet_night(promtool: Promtool, orders: slo.RuleGroup) -> None:
    """With tenths, whose sums leave dust."""
    shops = {GOOD.replace("{", f'{{shop="{n}",'): f"0+0.{n}x120 {n * 12}x600" for n in range(1, 8)}
    exact = [
        (at, f"{of(record, 'orders')} == bool 1", 1)
        for at in ("1h", "11h")
        for record in (series.GOOD_PERIOD, series.good_ratio("good", "5m"), series.BUDGET_REMAINING)
    ]
    promtool.evaluate(
        orders,
        {**shops, BAD: "0x720"},
        [*exact, ("11h", of(series.SLO_REQUESTS, "orders"), 0), ("11h", of(series.error_ratio("6h"), "orders"), 0)],
    )


def test_sums_in_another_order_leave_no_dust(promtool: Promtool) -> None:
    shops = [f'orders_total{{shop="{n}"}}' for n in range(1, 8)]
    good = " + ".join(f"sum(rate({shop}[5m]))" for shop in shops)
    rules = group({"name": "orders", "objective": 99.5, "good": good, "total": "orders_total"})
    values = {shop: f"0+{n * n / 7}x120" for n, shop in enumerate(shops, 1)}
    checks = [(f"{at}m", f"{of(series.SLO_ERRORS, 'orders')} == bool 0", 1) for at in range(10, 120, 7)]
    promtool.evaluate(rules, values, checks)


def test_an_slo_without_events_is_good_while_its_service_is_there(promtool: Promtool, orders: slo.RuleGroup) -> None:
    promtool.evaluate(
        orders,
        {UP: "1x400"},
        [
            ("6h", of(series.GOOD_PERIOD, "orders"), 1),
            ("6h", of(series.burn_rate("1h"), "orders"), 0),
            ("6h", of(series.COVERAGE, "orders"), 73 / 8640),
        ],
    )
    gone = [("1h", of(series.GOOD_PERIOD, "orders"), None), ("1h", of(series.COVERAGE, "orders"), 0)]
    promtool.evaluate(orders, {UP: "0x100"}, gone)


def test_nothing_good_at_all_is_all_bad(promtool: Promtool, orders: slo.RuleGroup) -> None:
    checks = [("1h", of(series.error_ratio(window), "orders"), 1) for window in ("5m", "1h", "1d", "30d")]
    promtool.evaluate(orders, {BAD: "0+10x100"}, checks)


def test_a_division_by_zero_in_a_pair_is_no_number_of_events(promtool: Promtool) -> None:
    """Half of what is made is good; in the second hour nothing is made and both are 0/0, then total is x/0."""
    rules = group(
        {
            "name": "parts",
            "objective": 99,
            "good": "sum(made) / sum(machines) / 2  # what passes",
            "total": "sum(made) / sum(machines)",
        }
    )
    alike = '{__name__=~"slo:.*"}'
    numbers = f"(count({alike} >= 0 < Inf) or vector(0)) + (count({alike} < 0) or vector(0))"
    promtool.evaluate(
        rules,
        {"made": "8x59 0x60 8x60", "machines": "2x59 0x120", UP: "1x200"},
        [
            *((at, f"count({alike}) - ({numbers})", 0) for at in ("10m", "1h30m", "2h30m", "3h")),
            ("50m", of(series.error_ratio("30d"), "parts"), 0.5),
            ("1h50m", of(series.error_ratio("30d"), "parts"), 0.5),
            ("2h50m", of(series.error_ratio("30d"), "parts"), 0.5),
        ],
    )


def test_a_recorded_rate_is_taken_as_it_is(promtool: Promtool) -> None:
    rules = group({"name": "jobs", "objective": 90, "good": "job:done:rate5m", "total": "job:begun:rate5m"})
    values = {'job:done:rate5m{queue="a"}': "3x60", 'job:begun:rate5m{queue="a"}': "4x60"}
    promtool.evaluate(rules, values, [("1h", *near(of(series.error_ratio("1h"), "jobs"), 0.25))])


def test_a_native_histogram_counts_what_is_slower(promtool: Promtool, native: slo.RuleGroup) -> None:
    """1 of 100 requests is between 1 and 2 seconds."""
    both = "{{schema:0 count:100 sum:100 buckets:[99 1]}}"
    values = {TIMED: f"{{{{schema:0}}}}+{both}x60"}
    promtool.evaluate(
        native,
        values,
        [
            ("1h", *near(of(series.error_ratio("7d"), "latency"), 0.01)),
            ("1h", *near(of(series.REQUESTS_PERIOD, "latency"), 6000, 0.05)),
            ("1h", *near(of(series.good_ratio("latency", "5m"), "latency"), 0.99)),
            ("1h", *near(of(series.burn_rate("1h"), "latency"), 1)),
        ],
    )


def test_a_native_histogram_is_weighted_by_events(promtool: Promtool, native: slo.RuleGroup) -> None:
    """One busy endpoint that is fast, one quiet one that is slow: an average of shares would say a half."""
    busy, quiet = (TIMED.replace("}", f',endpoint="{name}"}}') for name in ("/busy", "/quiet"))
    values = {
        busy: f"{{{{schema:0}}}}+{FAST.format(990)}x30",
        quiet: f"{{{{schema:0}}}}+{SLOW.format(10)}x30",
    }
    promtool.evaluate(native, values, [("25m", *near(of(series.error_ratio("7d"), "latency"), 0.01))])


def test_a_native_histogram_without_slow_or_any_requests_is_exactly_one(
    promtool: Promtool, native: slo.RuleGroup
) -> None:
    values = {TIMED: f"{{{{schema:0}}}}+{FAST.format(7)}x60 {FAST.format(420)}x240"}
    alike = '{__name__=~"slo:.*"}'
    exact = [
        (at, f"{of(record, 'latency')} == bool 1", 1)
        for at in ("1h", "4h")
        for record in (series.GOOD_PERIOD, series.LATENCY_5M, series.BUDGET_REMAINING)
    ]
    nan = f"count({alike}) - count({alike} >= 0)"
    promtool.evaluate(native, values, [*exact, ("30m", nan, 0), ("1h4m", nan, 0), ("4h", nan, 0)])


def test_a_classic_histogram_alone_is_no_perfect_score(promtool: Promtool, native: slo.RuleGroup) -> None:
    values = {UP: "1x100", 'http_request_duration_seconds_count{service="checkout"}': "0+5x100"}
    missing = [("1h", of(series.GOOD_PERIOD, "latency"), None), ("1h", of(series.COVERAGE, "latency"), 0)]
    promtool.evaluate(native, values, missing)
    idle = [("1h", of(series.GOOD_PERIOD, "latency"), 1), ("55m", of(series.COVERAGE, "latency"), 12 / 2016)]
    promtool.evaluate(native, {UP: "1x100"}, idle)


EXPONENTIAL = "http_server_request_duration_seconds"


@pytest.fixture
def exponential(promtool: Promtool) -> slo.RuleGroup:
    if promtool.run("--version").stdout.startswith("promtool, version 2."):
        pytest.skip("promtool 2 has no native histograms in its tests")
    return slo.group(
        WatchedService.model_validate({"name": "checkout", "otlp": True, "latency": {"threshold": "1s"}}), "1m"
    )


def pushed(status: str) -> str:
    return f'{EXPONENTIAL}{{service_name="checkout", http_response_status_code="{status}"}}'


def test_exponential_histograms_are_measured_without_a_setting(promtool: Promtool, exponential: slo.RuleGroup) -> None:
    """90 requests a minute succeed, 10 fail, 20 of the good ones take 1 to 2 s."""
    good = "{{schema:0 count:90 sum:90 buckets:[70 20]}}"
    values = {
        pushed("200"): f"{{{{schema:0}}}}+{good}x120",
        pushed("500"): f"{{{{schema:0}}}}+{FAST.format(10)}x120",
    }
    promtool.evaluate(
        exponential,
        values,
        [
            ("2h", *near(of(series.GOOD_PERIOD, "availability"), 0.9)),
            ("2h", *near(of(series.GOOD_PERIOD, "latency"), 0.8)),
            ("2h", *near(of(series.REQUESTS_PERIOD, "availability"), 100 * 119, 0.02)),
            ("2h", *near(f'sum({series.REQUESTS}{{service="checkout", status="500"}})', 10 / 60)),
            ("2h", *near(f'{series.DURATION_MEAN}{{service="checkout"}}', 1)),
            ("2h", f'{series.DURATION_P95}{{service="checkout"}} > bool 1', 1),
            ("2h", f'{series.DURATION_P99_7D}{{service="checkout"}} <= bool 2', 1),
        ],
    )


def test_explicit_histograms_of_the_same_service_count_beside_them(
    promtool: Promtool, exponential: slo.RuleGroup
) -> None:
    """Two instances, one of each kind."""
    classic = 'service_name="checkout", http_response_status_code="200"'
    values = {
        pushed("500"): f"{{{{schema:0}}}}+{SLOW.format(10)}x120",
        f"{EXPONENTIAL}_count{{{classic}}}": "0+30x120",
        f'{EXPONENTIAL}_bucket{{{classic}, le="1"}}': "0+30x120",
    }
    promtool.evaluate(
        exponential,
        values,
        [
            ("2h", *near(of(series.GOOD_PERIOD, "availability"), 0.75)),
            ("2h", *near(of(series.GOOD_PERIOD, "latency"), 0.75)),
        ],
    )


def test_wider_buckets_of_the_same_requests_are_no_restart(promtool: Promtool, exponential: slo.RuleGroup) -> None:
    """After an hour its scale falls: fewer are estimated to be within the threshold, and none of them is new."""
    fine = [f"{{{{schema:1 count:{40 * n} sum:{n} buckets:[{10 * n} {30 * n}]}}}}" for n in range(61)]
    wide = [f"{{{{schema:0 count:{40 * n} sum:{n} buckets:[{10 * n} {30 * n}]}}}}" for n in range(61, 121)]
    exponential = slo.group(
        WatchedService.model_validate({"name": "checkout", "otlp": True, "latency": {"threshold": "1200ms"}}), "1m"
    )
    values = {pushed("200"): " ".join(fine + wide)}
    promtool.evaluate(
        exponential,
        values,
        [("2h", f'{of(series.REQUESTS_PERIOD, "latency")} < bool 4801', 1),
         ("2h", f'{of(series.GOOD_PERIOD, "latency")} < bool 0.7', 1)],
    )  # fmt: skip
