"""What `DashboardBuilder` writes and what it refuses."""

import cProfile
import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import dashboards
from dashboards import palette, panels, transform
from dashboards.builder import DashboardBuilder, check_unique
from dashboards.errors import DashboardError
from dashboards.model import (
    JaegerQuery,
    Legend,
    Link,
    Override,
    PanelOptions,
    PanelQuery,
    PanelSpec,
    Query,
    Thresholds,
    ValueText,
)
from dashboards.panel import PanelDefaults, SdkPanelBuilder, panel_type
from dashboards.sdk import PLUGIN_VERSION, dashboard_builders
from observability.names import uids

ROOT = Path(__file__).parents[2]
EXAMPLE = """
from dashboards.builder import DashboardBuilder
db = DashboardBuilder(title="My Dashboard", uid="my-dash")
db.add_gauge_panel(title="Availability", query="slo:availability:ratio_rate30d", unit="percent",
                   min_val=99, max_val=100)
print(db.to_json())
"""

type_adders: dict[str, Callable[[DashboardBuilder], DashboardBuilder]] = {
    "stat": lambda db: db.add_stat_panel("T", "up", "none"),
    "gauge": lambda db: db.add_gauge_panel("T", "up", "none"),
    "bargauge": lambda db: db.add_bar_gauge_panel("T", "up", "none"),
    "timeseries": lambda db: db.add_timeseries_panel("T", "up", "none"),
    "table": lambda db: db.add_table_panel("T", "up", "none"),
    "heatmap": lambda db: db.add_heatmap_panel("T", "up", "s"),
    "logs": lambda db: db.add_logs_panel("T", '{job="x"}'),
    "text": lambda db: db.add_text_panel("T", "# hello"),
    "traces": lambda db: db.add_traces_panel("T", "$trace_id"),
    "nodeGraph": lambda db: db.add_node_graph_panel("T", JaegerQuery.dependencies()),
}


def new(**settings: Any) -> DashboardBuilder:  # noqa: ANN401 - whatever the case needs
    return DashboardBuilder("Test", "test", **settings)


def only(db: DashboardBuilder) -> dict[str, Any]:
    (panel,) = db.to_dict()["panels"]
    assert isinstance(panel, dict)
    return panel


def refused(db: DashboardBuilder, setting: str) -> DashboardError:
    with pytest.raises(DashboardError) as caught:
        db.build()
    assert caught.value.setting == setting
    assert repr(db.uid) in str(caught.value)
    assert repr(caught.value.value) in str(caught.value)
    assert caught.value.accepted in str(caught.value)
    return caught.value


# The example, determinism, what is imported


def test_example_as_written() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", EXAMPLE], cwd=ROOT, capture_output=True, text=True, check=True
    )
    written = json.loads(done.stdout)
    (panel,) = written["panels"]
    assert (written["title"], written["uid"]) == ("My Dashboard", "my-dash")
    assert panel["type"] == "gauge"
    assert panel["title"] == "Availability"
    defaults = panel["fieldConfig"]["defaults"]
    assert (defaults["unit"], defaults["min"], defaults["max"]) == ("percent", 99, 100)
    assert panel["targets"][0]["expr"] == "slo:availability:ratio_rate30d"


def test_exported_and_free_of_pulumi() -> None:
    assert dashboards.DashboardBuilder is DashboardBuilder
    code = "import sys, dashboards; sys.exit('pulumi' in sys.modules)"
    subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=ROOT, check=True)


def full() -> DashboardBuilder:
    db = new(tags=["b", "a"], description="All of it").add_custom_variable("env", "Environment", ["dev", "prod"])
    for add in type_adders.values():
        add(db)
    db.add_row("More", collapsed=True)
    for add in type_adders.values():
        add(db)
    return db


def test_same_calls_give_same_text_and_building_changes_nothing() -> None:
    db = full()
    assert db.to_json() == db.to_json() == full().to_json()
    assert json.loads(db.to_json(indent=None)) == db.to_dict()


def test_dashboard_level() -> None:
    written = full().to_dict()
    assert not {"id", "version"} & set(written)
    assert written["schemaVersion"] == 42
    assert written["timezone"] == "browser"
    assert written["graphTooltip"] == 1
    assert written["editable"] is False
    assert written["time"] == {"from": "now-6h", "to": "now"}
    assert written["tags"] == ["b", "a"]
    assert new(editable=True, refresh="30s").to_dict()["refresh"] == "30s"


