"""What every dashboard of the catalogue keeps, whatever the settings are."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from itertools import combinations, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import promql_parser as promql
import pytest
import yaml

from dashboards import fields, palette, panels, queries, report_queries, stack_queries, style
from dashboards import runbooks as runbook_page
from dashboards.catalogue import built as dashboards
from observability import rules, runbooks, settings, versions
from observability.configs.datasources import datasources
from observability.names import series, uids
from observability.rules import slo
from observability.watched import watched
from tests.observability.rules.conftest import Promtool

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
    "with probes": {
        "hostNetwork": True,
        "probes": [
            {"name": "front", "target": "https://shop.example.org/"},
            {"name": "mail", "type": "tcp", "target": "mail.example.org:25"},
        ],
    },
    "one without availability": {"services": [{"name": "batch", "targets": ["batch:1"], "availability": None}]},
    "every kind of SLO": {
        "services": [
            {
                "name": "shop",
                "targets": ["shop:8000"],
                "availability": {"objective": 99.9, "each": {"label": "endpoint"}},
                "latency": {"objective": 99, "threshold": "1s", "timeSlice": {"atLeast": 95}},
                "slos": [{"name": "orders", "objective": 99.9, "good": "orders_ok_total", "total": "orders_total"}],
            }
        ],
        "exclusions": [{"start": "2026-11-21T22:00Z", "end": "2026-11-22T02:00Z", "reason": "Database upgrade"}],
    },
}
PANELS: Final = {
    uids.HOME: 11,
    uids.SLO_OVERVIEW: 14,
    uids.APPLICATION_PERFORMANCE: 6,
    uids.INFRASTRUCTURE_HEALTH: 4,
    uids.SERVICE_DETAIL: 12,
    uids.LOGS: 5,
    uids.INCIDENT: 8,
    uids.STACK_HEALTH: 17,
    uids.EXECUTIVE_SLO_REPORT: 9,
    uids.HOSTS: 12,
    uids.PROBES: 6,
    uids.RUNBOOKS: 0,  # and one for each kind of alert that the stack can have
}
EVERY_SLO: Final = "every kind of SLO"
MORE_PANELS: Final = {EVERY_SLO: {uids.SERVICE_DETAIL: 2, uids.EXECUTIVE_SLO_REPORT: 1}}
"""What only some settings add."""
EVERY_PAGE: Final = "with probes"
"""The case that has every dashboard."""
RANGES: Final = {
    uids.RUNBOOKS: "now-6h",
    uids.EXECUTIVE_SLO_REPORT: "now-30d",
}
REFRESH: Final = {uids.EXECUTIVE_SLO_REPORT: "15m", uids.RUNBOOKS: ""}
WITHOUT_NUMBERS: Final = {"text", "alertlist", "logs", "nodeGraph"}
ABOUT_THE_STACK: Final = {uids.HOME, uids.STACK_HEALTH}
"""Where what the four services say of themselves may be read as it is; all else reads recorded series."""
OF_PROBES: Final = {
    "probe_success",
    "probe_duration_seconds",
    "probe_http_duration_seconds",
    "probe_ssl_earliest_cert_expiry",
}
"""What the blackbox exporter says, a few series of each probe: read as it is on the page of probes."""
OWN: Final[dict[str, Any]] = json.loads((Path(__file__).parent / "own_metrics.json").read_text(encoding="utf-8"))
OWN_METRICS: Final = {name for metrics in OWN["metrics"].values() for name in metrics}
ONLY_AFTER_A_FAULT: Final = {stack_queries.REFUSED, *(name for names in stack_queries.LOST.values() for name in names)}
OWN_COUNTERS: Final = {
    name for metrics in OWN["metrics"].values() for name, kind in metrics.items() if kind == "counter"
}
COLUMNS: Final = 24
SHARED: Final = "-- Dashboard --"
WORTH_SHARING: Final = 120
"""Characters; shorter expressions cost nothing."""
SHORTEST_DESCRIPTION: Final = 40
SENTENCE_END: Final = re.compile(r"[.!?](?= [A-Z]|$)")
PRIVATE: Final = re.compile(
    r"\bpromis|\btold\b|again and again|in time\b(?! range)|that began|do not answer|all answer|so far|most urgent"
    r"|golden signals|value #",
    re.IGNORECASE,
)
LISTS: Final = {
    *("Objectives, worst first", "Targets and windows", "Services, worst first", "Was every target met?"),
    "How much error budget is left?",
}
SCALES_OF_GRAPHS: Final[dict[str, style.Scale]] = {
    "Burn rate": style.BURN_RATE,
    "Budget left": style.BUDGET_SHARE,
    "Error rate": style.ERROR_RATE,
    "Requests": style.REQUEST_RATE,
    "Latency P99": style.LATENCY,
    "Latency P50": style.LATENCY,
    "Requests in progress": style.COUNT,
    "Failed requests": style.COUNT,
}
ACTIONS: Final = re.compile(
    r"\b(act|check|choose|click|compare|cache|find|limit|look|lower|narrow|note|open|read|raise|restart|roll back|"
    r"scale|spend|stop|plan)\b",
    re.IGNORECASE,
)
BUILT_IN: Final = {"__range": "6h", "__range_s": "21600", "__rate_interval": "1m", "__interval": "30s", "__auto": "1m"}
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
            match = re.fullmatch(r"query_result\((.*)\)", variable.get("definition", ""))
            if match:
                yield filled(match[1])


def load(raw: dict[str, Any]) -> settings.Settings:
    return settings.load("test", {key: json.dumps(value) for key, value in raw.items()})


@cache
def built(name: str) -> tuple[Case, ...]:
    loaded = load(CASES[name])
    return tuple(Case(loaded, json.loads(file.json)) for file in dashboards(loaded))


ALL: Final = [
    pytest.param(name, uid, id=f"{uid}, {name}")
    for name, raw in CASES.items()
    for uid in PANELS
    if uid != uids.PROBES or "probes" in raw
]


@pytest.fixture
def case(name: str, uid: str) -> Case:
    (result,) = (case for case in built(name) if case.uid == uid)
    return result


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
    result = [str(m.value) for m in selector.matchers.matchers if m.name == "__name__"]
    return result[0].split("|") if result else []


def recorded(loaded: settings.Settings) -> set[str]:
    files = rules.render(loaded)
    groups = [group for text in files.values() for group in yaml.safe_load(text)["groups"]]
    return {rule["record"] for group in groups for rule in group["rules"]}


def possible() -> set[str]:
    """Return the series that some configuration records: what one without services lacks is not a mistake."""
    return set().union(*(recorded(load(CASES[name])) for name in ("one plain service", EVERY_PAGE, EVERY_SLO)))


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
    expected = possible() | (OWN_METRICS | ONLY_AFTER_A_FAULT if case.uid in ABOUT_THE_STACK else set())
    expected |= OF_PROBES if case.uid == uids.PROBES else set()
    for expr in case.promql():
        for selector, _ in selectors(promql.parse(expr)):
            metrics = names(selector)
            assert metrics, expr
            if selector.at is None:
                assert set(metrics) <= expected, expr


@every_dashboard
def test_raw_metrics_are_named_for_exemplars_only(case: Case) -> None:
    if case.uid in {*ABOUT_THE_STACK, uids.PROBES}:
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
            # A series that is born with its first fault has no increase yet: its value is one.
            counters = set(names(selector)) - ONLY_AFTER_A_FAULT
            if selector.at is None and any(RAW_COUNTER.search(name) or name in OWN_COUNTERS for name in counters):
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
    requests = [text for _, target in case.targets() for text in strings(target)]
    requests += [variable.get("definition", "") for variable in case.variables().values()]
    requests += [f"${panel['repeat']}" for panel in case.rows_and_panels() if panel.get("repeat")]
    requests += [panel["title"] for panel in case.panels()]
    requests += [link["url"] for link in case.content["links"]]
    requests += [panel.get("timeFrom", "") for panel in case.panels()]
    used = {braced or name for text in requests for braced, name in VARIABLE.findall(text)} - set(BUILT_IN)
    assert used == set(case.variables())


@every_dashboard
def test_links_lead_somewhere(case: Case) -> None:
    expected = {other.uid: other for other in built(EVERY_PAGE)}
    top = [link["url"] for link in case.content["links"]]
    for link in [link for text in strings(case.content) for link in LINK.findall(text)]:
        uid = re.split(r"[/?#]", link)[2]
        assert uid in expected, link
        assert set(re.findall(r"[&?]var-(\w+)=", link)) <= set(expected[uid].variables()), link
        assert "?" not in link or "${__url_time_range}" in link or link in top, link


@every_dashboard
def test_every_other_dashboard_is_one_or_two_clicks_away(case: Case) -> None:
    """In the menu at the top, by a tag; the page of one service has a link that names the service."""
    menu, *others = case.content["links"]
    assert (menu["type"], menu["asDropdown"], menu["tags"]) == ("dashboards", True, [style.MENU_TAG])
    in_menu = {other.uid for other in built(EVERY_PAGE) if style.MENU_TAG in other.content["tags"]}
    assert in_menu == set(PANELS) - {uids.SERVICE_DETAIL}
    if case.uid not in {uids.SERVICE_DETAIL, uids.RUNBOOKS}:
        (service,) = others
        assert service["url"].split("?")[0] == f"/d/{uids.SERVICE_DETAIL}"


@every_dashboard
def test_no_link_passes_all_services_to_the_page_of_one(case: Case) -> None:
    for link in case.content["links"]:
        if link["type"] == "link" and uids.SERVICE_DETAIL in link["url"]:
            assert link["includeVars"] is False, link
            assert "$service" not in link["url"], "may be all of them"
    for text in strings(case.content):
        for link in LINK.findall(text):
            if uids.SERVICE_DETAIL in link and case.variables().get("service", {}).get("multi"):
                assert not re.search(r"var-service=\$\{?service", link), link


@every_dashboard
def test_pickers_offer_what_is_configured(case: Case) -> None:
    """Known before anything is scraped, and without what was removed from the configuration."""
    picker = case.variables().get("service")
    if picker is None or case.uid == uids.LOGS:
        return
    names = [service.name for service in watched(case.settings)] or list(settings.SERVICES)
    assert picker["type"] == "custom"
    assert [option["value"] for option in picker["options"]] == names
    if case.uid == uids.SERVICE_DETAIL:
        assert not picker["includeAll"]
        assert picker["current"]["value"] == names[0]


@every_dashboard
def test_no_picker_depends_on_whole_hours(case: Case) -> None:
    """`label_values` on Prometheus is rounded to whole hours by Grafana's cache: empty in a stack's first hour."""
    for variable in case.variables().values():
        if variable["type"] == "query" and variable["datasource"]["type"] == "prometheus":
            assert variable["definition"].startswith("query_result("), variable["name"]
            assert variable["regex"], variable["name"]


def test_home_leads_everywhere() -> None:
    (home,) = (case for case in built(EVERY_PAGE) if case.uid == uids.HOME)
    (text,) = (panel["options"]["content"] for panel in home.panels() if panel["type"] == "text")
    assert set(re.findall(r"\]\(/d/([\w-]+)\)", text)) == set(PANELS) - {uids.HOME}


@every_dashboard
def test_top_links_keep_time_and_variables(case: Case) -> None:
    assert case.content["links"]
    # The report's 30 days are no range for the page of one service.
    kept = [link["keepTime"] for link in case.content["links"] if case.uid != uids.EXECUTIVE_SLO_REPORT]
    assert all(kept)


@every_dashboard
def test_data_sources_are_ours(case: Case) -> None:
    expected = {spec.uid for spec in datasources(case.settings)}
    result = [target["datasource"] for _, target in case.targets()]
    # A panel of several says so; its queries each have one.
    result += [p["datasource"] for p in case.panels() if p.get("targets") and p["datasource"]["uid"] != "-- Mixed --"]
    result += [variable["datasource"] for variable in case.variables().values() if variable.get("datasource")]
    assert {source["uid"] for source in result} <= expected | {SHARED}


@every_dashboard
def test_shared_answers_are_those_of_a_panel_that_asks(case: Case) -> None:
    asking = {panel["id"] for panel, target in case.targets() if target["datasource"]["uid"] != SHARED}
    for panel, target in case.targets():
        if target["datasource"]["uid"] == SHARED:
            assert target["panelId"] in asking, panel["title"]


@every_dashboard
def test_no_expression_is_queried_twice(case: Case) -> None:
    """One query, many panels: an instant expression that two panels of a page need is shared."""
    seen: dict[tuple[str, str], str] = {}
    for panel, target in case.targets():
        if not target.get("instant") or len(target.get("expr", "")) < WORTH_SHARING:
            continue
        first = seen.setdefault((target["expr"], target.get("format", "")), panel["title"])
        assert first == panel["title"], f"{panel['title']} asks what {first} asks"


# What people read


@every_dashboard
def test_every_panel_says_in_two_sentences_what_it_shows_and_what_to_do(case: Case) -> None:
    for panel in case.panels():
        shows, _, rest = panel["description"].partition("**When it is bad:**")
        when_bad = rest.partition("\n\n- ")[0]
        assert len(shows) >= SHORTEST_DESCRIPTION, panel["title"]
        assert ACTIONS.search(when_bad), panel["title"]
        for sentence in (shows, when_bad):
            assert sentence.strip().endswith("."), (panel["title"], sentence)
            assert len(SENTENCE_END.findall(sentence.strip())) == 1, (panel["title"], sentence)


@every_dashboard
def test_standard_words(case: Case) -> None:
    """Private words that were here once."""
    texts = [panel["title"] for panel in case.rows_and_panels()]
    texts += [panel.get("description", "") for panel in case.panels()]
    texts += [text for panel in case.panels() for text in strings(panel.get("fieldConfig", {}))]
    for text in texts:
        assert not PRIVATE.search(text), text


@every_dashboard
def test_no_data_has_a_reason_and_a_next_step(case: Case) -> None:
    for panel in case.panels():
        text = panel["fieldConfig"]["defaults"].get("noValue", "")
        if panel["type"] in {"alertlist", "logs", "text"} or text == queries.NOTHING_FAILED:
            continue
        if text.startswith("No data"):
            assert ACTIONS.search(text), (panel["title"], text)


@every_dashboard
def test_no_line_fills_a_panel_of_lines(case: Case) -> None:
    for panel, target in case.targets():
        if panel["type"] == "logs" and target["expr"].startswith("{") and "line_format" not in target["expr"]:
            raise AssertionError(panel["title"])


@every_dashboard
def test_the_same_quantity_looks_the_same_on_every_page(case: Case) -> None:
    """Unit and decimals, by the name of a column or the title of a panel."""
    digits = style.sli(case.settings)
    scales: dict[str, style.Scale] = {
        "Budget left": style.BUDGET_SHARE,
        "Burn rate, 1h": style.BURN_RATE,
        "Error rate": style.ERROR_RATE,
        "P99": style.LATENCY,
        "Bad requests": style.COUNT,
        "Failed requests": style.COUNT,
        "SLI": digits,
        "Target": style.target(case.settings),
        "With data": style.SHARE,
        "Window": style.DAYS,
    }
    for panel in case.panels():
        shown = {
            "unit": panel["fieldConfig"]["defaults"].get("unit"),
            "decimals": panel["fieldConfig"]["defaults"].get("decimals"),
        }
        if panel["type"] == "table":
            for name, properties in overrides(panel).items():
                if name in scales and "custom.width" in properties:
                    result = {key: properties.get(key, shown[key]) for key in shown}
                    wanted = scales[name]
                    assert result["unit"] == wanted["unit"], (panel["title"], name)
                    assert "decimals" not in wanted or result["decimals"] == wanted["decimals"], (panel["title"], name)
        title = re.split(r",| by | in every | a day", panel["title"])[0]
        if panel["type"] == "timeseries" and title in SCALES_OF_GRAPHS:
            assert shown["unit"] == SCALES_OF_GRAPHS[title]["unit"], panel["title"]


ORDERS: Final = (
    ("State", "Budget left", "Burn rate, 1h"),
    ("Verdict", "Target", "SLI", "Window", "With data"),
    ("Budget left", "Bad requests", "Requests"),
    ("Failed requests", "Error rate", "P99"),
)
"""Columns that stand in this order wherever two of them meet."""


@every_dashboard
def test_rows_of_a_table_are_joined_without_the_name_of_the_series(case: Case) -> None:
    """A selector alone keeps its name, and Grafana gives each name rows of its own: each had one number."""
    for panel, target in case.targets():
        if panel["type"] == "table" and target.get("format") == "table" and len(panel["targets"]) > 1:
            assert not isinstance(promql.parse(filled(target["expr"])), promql.VectorSelector), panel["title"]


@every_dashboard
def test_lines_by_service_are_not_filled(case: Case) -> None:
    for panel, target in case.targets():
        custom = panel["fieldConfig"]["defaults"].get("custom", {})
        if panel["type"] == "timeseries" and target["legendFormat"] in {"{{service}}", "{{container}}"}:
            of_one = case.uid == uids.SERVICE_DETAIL
            assert of_one or custom["stacking"]["mode"] != "none" or not custom["fillOpacity"], panel["title"]


@every_dashboard
def test_columns_have_one_order(case: Case) -> None:
    for panel in case.panels():
        steps = [s["options"] for s in panel.get("transformations", []) if s["id"] == "organize"]
        index: dict[str, int] = steps[-1].get("indexByName", {}) if steps else {}
        shown = sorted(index, key=lambda column: index[column])
        for order in ORDERS:
            met = [column for column in shown if column in order]
            assert met == [column for column in order if column in met], (panel["title"], shown)


OF_THE_WINDOW: Final = {
    "SLI": {series.GOOD_PERIOD},
    "Budget left": {series.BUDGET_REMAINING},
    "Requests": {series.REQUESTS_PERIOD},
    "Bad requests": {series.ERRORS_PERIOD},
    "Target": {series.OBJECTIVE},
    "With data": {series.COVERAGE},
    "Verdict": {series.BUDGET_REMAINING, series.COVERAGE, series.GOOD_PERIOD},
}
"""The recorded series that a column of an SLO and its window may be made of: the rules make them of the same counts."""


@every_dashboard
def test_numbers_of_one_slo_and_window_have_one_source(case: Case) -> None:
    for panel in case.panels():
        titles: dict[str, str] = next(
            (s["options"]["renameByName"] for s in panel.get("transformations", []) if s["id"] == "organize"), {}
        )
        # An incident's numbers are of its own time.
        for target in panel.get("targets", []) if "began" not in titles else ():
            column = titles.get(f"Value #{target['refId']}", "")
            if (
                column in OF_THE_WINDOW
                and "slo" in titles
                and target["datasource"]["uid"] == uids.DATASOURCE_PROMETHEUS
            ):
                read = {name for s, _ in selectors(promql.parse(filled(target["expr"]))) for name in names(s)}
                value = {name.replace("slo:value_", "slo:") for name in read}
                assert value <= OF_THE_WINDOW[column], (panel["title"], column)


@every_dashboard
def test_links_from_a_service_keep_it(case: Case) -> None:
    """A click on a line, a bar or a name opens the next page with the same service; all links keep the time range."""
    uids_of_one = {other.uid for other in built(EVERY_PAGE) if "service" in other.variables()}
    for panel in case.panels():
        by_service = [t for t in panel.get("targets", []) if "{{service}}" in t.get("legendFormat", "")]
        for link in panel["fieldConfig"]["defaults"].get("links", []):
            uid = re.split(r"[/?]", link["url"])[2]
            if by_service and uid in uids_of_one:
                assert "var-service=${__field.labels.service" in link["url"], (panel["title"], link)
        for name, properties in overrides(panel).items():
            for link in properties.get("links", []) if name in {"Service", "Objective", "SLO", "Probe"} else []:
                assert re.search(r"var-service=\$\{?(__value|__data|service)", link["url"]), (panel["title"], link)


@every_dashboard
def test_graphs_of_a_young_stack_begin_with_its_data(case: Case) -> None:
    for panel in case.panels():
        if panel["type"] == "timeseries":
            assert panel["timeFrom"] in {"${age}m", "30d"}, panel["title"]
            assert panel["hideTimeOverride"], panel["title"]


@pytest.mark.parametrize(
    ("age", "shown", "expected"),
    [("10m", "3600", 11), ("45m", "3600", 46), ("62m", "3600", None), ("10m", "300", None), ("3h", "86400", None)],
)
def test_the_age_of_a_young_stack(promtool: str, tmp_path: Path, age: str, shown: str, expected: int | None) -> None:
    """In its first hour, and where the time range is longer: after it the page's time range holds."""
    expr = queries.AGE.removeprefix("query_result(").removesuffix(")").replace("$__range_s", shown)
    nothing = slo.RuleGroup("none", "1m", ())
    inputs = {f'{series.OBJECTIVE}{{service="shop",slo="availability"}}': f"{'_ ' * 60}0.995x300"}
    minutes = 60 + settings.seconds(age) / 60
    checks = [(f"{minutes:g}m", expr, None if expected is None else float(expected))]
    Promtool(promtool, tmp_path).evaluate(nothing, inputs, checks)


