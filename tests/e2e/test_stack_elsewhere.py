"""Logs and traces that others keep: the way there, a killed store, and the way back, with a real stack."""

from __future__ import annotations

import io
import json
import tarfile
import urllib.parse
from collections.abc import Iterator

import pytest
from docker.models.containers import Container

from cli import otlp
from components.grafana_api import GrafanaError
from lab.sandbox import Sandbox
from observability import versions
from observability.configs import jaeger, loki
from observability.settings import load
from tests.e2e.conftest import wait_for

LINES = 50
TENANT = "shop"
BEFORE = "written before logs went elsewhere"
LOGS = {"writeUrl": "http://elsewhere-loki:3100/otlp", "queryUrl": "http://elsewhere-loki:3100", "tenant": TENANT}
TRACES = {"writeUrl": "http://elsewhere-jaeger:4318", "queryUrl": "http://elsewhere-jaeger:16686"}


class Elsewhere:
    """A Loki and a Jaeger that are none of the stack's, in the networks that lead out of it."""

    def __init__(self, stack: Sandbox) -> None:
        self.stack = stack
        settings = load("elsewhere", {})
        self.loki = self._run(
            "loki", loki.render(settings).replace("auth_enabled: false", "auth_enabled: true"), "-config.file"
        )
        in_memory = jaeger.render(settings).replace(jaeger.DATA, "/tmp/badger")  # noqa: S108 - in its container
        self.jaeger = self._run("jaeger", in_memory, "--config")

    def _run(self, name: str, config: str, flag: str) -> Container:
        image = versions.image(name).reference
        container = self.stack.docker.containers.create(
            image, [f"{flag}=/etc/elsewhere.yaml"], name=f"{self.stack.name}-elsewhere-{name}",
            network=self._networks()[0], hostname=f"elsewhere-{name}",
        )  # fmt: skip
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            info = tarfile.TarInfo("elsewhere.yaml")
            info.size, info.mode = len(config.encode()), 0o644
            tar.addfile(info, io.BytesIO(config.encode()))
        container.put_archive("/etc", packed.getvalue())
        for network in self._networks():
            found = self.stack.docker.networks.get(network)
            if network == self._networks()[0]:
                found.disconnect(container)
            found.connect(container, aliases=[f"elsewhere-{name}"])
        container.start()
        return container

    def _networks(self) -> tuple[str, str]:
        prefix = f"observability-{self.stack.name}"
        return prefix, f"{prefix}-edge"

    def remove(self) -> None:
        for container in (self.loki, self.jaeger):
            container.remove(force=True, v=True)


@pytest.fixture(scope="module")
def elsewhere(real: Sandbox) -> Iterator[Elsewhere]:
    push(real, [BEFORE], "before")
    wait_for(lambda: BEFORE in lines(real, "before"), 90)
    stores = Elsewhere(real)
    try:
        real.configure(logs=LOGS, traces=TRACES)
        real.up()
        yield stores
    finally:
        stores.remove()


def push(stack: Sandbox, texts: list[str], service: str) -> None:
    for text in texts:
        otlp.push(stack.url("otlpHttp"), "records", {service: [otlp.record(text)]})


def lines(stack: Sandbox, service: str) -> set[str]:
    """Return a service's lines, as Grafana gets them; none while the store is away."""
    query = urllib.parse.urlencode({"query": f'{{service_name="{service}"}}', "since": "1h", "limit": "1000"})
    try:
        answer = stack.grafana().find(f"/api/datasources/proxy/uid/loki/loki/api/v1/query_range?{query}")
    except GrafanaError:
        return set()
    return {value[1] for row in (answer or {"data": {"result": ()}})["data"]["result"] for value in row["values"]}


@pytest.mark.usefixtures("elsewhere")
def test_the_own_stores_are_gone_and_their_data_stays(real: Sandbox) -> None:
    names = {str(c.name).removeprefix(f"observability-{real.name}-") for c in real.docker.containers.list()}
    assert not {"loki", "jaeger"} & names
    volumes = {v.name for v in real.docker.volumes.list()}
    assert {f"observability-{real.name}-{name}-data" for name in ("loki", "jaeger")} <= volumes
    real.expect_no_changes()


@pytest.mark.usefixtures("elsewhere")
def test_everything_works_over_the_other_stores(real: Sandbox) -> None:
    done = real.run("verify")
    assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_acknowledged_is_lost_while_that_loki_is_killed(real: Sandbox, elsewhere: Elsewhere) -> None:
    first = [f"line {number}" for number in range(LINES)]
    push(real, first, "killed")
    wait_for(lambda: lines(real, "killed") == set(first), 90)
    elsewhere.loki.kill()
    second = [f"line {number}" for number in range(LINES, 2 * LINES)]
    push(real, second, "killed")
    elsewhere.loki.start()
    wait_for(lambda: lines(real, "killed") == {*first, *second}, 120)


@pytest.mark.usefixtures("elsewhere")
def test_the_history_of_alerts_is_there(real: Sandbox) -> None:
    def states() -> object:
        query = urllib.parse.urlencode({"query": '{from="state-history"}', "since": "1h"})
        answer = real.grafana().find(f"/api/datasources/proxy/uid/loki/loki/api/v1/query_range?{query}")
        return answer and answer["data"]["result"]

    wait_for(states, 180)  # the watchdog begins to fire


@pytest.mark.usefixtures("elsewhere")
def test_backup_and_inventory_say_what_is_not_in_them(real: Sandbox) -> None:
    done = real.run("backup")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "logs are kept elsewhere and are not in it" in done.stdout + done.stderr
    assert "traces are kept elsewhere and are not in it" in done.stdout + done.stderr
    counted = real.run("inventory", "--json")
    assert {count["store"] for count in json.loads(counted.stdout)["counts"]} == {"grafana", "prometheus"}


@pytest.mark.usefixtures("elsewhere")
def test_the_way_back_finds_what_was_there(real: Sandbox) -> None:
    real.configure(logs=None, traces=None)
    real.up()
    wait_for(lambda: BEFORE in lines(real, "before"), 90)
    assert lines(real, "killed") == set()
    real.expect_no_changes()
