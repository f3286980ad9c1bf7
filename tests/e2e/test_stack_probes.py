"""Probes, the Docker host's numbers and a team, on a real stack: they come with their settings and go with them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from docker import DockerClient

from cli import link_check
from lab.sandbox import Sandbox
from observability import topology, versions
from observability.names.uids import DATASOURCE_PROMETHEUS
from observability.rules import host
from tests.e2e.conftest import wait_for, wait_healthy

BLACKBOX = topology.BLACKBOX.name
PROBES = [
    {"name": "front", "target": "http://collector:13133/"},
    {"name": "otlp", "type": "tcp", "target": "collector:4317"},
    {"name": "ping", "type": "icmp", "target": "collector"},
    {"name": "names", "type": "dns", "target": "collector", "server": "127.0.0.11:53"},
    {"name": "nobody", "target": "http://nobody.invalid/"},
]
TEAM = {"owner": "shop-team", "email": ["shop@example.org"], "quietHours": {"weekdays": ["sunday"]}}
SETTINGS: dict[str, Any] = {
    "probes": [{"interval": "10s", "owner": "shop-team", **probe} for probe in PROBES],
    "hostNetwork": True,
    "smtpHost": "mail.invalid:25",
    "teams": [TEAM],
    "folderTitles": {"ml-platform": "Shop"},
}
GIBIBYTE = 1024**3


@pytest.fixture(scope="module")
def real(make_real: Callable[[str], Sandbox], engine: DockerClient) -> Iterator[Sandbox]:
    """A stack that is up with all of them."""
    try:
        engine.images.get(versions.image(BLACKBOX).reference)
    except docker.errors.ImageNotFound:
        pytest.skip(f"no image {versions.image(BLACKBOX).reference} on the Docker host")
    stack = make_real("e2e-probes")
    stack.configure(**SETTINGS)
    stack.up()
    yield stack
    stack.sweep()


def number(stack: Sandbox, expr: str) -> float | None:
    return link_check.value(stack.grafana(), DATASOURCE_PROMETHEUS, expr)


def test_a_second_up_changes_nothing(real: Sandbox) -> None:
    real.expect_no_changes()


def test_the_exporter_is_confined_and_in_the_network_of_applications_alone(real: Sandbox) -> None:
    wait_healthy(real, BLACKBOX)
    container = real.container(BLACKBOX).attrs
    assert container["Config"]["User"] == topology.BLACKBOX.user
    assert container["HostConfig"]["ReadonlyRootfs"]
    assert container["HostConfig"]["CapDrop"] == ["ALL"]
    assert set(container["NetworkSettings"]["Networks"]) == {f"observability-{real.name}"}


def test_verify_says_what_each_probe_finds(real: Sandbox) -> None:
    done = real.run("verify", "--json")
    assert done.returncode == 0, done.stdout
    checks = json.loads(done.stdout)["checks"]
    answers = {check["name"]: check["detail"] for check in checks if check["part"] == "probe"}
    failing = {name for name, answer in answers.items() if "FAILS" in answer}
    assert set(answers) == {probe["name"] for probe in PROBES}
    assert failing == {"nobody"}
    assert {c["part"] for c in checks} >= {"panel of probes", "panel of hosts"}


def test_the_hosts_numbers_are_the_kernels(real: Sandbox) -> None:
    rows = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    assert wait_for(lambda: number(real, host.MEMORY)) == int(rows["MemTotal"].split()[0]) * 1024
    free = wait_for(lambda: number(real, host.DISK_FREE))
    assert free == pytest.approx(shutil.disk_usage("/var/lib/docker").free, abs=2 * GIBIBYTE)
    interfaces = Path("/proc/net/dev").read_text()
    assert wait_for(lambda: number(real, f"sum({host.NETWORK_IO})"), 120) > 0
    api = real.grafana()
    rows_ = api.request(
        "GET", f"/api/datasources/proxy/uid/{DATASOURCE_PROMETHEUS}/api/v1/query?query={host.NETWORK_IO}"
    )
    devices = {row["metric"]["device"] for row in rows_["data"]["result"]}
    assert devices
    assert all(f"{device}:" in interfaces for device in devices), "of the host, and not of the container"


def test_a_teams_alerts_go_to_the_team(real: Sandbox) -> None:
    api = real.grafana()
    policy = api.request("GET", "/api/v1/provisioning/policies")
    page = policy["routes"][0]
    assert page["receiver"] == "team-shop-team"
    assert ["owner", "=", "shop-team"] in page["object_matchers"]
    rules = api.request("GET", "/api/v1/provisioning/alert-rules")
    assert {r["labels"]["owner"] for r in rules if r["labels"].get("service") == "front"} == {"shop-team"}
    assert api.request("GET", "/api/folders/ml-platform")["title"] == "Shop"


def test_they_go_with_their_settings(real: Sandbox) -> None:
    real.configure(**dict.fromkeys(SETTINGS))
    real.up()
    assert real.docker.containers.list(all=True, filters={"name": f"observability-{real.name}-{BLACKBOX}"}) == []
    assert real.grafana().find("/api/dashboards/uid/probes") is None
    assert real.grafana().request("GET", "/api/folders/ml-platform")["title"] == "ML Platform"
    mounts = real.container(topology.COLLECTOR.name).attrs["Mounts"]
    assert not [mount for mount in mounts if mount["Source"].startswith("/proc")]
    real.expect_no_changes()