def test_building_scales_linearly() -> None:
    """In calls, which no other work on the machine adds to."""

    def calls(how_many: int) -> int:
        profile = cProfile.Profile()
        profile.enable()
        for number in range(how_many):
            db = DashboardBuilder(f"D{number}", f"d{number}")
            for panel in range(20):
                db.add_timeseries_panel(f"P{panel}", "up", "none")
            db.to_json()
        profile.disable()
        return sum(entry.callcount for entry in profile.getstats())

    calls(1)  # imports
    assert calls(20) <= 10.1 * calls(2)  # what the garbage collector calls back comes when it comes


# Panel types


@pytest.mark.parametrize("kind", type_adders)
def test_every_type(kind: str) -> None:
    db = new()
    assert type_adders[kind](db) is db
    panel = only(db)
    assert panel["type"] == kind
    assert panel["title"] == "T"
    assert panel["id"] == 1
    assert panel["pluginVersion"] == PLUGIN_VERSION
    assert isinstance(panel["options"], dict)
    if kind == "text":
        assert panel["options"] == {"mode": "markdown", "content": "# hello"}
        assert "targets" not in panel
        return
    expected = {"logs": "loki", "traces": "jaeger", "nodeGraph": "jaeger"}.get(kind, "prometheus")
    reference = {"type": expected, "uid": expected}
    assert panel["datasource"] == reference
    assert [(target["refId"], target["datasource"]) for target in panel["targets"]] == [("A", reference)]


@pytest.mark.parametrize("kind", ["stat", "gauge", "bargauge"])
def test_numbers_are_reduced_and_never_red_by_default(kind: str) -> None:
    panel = only(type_adders[kind](new()))
    assert panel["options"]["reduceOptions"]["calcs"] == ["lastNotNull"]
    steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    assert steps == [{"value": None, "color": palette.NEUTRAL}]
    assert panel["targets"][0]["instant"] is (kind != "stat")
    chosen = only(new().add_stat_panel("T", "up", "none", calcs=["mean", "p95"], sparkline=False))
    assert chosen["options"]["reduceOptions"]["calcs"] == ["mean", "p95"]
    assert chosen["options"]["graphMode"] == "none"


def test_timeseries_legend_is_seen_and_can_be_changed() -> None:
    legend = only(type_adders["timeseries"](new()))["options"]["legend"]
    assert legend == {
        "showLegend": True,
        "displayMode": "list",
        "placement": "bottom",
        "calcs": [],
    }
    hidden = only(new().add_timeseries_panel("T", "up", "none", legend=Legend("hidden")))["options"]["legend"]
    assert (hidden["showLegend"], hidden["displayMode"]) == (False, "list")


def test_timeseries_settings() -> None:
    panel = only(
        new().add_timeseries_panel(
            "T",
            "up",
            "s",
            stacking="normal",
            fill_opacity=60,
            span_nulls=60000,
            axis_label="latency",
            soft_min=0,
            soft_max=1,
            log_scale=True,
            thresholds=Thresholds.high_is_bad(0.3, 1),
            series=["api", "db"],
        )
    )
    custom = panel["fieldConfig"]["defaults"]["custom"]
    assert custom["stacking"] == {"group": "A", "mode": "normal"}
    assert (custom["fillOpacity"], custom["spanNulls"], custom["axisLabel"]) == (60, 60000, "latency")
    assert (custom["axisSoftMin"], custom["axisSoftMax"]) == (0, 1)
    assert custom["scaleDistribution"] == {"type": "log", "log": 10}
    assert custom["thresholdsStyle"] == {"mode": "dashed"}
    overrides = panel["fieldConfig"]["overrides"]
    assert [(rule["matcher"]["id"], rule["matcher"]["options"]) for rule in overrides] == [
        ("byName", "api"),
        ("byName", "db"),
    ]
    assert overrides[0]["properties"][0]["value"] == {"mode": "fixed", "fixedColor": palette.SERIES[0]}


