"""Content for a Grafana that is there already: what is made, and what is left to others."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cli.evaluation import Registered, evaluate
from components.checks import CheckFailedError
from components.existing_grafana import VacancyProvider
from components.grafana_api import GrafanaApi
from dashboards.catalogue import dashboards
from observability import runbooks
from observability.alerts import groups
from observability.settings import Settings, SettingsError, load

RAW = {
    "deploy": "content",
    "grafanaUrl": "https://grafana.example.org",
    "grafanaToken": "glsa_of-the-service-account",
    "metrics": json.dumps({"queryUrl": "https://prometheus.example.org", "tenant": "shop"}),
    "logs": json.dumps({"queryUrl": "https://loki.example.org", "user": "grafana"}),
    "logsPassword": "a-password-for-loki",
    "traces": json.dumps({"queryUrl": "https://jaeger.example.org"}),
    "services": json.dumps([{"name": "shop", "selector": 'job="shop"'}]),
}
SECRETS = frozenset({"grafanaToken", "logsPassword"})


def settings_of(**changed: str | None) -> Settings:
    raw = {key: value for key, value in (RAW | changed).items() if value is not None}
    return load("test", raw, SECRETS)


@pytest.fixture(scope="module")
def program() -> tuple[Registered, ...]:
    return tuple(evaluate("test", RAW, SECRETS))


def test_nothing_runs_on_a_docker_host(program: tuple[Registered, ...]) -> None:
    assert not [one.type for one in program if one.type.startswith(("docker:", "random:"))]


def test_what_a_grafana_has_once_for_everybody_is_left_alone(program: tuple[Registered, ...]) -> None:
    types = {one.type.rpartition(":")[2] for one in program}
    assert not types & {"OrganizationPreferences", "NotificationPolicy", "MessageTemplate", "ContactPoint"}
    assert not [one for one in program if one.inputs.get("isDefault")]
    assert not [one for one in program if one.inputs.get("overwrite")]


def test_a_password_reaches_its_data_source_as_a_secret(program: tuple[Registered, ...]) -> None:
    loki = next(one for one in program if one.name == "loki" and one.type.endswith("DataSource"))
    assert (loki.inputs["basicAuthEnabled"], loki.inputs["basicAuthUsername"]) == (True, "grafana")
    assert json.loads(loki.inputs["secureJsonDataEncoded"]) == {"basicAuthPassword": "a-password-for-loki"}
    assert "a-password-for-loki" not in loki.inputs["jsonDataEncoded"]
    prometheus = next(one for one in program if one.name == "prometheus" and one.type.endswith("DataSource"))
    assert prometheus.inputs["httpHeaders"] == {"X-Scope-OrgID": "shop"}


def test_alerts_that_are_configured_go_to_contact_points_of_their_own() -> None:
    program = evaluate("test", RAW | {"alertEmail": json.dumps(["oncall@example.org"])}, SECRETS)
    contacts = {one.inputs["name"] for one in program if one.type.endswith("ContactPoint")}
    assert contacts == {"observability-test-page", "observability-test-ticket"}
    rules = [r for one in program if one.type.endswith("RuleGroup") for r in one.inputs["rules"]]
    sent = {(r["labels"]["severity"], (r.get("notificationSettings") or {}).get("contactPoint")) for r in rules}
    assert sent == {(s, f"observability-test-{s}") for s in ("page", "ticket")} | {("watchdog", None)}
    assert not [one for one in program if one.type.endswith("NotificationPolicy")]


def test_no_dashboard_leads_to_one_that_is_not_there() -> None:
    settings = settings_of()
    made = {dashboard.uid: dashboard.json for dashboard in dashboards(settings)}
    for uid, text in made.items():
        for left_out in ("stack-health", "infrastructure-health", "hosts"):
            assert f"/d/{left_out}" not in text, uid
    for group in groups(settings):
        for alert in group.alerts:
            assert alert.panel is not None
            assert alert.panel.uid in made, alert.title
            assert f'"id":{alert.panel.panel_id},' in made[alert.panel.uid], alert.title
    assert {alert.kind for group in groups(settings) for alert in group.alerts} <= set(runbooks.shown(settings))


@pytest.mark.parametrize("key", ["grafanaUrl", "grafanaToken", "metrics", "traces"])
def test_what_is_needed_is_asked_for(key: str) -> None:
    with pytest.raises(SettingsError, match="because deploy is content"):
        settings_of(**{key: None})


@pytest.mark.parametrize(
    "changed",
    [
        {"demo": "true"},
        {"smtpHost": "mail.example.org:25"},
        {"services": json.dumps([{"name": "shop", "targets": ["shop:8000"]}])},
        {"metrics": json.dumps({"queryUrl": "https://p.example.org", "writeUrl": "https://p.example.org/write"})},
    ],
)
def test_what_only_containers_could_do_is_refused(changed: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="because deploy is content"):
        settings_of(**changed)


@pytest.mark.parametrize(
    ("key", "named"), [("grafanaUrl", "deploy"), ("logs", r"logs\.writeUrl"), ("traces", r"traces\.writeUrl")]
)
def test_a_stack_of_its_own_refuses_what_is_for_an_existing_grafana(key: str, named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        load("test", {key: RAW[key]})


def test_what_is_taken_is_named_and_nothing_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    def find(_self: GrafanaApi, path: str) -> Any:  # noqa: ANN401 - JSON
        return {"uid": "taken"} if path in {"/api/folders/executive", "/api/datasources/uid/prometheus"} else None

    monkeypatch.setattr(GrafanaApi, "find", find)
    props = {
        "url": "https://grafana.example.org", "auth": "t", "ca": "",
        "folders": ["executive", "ml-platform"], "dashboards": ["home"], "sources": {"prometheus": "Prometheus"},
    }  # fmt: skip
    with pytest.raises(CheckFailedError, match=r"folder executive, data source prometheus"):
        VacancyProvider().create(props)
