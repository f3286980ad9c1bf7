"""An SLO of each value of a label, by promtool: as right as the whole, bounded, and with alerts of its own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dashboards import service_detail
from observability.alerts import groups
from observability.names import series
from observability.rules import slo
from observability.settings import SettingsError, WatchedService, load
from tests.observability.rules.conftest import Promtool

REQUESTS = 'http_requests_total{{service="shop",instance="i",job="shop",endpoint="{}",status="{}"}}'
UP = 'up{job="shop",instance="i"}'
INPUTS = {
    REQUESTS.format("/a", 200): "0+99x120",
    REQUESTS.format("/a", 500): "0+1x120",
    REQUESTS.format("/b", 200): "0+50x120",
    REQUESTS.format("/c", 500): "_x30 20+20x90",  # born at 31m, and fails from then on
    UP: "1x120",
}


def divided(at_most: int, **more: Any) -> slo.RuleGroup:  # noqa: ANN401 - settings
    each = {"label": "endpoint", "atMost": at_most}
    service = {"name": "shop", "latency": None, "availability": {"each": each, **more}}
    return slo.group(WatchedService.model_validate(service), "1m")


def of(record: str, value: str, name: str = "availability") -> str:
    return f'{record}{{service="shop",slo="{name}",value="{value}"}}'


def test_each_value_has_its_own_numbers(promtool: Promtool) -> None:
    """A value that is born later is counted from its first event on."""
    promtool.evaluate(
        divided(5),
        INPUTS,
        [
            ("2h", of(series.VALUE_REQUESTS_PERIOD, "/a"), 12_000),
            ("2h", of(series.VALUE_ERRORS_PERIOD, "/a"), 120),
            ("2h", of(series.VALUE_REQUESTS_PERIOD, "/b"), 6_000),
            ("2h", of(series.VALUE_ERRORS_PERIOD, "/b"), 0),
            ("2h", of(series.VALUE_REQUESTS_PERIOD, "/c"), 1_820),
            ("2h", of(series.VALUE_ERRORS_PERIOD, "/c"), 1_820),
            ("2h", f"round({of(series.VALUE_BUDGET_REMAINING, '/a')}, 0.0001)", -1),
            ("2h", of(series.VALUE_BUDGET_REMAINING, "/b"), 1),
            ("2h", f'{series.VALUES_LEFT_OUT}{{service="shop",slo="availability"}}', 0),
            ("2h", f'sum({series.ERRORS_PERIOD}{{service="shop",slo="availability"}})', 1_940),
        ],
    )


def test_a_value_pages_alone(promtool: Promtool) -> None:
    page = series.VALUE_PAGE_RATIO
    checks: list[tuple[str, str, float | None]] = [
        ("33m", f"{of(page, '/c')} >= bool 1", 0),  # two minutes of an hour that counts as good
        ("40m", f"{of(page, '/c')} >= bool 1", 1),
        ("40m", f"{of(page, '/a')} >= bool 1", 0),
        ("40m", of(page, "/b"), 0),
    ]
    promtool.evaluate(divided(5), INPUTS, checks)


def test_the_first_values_stay_and_others_are_told(promtool: Promtool) -> None:
    """/c comes when both places are taken."""
    known = f'count({series.VALUE_KNOWN}{{service="shop",slo="availability"}})'
    left = f'{series.VALUES_LEFT_OUT}{{service="shop",slo="availability"}}'
    promtool.evaluate(
        divided(2),
        INPUTS,
        [
            ("2h", known, 2),
            ("2h", left, 1),
            ("2h", of(series.VALUE_REQUESTS_PERIOD, "/a"), 12_000),
            ("2h", of(series.VALUE_REQUESTS_PERIOD, "/c"), None),
        ],
    )


def test_a_restart_and_a_gap_lose_nothing(promtool: Promtool) -> None:
    """The process begins again under its name at 40m; none is scraped from 60m to 70m while requests fail."""
    inputs = {
        REQUESTS.format("/a", 200): "0+60x39 60+60x19 _x10 1860+60x60",
        REQUESTS.format("/a", 500): "0x20 3x18 _x6 3x14 _x10 53x60",
        UP: "1x59 0x10 1x60",
    }
    promtool.evaluate(
        divided(2),
        inputs,
        [
            ("2h", of(series.VALUE_ERRORS_PERIOD, "/a"), 56),
            ("2h", f'sum({series.ERRORS_PERIOD}{{service="shop",slo="availability"}})', 56),
        ],
    )


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"window": "month", "each": {"label": "tenant"}}, "rolling window"),
        ({"timeSlice": {"atLeast": 95}, "each": {"label": "tenant"}}, "without timeSlice"),
        ({"each": {"label": "le"}}, "not le"),
        ({"each": {"label": "tenant", "atMost": 1000}}, "from 1 to 200"),
    ],
)
def test_what_cannot_be_divided_is_refused(fields: dict[str, Any], said: str) -> None:
    services = json.dumps([{"name": "shop", "targets": ["shop:1"], "availability": fields}])
    with pytest.raises(SettingsError, match=said):
        load("test", {"services": services})


@pytest.mark.parametrize(
    "fields",
    [
        {"gauge": "probe_success"},
        {"good": 'sum(rate(a_total{ok="1"}[5m]))', "total": "sum(rate(a_total[5m]))"},
    ],
)
def test_what_has_lost_its_labels_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="each"):
        WatchedService.model_validate(
            {"name": "shop", "slos": [{"name": "own", "objective": 99, "each": {"label": "tenant"}, **fields}]}
        )


def test_the_service_page_has_their_table_only_where_there_are_any() -> None:
    def titles(availability: dict[str, Any]) -> str:
        services = [{"name": "shop", "targets": ["shop:1"], "availability": availability}]
        return service_detail.build(load("test", {"services": json.dumps(services)})).to_json()

    assert "Objectives of single values" in titles({"each": {"label": "tenant"}})
    assert "Objectives of single values" not in titles({})


def test_each_value_alerts() -> None:
    services = [{"name": "shop", "targets": ["shop:1"], "availability": {"each": {"label": "tenant"}}}]
    alerts = [
        a for g in groups(load("test", {"services": json.dumps(services)})) for a in g.alerts if "tenant" in a.title
    ]
    assert [a.kind for a in alerts] == ["slo-burning-fast", "slo-burning-slowly"]
    assert "{{ $labels.value }}" in alerts[0].summary
