"""What every dashboard of the catalogue keeps, whatever the settings are."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import promql_parser as promql
import pytest
import yaml

from dashboards import fields, palette, queries, stack_queries, style
from dashboards.catalogue import built as dashboards
from observability import rules, runbooks, settings, versions
from observability.configs.datasources import datasources
from observability.names import uids
from observability.watched import watched

if TYPE_CHECKING:
    from collections.abc import Iterator

ODD: Final = {
    "name": "billing",
    "targets": ["billing:8000"],
    "selector": 'app="billing", tier="front"',
    "errors": "5..|429",
    "metrics": {"requests": "hits_total", "duration": "hit_seconds", "inProgress": None},
    "labels": {"endpoint": None, "method": None, "status": "code"},
    "availability": {"objective": 99.95, "window": "7d"},
    "latency": {"objective": 95, "threshold": "1s"},
}
CASES: Final[dict[str, dict[str, Any]]] = {
    "the stack alone": {},
    "editable": {"dashboardsEditable": True},
    "nothing watched": {"watchStack": False},
    "one plain service": {"watchStack": False, "services": [{"name": "shop", "targets": ["shop:8000"]}]},
    "an odd one too": {"services": [ODD, {"name": "shop", "targets": ["shop:8000"], "latency": None}]},
    "one without availability": {"services": [{"name": "batch", "targets": ["batch:1"], "availability": None}]},
}
PANELS: Final = {
    uids.HOME: 10,
    uids.SLO_OVERVIEW: 12,
    uids.APPLICATION_PERFORMANCE: 6,
    uids.INFRASTRUCTURE_HEALTH: 4,
    uids.SERVICE_DETAIL: 13,
    uids.LOGS: 5,
    uids.INCIDENT: 8,
    uids.STACK_HEALTH: 17,
    uids.EXECUTIVE_SLO_REPORT: 8,
    uids.RUNBOOKS: len(runbooks.kinds()),
}
RANGES: Final = {
    uids.INFRASTRUCTURE_HEALTH: "now-1h",
    uids.SERVICE_DETAIL: "now-1h",
    uids.LOGS: "now-1h",
    uids.INCIDENT: "now-3h",
    uids.STACK_HEALTH: "now-24h",
    uids.EXECUTIVE_SLO_REPORT: "now-30d",
}
REFRESH: Final = {uids.EXECUTIVE_SLO_REPORT: "15m", uids.RUNBOOKS: ""}
WITHOUT_NUMBERS: Final = {"text", "alertlist", "logs", "nodeGraph"}
ABOUT_THE_STACK: Final = {uids.HOME, uids.STACK_HEALTH}
"""Where what the four services say of themselves may be read as it is; all else reads recorded series."""
OWN: Final[dict[str, Any]] = json.loads((Path(__file__).parent / "own_metrics.json").read_text(encoding="utf-8"))
OWN_METRICS: Final = {name for metrics in OWN["metrics"].values() for name in metrics}
ONLY_AFTER_A_FAULT: Final = {stack_queries.REFUSED, *(name for names in stack_queries.LOST.values() for name in names)}
OWN_COUNTERS: Final = {
    name for metrics in OWN["metrics"].values() for name, kind in metrics.items() if kind == "counter"
}
COLUMNS: Final = 24
SHORTEST_DESCRIPTION: Final = 40
ACTIONS: Final = re.compile(
    r"\b(act|check|choose|click|compare|cache|find|limit|look|lower|narrow|note|open|read|raise|restart|roll back|"
    r"scale|spend|stop|plan)\b",
    re.IGNORECASE,
)
BUILT_IN: Final = {"__range": "6h", "__rate_interval": "1m", "__interval": "30s", "__auto": "1m"}
LINK: Final = re.compile(r"(?:^|(?<=\]\())/d/[^)\s]+")
"""A link of Grafana's own, or one in Markdown."""
VARIABLE: Final = re.compile(r"\$(?:\{(\w+)(?:[.:][\w.]+)?\}|([A-Za-z_]\w*))")
COLOR: Final = re.compile(
    r"#[0-9A-Fa-f]{3,8}|(?:dark-|light-|semi-dark-|super-light-)?(?:red|green|yellow|orange|blue|purple)"
)
RAW_COUNTER: Final = re.compile(r"_(total|count|sum|bucket)$")
OVER_TIME: Final = {"rate", "increase", "irate", "resets"}
WINDOWS: Final = {"$__rate_interval", "$__range"}
"""Follow the resolution, or count the whole time range."""


