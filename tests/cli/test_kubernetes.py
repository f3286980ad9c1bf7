"""The objects of Kubernetes: whole, with names that it accepts, without a secret, and as the real schemas have them."""

from __future__ import annotations

import json
import os
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from cli import kubernetes
from cli.errors import UsageError
from dashboards.catalogue import dashboards
from observability import alerts, rules
from observability.settings import Settings, load

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
CRDS = os.environ.get("PROMETHEUS_OPERATOR_CRDS", "")
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,251}[a-z0-9])?")
MOST_BYTES = 1_000_000
"""Of one object; etcd takes 1.5 MiB, a ConfigMap 1 MiB."""
SERVICES = [
    {"name": "shop", "targets": ["shop:8000"]},
    {"name": "pay", "otlp": True, "serviceName": "Pay.Desk"},
]
CONTENT = {
    "deploy": "content",
    "grafanaUrl": "https://grafana.example.org",
    "grafanaToken": "glsa_of-the-service-account",
    "metrics": json.dumps({"queryUrl": "https://mimir.example.org/prometheus", "tenant": "shop"}),
    "metricsPassword": "a-secret-token-for-mimir",
    "logs": json.dumps({"queryUrl": "https://loki.example.org", "user": "grafana"}),
    "logsPassword": "a-secret-password-for-loki",
    "traces": json.dumps({"queryUrl": "https://jaeger.example.org"}),
    "services": json.dumps([{"name": "shop", "selector": 'job="shop"'}]),
}
SECRETS = frozenset({"grafanaToken", "metricsPassword", "logsPassword"})


def stack(**changed: str) -> Settings:
    copied = json.dumps({"writeUrl": "https://elsewhere.example.org/api/v1/push"})
    return load("my_stack", {"services": json.dumps(SERVICES), "metrics": copied, **changed})


STACK = stack()
ALONE = load("content", CONTENT, SECRETS)
SETTINGS = {"stack": STACK, "content": ALONE}


@cache
def files(name: str) -> dict[str, str]:
    return kubernetes.files(SETTINGS[name])


@cache
def objects(name: str) -> dict[str, Any]:
    listed = parsed(files(name)[kubernetes.KUSTOMIZATION])["resources"]
    return {path: parsed(files(name)[path]) for path in listed}


def parsed(text: str) -> Any:  # noqa: ANN401 - YAML
    return yaml.load(text, Loader=LOADER)  # noqa: S506 - a safe loader


@pytest.mark.parametrize("name", SETTINGS)
def test_every_object_may_be_called_so_and_is_small_enough(name: str) -> None:
    found = objects(name)
    names = [(one["kind"], one["metadata"]["name"]) for one in found.values()]
    assert len(set(names)) == len(names)
    assert all(NAME.fullmatch(name) for _, name in names), names
    assert all(len(text.encode()) < MOST_BYTES for text in files(name).values())
    assert set(found) == set(files(name)) - {kubernetes.KUSTOMIZATION, kubernetes.VALUES}


def test_rules_dashboards_and_alerts_are_all_there() -> None:
    settings = ALONE
    found = list(objects("content").values())
    groups = {g["name"]: g for one in found if one["kind"] == "PrometheusRule" for g in one["spec"]["groups"]}
    expected = [group for text in rules.render(settings).values() for group in parsed(text)["groups"]]
    assert groups == {group["name"]: group for group in expected}
    shown = {name for one in found if "grafana_dashboard" in one["metadata"]["labels"] for name in one["data"]}
    assert shown == {f"{dashboard.uid}.json" for dashboard in dashboards(settings)}
    told = [
        rule["uid"]
        for one in found
        if "grafana_alert" in one["metadata"]["labels"]
        for text in one["data"].values()
        for group in parsed(text)["groups"]
        for rule in group["rules"]
    ]
    assert sorted(told) == sorted(alert.uid for group in alerts.groups(settings) for alert in group.alerts)


def test_no_secret_is_in_the_files() -> None:
    text = "".join(files("content").values())
    assert not [key for key in SECRETS if CONTENT[key] in text]
    assert "Bearer ${OBSERVABILITY_METRICS_PASSWORD}" in text


def test_a_stack_of_containers_becomes_content_over_the_clusters_own_stores() -> None:
    found = objects("stack")
    (text,) = found["datasources.yaml"]["data"].values()
    urls = {source["uid"]: source["url"] for source in parsed(text)["datasources"]}
    assert urls["prometheus"] == "http://prometheus-operated:9090"
    assert urls["loki"] == "http://loki:3100"
    jobs = parsed(found["scrape-jobs.yaml"]["stringData"]["scrape.yaml"])
    assert [job["job_name"] for job in jobs] == ["shop"]
    values = parsed(files("stack")[kubernetes.VALUES])
    given = values["prometheus"]["prometheusSpec"]["additionalScrapeConfigsSecret"]
    assert given["name"] == found["scrape-jobs.yaml"]["metadata"]["name"]
    assert not [path for path in found if "stack-health" in path or "hosts" in path]


def test_a_target_with_a_password_is_refused_with_the_reason() -> None:
    service = {"name": "shop", "targets": ["shop:8000"], "bearerTokenSecret": "shop"}
    settings = load(
        "dev",
        {"services": json.dumps([service]), "scrapeSecrets": json.dumps({"shop": "a-long-enough-token"})},
        frozenset({"scrapeSecrets"}),
    )
    with pytest.raises(UsageError, match=r"services\[0\].*accepted with --format kubernetes: a ServiceMonitor"):
        kubernetes.files(settings)


def test_what_only_up_makes_is_named() -> None:
    assert kubernetes.left_out(stack(demo="true")) == ("demo",)
    assert kubernetes.left_out(stack()) == ()


@pytest.mark.parametrize("name", SETTINGS)
def test_the_operators_own_schemas_accept_rules_and_values(name: str) -> None:
    if not CRDS:
        pytest.skip("PROMETHEUS_OPERATOR_CRDS names no folder with the CRDs of prometheus-operator")
    rule = _schema("prometheusrules")
    for path, one in objects(name).items():
        if one["kind"] == "PrometheusRule":
            assert _problems(rule, {**one, "metadata": {}}) == [], path
    spec = _schema("prometheuses")["properties"]["spec"]
    values = parsed(files(name)[kubernetes.VALUES])["prometheus"]["prometheusSpec"]
    of_the_chart = {"ruleSelectorNilUsesHelmValues", "additionalScrapeConfigsSecret"}
    assert _problems(spec, {key: value for key, value in values.items() if key not in of_the_chart}) == []


def _schema(plural: str) -> Any:  # noqa: ANN401 - JSON
    text = (Path(CRDS) / f"monitoring.coreos.com_{plural}.yaml").read_text()
    return _closed(parsed(text)["spec"]["versions"][0]["schema"]["openAPIV3Schema"])


def _closed(schema: Any) -> Any:  # noqa: ANN401 - JSON
    """Return a schema that refuses fields it does not know, which a cluster would leave out without a word."""
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    result = {key: _closed(value) for key, value in schema.items()}
    if schema.get("x-kubernetes-int-or-string"):
        result.pop("type", None)
    if schema.get("type") == "object" and schema.get("properties"):
        result.setdefault("additionalProperties", False)
    return result


def _problems(schema: Any, value: Any) -> list[str]:  # noqa: ANN401 - JSON
    return [f"{e.json_path}: {e.message[:200]}" for e in Draft7Validator({**schema, "required": []}).iter_errors(value)]