@every_dashboard
def test_no_graph_ranks_lines_at_each_point(case: Case) -> None:
    """LogQL has no `@`: the six that are most differ from point to point, and a graph of six showed eleven."""
    for panel, target in case.targets():
        if panel["type"] == "timeseries" and target["datasource"]["uid"] == uids.DATASOURCE_LOKI:
            assert "topk" not in target["expr"], panel["title"]


@every_dashboard
def test_no_column_is_narrower_than_grafana_draws_it(case: Case) -> None:
    """Else the table is wider than its panel by the difference."""
    for panel in case.panels():
        for name, properties in overrides(panel).items():
            assert properties.get("custom.width", style.NARROWEST) >= style.NARROWEST, (panel["title"], name)


@every_dashboard
def test_the_labels_of_an_axis_differ(case: Case) -> None:
    """With fixed digits the axis of small values reads 0.0, 0.0, 0.0, or has no label but 0 and 1."""
    fine = style.sli(case.settings)["decimals"]
    for panel in case.panels():
        defaults = panel["fieldConfig"]["defaults"]
        if panel["type"] == "timeseries" and (defaults["unit"], defaults.get("decimals")) != ("percentunit", fine):
            assert "decimals" not in defaults or defaults["unit"] == style.COUNT["unit"], panel["title"]


