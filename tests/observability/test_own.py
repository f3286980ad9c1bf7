"""A team's own folder: what drops in, what is refused with file and line, and that no secret is ever in plain text."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli import render, stack_config
from cli.bootstrap import ROOT
from cli.evaluation import Registered, evaluate
from components.contact_points import ContactPointProvider
from components.grafana_api import GrafanaApi
from dashboards.catalogue import built, dashboards
from observability import alerts, own, own_checks, processes
from observability.alerts.links import alert_annotations
from observability.alerts.model import OwnAlert
from observability.configs import collector
from observability.own import collector_files, prometheus_files, secret_references
from observability.settings import Settings, load

SECRET = """it's "secret": {x}"""
NAMES = ("shop", "db", "discord", "http", "github")

Write = Callable[[Mapping[str, str]], Settings]
Json = dict[str, Any]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(files: Mapping[str, str], **raw: str) -> Settings:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        secrets = json.dumps(dict.fromkeys(NAMES, SECRET))
        given = {"ownFolder": str(tmp_path), "ownSecrets": secrets, **raw}
        return load("dev", given, frozenset({"ownSecrets"}))

    return write


def refused(settings: Settings) -> str:
    with pytest.raises(own.OwnContentError) as caught:
        own.read(settings)
    return str(caught.value)


SCRAPE = """
scrape_configs:
  - job_name: node
    static_configs: [{targets: ["node:9100"]}]
  - job_name: shop
    basic_auth: {username: prom, password: "${secret:shop}"}
    static_configs: [{targets: ["shop:8000"]}]
"""
RULES = """
groups:
  - name: shop
    interval: 15s
    rules:
      - record: shop:orders:rate5m
        expr: sum by (service) (rate(orders_total[5m]))
      - alert: ShopSlow
        expr: shop:orders:rate5m < 1
        for: 90s
        keep_firing_for: 2m
        labels: {severity: critical, service: checkout, team: shop}
        annotations:
          description: "{{ $labels.service }} sells {{ $value | humanize }} a second"
          runbook_url: https://example.org/slow
      - alert: ShopSlow
        expr: shop:orders:rate5m < 10
        labels: {severity: warning}
        annotations: {summary: slow}
"""
DASHBOARD: Json = {
    "__inputs": [{"name": "DS_PROM", "type": "datasource", "pluginId": "prometheus", "label": "Prometheus"}],
    "__requires": [{"type": "panel", "id": "grafana-clock-panel"}],
    "id": 7,
    "title": "Orders",
    "templating": {"list": [{"name": "ds", "type": "datasource", "query": "loki", "current": {"value": "other"}}]},
    "panels": [
        {
            "type": "timeseries",
            "title": "Orders",
            "datasource": {"type": "prometheus", "uid": "${DS_PROM}"},
            "targets": [{"expr": "rate(orders_total[$__rate_interval])", "datasource": "${DS_PROM}"}],
        },
        {"type": "logs", "title": "Lines", "datasource": {"type": "loki", "uid": "P8E80F9AEF21F6940"}},
        {"type": "graph", "title": "Old", "datasource": "Prometheus", "format": "s"},
    ],
}
SOURCES = """
apiVersion: 1
datasources:
  - name: Shop database
    type: grafana-postgresql-datasource
    url: db:5432
    user: reader
    isDefault: true
    jsonData: {sslmode: require, httpHeaderName1: X-Team}
    secureJsonData: {password: "${secret:db}", httpHeaderValue1: "${secret:shop}"}
    correlations:
      - {targetUID: loki, label: Lines, config: {type: query, field: id, target: {expr: '{a="$${id}"}'}}}
"""
ALERTING = """
apiVersion: 1
contactPoints:
  - name: shop
    receivers:
      - {uid: shop-discord, type: discord, settings: {url: "${secret:discord}", message: "{{ len .Alerts }}"}}
muteTimes:
  - {name: nights, time_intervals: [{times: [{start_time: "22:00", end_time: "24:00"}], location: Europe/Paris}]}
templates:
  - {name: shop, template: '{{ define "shop" }}x{{ end }}'}
policies:
  - routes:
      - receiver: shop
        object_matchers: [[team, "=", shop]]
        mute_time_intervals: [nights]
        routes: [{receiver: page, matchers: ['severity="page"']}]
groups:
  - name: by-hand
    folder: Shop
    rules:
      - {uid: x1, title: Nothing sold, condition: A, for: 5m, data: [{refId: A, datasourceUid: prometheus, model: {}}]}
"""
COLLECTOR = """
receivers:
  http_check: {targets: [{endpoint: "http://shop/", headers: {X-Token: "${secret:http}"}}]}
  otlp: {protocols: {grpc: {}}}
service:
  pipelines:
    metrics/http: {receivers: [http_check], processors: [memory_limiter], exporters: [otlp_http/prometheus]}
    traces/accepted: {exporters: [debug]}
exporters: {debug: {}}
"""
INI = "[users]\nviewers_can_edit = true\n[auth.github]\nclient_secret = ${secret:github}\n"
EVERYTHING = {
    "scrape/jobs.yaml": SCRAPE,
    "rules/Shop/shop.yaml": RULES,
    "dashboards/Shop/orders.json": json.dumps(DASHBOARD),
    "datasources/db.yml": SOURCES,
    "alerting/shop.yaml": ALERTING,
    "collector/http.yaml": COLLECTOR,
    "grafana.ini": INI,
    "README.md": "read by people",
}


