"""What people make and edit in Grafana can be managed by the program, and nothing in Grafana changes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import docker.errors
import pytest

from lab.sandbox import Sandbox, free_offset
from tests.e2e.conftest import wait_healthy

Json = dict[str, Any]
PANEL: Json = {
    "id": 1, "type": "timeseries", "title": "Up", "gridPos": {"h": 8, "w": 12, "x": 0, "y": 0},
    "datasource": {"type": "prometheus", "uid": "prometheus"}, "targets": [{"refId": "A", "expr": 'up{job="loki"}'}],
}  # fmt: skip


def content(real: Sandbox) -> Json:
    """Return all that Grafana's API has on folders, data sources and dashboards, versions and dates too."""
    api = real.grafana()
    result = api.request("GET", "/api/search?limit=5000")
    return {
        "dashboards": {
            f["uid"]: [api.request("GET", f"/api/dashboards/uid/{f['uid']}")["dashboard"],
                       [v["version"] for v in versions(real, f["uid"])]]
            for f in result if f["type"] == "dash-db"
        },
        "folders": {
            f["uid"]: api.request("GET", f"/api/folders/{f['uid']}") for f in result if f["type"] == "dash-folder"
        },
        "sources": {s["uid"]: s for s in api.request("GET", "/api/datasources")},
    }  # fmt: skip


def versions(real: Sandbox, uid: str) -> list[Json]:
    result: list[Json] = real.grafana().request("GET", f"/api/dashboards/uid/{uid}/versions?limit=100")["versions"]
    return result


def executed(real: Sandbox, code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=real.folder, capture_output=True, text=True, check=True)
    return done.stdout


def test_what_was_made_by_hand_comes_in_unchanged(real: Sandbox) -> None:
    api = real.grafana()
    api.request("POST", "/api/folders", {"uid": "team", "title": "Team"})
    api.request("POST", "/api/folders", {"uid": "inner", "title": "Inner", "parentUid": "team"})
    api.request("POST", "/api/datasources", {
        "uid": "far", "name": "Far away", "type": "prometheus", "access": "proxy", "url": "http://prometheus:9090",
        "jsonData": {"httpMethod": "GET", "timeInterval": "30s"}, "basicAuth": True, "basicAuthUser": "me",
        "secureJsonData": {"basicAuthPassword": "kept by Grafana"},
    })  # fmt: skip
    api.request("POST", "/api/datasources", {
        "uid": "headers", "name": "Headers", "type": "loki", "access": "proxy", "url": "http://loki:3100",
        "jsonData": {"httpHeaderName1": "X-Scope-OrgID"}, "secureJsonData": {"httpHeaderValue1": "x"},
    })  # fmt: skip
    for uid in ("team-a", "team_a", "Team-A"):  # as r11
        api.request("POST", "/api/dashboards/db", {"dashboard": {"uid": uid, "title": f"Three {uid}", "panels": []}})
    for uid, folder, panels in (("hand-a", "inner", [PANEL]), ("hand-b", "", []), ("hand-c", "executive", [PANEL])):
        model = {"uid": uid, "title": f"By hand {uid}", "panels": panels, "schemaVersion": 41, "tags": ["x"]}
        api.request("POST", "/api/dashboards/db", {"dashboard": model, "folderUid": folder})
    api.request(
        "POST",
        "/api/dashboards/db",
        {"dashboard": {**model, "tags": ["y"]}, "folderUid": "executive", "overwrite": True},
    )
    before = content(real)
    done = real.run("import")
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout)
    assert "'Headers', whose HTTP headers Grafana never shows" in done.stdout
    assert len(list((real.folder / "imported" / "dashboards").glob("*eam*.json"))) == 3
    preview = real.pulumi("preview", "--diff")
    assert "dashboard:Dashboard" not in preview.stdout, preview.stdout
    real.up()
    assert content(real) == before
    assert before["dashboards"]["hand-c"][1] == [2, 1]
    real.expect_no_changes()
    done = real.run("import")
    assert "nothing that the program does not manage" in done.stdout
    real.edit("imported/dashboards/hand-a.json", '"By hand hand-a"', '"By code"')
    real.up()
    assert api.request("GET", "/api/dashboards/uid/hand-a")["dashboard"]["title"] == "By code"
    assert api.request("GET", "/api/datasources/uid/far")["secureJsonFields"] == {"basicAuthPassword": True}
    real.expect_no_changes()


