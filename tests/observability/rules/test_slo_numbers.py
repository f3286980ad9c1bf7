"""The numbers, by promtool: each property fails when the rule behind it is broken."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from observability.names import series
from observability.rules import containers, slo
from observability.rules.windows import BURN_ALERTS, BURN_WINDOWS
from observability.settings import AvailabilitySlo, WatchedService, milliseconds
from tests.observability.rules.conftest import near

if TYPE_CHECKING:
    from observability.settings import Settings
    from tests.observability.rules.conftest import Promtool

DAY = 1440
OK = 'http_requests_total{service="checkout",endpoint="/pay",method="GET",status="200"}'
BAD = 'http_requests_total{service="checkout",endpoint="/pay",method="GET",status="500"}'
UP = 'up{job="checkout"}'


def of(record: str, kind: str = "availability") -> str:
    return f'{record}{{service="checkout",slo="{kind}"}}'


@dataclass
class Counter:
    """A counter sampled every minute, written in promtool's notation."""

    value: int = 0
    total: int = 0
    parts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.parts.append(str(self.value))

    def grow(self, by: int, minutes: int) -> None:
        self.parts.append(f"{self.value + by}+{by}x{minutes - 1}" if minutes > 1 else str(self.value + by))
        self.value += by * minutes
        self.total += by * minutes

    def restart(self) -> None:
        self.parts.append("0")
        self.value = 0

    def __str__(self) -> str:
        return " ".join(self.parts)


def spiky(days: int, seed: int, start: int = 0) -> tuple[Counter, Counter]:
    """Bursts of 5 to 40 minutes, each with its own volume and share of errors, between nearly quiet hours.

    The last ten minutes are quiet, so that every rate has seen every request.
    """
    chance = random.Random(seed)  # noqa: S311 - traffic, not secrets
    good, bad = Counter(start), Counter(start)
    left = days * DAY - 10
    while left > 60:
        quiet, burst = chance.randint(20, 240), chance.randint(5, 40)
        quiet = min(quiet, left - burst)
        good.grow(chance.choice([0, 0, 1]), quiet)
        bad.grow(0, quiet)
        volume = chance.randint(100, 20_000)
        failed = int(volume * chance.choice([0, 0, 0.001, 0.02, 0.3]))
        good.grow(volume - failed, burst)
        bad.grow(failed, burst)
        left -= quiet + burst
    good.grow(0, left + 10)
    bad.grow(0, left + 10)
    return good, bad


def test_the_rules_pass_promtools_lint(promtool: Promtool, settings: Settings) -> None:
    files = slo.render(settings) | containers.render(settings)
    result = promtool.lint(files)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count("SUCCESS") == len(files)


def in_parts(expr: str) -> str:
    """Split sums over 30 days into six over 5: promtool's engine stops at 10,000 samples a selector.

    Half a minute short of 5 days: a window without its start, as Prometheus 3 has it, and one with it, as
    Prometheus 2 has it, then hold the same samples, and no sample is in two of them.
    """
    past = ("", *(f" offset {n}d" for n in range(5, 30, 5)))
    return re.sub(
        r"sum_over_time\((\S+?\{[^}]*\})\[30d\]\)",
        lambda m: f"({' + '.join(f'sum_over_time({m[1]}[4d23h59m30s]{offset})' for offset in past)})",
        expr,
    )


def test_a_spiky_day_is_weighted_by_events(promtool: Promtool, rules: slo.RuleGroup) -> None:
    """Counters with a past: rate() cannot see a burst whole whose counter was born with it."""
    good, bad = spiky(1, seed=3, start=10**6)
    truth = bad.total / (bad.total + good.total)
    month, consumed = of(series.error_ratio("30d")), of(series.budget_consumed("3d"))
    promtool.evaluate(
        rules,
        {OK: str(good), BAD: str(bad)},
        [
            ("1d", *near(month, truth)),
            ("1d", *near(f"1 - {of(series.AVAILABILITY_30D)}", truth)),
            ("1d", *near(of(series.error_ratio("3d")), truth, 0.005)),
            ("1d", *near(f"1 - {of(series.BUDGET_REMAINING)}", truth / 0.005)),
            ("1d", *near(of(series.BURN_RATE_PERIOD), truth / 0.005)),
            ("1d", *near(of(series.REQUESTS_PERIOD), good.total + bad.total)),
            ("1d", *near(of(series.ERRORS_PERIOD), bad.total)),
            ("1d", *near(consumed, truth / 0.005)),
        ],
    )