@pytest.fixture
def program(write: Write) -> dict[tuple[str, str], Json]:
    settings = write(EVERYTHING)
    secrets = json.dumps(dict.fromkeys(NAMES, SECRET))
    raw = {"ownFolder": settings.own_folder, "ownSecrets": secrets}
    found: tuple[Registered, ...] = evaluate("dev", raw, frozenset({"ownSecrets"}))
    return {(r.type.rsplit(":", 1)[1], r.name): r.inputs for r in found}


def test_without_a_folder_there_is_nothing(settings: Settings) -> None:
    assert own.read(settings) is own.NOTHING
    assert not any("own" in path for path in render.files(settings))


def test_a_folder_that_is_missing_is_refused(tmp_path: Path) -> None:
    assert "accepted: a folder that exists" in refused(load("dev", {"ownFolder": str(tmp_path / "none")}))


def test_the_uids_of_our_dashboards_are_known(settings: Settings) -> None:
    assert {d.uid for d in built(settings)} <= set(own.UIDS_OF_OURS)


def test_scrape_jobs_with_secrets_are_in_a_secret_file(write: Write) -> None:
    process = processes.process("prometheus", write(EVERYTHING))
    plain = yaml.safe_load(process.files["/etc/observability/prometheus.yml"])
    assert plain["scrape_configs"][-1]["job_name"] == "node"
    assert plain["scrape_config_files"] == ["/run/observability/own-scrape.yml"]
    stand_in = yaml.safe_load(process.checker_stand_ins["/run/observability/own-scrape.yml"])
    assert [job["job_name"] for job in stand_in["scrape_configs"]] == ["shop"]
    assert "${" not in process.checker_stand_ins["/run/observability/own-scrape.yml"]


def test_secrets_reach_their_files_whatever_is_in_them(program: dict[tuple[str, str], Json]) -> None:
    uploads = {
        upload["file"]: upload["content"]
        for (kind, name), inputs in program.items()
        if kind == "Container" and name.endswith("-secrets-loader")
        for upload in inputs["uploads"]
    }
    jobs = yaml.safe_load(uploads["/run/observability/own-scrape.yml"])["scrape_configs"]
    assert jobs[0]["basic_auth"]["password"] == SECRET
    assert uploads["/run/observability/own-http"] == uploads["/run/observability/own-github"] == SECRET
    assert json.loads(program["DataSource", "shop-database"]["secureJsonDataEncoded"]) == {"password": SECRET}
    assert program["DataSource", "shop-database"]["httpHeaders"] == {"X-Team": SECRET}
    assert program["ContactPoint", "own-contact-shop-discord"]["settings"]["url"] == SECRET


def test_no_secret_is_rendered(write: Write) -> None:
    settings = write(EVERYTHING)
    text = json.dumps(render.files(settings))
    assert json.dumps(SECRET)[1:-1] not in text
    assert "${secret:discord}" in text, "a reference is what a reviewer sees"


