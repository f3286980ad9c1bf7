"""What goes wrong: an engine killed in the middle, a bad image, a bad file, a taken port. Nothing is lost, ever."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from ops.sandbox import SERVICES, Sandbox
from tests.e2e.conftest import wait_for

MOMENTS = (0.15, 0.35, 0.5, 0.7, 0.9)
"""When the engine is killed, as a share of an undisturbed `up`."""


def serving(real: Sandbox) -> bool:
    return all(real.container(s).status == "running" for s in SERVICES) and real.run("verify").returncode == 0


def kill_tree(process: subprocess.Popen[str]) -> None:
    """Kill -9 the command and everything below it: the CLI, the language host, the program, the providers."""
    family = psutil.Process(process.pid).children(recursive=True)
    for member in [*family, psutil.Process(process.pid)]:
        try:
            member.send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:
            continue
    process.wait()
    if process.stdout:
        process.stdout.close()


@pytest.fixture(scope="module")
def duration(make_real: Callable[..., Sandbox]) -> Iterator[float]:
    """How long an undisturbed `make up` takes here, from nothing, in seconds."""
    stack = make_real("e2e-measure", 26_000)
    started = time.monotonic()
    stack.up()
    took = time.monotonic() - started
    assert stack.run("destroy", YES=stack.name).returncode == 0
    yield took
    stack.sweep()


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_first_run_is_finished_by_the_next(
    make_real: Callable[..., Sandbox], duration: float, moment: float
) -> None:
    stack = make_real(f"e2e-kill{int(moment * 100)}", 27_000)
    process = stack.start("up")
    time.sleep(duration * moment)
    assert process.poll() is None, "it was over before it was killed"
    kill_tree(process)
    said = stack.up()
    stack.expect_no_changes()
    wait_for(lambda: serving(stack))
    names = [str(c.name) for c in stack.docker.containers.list(filters={"name": f"observability-{stack.name}"})]
    assert sorted(names) == sorted(f"observability-{stack.name}-{s}" for s in SERVICES)
    sys.stdout.write(
        f"killed at {moment:.0%}: " + "; ".join(x for x in said.splitlines() if x.startswith("mended")) + "\n"
    )
    assert stack.run("destroy", YES=stack.name).returncode == 0
    assert stack.docker.volumes.list(filters={"name": f"observability-{stack.name}"}) == []


@pytest.mark.parametrize("moment", [0.3, 0.6])
def test_a_killed_change_is_finished_without_losing_data(real: Sandbox, duration: float, moment: float) -> None:
    api = real.grafana()
    api.request(
        "POST", "/api/dashboards/db", {"dashboard": {"uid": "mine", "title": "Made by hand"}, "overwrite": True}
    )
    real.configure(healthInterval=f"{3 + int(moment * 10)}s")  # replaces all four containers
    process = real.start("up")
    time.sleep(duration * moment)
    if process.poll() is None:
        kill_tree(process)
    real.up()
    real.expect_no_changes()
    assert real.grafana().request("GET", "/api/dashboards/uid/mine")["dashboard"]["title"] == "Made by hand"
    wait_for(lambda: serving(real))


def test_a_lock_whose_process_lives_is_respected(real: Sandbox) -> None:
    real.configure(healthInterval="7s")
    first = real.start("up")
    folder = real.folder / ".state" / ".pulumi" / "locks"
    wait_for(lambda: list(folder.rglob("*.json")), 30)
    second = real.run("up")
    assert second.returncode == 1
    assert "is being changed by process" in second.stderr
    said, _ = first.communicate()
    assert first.returncode == 0, said
    real.expect_no_changes()


def test_a_wrong_image_tag_changes_nothing(real: Sandbox) -> None:
    before = real.ids()
    undo = real.edit("versions.toml", 'name = "grafana/loki"', 'name = "grafana/no-such-image"')
    done = real.run("up")
    assert done.returncode == 1
    assert "image grafana/no-such-image" in done.stderr
    assert "Traceback" not in done.stderr
    assert real.ids() == before
    plain = real.pulumi("up", "--yes", "--skip-preview")  # the plain Pulumi way is no worse
    assert plain.returncode != 0
    assert real.ids() == before
    assert serving(real)
    undo()
    real.up()
    real.expect_no_changes()


def test_a_broken_configuration_never_reaches_the_service(real: Sandbox) -> None:
    before = real.ids()
    undo = real.edit("configs/prometheus.py", '"rule_files":', '"nonsense": 1, "rule_files":')
    done = real.run("up")
    assert done.returncode != 0
    assert "prometheus is left as it is: its own checker refuses its configuration" in done.stdout
    assert "nonsense" in done.stdout
    assert "Traceback" not in done.stdout
    assert real.ids() == before
    assert serving(real)
    undo()
    real.up()
    real.expect_no_changes()
    assert real.ids() == before


def test_a_taken_port_is_named_and_the_service_keeps_the_old_one(real: Sandbox) -> None:
    before = real.ids()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        real.configure(ports={"loki": port})
        done = real.run("up")
    assert done.returncode != 0
    assert f"port {port} on 127.0.0.1 is in use" in done.stdout
    assert "Traceback" not in done.stdout
    assert real.ids() == before
    assert json.loads(real.pulumi("stack", "export").stdout)["deployment"].get("pending_operations") in (None, [])
    real.up()  # the port is free now
    assert real.changed(before) == {"loki"}
    real.configure(ports=None)
    real.up()
    real.expect_no_changes()


def test_a_wrong_passphrase_is_one_sentence(real: Sandbox) -> None:
    before = real.ids()
    done = real.run("up", PULUMI_CONFIG_PASSPHRASE="not-the-one")
    assert done.returncode == 1
    assert "the passphrase does not open the secrets" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert real.ids() == before


def test_bad_settings_stop_the_plain_program_too(real: Sandbox) -> None:
    before = real.ids()
    real.configure(prometheusRetention="5d", grafanaTheme="pink", surprise=True)
    for done in (real.run("up"), real.pulumi("up", "--yes", "--skip-preview")):
        assert done.returncode != 0
        said = done.stdout + done.stderr
        for setting in ("prometheusRetention: '5d'", "grafanaTheme: 'pink'", "surprise: no such setting"):
            assert setting in said
        assert "Traceback" not in said
    assert real.ids() == before
    real.configure(prometheusRetention=None, grafanaTheme=None, surprise=None)
    real.up()


def test_a_service_that_never_gets_ready_is_named_and_mended(real: Sandbox) -> None:
    undo_config = real.edit("configs/loki.py", '"http_listen_port": PORT', '"http_listen_port": PORT + 1')
    undo_wait = real.edit("components/gates.py", "READY_TIMEOUT_SECONDS = 120", "READY_TIMEOUT_SECONDS = 5")
    done = real.run("up")
    assert done.returncode != 0
    assert "loki was not ready after 5 s" in done.stdout
    assert f"docker logs observability-{real.name}-loki" in done.stdout
    undo_config()
    undo_wait()
    real.up()
    real.expect_no_changes()
    wait_for(lambda: serving(real))
