"""Other ways to the same stack: another engine's address, an import, a watch, ten fresh starts."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator

import pytest

from lab.sandbox import Sandbox
from tests.e2e.conftest import wait_for

FRESH = int(os.environ.get("E2E_FRESH", "2"))
"""How often a stack is made from nothing; the closing notes use 10."""


@pytest.fixture
def engine_over_tcp() -> Iterator[str]:
    """The same engine under a TCP address, as a remote one would be reached."""

    def pump(source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def serve(listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            engine = socket.socket(socket.AF_UNIX)
            engine.connect("/var/run/docker.sock")
            sockets.extend((client, engine))
            for pair in ((client, engine), (engine, client)):
                threading.Thread(target=pump, args=pair, daemon=True).start()

    sockets: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        yield f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
    for end in sockets:
        end.close()


def test_another_engine_is_one_setting(make_real: Callable[..., Sandbox], engine_over_tcp: str) -> None:
    stack = make_real("e2e-remote")
    stack.pulumi("stack", "init")
    assert stack.pulumi("config", "set", "docker:host", engine_over_tcp).returncode == 0
    done = stack.run("up", DOCKER_HOST="tcp://127.0.0.1:9")  # nothing else may be used
    assert done.returncode == 0, done.stdout + done.stderr
    stack.expect_no_changes()
    assert stack.run("destroy", YES=stack.name).returncode == 0


@pytest.mark.parametrize("number", range(FRESH))
def test_a_fresh_start_leaves_nothing_to_change(make_real: Callable[..., Sandbox], number: int) -> None:
    stack = make_real(f"e2e-fresh{number}")
    stack.up()
    stack.expect_no_changes()
    stack.sweep()


def test_a_correlation_that_is_already_there_is_brought_in(real: Sandbox) -> None:
    """Pulumi's own import cannot: the engine reads a dynamic resource without telling which provider it has."""

    def rows() -> list[str]:
        result = real.grafana().request("GET", "/api/datasources/correlations")["correlations"]
        return sorted(f"{r['sourceUID']}/{r['uid']}" for r in result)

    before = rows()
    state = json.loads(real.pulumi("stack", "export").stdout)["deployment"]["resources"]
    urns = [r["urn"] for r in state if r["type"].endswith("grafana:Correlation")]
    assert len(urns) == len(before) == 4
    for urn in urns:
        # The mark of the deployment comes after everything else, and depends on it.
        done = real.pulumi("state", "delete", urn, "--target-dependents", "--yes")
        assert done.returncode == 0, done.stderr
    real.up()
    assert rows() == before
    state = json.loads(real.pulumi("stack", "export").stdout)["deployment"]["resources"]
    assert sorted(r["id"] for r in state if r["type"].endswith("grafana:Correlation")) == before
    real.expect_no_changes()


def test_another_stack_may_be_selected(real: Sandbox) -> None:
    """By a person's PULUMI_STACK, or by a command in another terminal that uses the same folder."""
    elsewhere = subprocess.run(
        ["pulumi", "stack", "init", "other"], cwd=real.folder, env=real.environment, check=False, capture_output=True
    )
    assert elsewhere.returncode == 0, elsewhere.stderr  # and selected
    done = real.run("password", PULUMI_STACK="other")
    assert done.stdout.strip() == real.outputs()["grafanaAdminPassword"], done.stderr


def test_a_saved_dashboard_is_applied_by_watch(real: Sandbox) -> None:
    watcher = real.start("watch")
    try:
        assert watcher.stdout is not None
        for line in watcher.stdout:
            if line.startswith("watching"):
                break
        real.edit("dashboards/slo_overview.py", 'title="Objectives, worst first"', 'title="Every objective"')
        api = real.grafana()
        wait_for(lambda: "Every objective" in str(api.request("GET", "/api/dashboards/uid/slo-overview")), 30)
    finally:
        os.killpg(watcher.pid, signal.SIGTERM)
        watcher.communicate()


def test_plain_pulumi_is_enough(make_real: Callable[..., Sandbox]) -> None:
    stack = make_real("e2e-plain")
    assert stack.pulumi("stack", "init").returncode == 0
    done = stack.pulumi("up", "--yes", "--skip-preview")
    assert done.returncode == 0, done.stdout + done.stderr
    stack.expect_no_changes()
    out = stack.outputs()
    assert set(out) == {
        "grafanaUrl", "prometheusUrl", "lokiUrl", "jaegerUrl", "otlpEndpoint", "grafanaAdminUser",
        "grafanaAdminPassword", "grafanaToken",
    }  # fmt: skip
    assert stack.pulumi("destroy", "--yes", "--skip-preview").returncode == 0
