"""What the report says of incidents, by promtool: the rules' series, asked with the report's own queries."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from dashboards import report_queries
from observability.names import series
from observability.rules import slo
from observability.rules.incidents import QUIET, SEVERITIES
from observability.settings import Settings
from tests.observability.rules.conftest import Promtool

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

HOUR = 60
"""Here all times are minutes."""
BORDER = 6 * HOUR
PER_MINUTE = 60
REQUESTS = 'http_requests_total{{service="shop",endpoint="/pay",method="GET",status="{}"}}'
OF_INCIDENTS = {
    *(series.FAILING_SECONDS, series.INCIDENT_SINCE, series.INCIDENT_START, series.INCIDENT_ERRORS),
    *(series.INCIDENT_SECONDS, series.INCIDENT_WORST, series.INCIDENT_ALERT),
}
EXCLUDED = {"reason": "a load test", "start": "1970-01-01T05:00Z", "end": "1970-01-01T07:00Z"}


def settings_of(**more: Any) -> Settings:  # noqa: ANN401
    services = [{"name": "shop", "latency": None}]
    return Settings.model_validate({"stack": "test", "watchStack": False, "services": services, **more})


@dataclass(frozen=True)
class Past:
    """A service of 60 requests a minute, all of which fail in some minutes, and a page while two others pass.

    Args:
        minutes: how long it is.
        failing: when requests fail.
        paged: when the page fires.
        away: when Prometheus is.

    """

    minutes: int
    failing: Sequence[range]
    paged: range = range(0)
    away: range = range(0)

    def inputs(self) -> dict[str, str]:
        """Return what the rules of incidents read, and whether they are evaluated."""
        moments = range(self.minutes + 1)
        bad = [0]
        for minute in range(self.minutes):
            bad.append(bad[-1] + PER_MINUTE * any(minute in outage for outage in self.failing))
        written: dict[str, list[float]] = {
            series.SLO_ERRORS_TOTAL: [float(count) for count in bad],
            series.SLO_REQUESTS_TOTAL: [float(PER_MINUTE * minute) for minute in moments],
            series.error_ratio("5m"): [(bad[m] - bad[max(m - 5, 0)]) / (5 * PER_MINUTE) for m in moments],
            series.PAGE_RATIO: [float(minute in self.paged) for minute in moments],
            series.BUDGET: [0.005 for _ in moments],
            series.REQUESTS_PERIOD: [1e6 for _ in moments],
        }
        own = '{service="shop",slo="availability"}'
        there = [int(minute not in self.away) for minute in range(self.minutes + 1)]
        return {
            "evaluating": " ".join(map(str, there)),
            **{
                record + own: " ".join(
                    f"{value:g}" if answers else "_" for value, answers in zip(values, there, strict=True)
                )
                for record, values in written.items()
            },
        }


@dataclass(frozen=True)
class Report:
    """The report's queries, at the end of a past."""

    promtool: Promtool
    settings: Settings

    @property
    def rows(self) -> str:
        return f"count({report_queries.incident_spent(self.settings)})"

    def of(self, began: int, minutes: int) -> str:
        """Return how many of the numbers of an incident are as `minutes` of it that fail make them."""
        values = {
            report_queries.incident_start(): 60_000 * began,
            report_queries.incident_failed(self.settings): PER_MINUTE * minutes,
            report_queries.incident_seconds(self.settings): 60 * minutes,
            report_queries.incident_worst(): min(minutes, 5) / 5,
            report_queries.incident_spent(self.settings): PER_MINUTE * minutes / 5000,
        }
        this = f'{{began="{60 * began}"}}[30d]'
        own = (f"abs(sum({query.replace('[30d]', this)}) - {value}) < bool 1e-6" for query, value in values.items())
        return " + ".join(f"(({one}) or vector(-10))" for one in own)

    def shows(self, past: Past, *checks: tuple[str, float | None], recorded_with: Settings | None = None) -> None:
        (service,) = self.settings.services
        group = slo.group(service, "1m", (recorded_with or self.settings).exclusions)
        rules = tuple(
            replace(rule, expr=f"({rule.expr}) and on () (evaluating == 1)")
            for rule in group.rules
            if rule.record in OF_INCIDENTS
        )
        asked = [(f"{past.minutes}m", query.replace(" @ end()", ""), value) for query, value in checks]
        self.promtool.evaluate(replace(group, rules=rules), past.inputs(), asked)


RIGHT = 5.0


@pytest.fixture
def report(promtool: str, tmp_path: Path) -> Report:
    return Report(Promtool(promtool, tmp_path), settings_of())


