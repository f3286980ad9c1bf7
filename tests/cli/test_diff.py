"""What `make diff` says of each kind of change: recorded resources with one edit, and the Markdown that is expected."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from cli.diffing.compare import compare
from cli.diffing.markdown import markdown
from cli.diffing.model import code, flatten, text
from cli.diffing.versions import Environment
from cli.evaluation import Registered, reason
from observability import topology

Program = tuple[Registered, ...]
Edit = Callable[[dict[str, Any]], None]


@pytest.fixture
def before(program_of: Callable[[str], Program]) -> Program:
    return program_of("staging")


def edited(program: Program, name: str, edit: Edit, kind: str = "") -> Program:
    """The program with the inputs of the one resource of this name (and kind) changed."""
    result = [r for r in program if r.name == name and r.type.endswith(kind)]
    assert len(result) == 1, [r.type for r in result]
    new = copy.deepcopy(result[0])
    edit(new.inputs)
    assert new.inputs != result[0].inputs
    return tuple(new if r is result[0] else r for r in program)


def without(program: Program, name: str, kind: str) -> Program:
    kept = tuple(r for r in program if not (r.name == name and r.type.endswith(kind)))
    assert len(kept) == len(program) - 1
    return kept


def dashboard(program: Program, uid: str, edit: Edit) -> Program:
    def inner(inputs: dict[str, Any]) -> None:
        model = json.loads(inputs["configJson"])
        edit(model)
        inputs["configJson"] = json.dumps(model)

    return edited(program, uid, inner, ":Dashboard")


def panel(model: dict[str, Any], title: str) -> dict[str, Any]:
    result: dict[str, Any] = next(p for p in model["panels"] if p["title"] == title)
    return result


def said(before: Program, after: Program, **settings: tuple[Any, Any]) -> str:
    """The Markdown below its heading."""
    sides = [
        {"staging": Environment({k: v[i] for k, v in settings.items()}, frozenset(settings), program)}
        for i, program in enumerate((before, after))
    ]
    whole = markdown(compare(*sides), "`main`")
    start = "## What changes against `main`\n\nEvaluated without an engine for staging.\n\n"
    return whole.removeprefix(start)


def test_nothing_is_one_line(before: Program) -> None:
    assert said(before, copy.deepcopy(before)) == "No change in meaning against `main` in staging.\n"


def test_a_panel_that_changes_shows_before_and_after(before: Program) -> None:
    def edit(model: dict[str, Any]) -> None:
        changed = panel(model, "Burn rate, 1h")
        changed["targets"][0]["expr"] = (
            "max by (service) (slo:error_budget:burn_rate1h{service=~'$service'}) and on () up"
        )
        changed["fieldConfig"]["defaults"]["unit"] = "percent"
        changed["fieldConfig"]["defaults"]["thresholds"]["steps"] = [
            {"color": "green", "value": None},
            {"color": "red", "value": 6.0},
        ]
        changed["type"] = "timeseries"

    after = dashboard(before, "slo-overview", edit)
    old = panel(json.loads(_config(before, "slo-overview")), "Burn rate, 1h")
    steps = old["fieldConfig"]["defaults"]["thresholds"]["steps"]
    assert said(before, after) == (
        "### Dashboards\n\n"
        "- dashboard `slo-overview`, panel `Burn rate, 1h`\n"
        f"  - type `{old['type']}` → `timeseries`\n"
        "  - `query A`\n"
        "    ```diff\n"
        f"    - {old['targets'][0]['expr']}\n"
        "    + max by (service) (slo:error_budget:burn_rate1h{service=~'$service'}) and on () up\n"
        "    ```\n"
        "  - thresholds\n"
        "    ```diff\n"
        f"    - {', '.join(_step(s) for s in steps)}\n"
        "    + green, red from 6\n"
        "    ```\n"
        f"  - unit `{old['fieldConfig']['defaults']['unit']}` → `percent`\n"
    )


def _config(program: Program, uid: str) -> str:
    return str(next(r for r in program if r.name == uid and r.type.endswith(":Dashboard")).inputs["configJson"])


def _step(step: dict[str, Any]) -> str:
    return str(step["color"]) + ("" if step["value"] is None else f" from {step['value']:g}")


def test_panels_are_matched_by_title_whatever_stands_before_them(before: Program) -> None:
    def edit(model: dict[str, Any]) -> None:
        new = {"type": "stat", "title": "Answer", "targets": [{"refId": "A", "expr": "vector(42)"}]}
        for p in model["panels"]:
            p["id"] += 1
            p["gridPos"]["y"] += 7
        model["panels"].insert(0, new | {"id": 1, "gridPos": {"x": 0, "y": 0, "w": 6, "h": 7}})
        model["panels"] = [p for p in model["panels"] if p["title"] != "Burn rate, 1h"]

    assert said(before, dashboard(before, "slo-overview", edit)) == (
        "### Dashboards\n\n"
        "- dashboard `slo-overview`, panel `Answer`\n"
        "  - added\n"
        "  - type `stat`\n"
        "  - `query A` `vector(42)`\n"
        "- dashboard `slo-overview`, panel `Burn rate, 1h`: removed: `bargauge`\n"
    )


def test_a_panel_with_another_title_is_the_same_panel(before: Program) -> None:
    def edit(model: dict[str, Any]) -> None:
        panel(model, "Burn rate, 1h")["title"] = "Burn rate of 1 h"

    assert said(before, dashboard(before, "slo-overview", edit)) == (
        "### Dashboards\n\n"
        "- dashboard `slo-overview`, panel `Burn rate of 1 h`: title `Burn rate, 1h` → `Burn rate of 1 h`\n"
    )


def test_another_place_alone_is_said_to_be_that(before: Program) -> None:
    def edit(model: dict[str, Any]) -> None:
        panel(model, "Burn rate, 1h")["gridPos"]["h"] += 1

    assert said(before, dashboard(before, "slo-overview", edit)) == (
        "### Dashboards\n\n- dashboard `slo-overview`: layout: `panels stand elsewhere or have another size`\n"
    )


def test_dashboards_come_and_go(before: Program) -> None:
    gone = without(before, "logs", ":Dashboard")
    count = len(json.loads(_config(before, "logs"))["panels"])
    line = f"`Logs, in folder ml-platform, {count} panels`"
    assert said(before, gone) == f"### Dashboards\n\n- dashboard `logs`: removed: {line}\n"
    assert said(gone, before) == f"### Dashboards\n\n- dashboard `logs`: added: {line}\n"


def test_variables_links_and_annotations(before: Program) -> None:
    def edit(model: dict[str, Any]) -> None:
        next(v for v in model["templating"]["list"] if v["name"] == "service")["multi"] = False
        model["links"] = model["links"][1:]
        model["annotations"]["list"][0]["iconColor"] = "red"
        model["refresh"] = "1m"

    shown = said(before, dashboard(before, "slo-overview", edit))
    for line in (
        "  - `variable service: multi` `true` → `false`\n",
        "  - `link Dashboards` (empty) → (none)\n",
        "  - `annotation Deployments: iconColor` `#CC79A7` → `red`\n",
        " → `1m`\n",
    ):
        assert line in shown


def test_an_alert_shows_condition_for_and_severity(before: Program) -> None:
    def edit(group: dict[str, Any]) -> None:
        rule = group["rules"][0]
        rule["for"] = "5m"
        rule["labels"]["severity"] = "ticket"
        fires = next(d for d in rule["datas"] if d["refId"] == rule["condition"])
        fires["model"] = fires["model"].replace(">= 1", ">= 2")
        group["intervalSeconds"] = 60

    shown = said(before, edited(before, "alerts-slo-grafana", edit))
    assert shown == (
        "### Alerts\n\n"
        "- `grafana availability: error budget burns fast`\n"
        "  - for `0s` → `5m`\n"
        "  - evaluated every (s) `30` → `60`\n"
        "  - severity `page` → `ticket`\n"
        "  - condition `$near >= 1` → `$near >= 2`\n"
        "- `grafana latency: error budget burns fast`: evaluated every (s) `30` → `60`\n"
    )


def test_where_a_panel_stands_is_no_change_of_the_alert_that_leads_there(before: Program) -> None:
    def edit(group: dict[str, Any]) -> None:
        for rule in group["rules"]:
            rule["annotations"]["__panelId__"] = "77"
            rule["annotations"]["panel_url"] = rule["annotations"]["panel_url"].replace("panel-8", "panel-77")

    assert said(before, edited(before, "alerts-slo-grafana", edit)).startswith("No change in meaning")


def test_many_alerts_that_change_alike_are_one_line(before: Program) -> None:
    def edit(group: dict[str, Any]) -> None:
        for rule in group["rules"]:
            rule["for"] = "3m"

    after = edited(before, "alerts-slo-grafana-tickets", edit)
    assert said(before, after) == (
        "### Alerts\n\n"
        "- `grafana availability: error budget burns slowly`; `grafana availability: error budget nearly gone`;"
        " `grafana latency: error budget burns slowly`; `grafana latency: error budget nearly gone`: for `0s` → `3m`\n"
        "- `grafana availability: requests are not measured`; `grafana latency: requests are not measured`:"
        " for `15m` → `3m`\n"
    )


def test_alerts_come_and_go(before: Program) -> None:
    def edit(group: dict[str, Any]) -> None:
        group["rules"] = group["rules"][1:]

    after = edited(before, "alerts-slo-grafana", edit)
    name = "`grafana availability: error budget burns fast`"
    assert said(before, after) == f"### Alerts\n\n- {name}: removed: `page`\n"
    added = said(after, before)
    assert f"- {name}\n  - added\n" in added
    assert "  - condition `$near >= 1`\n" in added


def rule(before: Program, group: str, old: str, new: str) -> Program:
    """One text in a group of rules replaced."""
    return file(before, "rules.yml", old, new, behind=f"- name: {group}\n")


def file(before: Program, part: str, old: str, new: str, service: str = "prometheus", *, behind: str = "") -> Program:
    """The first text in the files of a service, after `behind`, replaced, and the digest of its volume with it."""

    def edit(inputs: dict[str, Any]) -> None:
        upload = next(u for u in inputs["uploads"] if part in u["file"])
        start = upload["content"].index(behind)
        assert old in upload["content"][start:]
        upload["content"] = upload["content"][:start] + upload["content"][start:].replace(old, new, 1)

    def label(inputs: dict[str, Any]) -> None:
        inputs["labels"][-1]["value"] += "0"

    name = f"observability-staging-{service}-config"
    return edited(edited(before, f"{name}-loader", edit), name, label, ":Volume")


def test_an_objective_is_told_in_percent_and_prometheus_starts_again(before: Program) -> None:
    shown = said(before, rule(before, "slo-grafana", "vector(0.995)", "vector(0.999)"))
    assert "### SLOs\n\n- `grafana availability`: objective `99.5 %` → `99.9 %`\n" in shown
    assert "| `prometheus` | configuration files | " in shown
    assert "at most 120 s of it to stop | nothing is scraped" in shown
    assert "### Recording rules" not in shown


def test_a_rule_shows_its_expression(before: Program) -> None:
    shown = said(before, rule(before, "models", "expr: ", "expr: 2 * "))
    assert "### Recording rules\n\n- `" in shown
    assert " → `2 * max by (service, model, version)" in shown
    assert "Configuration files" not in shown


def test_many_rules_are_folded_under_what_was_decided(before: Program) -> None:
    after = before
    for group in ("slo-grafana", "slo-loki"):
        for window in ("5m", "30m", "1h", "2h"):
            head = f"record: slo:error_budget:burn_rate{window}\n    expr: "
            after = rule(after, group, head, f"{head}2 * ")
    shown = said(before, after)
    assert "### Recording rules\n\n<details><summary>Recording rules: 8 kinds of change</summary>\n\n- `" in shown
    assert shown.count("<details>") == shown.count("\n\n</details>") == 1


def test_a_configuration_file_is_told_of_by_its_keys(before: Program) -> None:
    shown = said(before, file(before, "prometheus.yml", "scrape_interval: 15s", "scrape_interval: 30s"))
    assert (
        "### Configuration files\n\n- `prometheus /etc/observability/prometheus.yml`:"
        " `global.scrape_interval` `15s` → `30s`\n" in shown
    )


def test_settings_say_default_and_own_values_and_no_secret(before: Program) -> None:
    shown = said(
        before,
        before,
        lokiRetention=("31d", "14d"),
        services=("[]", [{"name": "checkout", "latency": {"threshold": "500ms"}}]),
        smtpPassword=({"secure": "v1:aaa"}, {"secure": "v1:bbb"}),
        alertSlackUrl=("", {"secure": "v1:ccc"}),
    )
    assert shown == (
        "### Settings\n\n"
        "- `lokiRetention`: `31d` → `14d`\n"
        "- `services`\n"
        "  - `[checkout].name` (none) → `checkout`\n"
        "  - `[checkout].latency.threshold` (none) → `500ms`\n"
        "- `smtpPassword`: another secret\n"
        "- `alertSlackUrl`: (empty) → `(secret)`\n"
    )


def test_an_image_and_what_starts_again_for_it(before: Program) -> None:
    def image(inputs: dict[str, Any]) -> None:
        inputs["name"] = "grafana/loki:3.8.0"

    def container(inputs: dict[str, Any]) -> None:
        inputs["image"] = "sha256:grafana/loki:3.8.0"
        inputs["labels"][-1]["value"] += "0"

    shown = said(before, edited(edited(before, "loki-image", image), "loki", container, ":Container"))
    away = f"about {topology.LOKI.restart.seconds:.0f} s, as measured; at most 60 s of it to stop"
    assert shown == (
        "### Restarts\n\n"
        "| container | because of | away for | meanwhile | in |\n"
        "|---|---|---|---|---|\n"
        f"| `loki` | image | {away} | logs wait in the collector | staging |\n\n"
        "### Images\n\n- `loki`: `grafana/loki:3.7.8` → `grafana/loki:3.8.0`\n"
    )


def test_how_a_container_is_run(before: Program) -> None:
    def edit(inputs: dict[str, Any]) -> None:
        inputs["memory"] = inputs["memorySwap"] = 2048.0
        inputs["envs"] = [*inputs["envs"], "GOGC=50"]

    shown = said(before, edited(before, "loki", edit, ":Container"))
    assert "| `loki` | how it is run | " in shown
    assert "  - memory `1024` → `2048`\n" in shown
    assert "  - `env.GOGC` (none) → `50`\n" in shown


def test_a_data_volume_that_goes_is_said_loudly(before: Program) -> None:
    shown = said(before, without(before, "loki-data", ":Volume"))
    assert shown.startswith("### Data\n\n- `loki-data`: removed, and what is in it\n")
    renamed = edited(before, "loki-data", lambda inputs: inputs.update(name="other"))
    assert said(before, renamed) == (
        "### Data\n\n- `loki-data`: another volume, empty `observability-staging-loki-data` → `other`\n"
    )


@pytest.mark.parametrize(
    ("name", "kind", "key", "value", "section", "expected"),
    [
        ("loki", ":DataSource", "url", "http://a/", "Data sources", "`Loki`: url `http://reading-proxy:3100` → `http://a/`"),
        ("logs-to-traces", ":Correlation", "label", "A", "Correlations",
         "`logs-to-traces`: label `Trace of this line` → `A`"),
        ("contact-nobody", ":ContactPoint", "webhooks", [{"url": "a"}], "Contact points",
         "`nobody`: `webhooks[1].url` `http://127.0.0.1:4000/` → `a`"),
        ("policy", ":NotificationPolicy", "repeatInterval", "2d", "Routing", "`policy`: `repeatInterval` `1d` → `2d`"),
        ("infrastructure", ":Folder", "title", "A", "Other resources",
         "`Folder infrastructure`: title `Infrastructure` → `A`"),
    ],
)  # fmt: skip
def test_the_rest_of_what_grafana_is_given(  # noqa: PLR0917 - a row of the table
    before: Program, name: str, kind: str, key: str, value: object, section: str, expected: str
) -> None:
    after = edited(before, name, lambda inputs: inputs.update({key: value}), kind)
    assert said(before, after) == f"### {section}\n\n- {expected}\n"


def test_nothing_that_differs_goes_untold(before: Program) -> None:
    """Whatever resource changes, something is said; what follows from others alone has a reason to be left out."""
    follow = ("gates:", "Deployment", "__provider", "observability:")
    for resource in before:
        if any(part in resource.type for part in follow) or not resource.inputs:
            continue
        changed = Registered(resource.type, resource.name, {**copy.deepcopy(resource.inputs)})
        if resource.type.endswith(":Dashboard"):
            changed.inputs["configJson"] = changed.inputs["configJson"].replace('"title":"', '"title":"New ', 1)
        elif resource.type.endswith(":RuleGroup"):
            changed.inputs["intervalSeconds"] += 1
        else:
            changed.inputs["novelty"] = "yes"
        if resource.type.endswith(":RemoteImage"):
            changed.inputs["name"] += "-new"
        after = tuple(changed if r is resource else r for r in before)
        assert not said(before, after).startswith("No change"), (resource.type, resource.name)


def test_the_same_change_in_several_environments_is_told_once(program_of: Callable[[str], Program]) -> None:
    old, new = {}, {}
    for stack in ("prod", "staging", "dev"):
        program = program_of(stack)
        settings = {"production": stack == "prod"}
        old[stack] = Environment(settings, frozenset(), program)
        after = dashboard(program, "logs", lambda model: model.update(refresh="7m"))
        new[stack] = Environment(settings | ({"demo": True} if stack == "dev" else {}), frozenset({"demo"}), after)
    shown = markdown(compare(old, new), "`main`")
    assert shown.count("→ `7m` (dev, staging, prod)\n") == 1
    assert "- `demo`: new setting (none) → `true` (dev)\n" in shown


def test_an_environment_is_added(before: Program) -> None:
    some = Environment({}, frozenset(), before)
    shown = markdown(compare({"dev": some}, {"dev": some, "eu": some}), "`main`")
    assert "### Environments\n\n- `eu`: added (eu)\n" in shown


def test_long_values_are_cut_around_what_differs(before: Program) -> None:
    long = "sum(rate(a[5m])) + " * 100

    def with_query(end: str) -> Program:
        def edit(model: dict[str, Any]) -> None:
            panel(model, "Burn rate, 1h")["targets"][0]["expr"] = f"{long}{end} + {long}"

        return dashboard(before, "slo-overview", edit)

    shown = said(with_query("old"), with_query("new"))
    lines = [line.strip() for line in shown.splitlines() if line.strip().startswith(("- …", "+ …"))]
    assert len(lines) == 2
    assert all(len(line) < 200 and line.endswith("…") for line in lines)
    assert "old" in lines[0]
    assert "new" in lines[1]


def test_text_from_a_pull_request_stays_inside_code(before: Program) -> None:
    evil = "x`` @team <img src=x>\n# heading | ```\n"

    def edit(model: dict[str, Any]) -> None:
        panel(model, "Burn rate, 1h")["title"] = evil

    shown = said(before, dashboard(before, "slo-overview", edit))
    assert "panel ```` x`` @team <img src=x> # heading | ``` ````\n" in shown
    assert "\n    ````diff\n    -Burn rate, 1h\n    +x`` @team <img src=x>\n    +# heading | ```\n    ````\n" in shown
    assert code("a`b") == "``a`b``"
    assert code("`") == "`` ` ``"


def test_secrets_never_show() -> None:
    assert text("admin:generated-grafana-admin-password") == "admin:(secret)"
    assert text("https://stand-in-for-a-secret-0a1b2c3d4e/") == "(secret)"


def test_lists_are_read_by_what_names_their_items() -> None:
    one = flatten({"a": [{"name": "x", "v": 1.0}, {"name": "y", "v": 2}], "b": [1, 2], "c": None})
    assert one == {"a[x].name": "x", "a[x].v": "1", "a[y].name": "y", "a[y].v": "2", "b": "1, 2"}


def test_the_reason_is_the_exceptions_own_words() -> None:
    traceback = 'Traceback:\n  File "x", line 1\npulumi.errors.RunError: 1 setting cannot be used:\n  - a: b\n'
    assert reason(traceback) == "1 setting cannot be used:\n  - a: b"
    assert reason("") == "it prints nothing"