def test_recording_rules_go_to_prometheus_and_alerts_to_grafana(write: Write) -> None:
    settings = write(EVERYTHING)
    files = processes.process("prometheus", settings).files
    (group,) = yaml.safe_load(files["/etc/observability/rules/own-shop-shop.yml"])["groups"]
    assert [rule.get("record") for rule in group["rules"]] == ["shop:orders:rate5m"]
    (alert_group,) = (g for g in alerts.groups(settings) if g.folder == "shop")
    assert alert_group.interval_seconds == 20, "Grafana evaluates in steps of 10 s"
    first, second = (a for a in alert_group.alerts if isinstance(a, OwnAlert))
    assert (first.title, second.title) == ("ShopSlow (critical)", "ShopSlow (warning)")
    assert first.uid != second.uid
    assert (first.severity, first.pending, first.keep_firing, first.owner) == ("page", "90s", "2m", "shop")
    assert second.severity == "ticket"
    assert first.labels["own_severity"] == "critical"
    answer = alert_annotations(first, settings)
    assert answer["runbook_url"] == "https://example.org/slow"
    assert answer["summary"] == '{{ $labels.service }} sells {{ (index $values "query").Value | humanize }} a second'
    assert "orders:rate5m" in answer["panel_url"]
    assert "service-detail?var-service=checkout" in answer["service_url"]
    assert any("has no runbook_url" in warning for warning in own.read(settings).warnings)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{ $value }}", '{{ (index $values "query").Value }}'),
        ("{{ .Value | humanize }} {{ .Labels.a }}", '{{ (index $values "query").Value | humanize }} {{ .Labels.a }}'),
        ('{{ printf "%.1f" $value }} $value', '{{ printf "%.1f" (index $values "query").Value }} $value'),
        ("{{ $values.A.Value }} {{ $valuesX }}", "{{ $values.A.Value }} {{ $valuesX }}"),
    ],
)
def test_templates_show_the_value(template: str, expected: str) -> None:
    assert prometheus_files.as_grafana(template) == expected


def test_an_exported_dashboard_gets_our_data_sources(write: Write) -> None:
    settings = write(EVERYTHING)
    (found,) = (d for d in dashboards(settings) if d.folder == "shop")
    model = json.loads(found.json)
    assert found.uid == model["uid"] == "orders"
    prometheus = {"type": "prometheus", "uid": "prometheus"}
    panels = model["panels"]
    assert panels[0]["datasource"] == panels[0]["targets"][0]["datasource"] == panels[2]["datasource"] == prometheus
    assert panels[1]["datasource"] == {"type": "loki", "uid": "loki"}
    assert model["templating"]["list"][0]["current"]["value"] == "loki"
    assert not {"__inputs", "__requires", "id"} & set(model)
    warnings = own.read(settings).warnings
    assert any("needs the plugin grafana-clock-panel" in w for w in warnings)
    assert any("panel 'Orders': has no unit" in w for w in warnings)


def test_contracts_are_problems_if_the_team_asks(write: Write) -> None:
    said = refused(write(EVERYTHING, ownDashboardsStrict="true"))  # type: ignore[call-arg]
    assert "dashboards/Shop/orders.json:1:1: panel 'Orders': has no description" in said


def test_a_dashboard_for_a_data_source_that_there_is_not_is_refused(write: Write) -> None:
    text = json.dumps(DASHBOARD).replace('"pluginId": "prometheus"', '"pluginId": "influxdb"')
    assert "asks for a data source of type 'influxdb'" in refused(write({"dashboards/x.json": text}))


def test_a_library_panel_in_an_export_is_put_in_its_place(write: Write) -> None:
    panel = {"id": 3, "gridPos": {"x": 1}, "libraryPanel": {"uid": "lib", "name": "Shared"}}
    element = {"lib": {"uid": "lib", "model": {"type": "stat", "title": "Shared", "id": 99}}}
    settings = write({"dashboards/x.json": json.dumps({"title": "X", "panels": [panel], "__elements": element})})
    (found,) = own.read(settings).dashboards
    assert json.loads(found.json)["panels"] == [{"id": 3, "gridPos": {"x": 1}, "type": "stat", "title": "Shared"}]


