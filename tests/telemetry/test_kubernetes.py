"""What Kubernetes' sidecars would give Grafana, in a real one: it has to be what `up` makes through Grafana's API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest
import yaml

from cli import kubernetes
from dashboards.catalogue import dashboards, titles
from observability import alerts
from observability.alerts.links import alert_annotations
from observability.alerts.queries import queries
from observability.configs.correlations import correlations
from observability.configs.datasources import datasources
from observability.settings import load
from tests import grafana
from tests.grafana import Grafana

pytestmark = pytest.mark.optional  # Grafana's binary is in its image alone

PASSWORD_OF_LOKI: Final = "a-$HOME-password-for-loki"
RAW: Final = {
    "deploy": "content",
    "grafanaUrl": "https://grafana.example.org",
    "grafanaToken": "glsa_of-the-service-account",
    "metrics": json.dumps({"queryUrl": "http://prometheus-operated:9090", "tenant": "shop"}),
    "logs": json.dumps({"queryUrl": "https://loki.example.org", "user": "grafana"}),
    "logsPassword": PASSWORD_OF_LOKI,
    "traces": json.dumps({"queryUrl": "https://jaeger.example.org"}),
    "tracesPassword": "a-token-for-jaeger",
    "services": json.dumps([{"name": "shop", "selector": 'job="shop"'}, {"name": "pay", "selector": 'job=~"pay.*$"'}]),
}
SETTINGS: Final = load("test", RAW, frozenset({"grafanaToken", "logsPassword", "tracesPassword"}))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grafana]:
    """Return a Grafana that was given every ConfigMap as the chart's sidecars give it."""
    folder = tmp_path_factory.mktemp("grafana")
    kinds = {"grafana_dashboard": "shown", "grafana_datasource": "datasources", "grafana_alert": "alerting"}
    for path, text in kubernetes.files(SETTINGS).items():
        found = yaml.safe_load(text)
        if found.get("kind") != "ConfigMap":
            continue
        labels, annotations = found["metadata"]["labels"], found["metadata"].get("annotations", {})
        kind = next(kind for label, kind in kinds.items() if label in labels)
        target = folder / "provisioning" / kind
        if kind == "shown":
            target = folder / "shown" / annotations["grafana_folder"]
        target.mkdir(parents=True, exist_ok=True)
        for name, content in found["data"].items():
            assert not (target / name).exists(), f"{path}: two ConfigMaps have a file {name}"
            (target / name).write_text(content)
    provider = {
        "name": "sidecar",
        "type": "file",
        "options": {"path": str(folder / "shown"), "foldersFromFilesStructure": True},
    }
    (folder / "provisioning" / "dashboards").mkdir()
    (folder / "provisioning" / "dashboards" / "sidecar.yaml").write_text(
        yaml.safe_dump({"apiVersion": 1, "providers": [provider]})
    )
    values = yaml.safe_load(kubernetes.files(SETTINGS)[kubernetes.VALUES])["grafana"]
    secrets = {"logsPassword": PASSWORD_OF_LOKI, "tracesPassword": "a-token-for-jaeger"}
    given = {name: secrets[of["secretKeyRef"]["key"]] for name, of in values["envValueFrom"].items()}
    assert len(given) == len(secrets)
    with grafana.running(folder, {**given, "GF_SERVER_ROOT_URL": values["grafana.ini"]["server"]["root_url"]}) as found:
        yield found


def test_every_data_source_is_the_one_that_up_makes(server: Grafana) -> None:
    made = {
        source["uid"]: server.get(f"/api/datasources/uid/{source['uid']}") for source in server.get("/api/datasources")
    }
    expected = datasources(SETTINGS)
    assert set(made) == {spec.uid for spec in expected}
    for spec in expected:
        there = made[spec.uid]
        assert (there["name"], there["type"], there["url"]) == (spec.title, spec.type or spec.uid, spec.url)
        assert spec.json_data.items() <= {k: v for k, v in there["jsonData"].items() if k in spec.json_data}.items()
    assert made["prometheus"]["isDefault"]
    assert made["loki"]["basicAuthUser"] == "grafana"
    assert made["loki"]["secureJsonFields"] == {"basicAuthPassword": True}
    assert made["jaeger"]["jsonData"]["httpHeaderName1"] == "Authorization"
    assert made["prometheus"]["jsonData"]["httpHeaderName1"] == "X-Scope-OrgID"


def test_every_correlation_is_the_one_that_up_makes(server: Grafana) -> None:
    rows = server.get("/api/datasources/correlations")["correlations"]
    made = {(row["sourceUID"], row["targetUID"]): row for row in rows}
    assert len(rows) == len(correlations(SETTINGS))
    for spec in correlations(SETTINGS):
        row = made[spec.source, spec.target]
        assert (row["label"], row["description"]) == (spec.label, spec.description)
        assert row["config"]["target"] == spec.query
        assert [dict(t) for t in row["config"].get("transformations") or []] == [dict(t) for t in spec.transformations]


def test_every_dashboard_is_in_its_folder(server: Grafana) -> None:
    rows = {row["uid"]: row for row in server.get("/api/search?type=dash-db")}
    for dashboard in dashboards(SETTINGS):
        assert rows[dashboard.uid]["folderTitle"] == titles(SETTINGS)[dashboard.folder]
        there = server.get(f"/api/dashboards/uid/{dashboard.uid}")["dashboard"]
        sent = json.loads(dashboard.json)
        assert {k: v for k, v in there.items() if k not in {"id", "version"}} == {
            k: v for k, v in sent.items() if k not in {"id", "version"}
        }


def test_every_alert_is_the_one_that_up_makes(server: Grafana) -> None:
    made = {rule["uid"]: rule for rule in server.get("/api/v1/provisioning/alert-rules")}
    expected = [(alert, group) for group in alerts.groups(SETTINGS) for alert in group.alerts]
    assert set(made) == {alert.uid for alert, _ in expected}
    for alert, group in expected:
        rule = made[alert.uid]
        assert (rule["title"], rule["ruleGroup"], rule["condition"]) == (alert.title, group.name, "fires")
        assert rule["labels"] == alert.labels
        assert rule["annotations"] == alert_annotations(alert, SETTINGS)
        assert (rule["noDataState"], rule["execErrState"]) == (alert.missing.no_data, alert.missing.exec_error)
        assert [_asked(data["model"]) for data in rule["data"]] == [_asked(dict(q.model)) for q in queries(alert)]


def _asked(model: dict[str, Any]) -> dict[str, Any]:
    """Return what is asked; Grafana fills in how many points it wants."""
    return {key: value for key, value in model.items() if key not in {"intervalMs", "maxDataPoints"}}


def test_a_second_reading_of_the_same_files_changes_nothing(server: Grafana) -> None:
    before = server.get("/api/v1/provisioning/alert-rules")
    for what in ("alerting", "datasources", "dashboards"):
        assert server.ask("POST", f"/api/admin/provisioning/{what}/reload")[0] in {200, 202}
    after = server.get("/api/v1/provisioning/alert-rules")
    assert [{k: v for k, v in rule.items() if k != "updated"} for rule in after] == [
        {k: v for k, v in rule.items() if k != "updated"} for rule in before
    ]
