"""The real thing: a copy of the project, a stack of its own, a real engine. Skips with a reason where one is missing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
import docker.errors
import pytest
import yaml
from docker import DockerClient
from docker.models.containers import Container

import versions
from components.grafana_api import GrafanaApi
from ops.bootstrap import ROOT

PASSPHRASE = "an-end-to-end-passphrase"
SERVICES = ("grafana", "prometheus", "loki", "jaeger")
_LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", ".state", ".tools", "build", "*_cache", "__pycache__", ".hypothesis"
)


def missing() -> str | None:
    """Return what keeps the end-to-end tests from running here, None when nothing does."""
    try:
        client = docker.from_env()
        client.ping()
    except (docker.errors.DockerException, OSError) as error:
        return f"no Docker engine answers ({str(error)[:120]})"
    for image in versions.images().values():
        try:
            client.images.get(image.reference)
        except docker.errors.ImageNotFound:
            return f"image {image.reference} is not on the Docker host"
    if shutil.which("pulumi") is None:
        return "the Pulumi CLI is not on PATH"
    plugins = Path(os.environ.get("PULUMI_HOME", Path.home() / ".pulumi")) / "plugins"
    for name in ("docker", "grafana", "random"):
        if shutil.which(f"pulumi-resource-{name}") is None and not list(plugins.glob(f"resource-{name}-v*")):
            return f"Pulumi's {name} provider is neither on PATH nor in {plugins}"
    return None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    here = [i for i in items if "/e2e/" in str(i.path)]
    if not here:
        return
    for item in here:
        item.add_marker(pytest.mark.e2e)
    reason = missing()
    if reason is not None:
        for item in here:
            item.add_marker(pytest.mark.skip(reason=reason))


@dataclass
class Real:
    """One stack of a copy of the project, driven as a person drives it."""

    folder: Path
    name: str
    docker: DockerClient = field(repr=False)

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {
            "STACK": self.name,
            "PULUMI_BACKEND_URL": f"file://{self.folder / '.state'}",
            "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PATH": f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}",
        }

    def make(self, command: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run `make <command>` (what the Makefile runs) and return what it said."""
        return subprocess.run(
            [sys.executable, "-m", "ops", command, *arguments],
            cwd=self.folder, env=self.environment | environment, capture_output=True, text=True, check=False, timeout=600,
        )  # fmt: skip

    def start(self, command: str) -> subprocess.Popen[str]:
        """Start `make <command>` in a process group of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "ops", command],
            cwd=self.folder, env=self.environment, text=True, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def pulumi(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["pulumi", *arguments, "--stack", self.name, "--non-interactive"],
            cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False, timeout=600,
        )  # fmt: skip

    def up(self) -> str:
        done = self.make("up")
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def expect_no_changes(self) -> None:
        """A second `up` changes nothing and a refresh finds no drift."""
        for arguments in (
            ("up", "--yes", "--skip-preview", "--expect-no-changes"),
            ("refresh", "--preview-only", "--expect-no-changes", "--diff"),
        ):
            done = self.pulumi(*arguments)
            assert done.returncode == 0, done.stdout + done.stderr

    def configure(self, **values: Any) -> None:  # noqa: ANN401
        """Change the stack's configuration file; a value of None takes a key out."""
        path = self.folder / f"Pulumi.{self.name}.yaml"
        document = yaml.safe_load(path.read_text())
        for key, value in values.items():
            document["config"].pop(f"observability:{key}", None)
            if value is not None:
                document["config"][f"observability:{key}"] = value
        path.write_text(yaml.safe_dump(document))

    def edit(self, file: str, old: str, new: str) -> Callable[[], None]:
        """Replace text in a file of the copy; returns what puts it back."""
        path = self.folder / file
        before = path.read_text()
        assert old in before, f"{old!r} is not in {file}"
        path.write_text(before.replace(old, new))
        return lambda: path.write_text(before) and None

    def container(self, service: str) -> Container:
        return self.docker.containers.get(f"observability-{self.name}-{service}")

    def ids(self) -> dict[str, str]:
        return {s: str(self.container(s).id) for s in SERVICES}

    def changed(self, before: dict[str, str]) -> set[str]:
        return {s for s, id_ in self.ids().items() if before[s] != id_}

    def outputs(self) -> dict[str, str]:
        done = self.pulumi("stack", "output", "--json", "--show-secrets")
        found: dict[str, str] = json.loads(done.stdout)
        return found

    def grafana(self) -> GrafanaApi:
        out = self.outputs()
        return GrafanaApi(out["grafanaUrl"], f"{out['grafanaAdminUser']}:{out['grafanaAdminPassword']}")

    def refresh_and_up(self) -> None:
        done = self.pulumi("refresh", "--yes", "--skip-preview")
        assert done.returncode == 0, done.stdout + done.stderr
        self.up()

    def sweep(self) -> None:
        """Remove whatever carries this stack's name on the Docker host."""
        prefix = f"observability-{self.name}"
        for container in self.docker.containers.list(all=True, filters={"name": prefix}):
            container.remove(force=True)
        for volume in self.docker.volumes.list(filters={"name": prefix}):
            volume.remove(force=True)
        for network in self.docker.networks.list(names=[prefix]):
            network.remove()


@pytest.fixture(scope="session")
def engine() -> DockerClient:
    return docker.from_env()


@pytest.fixture(scope="session")
def make_real(tmp_path_factory: pytest.TempPathFactory, engine: DockerClient) -> Iterator[Callable[[str, int], Real]]:
    """Make a stack from a fresh copy of the project: its name and its port offset."""
    made: list[Real] = []

    def make(name: str, offset: int, base: str = "dev") -> Real:
        folder = tmp_path_factory.mktemp(name) / "project"
        shutil.copytree(ROOT, folder, ignore=_LEFT_OUT)
        (folder / ".venv").symlink_to(ROOT / ".venv")
        real = Real(folder, name, engine)
        shutil.copy(folder / f"Pulumi.{base}.yaml", folder / f"Pulumi.{name}.yaml")
        real.configure(portOffset=offset)
        real.sweep()
        made.append(real)
        return real

    yield make
    for real in made:
        real.sweep()


@pytest.fixture(scope="module")
def real(make_real: Callable[[str, int], Real], request: pytest.FixtureRequest) -> Iterator[Real]:
    """A stack that is up, one for each test module."""
    name = request.module.__name__.rsplit("_", 1)[-1]
    stack = make_real(f"e2e-{name}", 20_000 + 100 * (zlib.crc32(name.encode()) % 20))
    stack.up()
    yield stack
    stack.sweep()


def wait_for(what: Callable[[], Any], seconds: float = 60) -> Any:  # noqa: ANN401
    """Return the first true answer of `what`, AssertionError when there is none in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = what()
        if answer:
            return answer
        time.sleep(0.5)
    raise AssertionError(f"nothing after {seconds} s")
