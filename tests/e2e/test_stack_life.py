"""From nothing to everything, again without a change, and what each edit replaces."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import docker.errors
import pytest

from components.checks import PROCESSES
from lab.sandbox import PASSPHRASE, Sandbox
from observability import topology, versions
from observability.configs.correlations import CORRELATIONS
from observability.names import labels
from observability.settings import CONTAINERS, ENGINE_FILTER
from tests import readme
from tests.e2e.conftest import wait_for, wait_healthy

if TYPE_CHECKING:
    from docker import DockerClient


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
    assert len(secrets) == 6
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
        from components.grafana_api import GrafanaApi, GrafanaError  # noqa: PLC0415 - only here

        with pytest.raises(GrafanaError, match="401"):
            GrafanaApi(out["grafanaUrl"], auth).request("GET", "/api/user")
    with pytest.raises(GrafanaError, match="401"):
        GrafanaApi(out["grafanaUrl"], "").request("GET", "/api/search")


def test_an_edited_rule_replaces_prometheus_only_and_keeps_its_data(real: Sandbox) -> None:
    before = real.ids()
    oldest = first_sample(real)
    undo = real.edit("observability/rules/slo.py", '"1e-09"', '"2e-09"')
    real.up()
    assert real.changed(before) == {"prometheus"}
    assert wait_for(lambda: first_sample(real)) == oldest
    before = real.ids()
    undo()
    real.up()
    assert real.changed(before) == {"prometheus"}
    real.expect_no_changes()


def test_an_edited_health_check_reaches_the_container(real: Sandbox) -> None:
    before = real.ids()
    undo = real.edit(
        "observability/configs/loki.py",
        '("/usr/bin/loki", "-health")',
        '("/usr/bin/loki", "-health", "-log.level=info")',
    )
    real.up()
    assert real.changed(before) == {"loki"}
    assert real.container("loki").attrs["Config"]["Healthcheck"]["Test"][-1] == "-log.level=info"
    undo()
    real.up()


def test_another_image_replaces_its_container_and_keeps_its_data(real: Sandbox) -> None:
    import io  # noqa: PLC0415 - only here

    from observability.versions import image  # noqa: PLC0415

    pinned = image("prometheus")
    tag = f"{pinned.tag}-e2e"
    dockerfile = f"FROM {pinned.name}:{pinned.tag}\nLABEL e2e=yes\n"
    real.docker.images.build(fileobj=io.BytesIO(dockerfile.encode()), tag=f"{pinned.name}:{tag}")
    before, oldest = real.ids(), first_sample(real)
    undo = real.edit("versions.toml", f'tag = "{pinned.tag}"', f'tag = "{tag}"')
    try:
        real.up()
        assert real.changed(before) == {"prometheus"}
        assert real.container("prometheus").attrs["Config"]["Labels"]["e2e"] == "yes"
        assert wait_for(lambda: first_sample(real)) == oldest
        real.expect_no_changes()
    finally:
        undo()
        real.up()
        real.docker.images.remove(f"{pinned.name}:{tag}", force=True)


def first_sample(real: Sandbox) -> str:
    """Return the oldest sample of `up` that Prometheus has, as text."""
    try:
        answer = real.grafana().request(
            "GET",
            "/api/datasources/proxy/uid/prometheus/api/v1/query?query=min_over_time(timestamp(up{job='prometheus'})[1h:1s])",
        )
    except Exception:  # noqa: BLE001 - it is just starting
        return ""
    rows = answer["data"]["result"]
    return str(rows[0]["value"][1]) if rows else ""


def test_hand_edits_are_put_back(real: Sandbox) -> None:
    api = real.grafana()
    dashboard = api.request("GET", "/api/dashboards/uid/slo-overview")
    original = dashboard["dashboard"]["title"]
    edited = dashboard["dashboard"] | {"title": "Edited by hand"}
    api.request("POST", "/api/dashboards/db", {"dashboard": edited, "folderUid": "ml-platform", "overwrite": True})
    source = api.request("GET", "/api/datasources/uid/prometheus")
    source["jsonData"] |= {"httpMethod": "GET"}
    api.request("PUT", "/api/datasources/uid/prometheus", source)
    result = api.request("GET", "/api/datasources/correlations")["correlations"]
    row = next(c for c in result if c["label"] == CORRELATIONS[0].label)
    api.request(
        "PATCH", f"/api/datasources/uid/{row['sourceUID']}/correlations/{row['uid']}", {"description": "by hand"}
    )
    drift = real.pulumi("refresh", "--preview-only", "--expect-no-changes")
    assert drift.returncode != 0, "a refresh must see the edits"
    readme.works(real, "make up REFRESH=1")
    assert api.request("GET", "/api/dashboards/uid/slo-overview")["dashboard"]["title"] == original
    assert api.request("GET", "/api/datasources/uid/prometheus")["jsonData"]["httpMethod"] == "POST"
    rows = api.request("GET", "/api/datasources/correlations")["correlations"]
    assert next(c for c in rows if c["uid"] == row["uid"])["description"] == CORRELATIONS[0].description
    real.expect_no_changes()


def test_deletions_by_hand_are_put_back_once(real: Sandbox) -> None:
    api = real.grafana()
    rows = api.request("GET", "/api/datasources/correlations")["correlations"]
    first = next(c for c in rows if c["sourceUID"] == "loki" and c["targetUID"] == "prometheus")
    api.request("DELETE", f"/api/datasources/uid/loki/correlations/{first['uid']}")
    api.request("DELETE", "/api/datasources/uid/jaeger")  # source of two, target of one
    api.request("DELETE", "/api/dashboards/uid/infrastructure-health")
    real.up(refresh=True)
    rows = api.request("GET", "/api/datasources/correlations")["correlations"]
    ways = sorted((c["sourceUID"], c["targetUID"], c["label"]) for c in rows)
    assert ways == sorted((c.source, c.target, c.label) for c in CORRELATIONS)
    assert api.request("GET", "/api/datasources/uid/jaeger")["name"] == "Jaeger"
    assert api.request("GET", "/api/dashboards/uid/infrastructure-health")["meta"]["folderUid"] == "infrastructure"
    real.expect_no_changes()


def test_down_keeps_the_data(real: Sandbox) -> None:
    oldest, before = first_sample(real), real.ids()
    done = real.run("down")
    assert done.returncode == 0, done.stderr
    for service in CONTAINERS:
        with pytest.raises(docker.errors.NotFound):
            real.container(service)
    output = real.up()
    assert "does not run" in output
    assert real.changed(before) == set(CONTAINERS)
    assert wait_for(lambda: first_sample(real)) == oldest
    real.expect_no_changes()


@pytest.mark.parametrize("service", CONTAINERS)
def test_a_killed_container_is_back_by_itself(real: Sandbox, service: str) -> None:
    container = real.container(service)
    pid = container.attrs["State"]["Pid"]
    import os  # noqa: PLC0415 - only here
    import signal  # noqa: PLC0415

    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: real.container(service).attrs["State"]["Pid"] not in {0, pid}, 30)
    wait_healthy(real, service)


def test_destroy_takes_everything_and_leaves_the_neighbours(
    real: Sandbox, make_real: Callable[..., Sandbox], engine: DockerClient
) -> None:
    neighbour = make_real("e2e-neighbour")
    neighbour.up()
    neighbour.expect_no_changes()
    real.expect_no_changes()
    assert len({p["HostPort"] for c in (*map(real.container, CONTAINERS), *map(neighbour.container, CONTAINERS))
                for b in (c.attrs["HostConfig"]["PortBindings"] or {}).values() for p in b}) == 16  # fmt: skip
    done = real.run("destroy", YES=real.name)
    assert done.returncode == 0, done.stdout + done.stderr
    prefix = f"observability-{real.name}"
    assert engine.containers.list(all=True, filters={"name": prefix}) == []
    assert engine.volumes.list(filters={"name": prefix}) == []
    assert engine.networks.list(names=[prefix]) == []
    assert neighbour.run("verify").returncode == 0
    neighbour.sweep()


def test_production_refuses_to_lose_data(make_real: Callable[..., Sandbox]) -> None:
    prod = make_real("e2e-prod", base="prod")
    prod.pulumi("stack", "init")
    for key in ("grafanaAdminPassword", "grafanaSecretKey"):
        prod.set_secret(key, f"a-strong-secret-for-{key}")
    if not all(image.digest for image in versions.images().values()):
        refused = prod.run("up")
        assert refused.returncode != 0
        assert "digest" in refused.stdout + refused.stderr
        assert prod.docker.networks.list(filters={"label": f"{labels.STACK}={prod.name}"}) == []
    # Plain Pulumi takes tags: `make up` wants digests, which images made on this machine have not.
    done = prod.pulumi("up", "--yes", "--skip-preview")
    assert done.returncode == 0, done.stdout + done.stderr
    for done in (prod.pulumi("destroy", "--yes"), prod.run("destroy", YES=prod.name)):
        assert done.returncode != 0
        assert "protect" in done.stdout + done.stderr
    for part in topology.PARTS:
        if part.name in CONTAINERS:
            assert prod.container(part.name).status == "running"
            if part.data:
                assert prod.docker.volumes.get(f"observability-{prod.name}-{part.name}-data")
    prod.sweep()
