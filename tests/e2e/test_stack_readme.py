"""The README's commands as it shows them, typed one after the other in one copy of the project."""

from __future__ import annotations

import io
import os
import re
import shutil
import signal
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pyrage
import pytest

from components.grafana_api import GrafanaApi
from lab.sandbox import Sandbox, free_offset
from observability.versions import image
from tests import pem, readme
from tests.e2e.conftest import wait_for, wait_healthy

NEWER = {"loki": "3.7.9", "jaeger": "2.20.1"}
"""What the README upgrades to: here the pinned ones under these names."""


@pytest.fixture(scope="module")
def real(make_real: Callable[[str], Sandbox]) -> Iterator[Sandbox]:
    """A stack with the demo, not brought up yet."""
    stack = make_real("e2e-readme")
    stack.configure(demo=True)
    yield stack
    stack.sweep()


@pytest.fixture(scope="module")
def second(real: Sandbox) -> Iterator[Sandbox]:
    """Another stack of the same copy, not brought up yet."""
    stack = Sandbox(real.folder, "e2e-readme2", real.docker, free_offset())
    shutil.copy(real.folder / f"Pulumi.{real.name}.yaml", real.folder / f"Pulumi.{stack.name}.yaml")
    stack.configure(portOffset=stack.offset, demo=None)
    yield stack
    stack.sweep()


@pytest.fixture(scope="module")
def newer(real: Sandbox) -> Iterator[None]:
    made = []
    for service, tag in NEWER.items():
        pinned = image(service)
        reference = f"{pinned.name}:{tag}"
        if not real.docker.images.list(reference):  # a registry's own is not touched
            file = io.BytesIO(f"FROM {pinned.name}:{pinned.tag}\nLABEL e2e=yes\n".encode())
            real.docker.images.build(fileobj=file, tag=reference, rm=True)
            made.append(reference)
    yield
    real.sweep()
    for reference in made:
        real.docker.images.remove(reference, force=True)


def interrupt(process: subprocess.Popen[bytes]) -> int:
    """Press Ctrl-C, and return what it ends with."""
    os.killpg(process.pid, signal.SIGINT)
    return process.wait(timeout=180)


def test_up_says_where_to_look(real: Sandbox) -> None:
    output = readme.works(real, "make up")
    assert "/d/slo-overview" in output
    password = readme.works(real, "make password").strip()
    assert GrafanaApi(real.url("grafana"), f"admin:{password}").request("GET", "/api/user")["login"] == "admin"


def test_nothing_is_left_to_do(real: Sandbox) -> None:
    assert " NO " not in readme.works(real, "make verify")
    assert "section of `verify` written" in readme.works(real, "make measure WHAT=bench", WHAT="verify")
    assert "Policy Packs run:" in readme.works(real, "make preview")
    wait_healthy(real)
    readme.works(real, "make drift")


def test_the_drill_tells_somebody_and_mends_when_it_is_interrupted(real: Sandbox, tmp_path: Path) -> None:
    log = tmp_path / "drill.log"
    drill = readme.started(real, "make drill", log)
    wait_for(lambda: "page received" in log.read_text() or drill.poll() is not None, 300)
    assert drill.poll() is None, log.read_text()
    assert interrupt(drill) != 0
    before = counted(real)
    wait_for(lambda: counted(real)[False] > before[False] + 5)
    assert counted(real)[True] == before[True], "the demo was mended"


def counted(real: Sandbox) -> dict[bool, float]:
    """Return how many requests the gateway says that it answered, by whether they failed."""
    with urllib.request.urlopen(f"{real.url('demo')}/metrics", timeout=10) as answer:
        rows = re.findall(r'^http_requests_total\{.*status="(\d)\d\d".*\} (\S+)$', answer.read().decode(), re.MULTILINE)
    return {bad: sum(float(count) for status, count in rows if (status == "5") is bad) for bad in (False, True)}


def test_faults_break_the_demo(real: Sandbox) -> None:
    token = readme.works(real, "pulumi stack output demoToken --show-secrets").strip()
    assert token == real.outputs()["demoToken"]
    assert "half of the answers are 500" in readme.works(real, "make fault KIND=errors FOR=5m", FOR="1s")
    assert "refuses with 503" in readme.works(real, "make fault KIND=saturation FOR=5m", FOR="1s")


@pytest.mark.skipif(shutil.which("chromium") is None, reason="no Chromium on PATH (Debian: apt-get install chromium)")
def test_pictures_are_taken(real: Sandbox) -> None:
    readme.works(real, "make screenshots")
    assert (real.folder / "docs" / "pictures" / "service-detail.png").stat().st_mtime > (
        real.folder / "README.md"
    ).stat().st_mtime


def test_a_saved_dashboard_is_shown(real: Sandbox, tmp_path: Path) -> None:
    log = tmp_path / "watch.log"
    watch = readme.started(real, "make watch", log)
    wait_for(lambda: "watching" in log.read_text())
    undo = real.edit("dashboards/home.py", 'title="', 'title="Our ')
    wait_for(lambda: "applied in" in log.read_text(), 120)
    undo()
    wait_for(lambda: log.read_text().count("applied in") == 2, 120)
    interrupt(watch)


def test_what_people_make_by_hand_comes_in(real: Sandbox) -> None:
    api = real.grafana()
    api.request("POST", "/api/folders", {"uid": "by-hand", "title": "By hand"})
    readme.works(real, "make import")
    assert "nothing was written" in readme.works(real, "make pull UID=home")
    assert "nothing was written" in readme.works(real, "make pull UID=home", UID="logs")
    readme.works(real, "make recover-password")


def test_own_content_is_checked_and_tools_are_brought_or_named(real: Sandbox) -> None:
    readme.works(real, "make own")
    done = readme.typed(real, "make tools")
    assert "Traceback" not in done.stdout + done.stderr