@pytest.mark.parametrize("uid", ["slo-overview", "hand-b"])
def test_an_edit_comes_back_as_code(real: Sandbox, uid: str) -> None:
    api = real.grafana()
    result = api.request("GET", f"/api/dashboards/uid/{uid}")
    model = result["dashboard"]
    model["title"] = "Edited by hand"
    model["panels"].append({**PANEL, "id": 99, "title": "Added by hand"})
    api.request("POST", "/api/dashboards/db", {"dashboard": model, "folderUid": result["meta"]["folderUid"]})
    pulled = api.request("GET", f"/api/dashboards/uid/{uid}")["dashboard"]
    before = versions(real, uid)
    done = real.run("pull", uid)
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout)
    built = json.loads(
        executed(
            real,
            "from observability import settings; from dashboards.catalogue import dashboards;"
            "s = settings.load('x', {'dashboardsEditable': 'true'});"
            f"print(next(f.json for f in dashboards(s) if f.uid == {uid!r}))",
        )
    )
    assert built == {k: v for k, v in pulled.items() if k not in {"id", "version"}}
    real.up()
    assert [v["version"] for v in versions(real, uid)] == [v["version"] for v in before]
    assert api.request("GET", f"/api/dashboards/uid/{uid}")["dashboard"] == pulled
    real.expect_no_changes()
    done = real.run("pull", uid)
    assert "nothing was written" in done.stdout


def test_a_dashboard_that_is_not_there_cannot_be_pulled(real: Sandbox) -> None:
    for uid, output in (("nowhere", "has no dashboard 'nowhere'"), ("../x", "UID '../x'; accepted")):
        done = real.run("pull", uid)
        assert done.returncode in {1, 2}
        assert output in done.stderr


@pytest.fixture
def next_one(real: Sandbox) -> Iterator[Sandbox]:
    """A second stack of the same copy, never brought up."""
    stack = Sandbox(real.folder, "e2e-hands2", real.docker, free_offset())
    shutil.copy(real.folder / f"Pulumi.{real.name}.yaml", real.folder / f"Pulumi.{stack.name}.yaml")
    stack.configure(portOffset=stack.offset, lokiRetention="40d")
    yield stack
    stack.sweep()


def test_what_one_stack_runs_goes_to_the_next(real: Sandbox, next_one: Sandbox) -> None:
    arguments = ("promote", real.name, next_one.name)
    undo = real.edit("dashboards/logs.py", '"Lines by level"', '"Lines by how bad"')
    done = real.run(*arguments, YES=next_one.name)
    undo()
    assert done.returncode == 1
    assert f"stack '{real.name}' does not run what this commit makes of it (dashboard logs)" in done.stderr
    real.container("jaeger").pause()
    done = real.run(*arguments, YES=next_one.name)
    real.container("jaeger").unpause()
    assert done.returncode == 1
    assert "does not work, see above: it is not promoted" in done.stderr
    wait_healthy(real)
    assert "No such container" in missing(next_one)
    done = real.run(*arguments, YES=next_one.name)
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout)
    for output in ("lokiRetention", "31d", "40d", "portOffset", "never", "dashboard hand-a added"):
        assert output in done.stdout
    next_one.expect_no_changes()
    assert next_one.grafana().request("GET", "/api/folders/inner")["parentUid"] == "team"
    assert next_one.grafana().request("GET", "/api/dashboards/uid/hand-a")["dashboard"]["panels"]
    done = real.run(*arguments, YES="nobody")
    assert f"`up` changes in '{next_one.name}': nothing" in done.stdout
    assert "nothing was changed" in done.stderr


def missing(stack: Sandbox) -> str:
    try:
        stack.container("grafana")
    except docker.errors.NotFound as error:
        return str(error)
    return "it is there"
