"""Logs or traces kept elsewhere: what a stack without a Loki or a Jaeger of its own renders, and what it refuses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from cli import inventory
from cli import render as rendering
from dashboards.catalogue import dashboards
from observability import processes, runbooks, topology
from observability.alerts import groups
from observability.configs import collector, datasources, external_stores, grafana, jaeger, prometheus, reading_proxy
from observability.configs.process import SettingSecret
from observability.watched import watched
from tests.observability.test_stores import problems, settings_of
from tests.pem import self_signed

if TYPE_CHECKING:
    from observability.settings import Settings

WRITE = "https://loki.example.org/otlp"
READ = "https://loki.example.org/here"
LOGS = {"writeUrl": WRITE, "queryUrl": READ, "tenant": "shop-prod"}
PASSWORD = "correct-horse-battery"
CERTIFICATE, _ = self_signed("loki.example.org")


def logs_elsewhere(user: str = "shop", **more: str) -> Settings:
    return settings_of("logsPassword", logs={**LOGS, "user": user, **more}, logsPassword=PASSWORD)


@pytest.mark.parametrize(
    ("logs", "said"),
    [
        ({"writeUrl": WRITE}, "logs.queryUrl: ''; accepted: where it is read, because logs are kept elsewhere"),
        ({"queryUrl": READ}, "logs.writeUrl: ''; accepted: where the collector sends, because logs are kept elsewhere"),
        ({**LOGS, "user": "me"}, "logsPassword: missing; accepted: the password of logs.user"),
        ({**LOGS, "queryUrl": "https://loki/$x"}, "logs.queryUrl: 'https://loki/$x'; accepted: a URL without $ and ;"),
        (
            {**LOGS, "queryUrl": "https://10.1.2.3"},
            "logs.queryUrl: 'https://10.1.2.3'; accepted: https with a host name",
        ),
        ({**LOGS, "mode": "copy"}, "logs.mode: unknown field"),
    ],
)
def test_wrong_combinations_are_refused_with_the_reason(logs: dict[str, str], said: str) -> None:
    assert said in problems(logs=logs)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"lokiRetention": "7d"}, "lokiRetention: set; accepted: nothing, because logs are kept elsewhere"),
        ({"limits": {"loki": {"memory": 512, "cpus": 1}}}, "limits.loki: set; accepted: nothing, because logs are"),
        ({"exclusions": [{"start": "2026-11-01T00:00:00Z", "end": "2026-11-01T01:00:00Z", "reason": "x",
                          "services": ["loki"]}]}, "exclusions[0].services: 'loki'; accepted: names of services"),
    ],
)  # fmt: skip
def test_what_only_the_own_loki_could_do_is_refused(other: dict[str, Any], said: str) -> None:
    assert said in problems(logs=LOGS, **other)


def test_defaults_that_pulumi_hands_in_are_nothing_that_was_set() -> None:
    defaults = {"lokiRetention": "31d", "jaegerRetention": "72h", "limits": {}}
    assert not settings_of(logs=LOGS, traces=TRACES, **defaults).keeps_logs


@pytest.mark.parametrize("token", ['a"b-correct-horse', "a;b-correct-horse", "a$b-correct-horse", "a b-correct-horse"])
def test_a_token_that_the_proxy_could_not_hold_is_refused_and_not_shown(token: str) -> None:
    said = problems("logsPassword", logs=LOGS, logsPassword=token)
    assert "logsPassword: (hidden); accepted: without logs.user, a token" in said
    assert token not in said
    settings_of("logsPassword", logs={**LOGS, "user": "me"}, logsPassword=token)  # as a password it is encoded


def test_there_is_no_loki_here() -> None:
    settings = logs_elsewhere()
    assert "loki" not in {*settings.containers, *settings.scraped, *settings.with_data}
    assert "loki" not in {service.name for service in watched(settings)}
    jobs = yaml.safe_load(prometheus.render(settings))["scrape_configs"]
    assert {job["job_name"] for job in jobs} >= {"grafana", "jaeger", "collector", "span-metrics"}
    assert "loki" not in {job["job_name"] for job in jobs}
    assert not [path for path in rendering.files(settings) if path.startswith("loki/")]
    assert inventory.external_signals(settings) == ("logs",)
    assert inventory.external_signals(settings_of()) == ()


def test_no_alert_and_no_panel_asks_the_loki_that_is_not_there() -> None:
    settings = logs_elsewhere()
    alerts = [alert for group in groups(settings) for alert in group.alerts]
    assert "loki-rejecting" not in {*runbooks.shown(settings), *(alert.kind for alert in alerts)}
    queries = [query for alert in alerts for query in alert.queries.values()]
    assert not [query for query in queries if 'job="loki"' in query or "loki_" in query]
    # Who cannot read the lines of an alert's history has to hear of it.
    assert [a for a in alerts if a.kind == "queries-failing" and a.datasource == "loki"]
    for dashboard in dashboards(settings):
        assert 'job=\\"loki\\"' not in dashboard.json, dashboard.uid
        assert "loki_" not in dashboard.json.replace("loki_api", "loki_"), dashboard.uid


def test_lines_that_the_store_takes_and_refuses_are_still_shown() -> None:
    health = next(d.json for d in dashboards(logs_elsewhere()) if d.uid == "stack-health")
    titles = {panel.get("title"): panel for panel in json.loads(health)["panels"]}
    sent = titles["Log lines sent elsewhere"]["targets"][0]["expr"]
    assert 'otelcol_exporter_sent_log_records{job="collector", exporter=~".*/loki"}' in sent
    refused = {target["legendFormat"]: target["expr"] for target in titles["Data refused"]["targets"]}
    assert "otelcol_exporter_send_failed_log_records" in refused["log lines"]


@pytest.mark.parametrize("user", ["shop", ""])
def test_the_collector_sends_lines_there_with_the_password_from_a_file(user: str) -> None:
    settings = logs_elsewhere(user, caCertificate=CERTIFICATE)
    document = yaml.safe_load(collector.render(settings))
    sender = document["exporters"]["otlp_http/loki"]
    assert sender["endpoint"] == WRITE
    assert sender["headers"] == {"X-Scope-OrgID": "shop-prod"}
    assert sender["sending_queue"]["storage"] == "file_storage"
    assert sender["retry_on_failure"]["max_elapsed_time"] == "0s"
    login = document["extensions"][sender["auth"]["authenticator"]]
    assert sender["auth"]["authenticator"] in document["service"]["extensions"]
    process = collector.process(settings)
    given = login["client_auth"]["password_file"] if user else login["filename"]
    assert process.secrets[given] == SettingSecret("logs_password")
    assert process.files[sender["tls"]["ca_file"]] == CERTIFICATE
    assert PASSWORD not in json.dumps(dict(process.files))


def test_the_queue_of_lines_goes_on_where_the_next_loki_is() -> None:
    own, far = (yaml.safe_load(collector.render(s))["exporters"] for s in (settings_of(), logs_elsewhere()))
    assert own.keys() == far.keys()
    assert own["otlp_http/loki"]["endpoint"] == "http://loki:3100/otlp"


def test_grafana_knows_neither_address_nor_password() -> None:
    settings, own = logs_elsewhere(), settings_of()
    assert datasources.datasources(settings) == datasources.datasources(own)
    assert grafana.environment(settings) == grafana.environment(own)
    rendered = json.dumps([grafana.environment(settings), dict(grafana.process(settings).files)])
    assert "loki.example.org" not in rendered
    assert not {name for name in grafana.process(settings).secrets.values() if "logs" in str(name)}


def test_the_password_is_in_a_secret_file_of_the_proxy_alone() -> None:
    settings = logs_elsewhere()
    process = reading_proxy.process(settings)
    assert process.secrets[external_stores.LOGS.login_file] == "logs_store_login"
    assert (
        external_stores.login("logs", settings)
        == 'proxy_set_header Authorization "Basic c2hvcDpjb3JyZWN0LWhvcnNlLWJhdHRlcnk=";\n'
    )
    assert external_stores.login("logs", logs_elsewhere("")) == f'proxy_set_header Authorization "Bearer {PASSWORD}";\n'
    assert PASSWORD not in json.dumps(dict(process.files))
    assert "c2hvcDpj" not in json.dumps(dict(process.files))


def test_every_other_part_is_as_it_was() -> None:
    settings, own = logs_elsewhere(), settings_of()
    same = [
        part.name for part in settings.parts if part.name not in {"grafana", "prometheus", "collector", "reading-proxy"}
    ]
    assert same == ["jaeger", "engine-filter"]
    assert all(processes.process(name, settings) == processes.process(name, own) for name in same)
    assert topology.LOKI in own.parts


TRACES = {
    "writeUrl": "https://jaeger.example.org:4318",
    "queryUrl": "https://jaeger.example.org",
    "tenant": "shop-prod",
}


def traces_elsewhere(**more: Any) -> Settings:  # noqa: ANN401 - raw configuration
    return settings_of("tracesPassword", traces={**TRACES, "user": "shop"}, tracesPassword=PASSWORD, **more)


def test_a_jaeger_elsewhere_is_refused_what_only_the_own_one_could_do() -> None:
    assert "traces.queryUrl: ''; accepted: where it is read" in problems(traces={"writeUrl": TRACES["writeUrl"]})
    assert "limits.jaeger: set; accepted: nothing, because traces are kept elsewhere" in problems(
        traces=TRACES, limits={"jaeger": {"memory": 512, "cpus": 1}}
    )
    assert traces_elsewhere(jaegerRetention="7d").jaeger_retention == "7d"  # how far back links look


def test_spans_go_there_and_are_counted_by_the_collector() -> None:
    settings = traces_elsewhere()
    document = yaml.safe_load(collector.render(settings))
    sender = document["exporters"]["otlp_http/jaeger"]
    assert sender["endpoint"] == TRACES["writeUrl"]
    assert sender["headers"] == {"X-Scope-OrgID": "shop-prod"}
    assert sender["sending_queue"]["storage"] == "file_storage"
    assert "otlp_grpc/jaeger" not in document["exporters"]
    pipelines = document["service"]["pipelines"]
    for name in ("traces/accepted", "traces/own"):
        assert pipelines[name]["exporters"] == ["otlp_http/jaeger", "service_graph", "span_metrics"]
    assert pipelines["metrics/span_metrics"]["exporters"] == ["prometheus"]
    jobs = {job["job_name"]: job for job in yaml.safe_load(prometheus.render(settings))["scrape_configs"]}
    assert jobs["span-metrics"]["static_configs"][0]["targets"] == ["collector:8889"]
    assert "jaeger" not in jobs


def test_spans_are_counted_alike_by_either() -> None:
    own = yaml.safe_load(jaeger.render(settings_of()))
    far = yaml.safe_load(collector.render(traces_elsewhere()))
    assert own["connectors"]["span_metrics"] == far["connectors"]["span_metrics"]
    assert own["exporters"]["prometheus"] == far["exporters"]["prometheus"]
    assert "span_metrics" not in yaml.safe_load(collector.render(settings_of()))["connectors"]


def test_no_alert_and_no_panel_asks_the_jaeger_that_is_not_there() -> None:
    settings = traces_elsewhere()
    alerts = [alert for group in groups(settings) for alert in group.alerts]
    assert "jaeger" not in {alert.service for alert in alerts}
    assert not [query for alert in alerts for query in alert.queries.values() if 'job="jaeger"' in query]
    for dashboard in dashboards(settings):
        assert 'job=\\"jaeger\\"' not in dashboard.json, dashboard.uid
        assert "jaeger_storage" not in dashboard.json, dashboard.uid
    assert inventory.external_signals(settings) == ("traces",)


def test_logs_and_traces_may_both_be_elsewhere() -> None:
    settings = settings_of(logs=LOGS, traces=TRACES)
    assert settings.containers == ("grafana", "prometheus", "collector", "engine-filter", "reading-proxy")
    assert inventory.external_signals(settings) == ("logs", "traces")
    text = reading_proxy.render(settings)
    assert text.count("https://jaeger.example.org;") == 6
    assert "X-Scope-OrgID" in text