def test_digests_come_from_a_registry_or_nothing_is_written(real: Sandbox) -> None:
    before = (real.folder / "versions.toml").read_text()
    done = readme.typed(real, "make digests")
    if done.returncode:
        assert "versions.toml is as it was" in done.stderr
        assert (real.folder / "versions.toml").read_text() == before
    else:
        assert len(re.findall(r'digest = "sha256:[0-9a-f]{64}"', (real.folder / "versions.toml").read_text())) >= 7
        (real.folder / "versions.toml").write_text(before)


def test_what_runs_goes_one_environment_on(real: Sandbox, second: Sandbox) -> None:
    names = {"FROM": real.name, "TO": second.name}
    readme.works(real, "make promote FROM=staging TO=prod", env={"YES": second.name}, **names)
    second.expect_no_changes()


def archive(output: str) -> str:
    result = re.search(r"(\S+\.tar): [\d,]+ bytes", output)
    assert result is not None, output
    return result[1]


def test_backups_are_taken_and_restored(real: Sandbox, second: Sandbox, tmp_path: Path) -> None:
    key = pyrage.x25519.Identity.generate()
    (tmp_path / "key.txt").write_text(f"{key}\n")
    plain = archive(readme.works(real, "make backup"))
    sealed = archive(
        readme.works(real, "make backup TO=/mnt/nas ENCRYPT=age1…", TO=f"{tmp_path}", ENCRYPT=f"{key.to_public()}")
    )
    recipients = tmp_path / "recipients"
    recipients.write_text(f"{key.to_public()}\n")
    readme.works(
        real, "make backup TO=dir ENCRYPT=… STACK=prod", TO=f"{tmp_path}/dir", ENCRYPT=f"{recipients}", STACK=real.name
    )
    own, other = {"YES": real.name}, {"YES": second.name}
    assert "restored" in readme.works(real, "make restore FROM=… STACK=second", env=own, FROM=plain, STACK=real.name)
    (tmp_path / "another-key").write_text("of-somebody-else-0123456789-0123456789")
    another = own | {"ARCHIVE_KEY": str(tmp_path / "another-key")}
    assert "restored" in readme.works(real, "make restore FROM=old.tar ACCEPT_UNSIGNED=yes", env=another, FROM=plain)
    opened = {"FROM": sealed, "DECRYPT": f"{tmp_path}/key.txt"}
    assert "restored" in readme.works(
        real, "make restore FROM=/mnt/nas/observability-….tar DECRYPT=key.txt", env=own, **opened
    )
    output = readme.works(real, "make restore FROM=… STACK=second", env=other, FROM=plain, STACK=second.name)
    assert "restored" in output
    second.sweep()


@pytest.mark.usefixtures("newer")
def test_another_version_is_taken(real: Sandbox) -> None:
    wait_healthy(real)
    readme.works(real, "make upgrade COMPONENT=grafana TO=12.4.1", COMPONENT="loki", TO=NEWER["loki"])
    readme.works(real, "make upgrade COMPONENT=jaeger TO=2.20.1", TO=NEWER["jaeger"])
    for service, tag in NEWER.items():
        runs = real.container(service).attrs["Image"]
        assert runs == real.docker.images.get(f"{image(service).name}:{tag}").id
    readme.works(real, "make down")
    readme.works(real, "make up")
    wait_healthy(real)


def test_settings_are_set_as_shown(real: Sandbox) -> None:
    certificate, key = pem.self_signed("127.0.0.1")
    (real.folder / "grafana.crt").write_text(certificate)
    (real.folder / "grafana.key").write_text(key)
    file = real.folder / f"Pulumi.{real.name}.yaml"
    before = file.read_text()
    readme.works(real, "pulumi config set --secret tlsKey < grafana.key")
    readme.works(real, "pulumi config set tlsCertificate < grafana.crt")
    readme.works(real, "pulumi config set --secret oauthClientSecret", stdin="of-the-provider")
    readme.works(real, "pulumi config set --secret --path scrapeSecrets.nodePassword", stdin="of-the-exporter")
    readme.works(real, "pulumi config set --secret --path ownSecrets.nodePassword", stdin="of-the-node")
    readme.works(real, "pulumi config set --secret grafanaToken", stdin="of-a-service-account")
    readme.works(real, "pulumi config set docker:host ssh://me@there")
    after = file.read_text()
    for output in ("BEGIN CERTIFICATE", "ssh://me@there"):
        assert output in after
    for secret in ("PRIVATE KEY", "of-the-provider"):
        assert secret not in after
    file.write_text(before)


def test_destroy_leaves_nothing_and_prod_refuses(real: Sandbox) -> None:
    real.configure(protectData=True)
    readme.works(real, "make up")
    refused = real.pulumi(*readme.line("pulumi destroy").split()[1:], "--yes")
    assert refused.returncode
    assert "protect" in refused.stdout + refused.stderr
    real.expect_no_changes()
    real.configure(protectData=None)
    readme.works(real, "make up")
    readme.works(real, "make destroy", env={"YES": real.name})
    assert not real.docker.containers.list(all=True, filters={"name": f"observability-{real.name}-"})


@pytest.mark.slow
def test_speed_is_measured(real: Sandbox) -> None:
    assert "ratio" in readme.works(real, "make bench")


@pytest.mark.slow
def test_faults_are_played(real: Sandbox) -> None:
    readme.works(real, "make faults ONLY=disk-loki", ONLY="twice")


@pytest.mark.slow
def test_a_stack_is_stressed(real: Sandbox) -> None:
    assert "all arrived" in readme.works(real, "make stress RATE=1000 FOR=5m", RATE="50", FOR="20s")