@pytest.mark.nightly
def test_a_spiky_month_is_weighted_by_events(promtool: Promtool, rules: slo.RuleGroup) -> None:
    """The whole month at one minute; the windowed rules are evaluated once, at its end, as part of the query."""
    good, bad = spiky(30, seed=30)
    truth = bad.total / (bad.total + good.total)
    whole = {
        r.record: in_parts(f"({r.expr})")
        for r in rules.rules
        if r.labels.get("slo") == series.SLO_AVAILABILITY
        and r.record in {series.REQUESTS_PERIOD, series.ERRORS_PERIOD, series.error_ratio("30d")}
    }
    ratio = whole[series.error_ratio("30d")]
    for period in (series.REQUESTS_PERIOD, series.ERRORS_PERIOD):
        ratio = ratio.replace(of(period).replace(",", ", "), whole[period])
    assert "increase_period" not in ratio
    promtool.evaluate(rules, {OK: str(good), BAD: str(bad)}, [("30d", *near(ratio, truth))])


def test_a_quiet_night_adds_nothing(promtool: Promtool, rules: slo.RuleGroup) -> None:
    values = {OK: "0+99x120 11880x600", BAD: "0+1x120 120x600"}
    month = of(series.error_ratio("30d"))
    promtool.evaluate(
        rules,
        values,
        [
            ("12h", *near(month, 0.01)),
            ("12h", of(series.error_ratio("5m")), 0),
            ("12h", of(series.error_ratio("2h")), 0),
            ("12h", of(series.AVAILABILITY_5M), 1),
            ("12h", of(series.budget_consumed("1h")), 0),
            ("12h", of(series.SLO_REQUESTS), 0),
        ],
    )


def test_nothing_is_ever_nan(promtool: Promtool, rules: slo.RuleGroup) -> None:
    """Traffic, a quiet night with all counters there, and traffic again."""
    name = 'http_request_duration_seconds_{}{{service="checkout",endpoint="/pay"{}}}'
    shape = "0+{0}x90 {1}+0x180 {1}+{0}x60"
    values = {OK: shape.format(60, 5400), BAD: shape.format(1, 90)}
    for part, labels, by in (
        ("bucket", ',le="0.1"', 50),
        ("bucket", ',le="0.3"', 55),
        ("bucket", ',le="+Inf"', 61),
        ("count", "", 61),
        ("sum", "", 9),
    ):
        values[name.format(part, labels)] = shape.format(by, by * 90)
    alike = '{__name__=~"(slo|service):.*"}'
    # NaN is the only value that is neither at least 0 nor below it.
    numbers = f"(count({alike} >= 0) or vector(0)) + (count({alike} < 0) or vector(0))"
    checks: list[tuple[str, str, float | None]] = [
        *((at, f"count({alike}) - ({numbers})", 0) for at in ("1m", "1h", "1h33m", "4h", "5h")),
        ("1h", *near(series.DURATION_MEAN, 9 / 61)),
        ("1h", f"{series.DURATION_P50} < bool 0.1", 1),
        ("4h", series.DURATION_P99, None),
        ("4h", series.DURATION_MEAN, None),
        ("4h", *near(series.DURATION_P99_7D, 0.3)),
        ("5h", *near(of(series.error_ratio("7d"), "latency"), 6 / 61)),
        ("5h", *near(of(series.good_ratio("latency", "7d"), "latency"), 55 / 61)),
        ("5h", of(series.THRESHOLD, "latency"), 0.3),
    ]
    promtool.evaluate(rules, values, checks)


