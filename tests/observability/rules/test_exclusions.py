"""Times that count for no SLO: once, added before or afterwards, and at hours of the week. By promtool."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from observability.names import series
from observability.rules import exclusions, slo
from observability.settings import Exclusion, WatchedService
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
