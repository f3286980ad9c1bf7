"""What each edit of a running stack replaces, what comes back by itself, and what `down` and `destroy` leave."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import docker.errors
import pytest

from lab.sandbox import Sandbox
from observability import topology, versions
from observability.configs.correlations import CORRELATIONS
from observability.names import labels
from observability.settings import CONTAINERS
from tests import readme
from tests.e2e.conftest import wait_for, wait_healthy

if TYPE_CHECKING:
    from docker import DockerClient


def test_an_edited_rule_replaces_prometheus_only_and_keeps_its_data(real: Sandbox) -> None:
    before = real.ids()
    oldest = first_sample(real)
    undo = real.edit("observability/rules/values.py", '"1e-09"', '"2e-09"')
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