def test_table_heatmap_and_logs_ask_in_their_own_way() -> None:
    table = only(type_adders["table"](new()))
    assert (table["targets"][0]["format"], table["targets"][0]["instant"]) == ("table", True)
    assert "footer" not in table["options"]
    ordered = only(new().add_table_panel("T", "up", "none", sort_by="Value", descending=True))
    assert ordered["options"]["sortBy"] == [{"displayName": "Value", "desc": True}]
    heatmap = only(new().add_heatmap_panel("T", "up", "s", min_val=0, max_val=9, decimals=1, show_legend=False))
    assert (heatmap["targets"][0]["format"], heatmap["targets"][0]["legendFormat"]) == ("heatmap", "{{le}}")
    assert (heatmap["options"]["yAxis"]["unit"], heatmap["options"]["cellValues"]["unit"]) == ("s", "short")
    assert heatmap["options"]["color"]["scheme"] == "Cividis"
    assert heatmap["options"]["legend"]["show"] is False
    logs = only(new().add_logs_panel("T", '{a="b"}', newest_first=False))
    assert logs["targets"][0]["queryType"] == "range"
    assert logs["options"]["sortOrder"] == "Ascending"
    assert "instant" not in logs["targets"][0]


def test_gauge_steps_that_are_close_have_no_labels_that_overlap() -> None:
    gauge = only(new().add_gauge_panel("T", "up", "percent", thresholds=Thresholds.low_is_bad(99, 99.9)))
    assert gauge["options"]["showThresholdLabels"] is False


def test_a_panel_shows_the_answers_of_another() -> None:
    db = (
        new()
        .add_table_panel("One", "up", "none", key="one")
        .add_table_panel("Two", PanelQuery("one"), "none", key="two")
    )
    one, two = db.to_dict()["panels"]
    (target,) = two["targets"]
    assert (target["datasource"]["uid"], target["panelId"]) == ("-- Dashboard --", one["id"])
    assert two["datasource"] == target["datasource"]


def test_a_key_gives_the_same_id_wherever_the_panel_stands() -> None:
    alone = only(new().add_stat_panel("T", "up", "none", key="state"))
    _, second = (
        new().add_stat_panel("S", "up", "none").add_stat_panel("T", "up", "none", key="state").to_dict()["panels"]
    )
    assert alone["id"] == second["id"] >= 1_000


def test_long_texts_in_tables_take_a_second_line_and_long_tables_say_how_long() -> None:
    table = only(new().add_table_panel("T", "up", "none", paged=True))
    (every,) = table["fieldConfig"]["overrides"]
    properties = {p["id"]: p["value"] for p in every["properties"]}
    assert properties["custom.wrapText"] is properties["custom.wrapHeaderText"] is True
    assert table["options"]["enablePagination"] is True
    assert "footer" not in table["options"]


def test_a_new_type_is_one_function() -> None:
    @panel_type(PanelDefaults(width=8, height=5))
    def histogram(spec: PanelSpec, *, suffix: str = "") -> SdkPanelBuilder:
        return dashboard_builders.Panel().type("histogram" + suffix).description(spec.title)

    db = new().add(histogram(PanelSpec(title="H", query="up", unit="s", decimals=2), suffix="x"))
    panel = only(db)
    assert panel["type"] == "histogramx"
    assert panel["gridPos"] == {"x": 0, "y": 0, "w": 8, "h": 5}
    assert panel["fieldConfig"]["defaults"]["unit"] == "s"
    assert panel["targets"][0]["expr"] == "up"


def test_options_and_spec_agree() -> None:
    fields = {field.name for field in dataclasses.fields(PanelSpec)}
    assert fields == set(PanelOptions.__annotations__) | {"title", "query", "unit"}


# Queries


def test_several_queries_get_letters_and_colors() -> None:
    queries: list[str | Query] = [
        Query("a", "ok"),
        "b",
        Query("c", "{{x}}", ref_id="B"),
        Query("d", color=palette.BAD, exemplar=True),
    ]
    panel = only(new().add_timeseries_panel("T", queries, "none"))
    assert [target["refId"] for target in panel["targets"]] == ["A", "C", "B", "D"]
    assert [target["legendFormat"] for target in panel["targets"]] == ["ok", "__auto", "{{x}}", "__auto"]
    assert panel["targets"][3]["exemplar"] is True
    fixed = {
        rule["matcher"]["options"]: rule["properties"][0]["value"]["fixedColor"]
        for rule in panel["fieldConfig"]["overrides"]
    }
    assert fixed == {"A": palette.SERIES[0], "D": palette.BAD}


def test_more_queries_than_letters() -> None:
    panel = only(new().add_timeseries_panel("T", ["up"] * 28, "none"))
    assert [target["refId"] for target in panel["targets"]][-3:] == ["Z", "AA", "AB"]


