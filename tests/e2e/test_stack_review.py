"""Review on the real engine: policies refuse, drift is told, what restarts is what `make diff` said, and pictures."""

from __future__ import annotations

import re
import shutil
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cli.errors import ExitCode
from lab.sandbox import Sandbox
from observability import topology
from tests.e2e.conftest import wait_healthy
from tests.repository import begin

READY = {
    "grafana": ("grafana", "/api/health"),
    "prometheus": ("prometheus", "/-/ready"),
    "loki": ("loki", "/ready"),
    "jaeger": ("jaeger", "/api/services"),
    "collector": ("collector", "/"),
}
"""Service → its port and where it says that it can be used."""


@pytest.fixture(scope="module")
def real(make_real: Callable[[str], Sandbox]) -> Iterator[Sandbox]:
    stack = make_real("e2e-review")
    begin(stack.folder)
    stack.up()
    yield stack
    stack.sweep()


def test_a_preview_that_keeps_every_policy_says_so(real: Sandbox) -> None:
    done = real.run("preview")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Policy Packs run:" in done.stdout, done.stdout[-2_000:]
    assert "[mandatory]" not in done.stdout


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("versions.toml", 'tag = "3.7.8"', 'tag = "latest"', "image 'grafana/loki:latest' has a tag that moves"),
        (
            "components/service.py",
            "ip=p.address",
            'ip="0.0.0.0"',
            "is published on 0.0.0.0 without a reason",
        ),
        pytest.param(
            "components/service.py",
            "            memory=spec.limits.memory,\n",
            "",
            "has no memory limit",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "components/grafana_content.py",
            "folder=folders[dashboard.folder].uid",
            "folder=None",
            "lies in no folder: name one in dashboards/catalogue.py",
            marks=pytest.mark.slow,
        ),
        (
            "components/correlations.py",
            "pulumi.Output.secret(args.auth)",
            "pulumi.Output.unsecret(args.auth)",
            "input auth is a secret in plain text",
        ),
        (
            "components/grafana_content.py",
            "title=title, opts=self._options()",
            "title=pulumi.Output.unsecret(self._auth), opts=self._options()",
            "repeats in plain text the secret",
        ),
    ],
)
def test_a_preview_refuses_what_breaks_a_policy(real: Sandbox, file: str, old: str, new: str, said: str) -> None:
    undo = real.edit(file, old, new)
    try:
        done = real.run("preview")
    finally:
        undo()
    assert done.returncode != 0
    assert said in done.stdout, done.stdout[-3_000:]
    verdict = "".join(re.findall(r"\[mandatory\].*\n.*", done.stdout))
    assert said in verdict
    assert real.outputs()["grafanaAdminPassword"] not in verdict


def test_production_is_asked_for_protection(real: Sandbox) -> None:
    real.configure(production=True, grafanaAdminPassword=None)
    try:
        for key in ("grafanaAdminPassword", "grafanaSecretKey"):
            real.set_secret(key, "a-secret-of-more-than-16-characters")
        done = real.run("preview")
        assert done.returncode != 0
        assert "is not protected: production needs protectData" in done.stdout
    finally:
        real.configure(production=None, grafanaAdminPassword=None, grafanaSecretKey=None)


def test_drift_of_the_host_and_of_the_program_are_told_apart_from_none(real: Sandbox, tmp_path: Path) -> None:
    report = tmp_path / "drift.md"
    done = real.run("drift", str(report))
    assert done.returncode == 0, done.stdout + done.stderr
    assert not report.exists()

    real.grafana().request("DELETE", "/api/dashboards/uid/logs")
    done = real.run("drift", str(report))
    assert done.returncode == ExitCode.DRIFTED, done.stdout + done.stderr
    assert "### What runs is not what the state believes" in report.read_text()
    assert "logs" in report.read_text()
    real.up(refresh=True)

    undo = real.edit("dashboards/logs.py", 'title="Errors, newest first"', 'title="Errors"')
    try:
        done = real.run("drift", str(report))
    finally:
        undo()
    assert done.returncode == ExitCode.DRIFTED, done.stdout + done.stderr
    assert "### The program says something else than what is deployed" in report.read_text()

    done = real.run("drift", DOCKER_HOST="tcp://127.0.0.1:9")
    assert done.returncode == ExitCode.NO_ENGINE
    assert "Docker does not answer" in done.stderr


@pytest.mark.slow
def test_what_restarts_is_what_was_said_and_for_about_so_long(real: Sandbox) -> None:
    file = f"Pulumi.{real.name}.yaml"
    text = (real.folder / file).read_text()
    wait_healthy(real)
    before = real.ids()
    real.configure(lokiRetention="14d")  # a file of one service
    try:
        shown = real.run("diff", "HEAD", real.name).stdout
        assert set(re.findall(r"^\| `([a-z-]+)` \|", shown, re.MULTILINE)) == {"loki"}
        real.up()
        assert real.changed(before) == {"loki"}

        before = real.ids()
        real.configure(healthInterval="7s")  # how every one is run
        shown = real.run("diff", "HEAD", real.name).stdout
        away = Away(real)
        with away:
            real.up()
        assert real.changed(before) == set(re.findall(r"^\| `([a-z-]+)` \|", shown, re.MULTILINE))
        print({service: round(seconds, 1) for service, seconds in away.seconds.items()})
        for service, seconds in away.seconds.items():
            measured = topology.part(service).restart.seconds
            assert measured is not None
            assert 0 < seconds < 3 * measured + 5, service  # another machine, and others on it
    finally:
        (real.folder / file).write_text(text)


class Away:
    """How long each service gave no answer while this was open, in seconds."""

    def __init__(self, stack: Sandbox) -> None:
        self.seconds: dict[str, float] = {}
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._watch, args=(service, stack.url(port) + path))
            for service, (port, path) in READY.items()
        ]

    def __enter__(self) -> None:
        for thread in self._threads:
            thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _watch(self, service: str, url: str) -> None:
        last = time.monotonic()
        while not self._over.is_set():
            requests = time.monotonic()
            try:
                urllib.request.urlopen(url, timeout=2).close()
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
                continue
            self.seconds[service] = max(self.seconds.get(service, 0), requests - last)
            last = requests
            time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromium") is None, reason="no Chromium on PATH (Debian: apt-get install chromium)")
def test_pictures_of_a_changed_dashboard_and_nothing_left_behind(real: Sandbox, tmp_path: Path) -> None:
    undo = real.edit("dashboards/logs.py", 'title="Errors, newest first"', 'title="Errors"')
    folders = real.grafana().request("GET", "/api/folders")
    try:
        done = real.run("diff", "HEAD", real.name, PICTURES=str(tmp_path / "p"))
    finally:
        undo()
    assert done.returncode == 0, done.stderr
    files = [tmp_path / "p" / f"logs-{name}.png" for name in ("before", "after")]
    assert f"### Pictures\n\n`logs`: before `{files[0]}`, after `{files[1]}`\n" in done.stdout
    first, second = (file.read_bytes() for file in files)
    assert first[:8] == second[:8] == b"\x89PNG\r\n\x1a\n"
    assert real.grafana().request("GET", "/api/folders") == folders