def test_a_service_that_never_had_traffic_is_good(promtool: Promtool, rules: slo.RuleGroup) -> None:
    checks = [
        ("6h", of(record, kind), value)
        for kind, share in (
            ("availability", series.AVAILABILITY_30D),
            ("latency", "slo:latency:ratio_rate7d"),
        )
        for record, value in (
            (share, 1),
            (series.GOOD_PERIOD, 1),
            (series.error_ratio("1h"), 0),
            (series.BUDGET_REMAINING, 1),
            (series.burn_rate("1h"), 0),
            (series.budget_consumed("3d"), 0),
        )
    ]
    promtool.evaluate(rules, {UP: "1x400"}, checks)


def test_a_service_nobody_ever_saw_has_no_numbers(promtool: Promtool, rules: slo.RuleGroup) -> None:
    nothing = [("1h", of(record), None) for record in (series.AVAILABILITY_30D, series.BUDGET_REMAINING)]
    promtool.evaluate(rules, {UP: "0x100"}, [*nothing, ("1h", of(series.COVERAGE), 0)])


def test_a_counter_reset_is_no_error_and_no_loss(promtool: Promtool, rules: slo.RuleGroup) -> None:
    good, bad = Counter(), Counter()
    for _ in range(6):
        good.grow(99, 60)
        bad.grow(1, 60)
        good.restart()
        bad.restart()
    good.grow(99, 60)
    bad.grow(1, 60)
    at = "7h10m"
    timed = 'http_request_duration_seconds_count{service="checkout"}'
    fast = 'http_request_duration_seconds_bucket{service="checkout",le="0.3"}'
    promtool.evaluate(
        rules,
        {OK: str(good), BAD: str(bad), timed: str(good), fast: str(good)},
        [
            (at, *near(of(series.error_ratio("30d")), 0.01)),
            (at, *near(of(series.error_ratio("6h")), 0.01)),
            (at, *near(of(series.REQUESTS_PERIOD), 42_000, 0.01)),
            (at, *near(of(series.REQUESTS_PERIOD, "latency"), 99 * 420, 0.01)),
            (at, of(series.good_ratio("latency", "7d"), "latency"), 1),
        ],
    )


def test_a_bucket_that_is_ahead_of_its_count_is_no_negative_error(promtool: Promtool, rules: slo.RuleGroup) -> None:
    """As when a request ends while a client library writes its histogram down."""
    values = {
        'http_request_duration_seconds_count{service="checkout"}': "0+5x60",
        'http_request_duration_seconds_bucket{service="checkout",le="0.3"}': "0+5x29 151+5x30",
    }
    checks = [
        ("32m", of(record, "latency"), value) for record, value in ((series.SLO_ERRORS, 0), (series.GOOD_PERIOD, 1))
    ]
    promtool.evaluate(rules, values, checks)


def test_no_errors_are_exactly_one(promtool: Promtool, rules: slo.RuleGroup) -> None:
    other = OK.replace("/pay", "/cart")
    base = 'http_request_duration_seconds_{}{{service="checkout",endpoint="{}"{}}}'
    values = {OK: "0+7x400", other: "0+0.1x400"}
    for endpoint, by in (("/pay", 7), ("/cart", 0.1), ("/x", 0.3)):
        for part, labels in (("count", ""), ("bucket", ',le="0.3"'), ("bucket", ',le="+Inf"')):
            values[base.format(part, endpoint, labels)] = f"0+{by}x400"
    exact = [
        (at, f"{query} == bool 1", 1)
        for at in ("10m", "6h")
        for query in (
            of(series.AVAILABILITY_30D),
            of(series.AVAILABILITY_5M),
            of(series.BUDGET_REMAINING),
            of(series.LATENCY_5M, "latency"),
            of(series.good_ratio("latency", "7d"), "latency"),
        )
    ]
    promtool.evaluate(rules, values, [*exact, ("6h", of(series.SLO_ERRORS), 0)])