def test_mixed_and_foreign_data_sources() -> None:
    loki = Query('rate({a="b"}[1m])', datasource_uid=uids.DATASOURCE_LOKI, instant=True, max_lines=5, interval="1m")
    panel = only(new().add_timeseries_panel("T", ["up", loki], "none"))
    assert panel["datasource"] == {"type": "datasource", "uid": "-- Mixed --"}
    assert panel["targets"][1]["datasource"] == {"type": "loki", "uid": "loki"}
    assert panel["targets"][1]["queryType"] == "instant"
    chosen = Query("up", datasource_uid="$ds", datasource_type="prometheus")
    assert only(new().add_stat_panel("T", chosen, "none"))["datasource"] == {
        "type": "prometheus",
        "uid": "$ds",
    }


def test_jaeger_queries() -> None:
    trace = only(new().add_traces_panel("T", JaegerQuery.trace("$id")))["targets"][0]
    assert "queryType" not in trace
    assert trace["query"] == "$id"
    search = JaegerQuery.search("api", tags="error=true", min_duration="300ms", limit=5)
    assert only(new().add_table_panel("T", search, "none"))["targets"][0] == {
        "datasource": {"type": "jaeger", "uid": "jaeger"},
        "refId": "A",
        "queryType": "search",
        "service": "api",
        "tags": "error=true",
        "minDuration": "300ms",
        "limit": 5,
    }
    assert only(type_adders["nodeGraph"](new()))["targets"][0]["queryType"] == "dependencyGraph"


# Fields


def test_thresholds_say_what_their_colors_mean() -> None:
    panel = only(
        new().add_stat_panel("T", "up", "percent", description="Share.", thresholds=Thresholds.low_is_bad(99, 99.9))
    )
    assert [step["value"] for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]] == [
        None,
        99,
        99.9,
    ]
    assert panel["description"] == (
        "Share.\n\n- vermillion: bad (below 99)\n- yellow: warning (from 99)\n- green: good (from 99.9)"
    )


def test_thresholds_in_place_of_numbers() -> None:
    steps = Thresholds(((None, palette.BAD, "down"), (1, palette.GOOD, "up")), show_text=True)
    mappings = only(new().add_stat_panel("T", "up", "none", thresholds=steps))["fieldConfig"]["defaults"]["mappings"]
    assert [(m["options"]["from"], m["options"]["to"], m["options"]["result"]["text"]) for m in mappings] == [
        (1, None, "up"),
        (None, 1, "down"),
    ]


def test_mappings() -> None:
    panel = only(
        new().add_stat_panel(
            "T",
            "up",
            "none",
            mappings={
                "1": "up",
                "0": ValueText("down", palette.BAD),
                (2, None): "many",
                "null+nan": "unknown",
            },
        )
    )
    mappings = panel["fieldConfig"]["defaults"]["mappings"]
    assert [mapping["type"] for mapping in mappings] == ["value", "value", "range", "special"]
    assert mappings[1]["options"] == {"0": {"text": "down", "color": palette.BAD, "index": 1}}
    assert mappings[3]["options"]["match"] == "null+nan"