@every_dashboard
def test_empty_cells_have_no_color_of_a_threshold(case: Case) -> None:
    """Grafana gives a cell without a value the colour of the lowest step: red, where little is bad."""
    for panel in case.panels():
        for name, properties in overrides(panel).items() if panel["type"] == "table" else ():
            if properties.get("custom.cellOptions", {}).get("type", "").startswith("color-") and properties.get(
                "thresholds"
            ):
                assert [m for m in properties["mappings"] if m["type"] == "special"], (panel["title"], name)


@every_dashboard
def test_a_column_that_is_shown_is_not_excluded_by_its_old_name(case: Case) -> None:
    """Grafana finds a renamed column by both of its names: the incidents had lost their time."""
    for panel in case.panels():
        steps = [s["options"] for s in panel.get("transformations", []) if s["id"] == "organize"]
        for renaming, last in pairwise(steps):
            gone = {old for old, new in renaming["renameByName"].items() if new in last["indexByName"]}
            assert not gone & set(last["excludeByName"]), panel["title"]


def test_pages_for_an_incident_start_with_state_and_alerts() -> None:
    first = {case.uid: [panel["title"] for panel in case.panels()][:2] for case in built("one plain service")}
    assert first[uids.HOME] == ["Objectives by state", "Alerts"]
    assert first[uids.SERVICE_DETAIL] == ["Objectives", "Alerts"]
    assert first[uids.SLO_OVERVIEW][0] == "Objectives by state"
    assert first[uids.INCIDENT][0] == "Alerts started"


