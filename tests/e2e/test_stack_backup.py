"""Backup while something writes, restore beside and in place, and what is left when either is killed or refused."""

from __future__ import annotations

import base64
import json
import os
import pickle
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from cli import archive, encryption, otlp
from cli.errors import ExitCode
from components.grafana_api import GrafanaApi, GrafanaError
from lab.sandbox import Sandbox
from observability import versions
from observability.settings import CONTAINERS, SERVICES
from tests.e2e.conftest import wait_for, wait_healthy

PASSPHRASE = "of-the-archive-0123456789"
PASSWORD = "of-somebody-0123456789"
WEBHOOK = "a-webhooks-password"


class Writer(threading.Thread):
    """Pushes a numbered log line and a trace of its own ten times a second; `accepted` are the lines' numbers."""

    def __init__(self, stack: Sandbox) -> None:
        super().__init__(daemon=True)
        self._url, self._end = stack.url("otlpHttp"), threading.Event()
        self.accepted: list[int] = []
        self.refused: list[str] = []

    def run(self) -> None:
        number = 0
        while not self._end.wait(0.1):
            number += 1
            trace = otlp.new_trace()
            try:
                otlp.push(self._url, "records", {"writer": [otlp.record(f"number={number}", trace)]})
                otlp.call(self._url, trace, "writer", "written", name="GET /")
            except OSError as error:
                self.refused.append(str(error))
            else:
                self.accepted.append(number)

    def stop(self) -> None:
        self._end.set()
        self.join()


def numbers(stack: Sandbox) -> list[int]:
    """Return the numbers of the writer's lines that Loki has."""
    begin = int(time.time() - 3_600)
    query = quote('{service_name="writer"}')
    requests = f"query={query}&start={begin}000000000&limit=5000&direction=forward"
    result = stack.grafana().request("GET", f"/api/datasources/proxy/uid/loki/loki/api/v1/query_range?{requests}")
    lines = [line for stream in result["data"]["result"] for _, line in stream["values"]]
    return sorted(int(line.removeprefix("number=")) for line in lines)


def backup(stack: Sandbox, **environment: str) -> Path:
    began = time.monotonic()
    done = stack.run("backup", **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout, f"backup took {time.monotonic() - began:.1f} s")
    result = re.search(r"(\S+\.tar): [\d,]+ bytes", done.stdout)
    assert result is not None, done.stdout
    return stack.folder / result[1]


def paused(stack: Sandbox) -> list[str]:
    return [s for s in CONTAINERS if stack.container(s).status == "paused"]


def login(stack: Sandbox, user: str, password: str) -> Any:  # noqa: ANN401 - JSON
    return GrafanaApi(stack.outputs()["grafanaUrl"], f"{user}:{password}").request("GET", "/api/user")


@pytest.fixture(scope="module")
def filled(real: Sandbox) -> Sandbox:
    """A stack in which people have done things."""
    wait_healthy(real)
    api = real.grafana()
    api.request("POST", "/api/admin/users", {"name": "Ada", "login": "ada", "password": PASSWORD})
    api.request("POST", "/api/dashboards/db", {"dashboard": {"uid": "by-hand", "title": "By hand"}, "overwrite": True})
    secret = {"httpMethod": "POST", "url": "http://127.0.0.1:9/", "username": "me", "password": WEBHOOK}
    api.request(
        "POST", "/api/v1/provisioning/contact-points", {"name": "by hand", "type": "webhook", "settings": secret}
    )
    return real


@pytest.fixture(scope="module")
def writer(filled: Sandbox) -> Iterator[Writer]:
    thread = Writer(filled)
    thread.start()
    wait_for(lambda: len(thread.accepted) > 100)
    yield thread
    thread.stop()


@pytest.fixture(scope="module")
def taken(filled: Sandbox, writer: Writer, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, int]:
    """An encrypted archive, the file that opens it, and how many lines had been accepted before it began."""
    time.sleep(35)  # so that there is something to count
    file = tmp_path_factory.mktemp("secret") / "passphrase"
    file.write_text(PASSPHRASE)
    before, ids = writer.accepted[-1], filled.ids()
    path = backup(filled, ENCRYPT=str(file))
    assert filled.ids() == ids
    assert paused(filled) == []
    assert filled.docker.containers.list(all=True, filters={"name": f"{filled.name}-backup"}) == []
    return path, file, before