def test_everything_optional() -> None:
    panel = only(
        new()
        .add_query_variable("job", "Job", "label_values(up, job)")
        .add_table_panel(
            "T",
            "up",
            "suffix: req",
            width=10,
            height=3,
            panel_id=77,
            decimals=2,
            no_value="Nothing is scraped yet.",
            time_from="30d",
            interval="1m",
            max_data_points=100,
            repeat="job",
            transparent=True,
            links=[Link.to_dashboard("SLO", uids.SLO_OVERVIEW, {"job": "${job}"})],
            data_links=[Link("Logs", "/explore", new_tab=True)],
            transformations=[
                transform.merge(),
                transform.organize(rename={"Value": "Rate"}, exclude=["Time"], order=["job", "Value"]),
                transform.sort_by("Rate", descending=True),
                transform.limit(5),
                transform.labels_to_fields(),
            ],
            overrides=[
                Override(
                    name="Rate",
                    unit="reqps",
                    color=palette.GOOD,
                    display_name="Requests",
                    decimals=1,
                    min_val=0,
                    max_val=5,
                    links=[Link("x", "/y")],
                    cell="gauge",
                    width=120,
                    thresholds=Thresholds.high_is_bad(3, 4),
                    mappings={"0": "none"},
                    custom={"custom.align": "right"},
                ),
                Override(name="B", by="query", hidden=True),
                Override(name="^foo", by="regexp", display_name="Foo"),
            ],
        )
    )
    assert panel["gridPos"] == {"x": 0, "y": 0, "w": 10, "h": 3}
    assert (panel["id"], panel["timeFrom"], panel["interval"], panel["maxDataPoints"]) == (
        77,
        "30d",
        "1m",
        100,
    )
    assert (panel["repeat"], panel["repeatDirection"], panel["transparent"]) == ("job", "h", True)
    assert panel["links"] == [
        {
            "title": "SLO",
            "url": "/d/slo-overview?${__url_time_range}&var-job=${job:percentencode}",
            "targetBlank": False,
        }
    ]
    defaults = panel["fieldConfig"]["defaults"]
    assert defaults["noValue"] == "Nothing is scraped yet."
    assert defaults["links"] == [{"title": "Logs", "url": "/explore", "targetBlank": True}]
    assert [step["id"] for step in panel["transformations"]] == [
        "merge",
        "organize",
        "sortBy",
        "limit",
        "labelsToFields",
    ]
    empty, first, second, third = panel["fieldConfig"]["overrides"]
    assert empty["properties"][0] == {"id": "noValue", "value": "—"}
    properties = {entry["id"]: entry["value"] for entry in first["properties"]}
    assert properties["custom.cellOptions"] == {"type": "gauge", "mode": "basic", "valueDisplayMode": "text"}
    assert properties["unit"] == "reqps"
    assert properties["links"] == [{"title": "x", "url": "/y", "targetBlank": False}]
    assert properties["custom.align"] == "right"
    assert second["matcher"] == {"id": "byFrameRefID", "options": "B"}
    assert second["properties"][0]["value"] == {"legend": True, "tooltip": True, "viz": True}
    assert third["matcher"]["id"] == "byRegexp"


# Variables, links, annotations


def test_variables() -> None:
    db = (
        new()
        .add_query_variable("job", "Job", "label_values(up, job)", multi=True, include_all=True, all_value=".+")
        .add_query_variable("pod", query="label_values(pod)", datasource_uid=uids.DATASOURCE_LOKI, include_all=True)
        .add_custom_variable("env", "Environment", {"Production": "prod", "a,b": "c"})
        .add_textbox_variable("trace_id", "Trace", "abc")
        .add_interval_variable("window", "Window")
    )
    job, pod, env, trace, window = db.to_dict()["templating"]["list"]
    assert job["query"]["query"] == "label_values(up, job)"
    assert job["datasource"] == {"type": "prometheus", "uid": "prometheus"}
    assert job["current"] == {"selected": True, "text": ["All"], "value": ["$__all"]}
    assert (job["multi"], job["includeAll"], job["allValue"], job["refresh"]) == (True, True, ".+", 2)
    assert (pod["query"], pod["current"]["value"]) == ("label_values(pod)", "$__all")
    assert env["query"] == r"Production : prod,a\,b : c"
    assert env["current"]["value"] == "prod"
    assert trace["query"] == "abc"
    assert [option["value"] for option in window["options"]] == ["1m", "5m", "15m", "1h"]
    assert not any("auto_min" in variable for variable in (job, pod, env, trace, window))


def test_links_and_annotations_are_seen() -> None:
    db = (
        new()
        .add_dashboard_link("Health", uids.INFRASTRUCTURE_HEALTH)
        .add_link("Runbook", "https://example.org")
        .add_annotation("Restarts", "changes(up[1m]) > 0", color=palette.WARNING, tags=["job"], text="{{job}}")
        .add_annotation("Logs", Query('{a="b"}', datasource_uid=uids.DATASOURCE_LOKI))
    )
    written = db.to_dict()
    health, runbook = written["links"]
    assert (health["url"], health["keepTime"], health["includeVars"]) == (
        "/d/infrastructure-health",
        True,
        True,
    )
    assert (runbook["targetBlank"], runbook["keepTime"]) == (True, False)
    restarts, logs = written["annotations"]["list"]
    assert restarts["target"]["expr"] == "changes(up[1m]) > 0"
    assert logs["expr"] == logs["target"]["expr"] == '{a="b"}'
    assert "expr" not in restarts
    assert restarts["target"]["interval"] == "1m"
    assert (restarts["iconColor"], restarts["tagKeys"], restarts["titleFormat"]) == (
        palette.WARNING,
        "job",
        "Restarts",
    )
    assert logs["datasource"] == {"type": "loki", "uid": "loki"}
    assert not any("placement" in link for link in written["links"])
    # One line at the top, however many there are: their switches are in the menu of controls.
    assert all(annotation["placement"] == "inControlsMenu" for annotation in written["annotations"]["list"])