def test_a_python_dashboard_is_built_and_its_mistakes_have_a_line(write: Write) -> None:
    good = (
        "from dashboards.builder import DashboardBuilder\n"
        "def build(settings):\n"
        "    db = DashboardBuilder(title=f'Own {settings.stack}', uid='own-py')\n"
        "    db.add_text_panel(title='Hello', content='x')\n"
        "    return db\n"
    )
    assert "own-py" in {d.uid for d in dashboards(write({"dashboards/own.py": good}))}
    with pytest.raises(own.OwnContentError, match=r"dashboards/own\.py:2: ZeroDivisionError"):
        dashboards(write({"dashboards/own.py": "def build(settings):\n    1 / 0\n"}))


def test_an_own_dashboard_does_not_take_the_place_of_ours(write: Write) -> None:
    said = refused(write({"dashboards/x.json": json.dumps({"uid": "home", "title": "X", "panels": []})}))
    assert "'home'; accepted: a UID that the program does not have" in said


def test_everything_is_a_resource(program: dict[tuple[str, str], Json]) -> None:
    assert program["Folder", "shop"]["title"] == "Shop"
    assert program["Correlation", next(n for k, n in program if k == "Correlation" and n.startswith("own-"))]["config"][
        "target"
    ] == {"expr": '{a="${id}"}'}
    assert program["MuteTiming", "own-nights"]["intervals"][0]["location"] == "Europe/Paris"
    assert program["MessageTemplate", "own-template-shop"]["name"] == "shop"
    assert program["RuleGroup", "own-rules-shop-by-hand"]["rules"][0]["uid"] == "x1"
    assert program["RuleGroup", "own-alerts-shop-shop"]["rules"][0]["keepFiringFor"] == "2m"
    policies = program["NotificationPolicy", "policy"]["policies"]
    assert policies[0]["contactPoint"] == "shop"
    assert policies[0]["policies"][0]["matchers"] == [{"label": "severity", "match": "=", "value": "page"}]
    assert [p["matchers"][0]["value"] for p in policies[1:]] == ["page", "watchdog", "ticket", ".*"]


def test_the_collector_keeps_what_it_has_and_gets_what_is_new(write: Write) -> None:
    settings = write(EVERYTHING)
    document = yaml.safe_load(collector.render(settings))
    before = yaml.safe_load(collector.render(load("dev", {})))
    assert document["receivers"]["otlp"] == before["receivers"]["otlp"]
    token = document["receivers"]["http_check"]["targets"][0]["headers"]["X-Token"]
    assert token == "${file:/run/observability/own-http}"
    exporters = before["service"]["pipelines"]["traces/accepted"]["exporters"]
    assert document["service"]["pipelines"]["traces/accepted"]["exporters"] == [*exporters, "debug"]
    assert document["service"]["pipelines"]["metrics/http"]["receivers"] == ["http_check"]
    assert collector_files.kept(before, own.read(settings).collector) == [
        "collector/http.yaml: receivers.otlp: left out: the program has one of this name"
    ]


def test_grafana_ini_takes_the_place_of_our_environment(write: Write) -> None:
    settings = write({"grafana.ini": "[log]\nlevel = debug\n[plugins]\npreinstall_sync = grafana-clock-panel@3.0.1\n"})
    process = processes.process("grafana", settings)
    assert "GF_LOG_LEVEL" not in process.environment
    assert "GF_PLUGINS_PREINSTALL_DISABLED" not in process.environment
    ini = process.files["/etc/observability/grafana.ini"]
    assert ini.startswith("[security]\nsecret_key = $__file{")
    assert "[log]\nlevel = debug\n" in ini


