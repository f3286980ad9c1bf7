"""Times that count for no SLO: once, added before or afterwards, and at hours of the week. By promtool."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from dashboards import executive_slo_report, queries, report_queries, slo_overview
from observability import alerts
from observability.names import series
from observability.rules import exclusions, slo
from observability.settings import Exclusion, Settings, WatchedService, checks
from observability.watched import STACK
from tests.observability.rules.conftest import near
from tests.observability.rules.test_slo_numbers import of

if TYPE_CHECKING:
    from tests.observability.rules.conftest import Promtool

MINUTE, HOUR, DAY = 60, 3600, 86_400
GOOD, BAD = (f'http_requests_total{{service="checkout", status="{status}"}}' for status in ("200", "500"))
OUTAGE = {GOOD: "0+60x120 7200x59 7260+60x179", BAD: "0x120 60+60x59 3600x179"}
"""Two good hours, one in which everything fails, three good ones."""


def excluding(*excluded: dict[str, Any], **slo_fields: object) -> slo.RuleGroup:
    service = {"name": "checkout", "availability": slo_fields, "latency": None}
    found = tuple(Exclusion.model_validate({"reason": "maintenance"} | one) for one in excluded)
    return slo.group(WatchedService.model_validate(service), "1m", found)


def once(start: str, end: str) -> dict[str, str]:
    return {"start": f"1970-01-01T{start}Z", "end": f"1970-01-01T{end}Z"}


def numbers(at: str, errors: float, requests: float) -> list[tuple[str, str, float | None]]:
    """Return what every number of the window has to be."""
    left = 1 - errors / requests / 0.005
    return [
        (at, f"round({of(series.ERRORS_PERIOD)})", errors),
        (at, f"round({of(series.REQUESTS_PERIOD)})", requests),
        (at, f"round({of(series.BUDGET_REMAINING)}, 0.001)", round(left, 3)),
    ]


def test_an_outage_in_an_exclusion_costs_no_budget(promtool: Promtool) -> None:
    promtool.evaluate(excluding(once("02:00", "03:00")), OUTAGE, numbers("5h", 0, 60 * 240))


@pytest.mark.parametrize("parts", [("02:00", "02:30"), ("01:00", "02:30")])
def test_what_is_outside_of_it_counts(promtool: Promtool, parts: tuple[str, str]) -> None:
    good = 60 * (240 - (60 if parts[0] == "01:00" else 0))
    promtool.evaluate(excluding(once(*parts)), OUTAGE, numbers("5h", 1800, good + 1800))


def test_two_that_overlap_are_subtracted_once(promtool: Promtool) -> None:
    both = once("02:00", "02:40"), once("02:20", "03:00")
    promtool.evaluate(excluding(*both), OUTAGE, numbers("5h", 0, 60 * 240))


def test_no_alert_fires_while_it_lasts_and_the_first_hour_after_it_is_its_own(promtool: Promtool) -> None:
    rules = excluding(once("02:00", "02:50"))
    during = [(f"2h{minute}m", f"max_over_time({of(series.PAGE_RATIO)}[5m]) >= bool 1", 0) for minute in (10, 30, 50)]
    during += [("2h40m", of(series.error_ratio(window)), 0) for window in ("5m", "30m", "1h", "6h", "1d", "30d")]
    promtool.evaluate(rules, OUTAGE, [*during, ("3h", f"{of(series.PAGE_RATIO)} >= bool 1", 1)])


def test_the_edge_of_a_window_passes_through_it(promtool: Promtool) -> None:
    """At 3h20m the last hour reaches back to 2h20m: 20 excluded minutes are out of it, 40 are in."""
    rules = excluding(once("02:00", "02:40"))
    promtool.evaluate(
        rules,
        OUTAGE,
        [
            ("3h20m", *near(of(series.error_ratio("1h")), 20 / 40)),
            ("3h50m", *near(of(series.error_ratio("1h")), 10 / 60)),
            ("3h20m", *near(of(series.error_ratio("6h")), 20 / 160)),
        ],
    )


def test_one_that_is_longer_than_a_day_and_not_over(promtool: Promtool) -> None:
    long = {"start": "1970-01-01T02:00Z", "end": "1970-01-20T00:00Z"}
    promtool.evaluate(excluding(long), OUTAGE, numbers("5h", 0, 60 * 120))


def test_hours_of_the_week_count_nothing(promtool: Promtool) -> None:
    """1970 began on a Thursday."""
    thursday = {"weekdays": ["thursday"], "start": "02:00", "end": "03:00"}
    promtool.evaluate(excluding(thursday), OUTAGE, numbers("5h", 0, 60 * 240))
    friday = thursday | {"weekdays": ["friday"]}
    promtool.evaluate(excluding(friday), OUTAGE, numbers("5h", 3600, 60 * 300))
    over_midnight = {"weekdays": ["wednesday"], "start": "23:00", "end": "02:30"}
    promtool.evaluate(excluding(over_midnight), OUTAGE, numbers("5h", 1800, 60 * 150))


def test_one_for_another_slo_changes_nothing() -> None:
    service = WatchedService.model_validate({"name": "checkout"})
    other = Exclusion.model_validate({"reason": "x", "slos": ["latency"]} | once("02:00", "03:00"))
    plain, excluded = slo.group(service, "1m"), slo.group(service, "1m", (other,))
    changed = {r.labels["slo"] for r, p in zip(excluded.rules, plain.rules, strict=True) if r != p}
    assert changed == {"latency"}


def test_spans_are_merged_and_cut_at_the_first_of_a_month() -> None:
    def excluded(start: str, end: str) -> Exclusion:
        return Exclusion(start=start, end=end, reason="x")

    found = (
        excluded("2026-01-31T22:00+00:00", "2026-02-01T02:00Z"),
        excluded("2026-02-01T01:00Z", "2026-02-01T05:00+02:00"),
    )
    (merged,) = exclusions.spans(found)
    border = 1_769_904_000
    assert merged == exclusions.Span(border - 2 * HOUR, border + 3 * HOUR)
    first, second = exclusions.spans(found, "month")
    assert (first.ends, second.begins) == (border, border)
    assert exclusions.number_of(second, "month") == exclusions.number_of(first, "month") + 1
    assert exclusions.spans(found, "quarter") == (merged,)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"start": "2026-11-20T22:00", "end": "2026-11-21T22:00Z"}, "a moment in whole minutes with its zone"),
        ({"start": "2026-11-21T22:00Z", "end": "2026-11-20T22:00Z"}, "after start"),
        ({"start": "2026-11-21T22:00Z", "end": "2026-12-25T22:00Z"}, "at most 31 days"),
        ({"start": "22:00", "end": "23:00"}, "moments with date and zone"),
        ({"start": "22:00", "end": "22:00", "weekdays": ["sunday"]}, "another time of day"),
        ({"start": "2026-11-20T22:00Z", "end": "2026-11-21T22:00Z", "weekdays": ["sunday"]}, "times of day"),
        ({"start": "2026-13-20T22:00Z", "end": "2026-11-21T22:00Z"}, "a moment in whole minutes"),
    ],
)
def test_what_is_no_exclusion_is_refused(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Exclusion.model_validate({"reason": "x"} | wrong)


def settings_of(*excluded: dict[str, Any], **more: object) -> Settings:
    services = [{"name": "checkout", "targets": ["checkout:8000"], "latency": None} | more]
    once_a_year = {"start": "2026-11-20T22:00Z", "end": "2026-11-21T22:00Z", "reason": "Database upgrade"}
    return Settings.model_validate(
        {"stack": "test", "services": services, "exclusions": [once_a_year | one for one in excluded]}
    )


def test_a_service_that_is_not_there_is_refused() -> None:
    (problem,) = checks.across(settings_of({"services": ["chequeout"]}))
    assert problem.startswith("exclusions[0].services: 'chequeout'; accepted: names of services: checkout, grafana")
    (problem,) = checks.across(settings_of({"services": ["checkout"], "slos": ["latency"]}))
    assert problem == "exclusions[0].slos: 'latency'; accepted: SLOs of these services: availability"
    assert checks.across(settings_of({"services": ["checkout"], "slos": ["availability"]})) == []
    assert tuple(service.name for service in STACK) == checks.WATCHED_BY_ITSELF


def test_too_many_are_refused() -> None:
    (problem,) = checks.across(settings_of(*[{} for _ in range(checks.MOST_EXCLUSIONS + 1)]))
    assert problem.startswith("exclusions: 51 of them; accepted: at most 50")


def test_windows_and_slices_that_do_not_fit_are_refused() -> None:
    (problem,) = checks.across(settings_of(availability={"window": "quarter"}))
    assert "with prometheusRetention of at least 92d; it is 40d" in problem
    assert checks.across(settings_of(availability={"window": "Month"})) == []
    slices = settings_of(availability={"timeSlice": {"atLeast": 95}}).model_copy(update={"rule_interval": "5m"})
    (problem,) = checks.across(slices)
    assert "timeSlice.length: '1m'; accepted: a multiple of ruleInterval, which is 5m" in problem


def test_alerts_and_dashboards_know_of_it() -> None:
    settings = settings_of({"services": ["checkout"]})
    plain = settings.model_copy(update={"exclusions": ()})
    changed = {
        alert.kind
        for old, new in zip(alerts.groups(plain), alerts.groups(settings), strict=True)
        for before, alert in zip(old.alerts, new.alerts, strict=True)
        if before != alert
    }
    assert changed == {"service-gone", "service-uncounted", "target-down", "slo-unmeasured"}
    report = executive_slo_report.build(settings).to_json()
    assert "Database upgrade" in report
    assert "2026-11-20T22:00Z to 2026-11-21T22:00Z" in report
    assert "Database upgrade" in slo_overview.build(settings).to_json()
    assert "What does not count?" not in executive_slo_report.build(plain).to_json()


def test_what_dashboards_ask_of_it_is_valid(promtool: Promtool) -> None:
    settings = settings_of(
        {}, {"services": ["checkout"], "reason": "x", "weekdays": ["sunday"], "start": "22:00", "end": "23:00"}
    )
    asked = {
        "slo:excluded:now": queries.excluded(settings),
        "slo:excluded:weeks": report_queries.good(settings, "7d", "7d"),
        "slo:excluded:incidents": report_queries.incident_spent(settings),
    }
    rules = tuple(slo.RecordingRule(name, expr.replace("$__range", "1h"), {}) for name, expr in asked.items())
    result = promtool.lint({"asked.yml": slo.to_yaml(slo.RuleGroup("asked", "1m", rules))})
    assert result.returncode == 0, result.stdout + result.stderr