def test_a_menu_of_dashboards_is_one_entry() -> None:
    (menu,) = new().add_dashboard_menu("Dashboards", "page").to_dict()["links"]
    assert (menu["type"], menu["asDropdown"], menu["tags"]) == ("dashboards", True, ["page"])
    assert menu["keepTime"] is menu["includeVars"] is True


def test_a_hidden_variable_is_for_links_only() -> None:
    db = new().add_query_variable("focus", query="query_result(up)", hidden=True)
    db.add_dashboard_link("Service", uids.SERVICE_DETAIL, keep_variables=False, chosen={"service": "${focus}"})
    written = db.to_dict()
    (variable,) = written["templating"]["list"]
    assert (variable["hide"], variable["skipUrlSync"]) == (2, True)
    assert written["links"][0]["url"] == "/d/service-detail?var-service=${focus}"


# Rows and ids


def test_rows_own_what_follows() -> None:
    db = new().add_stat_panel("1", "up", "none").add_row("Open").add_stat_panel("3", "up", "none")
    db.add_row("Closed", collapsed=True).add_timeseries_panel("5", "up", "none").add_stat_panel("6", "up", "none")
    db.add_row("Last").add_stat_panel("8", "up", "none")
    written = db.to_dict()["panels"]
    assert [panel["title"] for panel in written] == ["1", "Open", "3", "Closed", "Last", "8"]
    assert [panel["id"] for panel in written] == [1, 2, 3, 4, 7, 8]
    assert [panel["gridPos"]["y"] for panel in written] == [0, 4, 5, 9, 10, 11]
    opened, closed = written[1], written[3]
    assert (opened["collapsed"], opened["panels"]) == (False, [])
    assert closed["collapsed"] is True
    assert [(inner["id"], inner["gridPos"]["x"], inner["gridPos"]["y"]) for inner in closed["panels"]] == [
        (5, 0, 10),
        (6, 12, 10),
    ]


def test_repeated_row() -> None:
    db = new().add_custom_variable("env", values=["dev"]).add_row("$env", repeat="env")
    assert db.to_dict()["panels"][0]["repeat"] == "env"


def test_asked_ids_are_kept_and_others_go_around_them() -> None:
    db = new().add_stat_panel("a", "up", "none").add_stat_panel("b", "up", "none", panel_id=1).add_row("r", panel_id=3)
    db.add_stat_panel("c", "up", "none")
    assert [panel["id"] for panel in db.to_dict()["panels"]] == [2, 1, 3, 4]


# Refusals


@pytest.mark.parametrize("uid", ["", "a b", "ä", "x" * 41, "a/b", "a\n"])
def test_bad_uid(uid: str) -> None:
    refused(DashboardBuilder("T", uid), "uid")


@pytest.mark.parametrize(
    ("settings", "setting"),
    [({"refresh": "soon"}, "refresh"), ({"time_from": ""}, "time_from"), ({"timezone": " "}, "timezone")],
)
def test_bad_dashboard_settings(settings: dict[str, str], setting: str) -> None:
    refused(new(**settings), setting)


def test_bad_title() -> None:
    refused(DashboardBuilder(" ", "x"), "title")


@pytest.mark.parametrize("kind", type_adders)
def test_title_and_query_are_required(kind: str) -> None:
    name = {"bargauge": "bar_gauge", "nodeGraph": "node_graph"}.get(kind, kind)
    add = getattr(DashboardBuilder, f"add_{name}_panel")
    unit = {} if kind in {"logs", "text", "traces", "nodeGraph"} else {"unit": "none"}
    given = {"content": "x"} if kind == "text" else {"query": "x"}
    refused(add(new(), **given, **unit), "title")
    error = refused(add(new(), title="Mine", **unit), next(iter(given)))
    assert error.panel == "Mine"
    assert "'Mine'" in str(error)
    if unit:
        refused(add(new(), title="T", **given), "unit")