def test_what_is_for_one_stack_is_for_no_other(write: Write) -> None:
    assert len(own.read(write({"dev/scrape/a.yaml": SCRAPE})).scrapes) == 2
    assert not own.read(write({"scrape/b.yaml": "[]", "dev/scrape/a.yaml": "[]", "prod/scrape/c.yaml": SCRAPE})).scrapes


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"rule/a.yaml": "groups: []"}, "rule: nothing reads this; did you mean rules?"),
        ({"rules/a.txt": ""}, "rules/a.txt: accepted: a file that ends with .yaml or .yml"),
        (
            {"rules/a.yaml": "groups:\n- name: a\n  rules:\n  - {record: x, expr: 'sum('}\n"},
            "rules/a.yaml:4:17: groups[0].rules[0].expr: no PromQL",
        ),
        (
            {"rules/a.yaml": "groups:\n- name: a\n  rules:\n  - {record: x, expr: y, forr: 1m}\n"},
            "rules/a.yaml:4:26: groups[0].rules[0].forr: unknown field",
        ),
        (
            {"rules/a.yaml": "groups:\n- name: a\n  rules:\n  - {record: 'slo:error_budget:ratio', expr: y}\n"},
            "a name that the program does not record itself",
        ),
        (
            {"rules/a.yaml": "groups:\n- name: a\n  rules:\n  - {alert: x, expr: y, for: soon}\n"},
            "rules/a.yaml:4:25: groups[0].rules[0].for: accepted: a duration",
        ),
        (
            {
                "rules/a.yaml": "groups:\n- name: a\n  rules:\n  - {alert: x, expr: y, annotations: {s: '{{ query \"up\" }}'}}\n"  # noqa: E501 - one file
            },
            "Grafana's templates have no queries",
        ),
        ({"rules/a.yaml": "groups: [\n"}, "rules/a.yaml:"),
        (
            {"scrape/a.yaml": "- {job_name: grafana}\n"},
            "scrape/a.yaml:1:4: [0].job_name: 'grafana'; accepted: a name that no other job has",
        ),
        (
            {"scrape/a.yaml": "- {job_name: a, basic_auth: {password: hunter2}}\n"},
            "looks like the value of password; accepted: ${secret:name}",
        ),
        ({"scrape/a.yaml": "- {job_name: a, bearer_token: '${secret:nobody}'}\n"}, "ownSecrets.nobody: missing"),
        (
            {"scrape/a.yaml": "- {job_name: a, metrics_path: '${secret:with space}'}\n"},
            "accepted: ${secret:name}, a name of letters",
        ),
        (
            {"scrape/a.yaml": "- {job_name: a, static_configs: [{targets: ['http://u:pw1234@host/']}]}\n"},
            "looks like a password in an address",
        ),
        (
            {"datasources/a.yaml": "datasources: [{name: A, type: x, jsonData: {host: '$HOSTNAME'}}]"},
            "is a variable of an environment",
        ),
        (
            {"datasources/a.yaml": "datasources: [{name: A, type: x, uid: loki}]"},
            "'loki'; accepted: one that the program does not have",
        ),
        (
            {
                "alerting/a.yaml": "contactPoints: [{name: a, receivers: [{type: slack, settings: {url: 'https://x/'}}]}]"
            },
            "(hidden); accepted: ${secret:name}",
        ),
        (
            {"alerting/a.yaml": "contactPoints: [{name: page, receivers: []}]"},
            "'page'; accepted: a name that the program's own do not have",
        ),
        (
            {"alerting/a.yaml": "policies: [{routes: [{receiver: none, object_matchers: [[a, '=', b]]}]}]"},
            "'none'; accepted: a contact point",
        ),
        (
            {"collector/a.yaml": "receivers: {x: {endpoint: '${env:HOST}:1'}}"},
            "collector/a.yaml:1:17: receivers.x.endpoint: '${env:HOST}' is a variable",
        ),
        ({"collector/a.yaml": "receiver: {}"}, "unknown section; accepted: receivers"),
        (
            {"grafana.ini": "[security]\nadmin_password = x\n"},
            "grafana.ini:2:1: [security] admin_password: not read here",
        ),
        (
            {"grafana.ini": "[auth.github]\nclient_secret = abc\n"},
            "grafana.ini:2:1: [auth.github] client_secret: (hidden)",
        ),
        ({"grafana.ini": "[plugins]\npreinstall = grafana-clock-panel\n"}, "plugins with their version"),
        (
            {"grafana.ini": "[users]\nhome_page = $__file{/run/secrets/admin-password}\n"},
            "grafana.ini:2:1: [users] home_page: (hidden); accepted: text without ${…} and $__file{…}",
        ),
        ({"grafana.ini": "[users]\nhome_page = $__env{SECRET}\n"}, "[users] home_page: (hidden)"),
        ({"grafana.ini": "[users]\nhome_page = ${HOME}\n"}, "[users] home_page: (hidden)"),
        ({"dashboards/a.json": "{"}, "dashboards/a.json:1:2: no JSON"),
        ({"dashboards/a.json": '{"elements": {}, "layout": {}}'}, "a dashboard of schema v2"),
        (
            {"dashboards/a.json": '{"panels": [], "title": "glsa_abcdefghijklmnopqrstuvwxyz012345_0a1b2c3d"}'},
            "looks like a token of Grafana",
        ),
    ],
)
def test_a_mistake_is_said_with_file_and_line(write: Write, files: dict[str, str], said: str) -> None:
    message = refused(write(files))
    assert said in message
    assert "hunter2" not in message
    assert "pw1234" not in message


