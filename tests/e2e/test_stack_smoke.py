"""Smoke: a stack comes up from nothing, works, changes nothing on the second run, and goes. Minutes; runs first."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from components.checks import PROCESSES
from components.grafana_api import GrafanaApi, GrafanaError
from lab.sandbox import PASSPHRASE, Sandbox
from observability.settings import CONTAINERS, ENGINE_FILTER
from tests.e2e.conftest import wait_for, wait_healthy

if TYPE_CHECKING:
    from docker import DockerClient

pytestmark = pytest.mark.smoke


def test_everything_works(real: Sandbox) -> None:
    wait_healthy(real)
    done = real.run("verify")
    assert done.returncode == 0, done.stdout + done.stderr
    assert " NO " not in done.stdout


def test_health_checks_leave_no_process_behind(real: Sandbox) -> None:
    """Each one left counts against the container's limit of processes until the container ends."""
    for service in CONTAINERS:
        states = [row[1] for row in real.container(service).top(ps_args="-eo pid,stat,comm")["Processes"]]
        assert not [state for state in states if state.startswith("Z")], service


def test_the_overview_has_data_within_a_minute(real: Sandbox) -> None:
    def availability() -> bool:
        answer = real.grafana().request(
            "GET", "/api/datasources/proxy/uid/prometheus/api/v1/query?query=slo:availability:ratio_rate30d"
        )
        return {r["metric"]["service"] for r in answer["data"]["result"]} >= {"grafana", "prometheus", "loki"}

    wait_for(availability, 60)


def test_a_second_run_changes_nothing(real: Sandbox) -> None:
    real.expect_no_changes()


def test_every_container_is_hardened_as_docker_sees_it(real: Sandbox) -> None:
    for service in CONTAINERS:
        attrs = real.container(service).attrs
        host, config = attrs["HostConfig"], attrs["Config"]
        assert config["User"].split(":")[0] not in {"", "0", "root"}, service
        assert host["ReadonlyRootfs"] is True, service
        assert host["CapDrop"] == ["ALL"], service
        assert not host["CapAdd"], service
        assert "no-new-privileges:true" in host["SecurityOpt"], service
        assert host["Memory"] == host["MemorySwap"] > 0, service
        assert host["NanoCpus"] > 0, service
        assert {"cache-max-file": "3", "cache-max-size": "10m"}.items() <= host["LogConfig"]["Config"].items(), service
        bindings = [b for port in (host["PortBindings"] or {}).values() for b in port]
        assert {b["HostIp"] for b in bindings} <= {"127.0.0.1"}, service
        assert host["PidsLimit"] == PROCESSES, service


def test_processes_run_as_their_user_and_own_their_data(real: Sandbox) -> None:
    users = {
        "grafana": 472, "prometheus": 65534, "loki": 10001, "jaeger": 10001, "collector": 10001, ENGINE_FILTER: 65534,
        "reading-proxy": 101,
    }  # fmt: skip
    assert set(users) == set(CONTAINERS)
    for service, uid in users.items():
        container = real.container(service)
        processes = container.top(ps_args="-eo uid,pid")["Processes"]
        assert {int(p[0]) for p in processes} == {uid}, service


def test_no_secret_is_anywhere_in_plain_text(real: Sandbox) -> None:
    shown = json.loads(real.pulumi("stack", "export", "--show-secrets").stdout)
    generated = [
        r["outputs"]["result"]["plaintext"].strip('"')
        for r in shown["deployment"]["resources"]
        if r["type"].endswith("RandomPassword")
    ]
    (provider,) = (r for r in shown["deployment"]["resources"] if r["type"] == "pulumi:providers:grafana")
    token = json.loads(provider["inputs"]["auth"]["plaintext"])
    secrets = [*generated, token, PASSPHRASE]
    assert len(secrets) == 7
    places = {"exported state": real.pulumi("stack", "export").stdout}
    for path in (real.folder / ".state").rglob("*"):
        if path.is_file():
            places[str(path)] = path.read_bytes().decode(errors="replace")
    prefix = f"observability-{real.name}"
    for container in real.docker.containers.list(all=True, filters={"name": prefix}):
        places[f"inspect {container.name}"] = json.dumps(container.attrs)
        places[f"logs {container.name}"] = container.logs().decode(errors="replace")
    for service in CONTAINERS:
        places[f"processes of {service}"] = json.dumps(real.container(service).top(ps_args="-eo uid,pid,args"))
    leaks = [(place, n) for place, text in places.items() for n, s in enumerate(secrets) if s in text]
    assert leaks == []


def test_the_password_opens_grafana_and_nothing_else_does(real: Sandbox) -> None:
    out = real.outputs()
    assert real.grafana().request("GET", "/api/user")["isGrafanaAdmin"] is True
    for auth in ("admin:admin", "admin:" + out["grafanaAdminPassword"][:-1], "nobody:x"):
        with pytest.raises(GrafanaError, match="401"):
            GrafanaApi(out["grafanaUrl"], auth).request("GET", "/api/user")
    with pytest.raises(GrafanaError, match="401"):
        GrafanaApi(out["grafanaUrl"], "").request("GET", "/api/search")


def test_destroy_takes_everything(real: Sandbox, engine: DockerClient) -> None:
    prefix = f"observability-{real.name}"
    done = real.run("destroy", YES=real.name)
    assert done.returncode == 0, done.stdout + done.stderr
    assert engine.containers.list(all=True, filters={"name": prefix}) == []
    assert engine.volumes.list(filters={"name": prefix}) == []
    assert engine.networks.list(names=[prefix]) == []