bad_panels: list[tuple[str, Callable[[DashboardBuilder], DashboardBuilder]]] = [
    ("unit", lambda db: db.add_stat_panel("T", "up", "percents")),
    ("unit", lambda db: db.add_stat_panel("T", "up", "suffix: ")),
    ("unit", lambda db: db.add_heatmap_panel("T", "up", "sec")),
    ("cell_unit", lambda db: db.add_heatmap_panel("T", "up", "s", cell_unit="sec")),
    ("query", lambda db: db.add_stat_panel("T", " ", "none")),
    ("query", lambda db: db.add_stat_panel("T", [], "none")),
    ("query", lambda db: db.add_stat_panel("T", ["up", Query("")], "none")),
    ("query", lambda db: db.add_stat_panel("T", 3, "none")),  # type: ignore[arg-type]
    ("query", lambda db: db.add_stat_panel("T", [3], "none")),  # type: ignore[list-item]
    ("query", lambda db: db.add_traces_panel("T", JaegerQuery.trace(""))),
    ("query", lambda db: db.add_traces_panel("T", JaegerQuery.search("api"))),
    ("query", lambda db: db.add_node_graph_panel("T", [JaegerQuery.search("api")])),
    ("query", lambda db: db.add_stat_panel("T", Query("x", datasource_uid="jaeger"), "none")),
    ("query", lambda db: db.add(dashboards_text_with_query())),
    ("service", lambda db: db.add_table_panel("T", JaegerQuery.search(""), "none")),
    ("limit", lambda db: db.add_table_panel("T", JaegerQuery.search("a", limit=0), "none")),
    ("ref_id", lambda db: db.add_stat_panel("T", [Query("a", ref_id="X"), Query("b", ref_id="X")], "none")),
    ("datasource_uid", lambda db: db.add_stat_panel("T", Query("up", datasource_uid="prom"), "none")),
    ("width", lambda db: db.add_stat_panel("T", "up", "none", width=25)),
    ("width", lambda db: db.add_stat_panel("T", "up", "none", width=0)),
    ("height", lambda db: db.add_stat_panel("T", "up", "none", height=0)),
    ("decimals", lambda db: db.add_stat_panel("T", "up", "none", decimals=-1)),
    ("min_val", lambda db: db.add_stat_panel("T", "up", "none", min_val=float("nan"))),
    ("max_val", lambda db: db.add_gauge_panel("T", "up", "none", min_val=5, max_val=5)),
    ("calcs", lambda db: db.add_stat_panel("T", "up", "none", calcs=[])),
    ("calcs", lambda db: db.add_gauge_panel("T", "up", "none", calcs=["average"])),
    ("calcs", lambda db: db.add_timeseries_panel("T", "up", "none", legend=Legend(calcs=["current"]))),
    ("legend", lambda db: db.add_timeseries_panel("T", "up", "none", legend=Legend("no"))),  # type: ignore[arg-type]
    ("stacking", lambda db: db.add_timeseries_panel("T", "up", "none", stacking="yes")),  # type: ignore[arg-type]
    ("fill_opacity", lambda db: db.add_timeseries_panel("T", "up", "none", fill_opacity=101)),
    ("thresholds", lambda db: db.add_stat_panel("T", "up", "none", thresholds=Thresholds(()))),
    ("thresholds", lambda db: db.add_stat_panel("T", "up", "none", thresholds=Thresholds.high_is_bad(2, 1))),
    ("thresholds", lambda db: db.add_stat_panel("T", "up", "none", thresholds=Thresholds.plain("red"))),
    ("thresholds", lambda db: db.add_logs_panel("T", "{}", thresholds=Thresholds.plain("#ffffff"))),
    (
        "thresholds",
        lambda db: db.add_stat_panel(
            "T",
            "up",
            "none",
            thresholds=Thresholds(((None, palette.BAD, "x"),), percent=True, show_text=True),
        ),
    ),
    ("mappings", lambda db: db.add_stat_panel("T", "up", "none", mappings={(2, 1): "x"})),
    ("mappings", lambda db: db.add_stat_panel("T", "up", "none", mappings={"1": ValueText("x", "red")})),
    ("color", lambda db: db.add_timeseries_panel("T", Query("up", color="red"), "none")),
    ("links", lambda db: db.add_stat_panel("T", "up", "none", links=[Link("", "/x")])),
    ("data_links", lambda db: db.add_stat_panel("T", "up", "none", data_links=[Link("x", "")])),
    ("overrides", lambda db: db.add_stat_panel("T", "up", "none", overrides=[Override(name="")])),
    ("overrides", lambda db: db.add_stat_panel("T", "up", "none", overrides=[Override(name="x")])),
    (
        "overrides",
        lambda db: db.add_stat_panel("T", "up", "none", overrides=[Override(name="x", by="y", width=1)]),  # type: ignore[arg-type]
    ),
    (
        "overrides.unit",
        lambda db: db.add_stat_panel("T", "up", "none", overrides=[Override(name="x", unit="sec")]),
    ),
    (
        "transformations",
        lambda db: db.add_stat_panel("T", "up", "none", transformations=[{"id": "", "options": {}}]),
    ),
    ("repeat", lambda db: db.add_stat_panel("T", "up", "none", repeat="env")),
    ("repeat", lambda db: db.add_row("T", repeat="env")),
    ("title", lambda db: db.add_row(" ")),
    ("panel_id", lambda db: db.add_stat_panel("T", "up", "none", panel_id=0)),
    ("panel_id", lambda db: db.add_stat_panel("T", "up", "none", panel_id=5, key="state")),
    ("key", lambda db: db.add_stat_panel("T", "up", "none", key="No Key")),
    ("panel_id", lambda db: db.add_row("T", panel_id=7).add_stat_panel("U", "up", "none", panel_id=7)),
    ("variable", lambda db: db.add_textbox_variable("a").add_textbox_variable("a")),
    ("name", lambda db: db.add_textbox_variable("$a")),
    ("query", lambda db: db.add_query_variable("a")),
    ("datasource_uid", lambda db: db.add_query_variable("a", query="x", datasource_uid="jaeger")),
    ("values", lambda db: db.add_custom_variable("a")),
    ("values", lambda db: db.add_interval_variable("a", values=["soon"])),
    ("uid", lambda db: db.add_dashboard_link("Other", "no such")),
    ("title", lambda db: db.add_dashboard_link("", "other")),
    ("url", lambda db: db.add_link("Runbook", "")),
    ("query", lambda db: db.add_annotation("Restarts")),
    ("name", lambda db: db.add_annotation("", "up")),
    ("color", lambda db: db.add_annotation("Restarts", "up", color="red")),
]