def test_nothing_is_lost_and_nothing_refused_by_the_backup_itself(
    filled: Sandbox, writer: Writer, taken: tuple[Path, Path, int]
) -> None:
    assert writer.refused == []
    last = wait_for(lambda: writer.accepted[-1])
    result = wait_for(lambda: there if (there := numbers(filled))[-1:] >= [last] else None)
    assert result == list(range(1, len(result) + 1))
    assert [p.name for p in taken[0].parent.iterdir()] == [taken[0].name]
    raw = taken[0].read_bytes()
    assert PASSPHRASE.encode() not in raw
    assert b"SQLite" not in raw


def test_restored_beside_the_first_everything_is_there(
    filled: Sandbox, taken: tuple[Path, Path, int], make_real: Callable[..., Sandbox]
) -> None:
    path, file, before = taken
    second, ids = make_real("e2e-restored"), filled.ids()
    elsewhere = {"PULUMI_CONFIG_PASSPHRASE": "another-machines-passphrase"}  # what opens the state is in the archive
    began = time.monotonic()
    done = second.run("restore", str(path), DECRYPT=str(file), **elsewhere)
    assert "is signed, and there is no key here" in done.stderr
    elsewhere["ARCHIVE_KEY"] = str(key_of(filled))
    done = second.run("restore", str(path), DECRYPT=str(file), **elsewhere)
    print(done.stdout, f"restore took {time.monotonic() - began:.1f} s")
    assert done.returncode == 0, done.stdout + done.stderr
    assert " NO " not in done.stdout
    assert done.stdout.count(" yes ") >= 13
    again = second.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes", **elsewhere)
    assert again.returncode == 0, again.stdout + again.stderr
    assert second.run("verify", **elsewhere).returncode == 0

    def outputs() -> dict[str, str]:
        result: dict[str, str] = json.loads(
            second.pulumi("stack", "output", "--json", "--show-secrets", **elsewhere).stdout
        )
        return result

    second.outputs = outputs  # type: ignore[method-assign]
    assert set(range(1, before + 1)) <= set(numbers(second))
    assert login(second, "ada", PASSWORD)["login"] == "ada"
    assert outputs()["grafanaAdminPassword"] == filled.outputs()["grafanaAdminPassword"]
    assert second.grafana().request("GET", "/api/dashboards/uid/by-hand")["dashboard"]["title"] == "By hand"
    points = second.grafana().request("GET", "/api/v1/provisioning/contact-points/export?decrypt=true&format=json")
    assert WEBHOOK in json.dumps(points), "a secret in Grafana's database can be read with the key that came along"
    assert filled.ids() == ids, "the first is as it was"
    filled.expect_no_changes()
    second.sweep()


@pytest.mark.slow
def test_restored_in_its_own_place_it_is_as_it_was(filled: Sandbox, taken: tuple[Path, Path, int]) -> None:
    path, file, before = taken
    api = filled.grafana()
    api.request("DELETE", "/api/dashboards/uid/by-hand")
    api.request("POST", "/api/admin/users", {"name": "Eve", "login": "eve", "password": PASSWORD})
    config = (filled.folder / f"Pulumi.{filled.name}.yaml").read_bytes()
    done = filled.run("restore", str(path), DECRYPT=str(file))
    assert done.returncode == ExitCode.NOT_CONFIRMED
    assert f"YES={filled.name}" in done.stderr
    application = filled.docker.containers.run(
        versions.image("prometheus").reference,
        ["-f", "/dev/null"],
        entrypoint="/bin/tail",
        network=f"observability-{filled.name}",
        detach=True,
        stop_signal="SIGKILL",
    )
    try:
        done = filled.run("restore", str(path), DECRYPT=str(file), YES=filled.name)
        assert done.returncode == 0, done.stdout + done.stderr
        print(done.stdout)
        application.reload()
        assert application.status == "running"
        code, answer = application.exec_run(["wget", "-qO-", "http://collector:13133/"])
        assert code == 0, f"an application on the network reaches the restored stack: {answer!r}"
    finally:
        application.remove(force=True)
    assert filled.grafana().request("GET", "/api/dashboards/uid/by-hand")
    with pytest.raises(GrafanaError, match="401"):
        login(filled, "eve", PASSWORD)
    assert set(range(1, before + 1)) <= set(numbers(filled))
    assert (filled.folder / f"Pulumi.{filled.name}.yaml").read_bytes() == config
    filled.expect_no_changes()
    assert filled.run("verify").returncode == 0


def key_of(stack: Sandbox) -> Path:
    return stack.folder / ".state" / "archive-key"