@pytest.mark.parametrize(
    "text", ["$__file{/x}", "${secret:a}", "/run/secret", "http://host:9090/path@x", "mysql://db:3306/x"]
)
def test_what_is_no_secret_is_let_through(text: str) -> None:
    assert secret_references.looks_secret(("password",), text, by_field=True) in {"", "the value of password"}
    assert not secret_references.looks_secret(("url",), text, by_field=True)


def test_promtool_reads_the_files_first(write: Write, promtool: str) -> None:
    assert promtool
    settings = write({"scrape/a.yaml": "- {job_name: a, metric_path: /x}\n"})
    with pytest.raises(own.OwnContentError, match=r"scrape/a\.yaml: promtool refuses it: .*metric_path"):
        own_checks.check(settings)
    assert own_checks.check(write({"scrape/a.yaml": SCRAPE, "rules/b.yaml": RULES}))


def test_secrets_encrypted_as_a_whole_have_stand_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own" / "scrape").mkdir(parents=True)
    (tmp_path / "own" / "scrape" / "a.yaml").write_text(SCRAPE)
    project = Path(ROOT, "Pulumi.yaml").read_text(encoding="utf-8")
    (tmp_path / "Pulumi.yaml").write_text(project)
    config = f"observability:ownFolder: {tmp_path / 'own'}\n  observability:ownSecrets: {{secure: AAAA}}"
    (tmp_path / "Pulumi.dev.yaml").write_text(f"config:\n  {config}\n")
    monkeypatch.setattr(stack_config, "ROOT", tmp_path)
    assert set(stack_config.settings("dev").own_secrets) == {"shop"}


def test_a_contact_point_is_read_with_the_secrets_that_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    there = {"uid": "u", "name": "n", "type": "discord", "settings": {"url": "[REDACTED]", "message": "edited", "x": 1}}
    monkeypatch.setattr(GrafanaApi, "request", lambda *_: [there])
    known = {"url": "http://g", "auth": "t", "uid": "u", "settings": {"url": SECRET, "message": "ours"}}
    found = ContactPointProvider().read("u", known)
    assert found.outs is not None
    assert found.outs["settings"] == {"url": SECRET, "message": "edited"}
    assert ContactPointProvider().read("gone", known).id == ""


WHOLE = """
global: {scrape_interval: 30s}
rule_files: [alerts.yml]
scrape_configs:
  - {job_name: prometheus, static_configs: [{targets: ["localhost:9090"]}]}
  - {job_name: node, static_configs: [{targets: ["node:9100"]}]}
"""


def test_a_whole_configuration_of_another_prometheus_drops_in(write: Write) -> None:
    content = own.read(write({"scrape/prometheus.yml": WHOLE}))
    assert [one.job["job_name"] for one in content.scrapes] == ["node"]
    assert content.scrapes[0].job["scrape_interval"] == "30s"
    assert any("scrape/prometheus.yml:5:" in w and "'prometheus' is left out" in w for w in content.warnings)
    assert "'node'; accepted: a name" in refused(write({"scrape/a.yaml": SCRAPE, "scrape/prometheus.yml": WHOLE}))