def test_three_minutes_without_an_answer(promtool: str, tmp_path: Path) -> None:
    """From the counters on: all requests fail from 2:00 to 2:03: 60 % of the worst 5 minutes, and 180 seconds."""
    inputs = {
        REQUESTS.format(200): "0+60x120 7200x2 7260+60x60",
        REQUESTS.format(500): "0x120 60 120 180x61",
        'up{job="shop",instance="a"}': "1x200",
    }
    settings = settings_of()
    (service,) = settings.services
    checks = [
        ("3h", f"round({report_queries.incident_worst()}, 0.001)", 0.6),
        ("3h", report_queries.incident_seconds(settings), 180.0),
        ("3h", report_queries.incident_failed(settings), 180.0),
        ("3h", report_queries.incident_start(), 7_200_000.0),
        ("3h", report_queries.incident_alert(), float(SEVERITIES["ticket"])),
    ]
    Promtool(promtool, tmp_path).evaluate(slo.group(service, "1m"), inputs, checks)


def test_an_incident_across_a_border_of_a_part_of_the_day(report: Report) -> None:
    past = Past(BORDER + 2 * HOUR, [range(BORDER - 30, BORDER + 45)])
    report.shows(past, (report.rows, 1.0), (report.of(BORDER - 30, 75), RIGHT))


def test_an_incident_across_three_borders(report: Report) -> None:
    past = Past(20 * HOUR, [range(BORDER - 10, 3 * BORDER + 10)])
    report.shows(past, (report.rows, 1.0), (report.of(BORDER - 10, 2 * BORDER + 20), RIGHT))


def test_two_incidents_in_one_part_of_the_day(report: Report) -> None:
    past = Past(5 * HOUR, [range(HOUR, HOUR + 4), range(2 * HOUR, 2 * HOUR + 9)])
    report.shows(past, (report.rows, 2.0), (report.of(HOUR, 4), RIGHT), (report.of(2 * HOUR, 9), RIGHT))


def test_a_pause_shorter_than_the_quiet_time_is_the_same_incident(report: Report) -> None:
    past = Past(3 * HOUR, [range(HOUR, HOUR + 4), range(HOUR + 20, HOUR + 24)])
    report.shows(past, (report.rows, 1.0), (report_queries.incident_seconds(report.settings), 8 * 60.0))
    assert QUIET == "30m"


def test_an_incident_that_still_runs(report: Report) -> None:
    past = Past(BORDER + 20, [range(BORDER - 20, BORDER + 20)])
    report.shows(
        past,
        (report.rows, 1.0),
        (report.of(BORDER - 20, 40), RIGHT),
        (series.INCIDENT_SINCE, 60.0 * (BORDER - 20)),
    )


def test_prometheus_is_away_in_an_incident(report: Report) -> None:
    """It goes on, with the requests of the hour, which counts as one minute: no rule saw when in it they failed."""
    past = Past(6 * HOUR, [range(HOUR, 4 * HOUR)], away=range(2 * HOUR, 3 * HOUR))
    report.shows(
        past,
        (report.rows, 1.0),
        (report_queries.incident_start(), 60_000.0 * HOUR),
        (report_queries.incident_failed(report.settings), 3.0 * HOUR * PER_MINUTE),
        (report_queries.incident_seconds(report.settings), 60.0 * (59 + 1 + 60)),
    )


def test_an_incident_ends_while_prometheus_is_away(report: Report) -> None:
    past = Past(6 * HOUR, [range(HOUR, 2 * HOUR), range(5 * HOUR, 5 * HOUR + 5)], away=range(HOUR + 30, 2 * HOUR + 30))
    report.shows(
        past,
        (report.rows, 2.0),
        (report_queries.incident_failed(report.settings), 65.0 * PER_MINUTE),
    )


def test_an_alert_makes_an_incident_worth_telling(report: Report) -> None:
    small = Past(3 * HOUR, [range(HOUR, HOUR + 1)])
    least = settings_of(thresholds={"incidentPercent": 5})
    strict = replace(report, settings=least)
    strict.shows(small, (strict.rows, None))
    strict.shows(
        replace(small, paged=range(HOUR + 1, HOUR + 3)), (strict.rows, 1.0), (report_queries.incident_alert(), 2.0)
    )


def test_what_is_excluded_is_no_incident(report: Report) -> None:
    """Planned: nothing is recorded. After the fact: taken off what was recorded, of the part that is excluded."""
    past = Past(9 * HOUR, [range(5 * HOUR + 30, 7 * HOUR + 10)])
    excluding = replace(report, settings=settings_of(exclusions=[EXCLUDED]))
    kept = [
        (excluding.rows, 1.0),
        (report_queries.incident_failed(excluding.settings), 10.0 * PER_MINUTE),
        (report_queries.incident_seconds(excluding.settings), 600.0),
    ]
    excluding.shows(past, *kept)
    excluding.shows(past, *kept, recorded_with=report.settings)