def test_errors_that_appear_late_weigh_what_they_are(promtool: Promtool, rules: slo.RuleGroup) -> None:
    """The error series does not exist for five hours, then fails half of the requests for one."""
    values = {OK: "0+100x300 30050+50x60", BAD: "_x300 0 50+50x59"}
    promtool.evaluate(
        rules,
        values,
        [
            ("4h", of(series.SLO_ERRORS), 0),
            ("4h", of(series.AVAILABILITY_30D), 1),
            ("6h", *near(of(series.error_ratio("30d")), 3000 / 36_000, 0.05)),
            ("6h", *near(of(series.error_ratio("5m")), 0.5)),
        ],
    )


def test_a_young_stack_says_so(promtool: Promtool, rules: slo.RuleGroup) -> None:
    values = {OK: "_ 0+60x400"}
    promtool.evaluate(
        rules,
        values,
        [
            ("0m", of(series.COVERAGE), 0),
            ("3h", of(series.COVERAGE), 3 / 720),
            ("6h", of(series.COVERAGE), 6 / 720),
        ],
    )


def test_coverage_stops_when_the_service_is_gone(promtool: Promtool) -> None:
    service = WatchedService(name="checkout", availability=AvailabilitySlo(window="6h"), latency=None)
    rules = slo.group(service, "1m")
    promtool.evaluate(
        rules,
        {OK: "0+60x600 stale _x400"},
        [
            ("9h", of(series.COVERAGE), 1),
            # Slots at 7:00, 7:05 ... 10:00; none of them on the edge of the window.
            ("12h58m", *near(of(series.COVERAGE), 37 / 72)),
            ("13h", of(series.AVAILABILITY_30D), 1),
        ],
    )


def test_coverage_of_a_window_that_is_no_whole_number_of_slots_is_never_above_one(promtool: Promtool) -> None:
    """2.4 slots; three of them begin within it, whether or not its own start is part of it."""
    service = WatchedService(name="checkout", availability=AvailabilitySlo(window="12m"), latency=None)
    promtool.evaluate(slo.group(service, "1m"), {OK: "0+60x60"}, [("1h", of(series.COVERAGE), 1)])


def test_a_threshold_without_a_bucket_is_no_perfect_score(promtool: Promtool, rules: slo.RuleGroup) -> None:
    base = 'http_request_duration_seconds_{}{{service="checkout"{}}}'
    values = {
        base.format("count", ""): "0+5x100",
        base.format("bucket", ',le="0.25"'): "0+5x100",
        UP: "1x100",
    }
    promtool.evaluate(
        rules,
        values,
        [
            ("1h", of(series.good_ratio("latency", "7d"), "latency"), None),
            ("1h", of(series.COVERAGE, "latency"), 0),
        ],
    )


def test_a_total_outage_crosses_the_page_threshold_at_the_first_evaluation_after_it_could(
    promtool: Promtool, rules: slo.RuleGroup
) -> None:
    """At 99.5 % 7.2 % of an hour have to fail: 4 min 20 s. A plain sum of 5-minute rates needs seven."""
    page = BURN_ALERTS[0]
    values = {OK: "0+600x120 72000x60", BAD: "0x120 600+600x60"}
    over = f"{of(series.burn_rate(page.long))} >= bool {page.factor}"
    promtool.evaluate(
        rules,
        values,
        [
            ("2h4m", over, 0),
            ("2h4m", *near(of(series.error_ratio(page.long)), 240 / 3600, 0.05)),
            ("2h5m", over, 1),
            ("2h5m", f"{of(series.burn_rate(page.short))} >= bool 14.4", 1),
        ],
    )


def test_a_rate_of_errors_below_the_budget_burns_below_one(promtool: Promtool, rules: slo.RuleGroup) -> None:
    burning = [("5h", *near(of(series.burn_rate(window)), 0.8)) for window in BURN_WINDOWS]
    promtool.evaluate(rules, {OK: "0+996x300", BAD: "0+4x300"}, burning)