@dataclass(frozen=True)
class Case:
    """One dashboard under one configuration."""

    settings: settings.Settings
    content: dict[str, Any]

    @property
    def uid(self) -> str:
        uid = self.content["uid"]
        assert isinstance(uid, str)
        return uid

    def rows_and_panels(self) -> Iterator[dict[str, Any]]:
        for panel in self.content["panels"]:
            yield panel
            yield from panel.get("panels", [])

    def panels(self) -> Iterator[dict[str, Any]]:
        yield from (panel for panel in self.rows_and_panels() if panel["type"] != "row")

    def targets(self) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        yield from ((panel, target) for panel in self.panels() for target in panel.get("targets", []))

    def variables(self) -> dict[str, dict[str, Any]]:
        return {variable["name"]: variable for variable in self.content["templating"]["list"]}

    def promql(self) -> Iterator[str]:
        """Every PromQL of the dashboard, with Grafana's variables filled in."""
        for _, target in self.targets():
            if target["datasource"]["uid"] == uids.DATASOURCE_PROMETHEUS:
                yield filled(target["expr"])
        for variable in self.variables().values():
            match = re.fullmatch(r"label_values\((.*), \w+\)", variable.get("definition", ""))
            if match:
                yield filled(match[1])


def load(raw: dict[str, Any]) -> settings.Settings:
    return settings.load("test", {key: json.dumps(value) for key, value in raw.items()})


@cache
def built(name: str) -> tuple[Case, ...]:
    loaded = load(CASES[name])
    return tuple(Case(loaded, json.loads(file.json)) for file in dashboards(loaded))


ALL: Final = [pytest.param(name, uid, id=f"{uid}, {name}") for name in CASES for uid in PANELS]


@pytest.fixture
def case(name: str, uid: str) -> Case:
    (found,) = (case for case in built(name) if case.uid == uid)
    return found


every_dashboard = pytest.mark.parametrize(("name", "uid"), ALL)


def filled(expr: str) -> str:
    return VARIABLE.sub(lambda match: BUILT_IN.get(match[1] or match[2], "x"), expr)


def parts(node: Any) -> list[Any]:  # noqa: ANN401 - the parser's nodes share no type
    """Everything directly below a node of PromQL."""
    below = [getattr(node, name, None) for name in ("expr", "lhs", "rhs", "param", "vector_selector")]
    return [part for part in below if part is not None] + list(getattr(node, "args", None) or [])


def selectors(node: Any, over: str = "") -> Iterator[tuple[promql.VectorSelector, str]]:  # noqa: ANN401 - as above
    """Every selector of an expression, with the function right around it."""
    if isinstance(node, promql.VectorSelector):
        yield node, over
        return
    name = node.func.name if isinstance(node, promql.Call) else over
    for part in parts(node):
        yield from selectors(part, name)


def names(selector: promql.VectorSelector) -> list[str]:
    """Return the metrics that a selector names; a regular expression on the name is a plain list here."""
    if selector.name:
        return [selector.name]
    found = [str(m.value) for m in selector.matchers.matchers if m.name == "__name__"]
    return found[0].split("|") if found else []


def recorded(loaded: settings.Settings) -> set[str]:
    files = rules.render(loaded)
    groups = [group for text in files.values() for group in yaml.safe_load(text)["groups"]]
    return {rule["record"] for group in groups for rule in group["rules"]}


def possible() -> set[str]:
    """Return the series that some configuration records: what one without services lacks is not a mistake."""
    return recorded(load(CASES["one plain service"])) | recorded(load(CASES["the stack alone"]))


def strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)


# Queries


@every_dashboard
def test_every_promql_parses(case: Case) -> None:
    for expr in case.promql():
        promql.parse(expr)


@every_dashboard
def test_only_recorded_series_are_read(case: Case) -> None:
    known = possible() | (OWN_METRICS | ONLY_AFTER_A_FAULT if case.uid in ABOUT_THE_STACK else set())
    for expr in case.promql():
        for selector, _ in selectors(promql.parse(expr)):
            metrics = names(selector)
            assert metrics, expr
            if selector.at is None:
                assert set(metrics) <= known, expr