def test_a_map_without_calls_has_a_node_that_says_so() -> None:
    """Grafana shows an error, in red, in place of a map without nodes."""
    expr = queries.callers_and_called(load(CASES["one plain service"]), "service")
    tree = promql.parse(re.sub("`[^`]*`", '""', expr))
    assert isinstance(tree, promql.BinaryExpr)
    assert "No calls seen" in str(tree.rhs)
    assert str(tree.op) == "or"


def test_lines_without_a_level_have_a_name() -> None:
    """Loki drops an empty label, and Grafana calls the rest *Value*."""
    (logs,) = (case for case in built("one plain service") if case.uid == uids.LOGS)
    for panel, target in logs.targets():
        if panel["type"] == "timeseries" and "detected_level)" in target["expr"]:
            assert 'or .detected_level "unknown"' in target["expr"]


def test_code_that_a_phone_cannot_show_in_one_line_takes_two() -> None:
    text = "Run `docker logs observability-<stack>-collector`, or `make up`."
    shown = '<kbd style="word-break: break-word">docker logs observability-&lt;stack&gt;-collector</kbd>'
    assert runbook_page.wrapped(text) == f"Run {shown}, or `make up`."
    between = "Raise `hostMemoryPercent` where the host has been full for a long time, or `hostCpuPercent`."
    assert runbook_page.wrapped(between) == between