def test_an_archive_with_code_in_its_state_is_refused_and_runs_nothing(
    filled: Sandbox, taken: tuple[Path, Path, int], tmp_path: Path
) -> None:
    """Even signed: the operator may hold another person's key, or have accepted the archive unsigned."""
    path, file, _ = taken
    marker, evil = tmp_path / "ran", tmp_path / "evil.tar"

    class Evil:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return (eval, (f"open({str(marker)!r}, 'w').close()",))

    identities = encryption.identities(str(file))
    manifest, texts = archive.verify(path, identities, key_of(filled).read_bytes())
    state = json.loads(texts[archive.STATE])
    stack = state["deployment"]["resources"][0]["urn"].split("::")[0]
    kind = "pulumi-python:dynamic/evil:Evil"
    pickled = {"__provider": base64.b64encode(pickle.dumps(Evil())).decode()}
    state["deployment"]["resources"].append(
        {"urn": f"{stack}::observability::{kind}::evil", "type": kind, "custom": True, "id": "1",
         "inputs": pickled, "outputs": pickled}
    )  # fmt: skip
    expected = {f: getattr(manifest, f) for f in ("stack", "created", "images", "paused_seconds", "at", "counts")}
    with archive.writing(evil, filled.name, manifest.created, None, key_of(filled).read_bytes()) as writer:
        writer.text(archive.STATE, json.dumps(state))
        archive.finish(writer, **expected)
    before = filled.ids()
    done = filled.run("restore", str(evil), YES=filled.name)
    assert done.returncode == 1
    assert (
        "resource 'evil' of type 'pulumi-python:dynamic/evil:Evil' is none that this program registers" in done.stderr
    )
    assert filled.ids() == before
    assert not marker.exists()


@pytest.mark.parametrize("how", ["flipped", "cut", "foreign", "passphrase"])
def test_what_cannot_be_restored_touches_nothing(
    filled: Sandbox, taken: tuple[Path, Path, int], tmp_path: Path, how: str
) -> None:
    path, file, _ = taken
    raw = bytearray(path.read_bytes())
    if how == "flipped":
        raw[len(raw) // 2] ^= 1
    elif how == "cut":
        raw = raw[:-2_000]
    elif how == "foreign":
        raw = bytearray(b"PK\x03\x04" + bytes(raw[4:]))
    else:
        file = tmp_path / "wrong"
        file.write_text(PASSPHRASE + "x")
    (tmp_path / "a.tar").write_bytes(raw)
    before = filled.ids()
    done = filled.run("restore", str(tmp_path / "a.tar"), DECRYPT=str(file), YES=filled.name)
    print(done.stderr)
    assert done.returncode != 0
    assert "othing was touched" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert filled.ids() == before


def test_a_killed_backup_leaves_the_stack_running_and_no_archive(filled: Sandbox) -> None:
    archives = set((filled.folder / "backups").glob("*.tar"))
    process = filled.start("backup")
    wait_for(lambda: len(paused(filled)) == len(SERVICES), 60)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    wait_for(lambda: paused(filled) == [], 15)
    assert set((filled.folder / "backups").glob("*.tar")) == archives
    wait_healthy(filled)
    backup(filled)
    assert filled.docker.containers.list(all=True, filters={"name": f"{filled.name}-backup"}) == []


@pytest.mark.slow
def test_a_killed_restore_is_undone_by_up(filled: Sandbox, taken: tuple[Path, Path, int]) -> None:
    path, file, _ = taken
    api = filled.grafana()
    api.request("POST", "/api/admin/users", {"name": "Bob", "login": "bob", "password": PASSWORD})
    environment = {"DECRYPT": str(file), "YES": filled.name}
    process = filled.start("restore", str(path), **environment)
    journal = f"observability-{filled.name}-restore"
    wait_for(
        lambda: (
            not filled.docker.containers.list(filters={"name": f"{filled.name}-grafana"})
            and filled.docker.containers.list(filters={"name": journal})
        ),
        120,
    )
    time.sleep(3)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    output = filled.up()
    assert "rolled back a restore that was interrupted" in output
    assert login(filled, "bob", PASSWORD)["login"] == "bob", "what came after the backup is there: nothing was restored"
    assert filled.docker.containers.list(all=True, filters={"name": journal}) == []
    filled.expect_no_changes()


def test_the_manifest_says_what_is_in_it(filled: Sandbox, taken: tuple[Path, Path, int]) -> None:
    manifest, texts = archive.verify(taken[0], encryption.identities(str(taken[1])), key_of(filled).read_bytes())
    assert set(texts) == {archive.STATE, archive.PASSPHRASE, "pulumi/Pulumi.e2e-backup.yaml"}
    assert set(manifest.images) == set(SERVICES)
    assert manifest.paused_seconds < 30
    counted = {(m["store"], m["what"]): sum(m["low"].values()) for m in manifest.counts}
    print(counted)
    assert len(counted) == 13
    assert all(number > 0 for (_, what), number in counted.items() if what != "annotations"), counted