def test_metadata_says_what_was_promised(promtool: Promtool, rules: slo.RuleGroup) -> None:
    promtool.evaluate(
        rules,
        {UP: "1x10"},
        [
            ("5m", of(series.OBJECTIVE), 0.995),
            ("5m", of(series.BUDGET), 0.005),
            ("5m", of(series.WINDOW), 2_592_000),
            ("5m", of(series.WINDOW, "latency"), 604_800),
        ],
    )


def test_other_names_become_the_names_of_the_contract(promtool: Promtool, settings: Settings) -> None:
    legacy = slo.group(settings.services[1], "1m")
    values = {
        'app_total{app="legacy",status="/pay",code="200"}': "0+54x60",
        'app_total{app="legacy",status="/pay",code="503"}': "0+6x60",
    }
    promtool.evaluate(
        legacy,
        values,
        [
            (
                "1h",
                *near('service:http_requests:rate5m{service="legacy",endpoint="/pay",status="503",code=""}', 0.1),
            ),
            ("1h", *near('slo:error:ratio_rate28d{service="legacy",slo="availability"}', 0.1)),
            ("1h", *near('slo:availability:ratio_rate30d{service="legacy",slo="availability"}', 0.9)),
        ],
    )


def test_there_are_numbers_before_the_first_slot_has_ended(promtool: Promtool, rules: slo.RuleGroup) -> None:
    early = [("4m", of(series.AVAILABILITY_30D), 1), ("4m", of(series.burn_rate("3d")), 0)]
    promtool.evaluate(rules, {OK: "_ 0+60x10"}, early)


def test_a_window_is_right_though_errors_cross_both_of_its_ends(promtool: Promtool) -> None:
    """7 minutes of 20 errors are still in the day, 23 of 50 already, of 100 requests a minute.

    Half a minute too long at either end: the lead counts on scrapes between the evaluations, these fall on them.
    """
    service = WatchedService(name="checkout", availability=AvailabilitySlo(window="1d"), latency=None)
    values = {OK: "0+100x1600", BAD: "0x40 20+20x29 600x1409 650+50x100"}
    truth = 1290 / (144_000 + 1290)
    promtool.evaluate(
        slo.group(service, "1m"),
        values,
        [
            ("25h3m", *near(of(series.error_ratio("1d")), truth, 0.02)),
            ("25h3m", *near(of(series.ERRORS_PERIOD), 1290, 0.02)),
            ("25h3m", *near(of(series.REQUESTS_PERIOD), 145_290)),
        ],
    )


def test_what_crosses_the_start_of_a_window_leaves_a_share(promtool: Promtool) -> None:
    """One minute of requests before the window and one in it, in which all fail; then errors before it only."""
    service = WatchedService(name="checkout", availability=AvailabilitySlo(window="1d"), latency=None)
    rules = slo.group(service, "1m")
    values = {OK: "0x63 50x1600", BAD: "0x64 50x1600"}
    promtool.evaluate(rules, values, [("25h4m", of(series.error_ratio("1d")), 1)])
    values = {OK: "0x1600", BAD: "0x63 50x1600"}
    before = [("25h4m", of(record), value) for record, value in ((series.ERRORS_PERIOD, 0), (series.GOOD_PERIOD, 1))]
    promtool.evaluate(rules, values, before)


@pytest.mark.parametrize("window", ["30m", "1h", "2h", "6h"])
def test_an_outage_leaves_a_short_window_when_its_last_minute_does(
    promtool: Promtool, rules: slo.RuleGroup, window: str
) -> None:
    """10 minutes without a good request, 7 hours in; what a window holds of them as they leave it.

    Half a minute is in doubt at either end, as above.
    """
    minutes = milliseconds(window) // 60_000
    values = {OK: "0+100x420 42000x9 42100+100x1000", BAD: "0x420 100+100x9 1000x1000"}
    start = 420 + minutes  # the outage's first minute is the window's oldest
    checks = [
        (f"{start + gone}m", *near(of(series.error_ratio(window)), (10 - gone) / minutes, 1 / (10 - gone)))
        for gone in (0, 3, 6)
    ]
    promtool.evaluate(rules, values, [*checks, (f"{start + 12}m", of(series.error_ratio(window)), 0)])