def test_panels_that_runbooks_name_exist() -> None:
    titles = {uid: title for uid, title in style.TITLES.items() if uid in PANELS}
    named = [
        (file.stem, *found)
        for file in runbooks.FOLDER.glob("*.md")
        for found in re.findall(r"\*([A-Z][^*]+)\* on \*([A-Z][^*]+)\*", file.read_text(encoding="utf-8"))
    ]
    assert named
    for kind, panel, page in named:
        (case,) = (case for case in built("one plain service") if titles.get(case.uid) == page)
        shown = [p["title"] for p in case.rows_and_panels()] + [name for p in case.panels() for name in overrides(p)]
        assert any(title.startswith(panel) for title in shown), (kind, panel, page)


def test_counts_of_the_report_go_on_to_now() -> None:
    """Else a young stack reads 0 requests beside a table that counts 482, and five minutes are missing later."""
    for count, late in (
        (report_queries.answered, series.SLO_REQUESTS_LATE),
        (report_queries.failed, series.SLO_ERRORS_LATE),
    ):
        assert late in count("7d")
        assert late not in count("7d", "7d")


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
        if panel["type"] in {"timeseries", "gauge", "bargauge", "stat"} and target.get("format") != "table":
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


def fills(panel: dict[str, Any]) -> Iterator[str]:
    """Yield every colour that fills a cell or the whole of a panel."""
    whole = panel["options"].get("colorMode", "").startswith("background")
    if whole:
        yield from strings(panel["fieldConfig"]["defaults"].get("thresholds", {}))
    for override in panel["fieldConfig"]["overrides"]:
        properties = {p["id"]: p["value"] for p in override["properties"]}
        if whole or properties.get("custom.cellOptions", {}).get("type") == "color-background":
            yield from strings([properties.get("thresholds", {}), properties.get("mappings", [])])