@every_dashboard
def test_raw_metrics_are_named_for_exemplars_only(case: Case) -> None:
    if case.uid in ABOUT_THE_STACK:
        return
    pushed, scraped = (
        {f"{service.metrics.duration}_bucket" for service in watched(case.settings) if service.otlp is otlp}
        for otlp in (True, False)
    )
    for _, target in case.targets():
        if target["datasource"]["uid"] != uids.DATASOURCE_PROMETHEUS:
            continue
        for selector, _ in selectors(promql.parse(filled(target["expr"]))):
            if not any(":" in name for name in names(selector)):
                assert target["exemplar"], target["expr"]
                labels = {matcher.name for matcher in selector.matchers.matchers}
                assert set(names(selector)) == (pushed if "service_name" in labels else scraped)
                assert target["expr"].endswith("@ 0"), "it would read every bucket"


@every_dashboard
def test_no_counter_without_rate(case: Case) -> None:
    for expr in case.promql():
        for selector, over in selectors(promql.parse(expr)):
            if selector.at is None and any(
                RAW_COUNTER.search(name) or name in OWN_COUNTERS for name in names(selector)
            ):
                assert over in OVER_TIME, expr


@every_dashboard
def test_rates_follow_the_resolution(case: Case) -> None:
    for _, target in case.targets():
        for window in re.findall(r"\b(?:rate|increase|irate)\([^\[]*\[([^\]]+)\]", target.get("expr", "")):
            assert window in WINDOWS, target["expr"]


def test_the_list_of_own_metrics_is_of_the_pinned_images() -> None:
    pinned = {
        service: f"{image.name}:{image.tag}"
        for service, image in versions.images().items()
        if service in settings.SERVICES
    }
    assert OWN["images"] == pinned, "WRITE_OWN_METRICS=1 pytest tests/e2e/test_stack_dashboards.py"


def test_the_gates_see_what_they_look_for() -> None:
    node = promql.parse("sum(rate(a_total[5m])) / on () b + max(c_sum)")
    assert [(names(s), over) for s, over in selectors(node)] == [(["a_total"], "rate"), (["b"], ""), (["c_sum"], "")]


# Variables and links


@every_dashboard
def test_variables_used_and_declared_are_the_same(case: Case) -> None:
    asked = [text for _, target in case.targets() for text in strings(target)]
    asked += [variable.get("definition", "") for variable in case.variables().values()]
    asked += [f"${panel['repeat']}" for panel in case.rows_and_panels() if panel.get("repeat")]
    asked += [panel["title"] for panel in case.panels()]
    used = {braced or name for text in asked for braced, name in VARIABLE.findall(text)} - set(BUILT_IN)
    assert used == set(case.variables())


@every_dashboard
def test_links_lead_somewhere(case: Case) -> None:
    known = {other.uid: other for other in built("the stack alone")}
    found = [link for text in strings(case.content) for link in LINK.findall(text)]
    assert {re.split(r"[/?#]", link)[2] for link in found} >= set(style.TITLES) - {case.uid}
    for link in found:
        uid = re.split(r"[/?#]", link)[2]
        assert uid in known, link
        assert set(re.findall(r"[&?]var-(\w+)=", link)) <= set(known[uid].variables()), link
        assert "?" not in link or "${__url_time_range}" in link, link


def test_home_leads_everywhere() -> None:
    (home,) = (case for case in built("the stack alone") if case.uid == uids.HOME)
    (text,) = (panel["options"]["content"] for panel in home.panels() if panel["type"] == "text")
    assert set(re.findall(r"\]\(/d/([\w-]+)\)", text)) == set(PANELS) - {uids.HOME}


@every_dashboard
def test_top_links_keep_time_and_variables(case: Case) -> None:
    assert case.content["links"]
    assert all(link["keepTime"] and link["includeVars"] for link in case.content["links"])


@every_dashboard
def test_data_sources_are_ours(case: Case) -> None:
    known = {spec.uid for spec in datasources(case.settings)}
    found = [target["datasource"] for _, target in case.targets()]
    # A panel of several says so; its queries each have one.
    found += [p["datasource"] for p in case.panels() if p.get("targets") and p["datasource"]["uid"] != "-- Mixed --"]
    found += [variable["datasource"] for variable in case.variables().values() if variable.get("datasource")]
    assert {source["uid"] for source in found} <= known


# What people read


@every_dashboard
def test_every_panel_says_what_to_do(case: Case) -> None:
    for panel in case.panels():
        shows, _, when_bad = panel["description"].partition("**When it is bad:**")
        assert len(shows) >= SHORTEST_DESCRIPTION, panel["title"]
        assert ACTIONS.search(when_bad), panel["title"]


