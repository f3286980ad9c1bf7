"""The shape of the rules: names, labels, order, and that every expression is PromQL."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import promql_parser
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from observability.names import series
from observability.rules import slo
from observability.rules.windows import BURN_ALERTS, BURN_WINDOWS, canonical
from observability.settings import LabelNames, LatencySlo, Settings, WatchedService, milliseconds, seconds
from observability.watched import STACK, watched

if TYPE_CHECKING:
    from collections.abc import Iterator

# Read in the sources: pkg/middleware/request_metrics.go, web/web.go, dskit's instrument.DefBuckets.
BUCKETS = {
    "grafana": (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25),
    "prometheus": (0.1, 0.2, 0.4, 1, 3, 8, 20, 60, 120),
    "loki": (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100),
}
CARRIED = {
    *(series.SLO_REQUESTS_TOTAL, series.SLO_ERRORS_TOTAL, series.SLO_GOOD_TOTAL),
    *(series.SLO_REQUESTS_MARK, series.SLO_ERRORS_MARK),
    *(series.PAGE_RATIO, series.TICKET_RATIO),
    *(series.SLO_REQUESTS_SLOTS, series.SLO_ERRORS_SLOTS, series.COVERAGE, series.DURATION_P99_7D),
    *(series.SLO_READ, series.SLO_RESTARTED),
    *(series.INCIDENT_SINCE, series.INCIDENT_ERRORS, series.INCIDENT_SECONDS),
    *(series.INCIDENT_WORST, series.INCIDENT_ALERT),
}
"""What an evaluation continues from what the last one recorded."""
JUST_NOW = "30s"
"""Half an interval: what this evaluation recorded."""
WINDOW = re.compile(r"\[([0-9a-z]+)\]")


def every_rule(settings: Settings) -> Iterator[dict[str, Any]]:
    for text in slo.render(settings).values():
        for group in yaml.safe_load(text)["groups"]:
            yield from group["rules"]


def one(group: slo.RuleGroup, record: str, kind: str | None = None) -> slo.RecordingRule:
    (result,) = [r for r in group.rules if r.record == record and r.labels.get("slo") == kind]
    return result


def test_one_file_and_one_group_a_service(settings: Settings) -> None:
    files = slo.render(settings)
    assert list(files) == [
        f"slo-{name}.yml" for name in ("checkout", "legacy", "single", "grafana", "prometheus", "loki")
    ]
    for name, text in files.items():
        (group,) = yaml.safe_load(text)["groups"]
        assert group["name"] == name.removesuffix(".yml")
        assert group["interval"] == settings.rule_interval


def test_rendering_is_deterministic(settings: Settings) -> None:
    assert slo.render(settings) == slo.render(settings.model_copy(deep=True))


def test_the_stack_is_watched_only_when_asked(settings: Settings) -> None:
    alone = settings.model_copy(update={"watch_stack": False})
    assert watched(settings) == (*settings.services, *STACK)
    assert watched(alone) == settings.services


@pytest.mark.parametrize("service", STACK, ids=lambda s: s.name)
def test_the_threshold_of_the_stack_is_a_bucket(service: WatchedService) -> None:
    assert service.latency is not None
    assert seconds(service.latency.threshold) in BUCKETS[service.name]
    assert f'job="{service.name}"' in service.matchers


def test_every_expression_parses(settings: Settings) -> None:
    for rule in every_rule(settings):
        promql_parser.parse(rule["expr"])


def test_names_are_level_metric_operations_and_labels_tell_whose(settings: Settings) -> None:
    for rule in every_rule(settings):
        assert re.fullmatch(r"(service|slo):[a-z_]+:[a-z0-9_]+", rule["record"])
        level = {"service": {"service"}, "slo": {"service", "slo"}}[rule["record"].split(":")[0]]
        assert set(rule["labels"]) == level


def test_no_series_is_recorded_twice(settings: Settings) -> None:
    keys = [(r["record"], *sorted(r["labels"].items())) for r in every_rule(settings)]
    assert len(keys) == len(set(keys))


def test_a_rule_reads_only_what_was_recorded_before_it(settings: Settings) -> None:
    for service in watched(settings):
        seen: set[tuple[str, str | None]] = set()
        for rule in slo.group(service, "1m").rules:
            for name, matchers, window in re.findall(r"((?:service|slo):\w+:\w+)\{([^}]*)\}(\[?)", rule.expr):
                assert f'service="{service.name}"' in matchers
                kind = re.search(r'slo="(\w+)"', matchers)
                earlier = window and name in CARRIED  # by an earlier evaluation
                assert earlier or (name, kind[1] if kind else None) in seen, f"{rule.record} reads {name} too early"
            seen.add((rule.record, rule.labels.get("slo")))


def test_a_whole_window_is_read_by_three_rules_only(rules: slo.RuleGroup) -> None:
    """8,640 samples each; everything else about 30 days comes from them."""
    long = [r.record for r in rules.rules for w in WINDOW.findall(r.expr) if milliseconds(w) > milliseconds("3d")]
    assert sorted(long) == sorted(2 * [series.SLO_REQUESTS_SLOTS, series.SLO_ERRORS_SLOTS, series.COVERAGE])


def test_what_reads_weeks_is_evaluated_once_in_5_minutes(rules: slo.RuleGroup) -> None:
    seldom = {series.SLO_REQUESTS_SLOTS, series.SLO_ERRORS_SLOTS, series.COVERAGE, series.DURATION_P99_7D}
    assert {rule.record for rule in rules.rules if re.search(r"\[[12]m:5m\]", rule.expr)} == seldom


def test_days_are_read_from_slots_only(rules: slo.RuleGroup) -> None:
    for rule in rules.rules:
        for name, window in re.findall(r"(slo:\w+:\w+)\{[^}]*\}\[(\w+)\]", rule.expr):
            if name in CARRIED:
                continue
            slots = name in {series.SLO_REQUESTS_SLOT, series.SLO_ERRORS_SLOT} and window != JUST_NOW
            assert slots == (milliseconds(window) >= milliseconds(slo.LONG_WINDOW)), rule.record


def test_all_series_of_the_issue_are_there(rules: slo.RuleGroup) -> None:
    recorded = {(r.record, r.labels.get("slo")) for r in rules.rules}
    for kind, window in (("availability", "30d"), ("latency", "7d")):
        per_slo = {
            *(series.error_ratio(w) for w in ("5m", "30m", "1h", "2h", "6h", "1d", "3d", window)),
            *(series.burn_rate(w) for w in BURN_WINDOWS),
            *(series.budget_consumed(w) for w in ("1h", "6h", "3d")),
            *(series.good_ratio(kind, w) for w in ("5m", window)),
            *(series.OBJECTIVE, series.BUDGET, series.WINDOW, series.COVERAGE, series.GOOD_PERIOD),
            *(series.BUDGET_REMAINING, series.BURN_RATE_PERIOD, series.SLO_REQUESTS, series.SLO_ERRORS),
        }
        assert {(name, kind) for name in per_slo} <= recorded
    assert (series.THRESHOLD, "latency") in recorded
    assert {series.AVAILABILITY_30D, series.AVAILABILITY_5M, series.LATENCY_5M} <= {name for name, _ in recorded}


def test_another_window_keeps_the_30_days(settings: Settings) -> None:
    group = slo.group(settings.services[1], "1m")
    assert "[30d]" in one(group, series.error_ratio("30d"), "availability").expr
    assert one(group, series.AVAILABILITY_30D, "availability")
    assert one(group, series.good_ratio("availability", "28d"), "availability")
    assert one(group, series.WINDOW, "availability").expr == "vector(2419200)"


def test_labels_get_the_names_of_the_contract(settings: Settings) -> None:
    legacy = one(slo.group(settings.services[1], "1m"), series.REQUESTS).expr
    copy_endpoint, copy_status = (
        legacy.index(f'"{new}", "$1", "{old}"') for new, old in (("endpoint", "status"), ("status", "code"))
    )
    assert copy_endpoint < copy_status, "status is read before it is overwritten"
    assert legacy.startswith("sum by (endpoint, status) (")
    own = one(slo.group(settings.services[0], "1m"), series.REQUESTS).expr
    assert own == 'sum by (endpoint, method, status) (rate(http_requests_total{service="checkout"}[5m]))'


def test_labels_in_a_circle_are_refused() -> None:
    with pytest.raises(ValueError, match="circle"):
        slo.group(WatchedService(name="odd", labels=LabelNames(endpoint="method", method="endpoint")), "1m")


def test_a_service_without_a_gauge_has_no_in_progress(settings: Settings) -> None:
    records = [r.record for r in slo.group(settings.services[1], "1m").rules]
    assert series.IN_PROGRESS not in records


@pytest.mark.parametrize(
    ("threshold", "le"), [("300ms", "0.3"), ("1s", "1"), ("1s", "1.0"), ("2500ms", "2.5"), ("1m", "60.0")]
)
def test_le_is_found_as_it_is_scraped_and_as_it_is_pushed(threshold: str, le: str) -> None:
    service = WatchedService(name="a", latency=LatencySlo(threshold=threshold))
    patterns = set(re.findall(r'le=~"([^"]+)"', one(slo.group(service, "1m"), series.SLO_GOOD_TOTAL, "latency").expr))
    (pattern,) = patterns
    assert re.fullmatch(pattern, le)
    assert not re.fullmatch(pattern, f"1{le}")
    assert not re.fullmatch(pattern, le.replace(".", "x") + "0")


def test_the_burn_pairs_are_those_of_the_workbook() -> None:
    assert [(a.severity, a.factor, a.long, a.short) for a in BURN_ALERTS] == [
        ("page", 14.4, "1h", "5m"),
        ("page", 6, "6h", "30m"),
        ("ticket", 3, "1d", "2h"),
        ("ticket", 1, "3d", "6h"),
    ]
    assert BURN_WINDOWS == ("5m", "30m", "1h", "2h", "6h", "1d", "3d")


@given(st.integers(min_value=1, max_value=10**10))
def test_a_window_has_one_name(size: int) -> None:
    assert milliseconds(canonical(f"{size}ms")) == size
    assert canonical(canonical(f"{size}ms")) == canonical(f"{size}ms")


@given(st.sampled_from([99.9, 99.5, 99.95, 99, 95.0, 99.999, 33.3]))
def test_a_budget_has_no_dust(objective: float) -> None:
    service = WatchedService.model_validate({"name": "a", "availability": {"objective": objective}})
    budget = one(slo.group(service, "1m"), series.BUDGET, "availability").expr
    assert len(budget) <= len("vector(0.00001)")