@every_dashboard
def test_words_on_colors_can_be_read(case: Case) -> None:
    """In either theme: the words of a filled cell are white or black, whichever Grafana takes."""
    for panel in case.panels():
        for fill in set(fills(panel)) & (palette.ACCEPTED - {palette.TRANSPARENT}):
            assert palette.contrast(palette.words_on(fill), fill) >= palette.WORDS, (panel["title"], fill)
        cells = [p.get("custom.cellOptions", {}).get("type") for p in overrides(panel).values()]
        assert "color-text" not in cells, "yellow words cannot be read on white"


@every_dashboard
def test_colors_can_be_seen_on_white(case: Case) -> None:
    for panel in case.panels():
        if panel["type"] == "timeseries" or panel["options"].get("colorMode") == "value":
            for text in set(strings(panel["fieldConfig"])) & (palette.ACCEPTED - {palette.TRANSPARENT}):
                least = palette.GRAPHICS_ON_WHITE
                assert palette.contrast(text, palette.LIGHT_PANEL) >= least, (panel["title"], text)


@every_dashboard
def test_a_service_has_one_color_everywhere(case: Case) -> None:
    given = style.colors(case.settings)
    for panel in case.panels():
        for override in panel["fieldConfig"]["overrides"]:
            for name, color in given.items():
                pattern = override["matcher"]["options"]
                if pattern.endswith("( .*)?$/") and re.search(pattern.strip("/"), name):
                    (shade,) = (p["value"]["fixedColor"] for p in override["properties"] if p["id"] == "color")
                    assert shade == color, panel["title"]