def test_a_contact_point_that_is_there_is_taken_over(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, ...]] = []

    def request(_api: GrafanaApi, *request: Any) -> Any:  # noqa: ANN401
        asked.append(request)
        return [{"uid": "u"}]

    monkeypatch.setattr(GrafanaApi, "request", request)
    props = {"url": "http://g", "auth": "t", "uid": "u", "name": "n", "type": "slack", "settings": {}}
    ContactPointProvider().create({**props, "disableResolveMessage": False})
    assert [r[:2] for r in asked] == [
        ("GET", "/api/v1/provisioning/contact-points"),
        ("PUT", "/api/v1/provisioning/contact-points/u"),
    ]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (
            {
                "alerting/a.yaml": "contactPoints: [{name: a, receivers: [{type: webhook, settings: {url: 'http://x/'}}]}]"
            },
            "settings.url: (hidden); accepted: in production, an address with https",
        ),
        ({"grafana.ini": "[auth.anonymous]\nenabled = true\n"}, "would read all telemetry"),
        ({"grafana.ini": "[auth.proxy]\nenabled = true\n"}, "could name themselves anybody"),
        ({"grafana.ini": "[plugins]\nallow_loading_unsigned_plugins = x\n"}, "nobody can tell who wrote"),
        ({"grafana.ini": "[auth.github]\ntoken_url = http://github.example/token\n"}, "an address with https"),
    ],
)
def test_production_refuses_what_is_plain_or_open(write: Write, files: dict[str, str], said: str) -> None:
    assert own.read(write(files)).files, "accepted elsewhere"
    production = write(files).model_copy(update={"production": True})
    assert said in refused(production)


def test_production_accepts_what_is_off(write: Write) -> None:
    settings = write({"grafana.ini": "[auth.anonymous]\nenabled = false\n[auth.proxy]\nenabled = off\n"})
    assert own.read(settings.model_copy(update={"production": True})).files


@pytest.mark.parametrize(
    ("url", "read_at"),
    [
        ("http://loki:3100", "http://reading-proxy:3100"),
        ("http://LOKI:3100/", "http://reading-proxy:3100"),
        ("http://prometheus:9090", "http://reading-proxy:9090"),
        ("http://prometheus-in-backends:9090", "http://reading-proxy:9090"),
        ("http://jaeger:16686", "http://reading-proxy:16686"),
        ("http://loki.:3100", "http://reading-proxy:3100"),
        ("http://observability-dev-loki:3100", "http://reading-proxy:3100"),
        ("http://my-loki:3100", "http://my-loki:3100"),
        ("https://loki.example.org", "https://loki.example.org"),
    ],
)
def test_no_data_source_goes_past_the_reading_proxy(write: Write, url: str, read_at: str) -> None:
    content = own.read(write({"datasources/a.yaml": f"datasources: [{{name: A, type: loki, url: '{url}'}}]"}))
    (source,) = content.sources
    assert source.url == read_at
    assert any("past the reading proxy" in warning for warning in content.warnings) == (url != read_at)


@pytest.mark.parametrize(
    ("text", "accepted"),
    [
        ("contactPoints: [{name: a, receivers: [{type: webhok, settings: {}}]}]", "did you mean webhook?"),
        ("contactPoints: [{name: a, receivers: [{type: webhook, settings: {}}]}]", "url is missing"),
        ("contactPoints: [{name: a, receivers: [{type: email, settings: {url: x}}]}]", "addresses is missing"),
        ("contactPoints: [{name: a, receivers: [{type: slack, settings: {recipient: x}}]}]", "url or token is missing"),
        ("contactPoints: [{name: a, receivers: [{type: telegram, settings: {chatid: '1'}}]}]", "bottoken is missing"),
        ("muteTimes: [{name: a, time_intervals: [{times: [{start_time: '25:00', end_time: '26:00'}]}]}]", "22:00"),
        ("muteTimes: [{name: a, time_intervals: [{times: [{start_time: '9:00', end_time: '17:00'}]}]}]", "22:00"),
        ("muteTimes: [{name: a, time_intervals: [{times: [{start_time: '22:00', end_time: '06:00'}]}]}]", "before"),
        ("muteTimes: [{name: a, time_intervals: [{weekdays: ['mo:fr']}]}]", "monday:friday"),
        ("muteTimes: [{name: a, time_intervals: [{weekday: [monday]}]}]", "unknown field"),
    ],
)
def test_what_grafana_would_refuse_in_the_middle_of_an_up(write: Write, text: str, accepted: str) -> None:
    assert accepted in refused(write({"alerting/a.yaml": text}))