def dashboards_text_with_query() -> dashboards.Panel:
    return panels.text(PanelSpec(title="T", query="up"), "x")


@pytest.mark.parametrize(("setting", "add"), bad_panels)
def test_refusals(setting: str, add: Callable[[DashboardBuilder], DashboardBuilder]) -> None:
    refused(add(new()), setting)


def test_unknown_unit_says_what_is_close() -> None:
    error = refused(new().add_stat_panel("Latency", "up", "second"), "unit")
    assert error.panel == "Latency"
    assert "percentunit" in error.accepted
    assert "suffix:" in error.accepted


def test_unknown_keyword_is_refused_at_once() -> None:
    with pytest.raises(TypeError, match="colour"):
        new().add_stat_panel("T", "up", "none", colour="red")  # type: ignore[call-arg]


def test_duplicate_uids() -> None:
    one, two = DashboardBuilder("One", "a"), DashboardBuilder("Two", "b")
    assert check_unique([one, two]) == (one, two)
    with pytest.raises(DashboardError, match=r"'a'.*'One'"):
        check_unique([one, two, DashboardBuilder("Three", "a")])


def test_a_log_panel_says_in_a_line_what_it_has_no_data_of() -> None:
    db = DashboardBuilder(title="T", uid="t")
    db.add_logs_panel(title="Errors", query='{a="b"} | json', no_value='No "error" was written.')
    (panel,) = json.loads(db.to_json())["panels"]
    lines, output = panel["targets"]
    assert (lines["expr"], lines["queryType"]) == ('{a="b"} | json', "range")
    assert output["expr"] == (
        'label_replace(label_replace(vector(0) unless on () (sum(count_over_time({a="b"} | json | __error__=""'
        ' [$__range])) > 0), "body", "No \\"error\\" was written.", "", ""), "level", "info", "", "")'
    )
    assert output["queryType"] == "instant"
    (step,) = panel["transformations"]
    assert (step["id"], step["filter"]) == ("labelsToFields", {"id": "byRefId", "options": output["refId"]})
    with pytest.raises(DashboardError, match="text without \\$"):
        DashboardBuilder(title="T", uid="t").add_logs_panel(title="E", query="{a='b'}", no_value="$1").to_json()