@every_dashboard
def test_graphs_by_service_have_its_color(case: Case) -> None:
    for panel, target in case.targets():
        if panel["type"] == "timeseries" and re.match(r"\{\{(service|container|job)\}\}( |$)", target["legendFormat"]):
            if "{{status}}" in target["legendFormat"] or "{{endpoint}}" in target["legendFormat"]:
                continue
            looks = [
                re.compile(override["matcher"]["options"].strip("/"))
                for override in panel["fieldConfig"]["overrides"]
                if override["matcher"]["id"] == "byRegexp" and "color" in {p["id"] for p in override["properties"]}
            ]
            stack_alone = case.uid == uids.STACK_HEALTH or queries.OWN_CONTAINERS in target["expr"]
            drawn = style.OF_STACK if stack_alone else style.colors(case.settings)
            for name in drawn:
                assert sum(bool(look.search(name)) for look in looks) == 1, (panel["title"], name)


def test_the_stack_keeps_its_colors_whoever_is_watched() -> None:
    given = [style.colors(load(raw)) for raw in CASES.values()]
    assert all(colors[name] == given[0][name] for colors in given for name in settings.SERVICES)
    assert len({given[0][name] for name in settings.SERVICES}) == len(settings.SERVICES)


@every_dashboard
def test_long_tables_are_worst_first_and_say_how_long_they_are(case: Case) -> None:
    """Ten rows without scrolling; of more, how many there are, and a filter with a search."""
    for panel in case.panels():
        if panel["type"] == "table" and panel["title"] in LISTS:
            count = queries.slos(case.settings) if "Services" not in panel["title"] else len(watched(case.settings))
            assert panel["gridPos"]["h"] * 38 >= min(count, style.ROWS) * 36 + 80, panel["title"]
            assert panel["options"]["enablePagination"] is (count > style.ROWS), panel["title"]
            assert any(
                p["id"] == "custom.filterable" for o in panel["fieldConfig"]["overrides"] for p in o["properties"]
            )
            assert any(step["id"] == "sortBy" for step in panel["transformations"]), panel["title"]


@pytest.mark.parametrize("uid", PANELS)
def test_graphs_by_service_have_a_bounded_number_of_lines(uid: str) -> None:
    raw = {"services": [{"name": f"service-{n}", "targets": [f"service-{n}:8000"]} for n in range(50)]}
    probes = [{"name": f"probe-{n}", "target": f"https://host-{n}.example.org/"} for n in range(50)]
    many = load(raw | {"probes": probes})
    (content,) = (json.loads(file.json) for file in dashboards(many) if file.uid == uid)
    for panel in Case(many, content).panels():
        if panel["type"] != "timeseries":
            continue
        for target in panel["targets"]:
            if (
                re.match(r"\{\{(service|service_name|container)\}\}( |$)", target["legendFormat"])
                and "status" not in target["expr"]
            ):
                own = "container" in target["legendFormat"] and queries.OWN_CONTAINERS in target["expr"]
                chosen = uid == uids.SERVICE_DETAIL
                assert own or chosen or re.search(r"\b(topk|bottomk)\(", target["expr"]), panel["title"]


@every_dashboard
def test_legends_are_below_the_graph(case: Case) -> None:
    """At the side they take half of it on a laptop, and all of it on a phone."""
    for panel in case.panels():
        if panel["type"] == "timeseries":
            assert panel["options"]["legend"]["placement"] == "bottom", panel["title"]
            assert panel["options"]["legend"]["displayMode"] == "list", panel["title"]


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
def test_number_of_panels(case: Case, name: str) -> None:
    expected = PANELS[case.uid] + (len(runbooks.shown(case.settings)) if case.uid == uids.RUNBOOKS else 0)
    assert len(list(case.panels())) == expected + MORE_PANELS.get(name, {}).get(case.uid, 0)


