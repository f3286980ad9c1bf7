"""What goes wrong: an engine killed in the middle, a bad image, a bad file, a taken port. Nothing is lost, ever."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable

import psutil
import pytest
from docker import DockerClient
from docker.errors import NotFound

from cli import repair
from cli.context import Context
from cli.errors import ExitCode
from lab.sandbox import Sandbox
from observability.names import labels
from observability.settings import CONTAINERS
from tests.e2e.conftest import wait_for

MOMENTS = (2, 14, 28, 45, 56)
"""When the engine is killed: after how many of the 60 resources it has begun to create."""


def serving(real: Sandbox) -> bool:
    return all(real.container(s).status == "running" for s in CONTAINERS) and real.run("verify").returncode == 0


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


def kill_after(process: subprocess.Popen[str], word: str, count: int) -> None:
    """Kill the run as soon as it has printed `word` `count` times."""
    assert process.stdout is not None
    seen = 0
    for line in process.stdout:
        seen += word in line
        if seen >= count:
            kill_tree(process)
            return
    raise AssertionError(f"the run was over after {seen} of {count} times {word!r}")


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_first_run_is_finished_by_the_next(make_real: Callable[..., Sandbox], moment: int) -> None:
    stack = make_real(f"e2e-kill{moment}")
    kill_after(stack.start("up"), " creating (", moment)
    output = stack.up()
    stack.expect_no_changes()
    wait_for(lambda: serving(stack), 180)  # verify alone takes a minute on a busy machine
    names = [str(c.name) for c in stack.docker.containers.list(filters={"name": f"observability-{stack.name}"})]
    assert sorted(names) == sorted(f"observability-{stack.name}-{s}" for s in CONTAINERS)
    repaired = [x.removeprefix("repaired: ") for x in output.splitlines() if x.startswith("repaired: ")]
    assert repaired[0].startswith("removed the lock of process")
    sys.stdout.write(f"\nkilled after {moment} resources; repaired: {'; '.join(repaired)}\n")
    assert stack.run("destroy", YES=stack.name).returncode == 0
    assert stack.docker.volumes.list(filters={"name": f"observability-{stack.name}"}) == []


def test_a_volume_that_a_killed_run_left_goes_and_one_of_data_stays(engine: DockerClient) -> None:
    def left(name: str, known: list[dict[str, str]], **own: str) -> bool:
        engine.volumes.create(name, labels=own)
        pending = {"type": "creating", "resource": {"type": "docker:index/volume:Volume", "inputs": {"name": name}}}
        try:
            repair.undo_operation(engine, Context("e2e").pulumi, pending, known)
            return name in {volume.name for volume in engine.volumes.list(filters={"name": name})}
        finally:
            with contextlib.suppress(NotFound):
                engine.volumes.get(name).remove()

    files = "observability-e2e-left-files"
    assert not left(files, [], **{labels.CONTENT: "a-digest"})
    assert left(files, [{"id": files}], **{labels.CONTENT: "a-digest"})
    assert left("observability-e2e-left-data", [])


@pytest.mark.parametrize("moment", [1, 3])
def test_a_killed_change_is_finished_without_losing_data(real: Sandbox, moment: int) -> None:
    api = real.grafana()
    api.request(
        "POST", "/api/dashboards/db", {"dashboard": {"uid": "mine", "title": "Made by hand"}, "overwrite": True}
    )
    real.configure(healthInterval=f"{2 + moment}s")  # replaces all four containers
    kill_after(real.start("up"), "creating replacement", moment)
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
    assert second.returncode == ExitCode.LOCKED
    assert "is being changed by process" in second.stderr
    output, _ = first.communicate()
    assert first.returncode == 0, output
    real.expect_no_changes()


def test_a_wrong_image_tag_changes_nothing(real: Sandbox) -> None:
    before = real.ids()
    undo = real.edit("versions.toml", 'name = "grafana/loki"', 'name = "grafana/no-such-image"')
    done = real.run("up")
    assert done.returncode == ExitCode.MISSING_TOOL
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
    undo = real.edit("observability/configs/prometheus.py", '"rule_files":', '"nonsense": 1, "rule_files":')
    done = real.run("up")
    assert done.returncode != 0
    assert "its own checker refuses its configuration" in done.stdout
    assert "nonsense" in done.stdout
    assert "Traceback" not in done.stdout
    assert real.ids() == before
    assert serving(real)
    undo()
    real.up()
    real.expect_no_changes()
    assert real.changed(before) <= {"prometheus"}


def test_a_taken_port_is_named_and_the_service_keeps_the_old_one(real: Sandbox) -> None:
    before = real.ids()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        real.configure(ports={"loki": port})
        done = real.run("up")
    assert done.returncode != 0
    assert f"in use by another program on 127.0.0.1: port {port} (loki)" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert real.ids() == before
    assert json.loads(real.pulumi("stack", "export").stdout)["deployment"].get("pending_operations") in (None, [])
    real.up()  # the port is free now
    assert real.changed(before) == {"reading-proxy"}  # which publishes the ports of the stores
    real.configure(ports=None)
    real.up()
    real.expect_no_changes()


def test_a_wrong_passphrase_is_one_sentence(real: Sandbox) -> None:
    before = real.ids()
    done = real.run("up", PULUMI_CONFIG_PASSPHRASE="not-the-one")
    assert done.returncode == ExitCode.PASSPHRASE
    assert "the passphrase does not open the secrets" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert real.ids() == before


def test_bad_settings_stop_the_plain_program_too(real: Sandbox) -> None:
    before = real.ids()
    real.configure(prometheusRetention="5d", grafanaTheme="pink", surprise=True)
    refused = [real.run("up"), real.pulumi("up", "--yes", "--skip-preview")]
    real.configure(prometheusRetention=None, grafanaTheme=None, surprise=None)
    for done in refused:
        assert done.returncode != 0
        output = done.stdout + done.stderr
        for setting in ("prometheusRetention: '5d'", "grafanaTheme: 'pink'", "surprise: unknown setting"):
            assert setting in output
        assert "Traceback" not in output
    assert real.ids() == before
    real.up()


def test_a_service_that_never_gets_ready_is_named_and_repaired(real: Sandbox) -> None:
    undo_config = real.edit("observability/configs/loki.py", '"http_listen_port": PORT', '"http_listen_port": PORT + 1')
    undo_wait = real.edit("components/checks.py", "READY_TIMEOUT_SECONDS = 120", "READY_TIMEOUT_SECONDS = 5")
    done = real.run("up")
    assert done.returncode != 0
    assert "loki was not ready after 5 s" in done.stdout
    assert f"docker logs observability-{real.name}-loki" in done.stdout
    undo_config()
    undo_wait()
    real.up()
    real.expect_no_changes()
    wait_for(lambda: serving(real))