@every_dashboard
def test_every_panel_has_unit_and_says_what_is_missing(case: Case) -> None:
    for panel in case.panels():
        if panel["type"] not in WITHOUT_NUMBERS:
            defaults = panel["fieldConfig"]["defaults"]
            fields.unit(defaults["unit"])
            assert len(defaults["noValue"]) > len("No data"), panel["title"]


@every_dashboard
def test_every_series_has_a_legend(case: Case) -> None:
    for panel, target in case.targets():
        if panel["type"] in {"timeseries", "gauge", "bargauge", "stat"}:
            assert target["legendFormat"] not in ("", "__auto"), panel["title"]
        if panel["type"] == "timeseries":
            assert panel["options"]["legend"]["showLegend"], panel["title"]


@every_dashboard
def test_colors_are_of_the_palette(case: Case) -> None:
    for text in strings(case.content):
        if COLOR.fullmatch(text):
            assert text in palette.ACCEPTED, text


@every_dashboard
def test_colors_can_be_seen(case: Case) -> None:
    for text in set(strings(case.content)) & (palette.ACCEPTED - {palette.TRANSPARENT}):
        assert palette.contrast(text) >= palette.GRAPHICS, text


@every_dashboard
def test_colored_words_can_be_read(case: Case) -> None:
    for panel in case.panels():
        if panel["type"] != "table":
            continue
        for override in panel["fieldConfig"]["overrides"]:
            properties = {p["id"]: p["value"] for p in override["properties"]}
            if properties.get("custom.cellOptions", {}).get("type") == "color-text":
                for text in set(strings(properties)) & palette.ACCEPTED:
                    assert palette.contrast(text) >= palette.WORDS, (panel["title"], text)


@every_dashboard
def test_a_service_has_one_color_everywhere(case: Case) -> None:
    given = style.colors(case.settings)
    for panel in case.panels():
        for override in panel["fieldConfig"]["overrides"]:
            for name, color in given.items():
                if override["matcher"]["options"] == f"/^{re.escape(name)}( .*)?$/":
                    (shade,) = (p["value"]["fixedColor"] for p in override["properties"] if p["id"] == "color")
                    assert shade == color, panel["title"]


@every_dashboard
def test_graphs_by_service_have_its_color(case: Case) -> None:
    for panel, target in case.targets():
        if panel["type"] == "timeseries" and re.match(r"\{\{(service|container|job)\}\}( |$)", target["legendFormat"]):
            if "{{status}}" in target["legendFormat"] or "{{endpoint}}" in target["legendFormat"]:
                continue
            options = {override["matcher"]["options"] for override in panel["fieldConfig"]["overrides"]}
            assert {f"/^{re.escape(name)}( .*)?$/" for name in style.colors(case.settings)} <= options, panel["title"]


def test_the_stack_keeps_its_colors_whoever_is_watched() -> None:
    given = [style.colors(load(raw)) for raw in CASES.values()]
    assert all(colors[name] == given[0][name] for colors in given for name in settings.SERVICES)
    assert len({given[0][name] for name in settings.SERVICES}) == len(settings.SERVICES)


@every_dashboard
def test_tables_show_every_line(case: Case) -> None:
    lines = {
        "All objectives": (queries.slos(case.settings), 42),
        "Was every promise kept?": (queries.slos(case.settings), 36),
        "Services, most urgent first": (len(watched(case.settings)), 42),
    }
    for panel in case.panels():
        if panel["title"] in lines:
            count, height = lines[panel["title"]]
            assert panel["gridPos"]["h"] * 38 >= min(count * height + 80, style.TALLEST * 38), panel["title"]


@every_dashboard
def test_legends_show_every_service(case: Case) -> None:
    """At the side: below, Grafana gives a legend a third of the panel, and the rest scrolls."""
    for panel in case.panels():
        if panel["type"] == "timeseries" and "{{service}}" in {t["legendFormat"] for t in panel["targets"]}:
            if panel["options"]["legend"]["displayMode"] == "list":
                continue
            assert panel["options"]["legend"]["placement"] == "right", panel["title"]
            needed = math.ceil((60 + 27 * len(watched(case.settings))) / 38)
            assert panel["gridPos"]["h"] >= min(needed, style.TALLEST), panel["title"]


@every_dashboard
def test_thresholds_are_told_in_words(case: Case) -> None:
    for panel in case.panels():
        steps = panel["fieldConfig"]["defaults"].get("thresholds", {}).get("steps", [])
        if len(steps) > 1:
            assert panel["description"].count("\n- ") >= len(steps) - 1, panel["title"]