@every_dashboard
def test_panel_ids_do_not_depend_on_the_settings(case: Case) -> None:
    ids = [panel["id"] for panel in case.rows_and_panels()]
    assert len(set(ids)) == len(ids)
    usual = next(other for other in built(EVERY_PAGE) if other.uid == case.uid)
    usual_ids = [panel["id"] for panel in usual.rows_and_panels()]
    # Some settings add panels, and each kind of alert that a stack cannot have takes a runbook away.
    assert [number for number in ids if number in usual_ids] == (
        usual_ids if case.uid != uids.RUNBOOKS else [number for number in usual_ids if number in ids]
    )


@every_dashboard
def test_editable_follows_the_setting(case: Case) -> None:
    assert case.content["editable"] is case.settings.dashboards_editable


@every_dashboard
def test_refresh_and_range(case: Case) -> None:
    assert case.content["refresh"] == REFRESH.get(case.uid, "30s")
    assert case.content["time"]["from"] == RANGES.get(case.uid, "now-1h")


@pytest.mark.parametrize("name", CASES)
def test_same_settings_same_text(name: str) -> None:
    assert dashboards(load(CASES[name])) == dashboards(load(CASES[name]))


# Objectives


def overview(name: str) -> dict[str, dict[str, Any]]:
    (result,) = (case for case in built(name) if case.uid == uids.SLO_OVERVIEW)
    return {panel["title"]: panel for panel in result.panels()}


def overrides(panel: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        override["matcher"]["options"]: {p["id"]: p["value"] for p in override["properties"]}
        for override in panel["fieldConfig"]["overrides"]
        if override["matcher"]["id"] == "byName"
    }


def test_dials_name_the_target_in_their_title() -> None:
    panels = overview("one plain service")
    assert {"Availability 30d, target 99.5 %", "Latency P99 7d, target 300 ms"} <= set(panels)


def test_shares_have_digits_enough_to_tell_a_missed_target_from_a_met_one() -> None:
    """Of 99.99 % one hundredth of the budget is 0.0001 %: with two decimals a missed target reads 99.99 %."""
    strict = load({"services": [{"name": "shop", "targets": ["shop:1"], "availability": {"objective": 99.99}}]})
    assert style.sli(strict)["decimals"] == 4
    assert style.sli(load(CASES["one plain service"]))["decimals"] == 3


def steps_of(panel: dict[str, Any], service: str) -> list[list[float | None]]:
    """Return the thresholds of every override whose pattern fits the service."""
    return [
        [step["value"] for step in p["value"]["steps"]]
        for override in panel["fieldConfig"]["overrides"]
        if override["matcher"]["id"] == "byRegexp" and re.fullmatch(override["matcher"]["options"].strip("/"), service)
        for p in override["properties"]
        if p["id"] == "thresholds"
    ]


def test_each_service_has_its_own_thresholds() -> None:
    panels = overview("an odd one too")
    availability = panels["Availability 30d, target 99.5 to 99.95 %"]
    latency = panels["Latency P99 7d, target 400 ms to 1 s"]
    assert steps_of(availability, "billing") == [[None, 99.95, 99.9625]]
    assert steps_of(availability, "shop") == [[None, 99.5, 99.625]]
    assert steps_of(latency, "billing") == [[None, 0.75, 1]]
    assert steps_of(latency, "shop") == []


def test_failures_are_what_each_service_calls_so() -> None:
    loaded = load(CASES["an odd one too"])
    result = [
        {m.name: m.value for m in selector.matchers.matchers}
        for selector, _ in selectors(promql.parse(queries.failing(loaded)))
    ]
    assert result == [
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


MOST_BYTES: Final = 120_000
"""Of the model of one dashboard with 300 services: 842 kB before, when each graph had an override for each service."""


def test_hundreds_of_services_make_no_large_dashboard() -> None:
    services = [{"name": f"service-{n}", "targets": [f"service-{n}:8000"]} for n in range(300)]
    made = dashboards(load({"services": services}))
    assert {file.uid: len(file.json) for file in made if len(file.json) > MOST_BYTES} == {}
    colors = style.colors(load({"services": services}))
    overrides = style.colored(load({"services": services}))
    for name, color in colors.items():
        assert [o.color for o in overrides if re.search(o.name.strip("/"), name)] == [color], name


@every_dashboard
def test_the_numbers_of_a_table_leave_a_phone_room_for_the_name(case: Case) -> None:
    on_a_phone, name = 340, panels.NARROWEST_COLUMN
    for panel in case.panels():
        if panel["type"] == "table":
            last = [step["options"] for step in panel["transformations"] if step["id"] == "organize"][-1]
            shown = {last["renameByName"].get(column, column) for column in last.get("indexByName", ())}
            widths = [
                properties["custom.width"]
                for column, properties in overrides(panel).items()
                # Two tables side by side share the looks of all columns, and each shows some.
                if "custom.width" in properties and (not shown or column in shown)
            ]
            assert sum(widths) + name <= on_a_phone, panel["title"]