# Frame


@every_dashboard
def test_panels_fit_and_do_not_overlap(case: Case) -> None:
    boxes = [panel["gridPos"] for panel in case.content["panels"]]
    assert all(box["x"] >= 0 and box["w"] >= 1 and box["x"] + box["w"] <= COLUMNS for box in boxes)
    for one, two in combinations(boxes, 2):
        apart = (
            one["x"] + one["w"] <= two["x"]
            or two["x"] + two["w"] <= one["x"]
            or one["y"] + one["h"] <= two["y"]
            or two["y"] + two["h"] <= one["y"]
        )
        assert apart, (one, two)


@every_dashboard
def test_number_of_panels(case: Case) -> None:
    assert len(list(case.panels())) == PANELS[case.uid]


@every_dashboard
def test_panel_ids_do_not_depend_on_the_settings(case: Case) -> None:
    ids = [panel["id"] for panel in case.rows_and_panels()]
    assert len(set(ids)) == len(ids)
    usual = next(other for other in built("the stack alone") if other.uid == case.uid)
    assert ids == [panel["id"] for panel in usual.rows_and_panels()]


@every_dashboard
def test_editable_follows_the_setting(case: Case) -> None:
    assert case.content["editable"] is case.settings.dashboards_editable


@every_dashboard
def test_refresh_and_range(case: Case) -> None:
    assert case.content["refresh"] == REFRESH.get(case.uid, "30s")
    assert case.content["time"]["from"] == RANGES.get(case.uid, "now-6h")


@pytest.mark.parametrize("name", CASES)
def test_same_settings_same_text(name: str) -> None:
    assert dashboards(load(CASES[name])) == dashboards(load(CASES[name]))


# Objectives


def overview(name: str) -> dict[str, dict[str, Any]]:
    (found,) = (case for case in built(name) if case.uid == uids.SLO_OVERVIEW)
    return {panel["title"]: panel for panel in found.panels()}


def overrides(panel: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        override["matcher"]["options"]: {p["id"]: p["value"] for p in override["properties"]}
        for override in panel["fieldConfig"]["overrides"]
        if override["matcher"]["id"] == "byName"
    }


def test_dials_show_the_target_in_words() -> None:
    panels = overview("one plain service")
    assert overrides(panels["Availability, 30d (target 99.5 %)"])["shop"]["displayName"] == "shop: target 99.5 %"
    assert overrides(panels["Latency P99, 7d (target 300 ms)"])["shop"]["displayName"] == "shop: target 300 ms"


def test_each_service_has_its_own_thresholds() -> None:
    panels = overview("an odd one too")
    availability = overrides(panels["Availability, 30d (target 99.5 % to 99.95 %)"])
    latency = overrides(panels["Latency P99, 7d (target 400 ms to 1 s)"])
    assert [step["value"] for step in availability["billing"]["thresholds"]["steps"]] == [None, 99.95, 99.9625]
    assert [step["value"] for step in availability["shop"]["thresholds"]["steps"]] == [None, 99.5, 99.625]
    assert [step["value"] for step in latency["billing"]["thresholds"]["steps"]] == [None, 0.75, 1]
    assert "shop" not in latency


def test_failures_are_what_each_service_calls_so() -> None:
    loaded = load(CASES["an odd one too"])
    found = [
        {m.name: m.value for m in selector.matchers.matchers}
        for selector, _ in selectors(promql.parse(queries.failing(loaded)))
    ]
    assert found == [
        {"service": "billing", "status": "5..|429"},
        {"service": "shop|grafana|prometheus|loki", "status": "5.."},
    ]


def test_exemplars_are_asked_of_every_histogram() -> None:
    expr = queries.exemplars(load(CASES["an odd one too"]))
    (selector,) = (selector for selector, _ in selectors(promql.parse(expr)))
    assert {"hit_seconds_bucket", "http_request_duration_seconds_bucket"} <= set(names(selector))
    both = load({"services": [{"name": "a", "targets": ["a:1"]}, {"name": "b", "otlp": True}]})
    scraped, pushed = (selector for selector, _ in selectors(promql.parse(queries.exemplars(both))))
    assert "http_request_duration_seconds_bucket" in names(scraped)
    assert names(pushed) == ["http_server_request_duration_seconds_bucket"]
    assert not queries.exemplars(load(CASES["nothing watched"]))
