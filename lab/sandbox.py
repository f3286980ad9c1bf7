"""A copy of the project with a stack of its own on the real engine, driven as a person drives it.

For the end-to-end tests and the benchmark: neither ever touches a stack that is in use.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
import docker.errors
import yaml
from docker import DockerClient
from docker.models.containers import Container

from cli import engine as docker_engine
from cli.bootstrap import ROOT
from components import engine as components_engine
from components.grafana_api import GrafanaApi, administrator
from observability import topology, versions
from observability.settings import CONTAINERS, DEFAULT_PORTS, PROJECT

PASSPHRASE = "a-passphrase-for-throw-away-stacks"  # noqa: S105 - of stacks that live for minutes
ON_REQUEST = ("prometheus", "loki", "jaeger", "collector")
"""Ports that are published so that tests can count what is stored; `serves` needs none of them."""
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", ".state", ".tools", "build", "backups", "*_cache", "__pycache__", ".hypothesis"
)


def missing() -> str | None:
    """Return what keeps the end-to-end tests from running here, None when nothing does."""
    client, refused = running_engine()
    if client is None:
        return f"no Docker engine answers ({refused[:120]})"
    for service, image in versions.images().items():
        if service == "demo" or service in {part.name for part in topology.OPTIONAL}:
            continue
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


def running_engine() -> tuple[DockerClient | None, str]:
    """Return a client of the Docker engine, None with the reason where none answers."""
    with warnings.catch_warnings():
        # The client leaves the socket of a refused connection to the garbage collector.
        warnings.simplefilter("ignore", ResourceWarning)
        try:
            return docker.from_env(), ""
        except (docker.errors.DockerException, OSError) as error:
            said = str(error)
        gc.collect()
    return None, said


# Below the ports that Linux hands to outgoing connections (from 32768): up there a port can be taken at any moment.
# By 30, so that no two stacks of a run meet (Grafana's and Loki's ports are 100 apart), in an order of each process's
# own, so that two runs hardly do: a stack that is coming up holds none of its ports yet.
_STEPS = range(4_000, 32_768 - max(DEFAULT_PORTS.values()), 30)
_OFFSETS = iter(random.sample(_STEPS, len(_STEPS)))


def free_offset() -> int:
    """Return a port offset that this process has not given yet, all of whose ports are free."""
    return next(offset for offset in _OFFSETS if all(_free(port + offset) for port in DEFAULT_PORTS.values()))


def _free(port: int) -> bool:
    with socket.socket() as probe:
        # As Docker binds: the rest of closed connections does not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@dataclass
class Sandbox:
    """One stack of a copy of the project, driven as a person drives it."""

    folder: Path
    name: str
    docker: DockerClient = field(repr=False)
    offset: int = 0
    _cached_outputs: tuple[int, dict[str, str]] | None = field(default=None, repr=False)
    """The outputs, and which writing of the state they are of."""

    @classmethod
    def make(cls, folder: Path, name: str, *, engine: DockerClient, base: str = "dev") -> Sandbox:
        """Copy the project to `folder`, for a stack `name` with the settings of `base` and ports of its own."""
        shutil.copytree(ROOT, folder, ignore=LEFT_OUT)
        (folder / ".venv").symlink_to(ROOT / ".venv")
        (folder / ".state").mkdir()
        sandbox = cls(folder, name, engine, free_offset())
        shutil.copy(folder / f"Pulumi.{base}.yaml", folder / f"Pulumi.{name}.yaml")
        sandbox.configure(portOffset=sandbox.offset, demo=None, addresses=dict.fromkeys(ON_REQUEST, "127.0.0.1"))
        sandbox.sweep()
        return sandbox

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment of every command."""
        # Where it is set, Python compiles the whole program on every run; no user's machine has it.
        inherited = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        return inherited | {
            "STACK": self.name,
            "PULUMI_BACKEND_URL": f"file://{self.folder / '.state'}",
            "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PATH": f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}",
        }

    def run(self, command: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command as the Makefile does, and return its output."""
        return subprocess.run(
            [sys.executable, "-m", "cli", command, *arguments],
            cwd=self.folder, env=self.environment | environment,
            capture_output=True, text=True, check=False, timeout=600,
        )  # fmt: skip

    def start(self, command: str, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start a command in a process group of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "cli", command, *arguments],
            cwd=self.folder, env=self.environment | environment, text=True, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def pulumi(self, *arguments: str, stdin: str | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the Pulumi CLI itself; `stdin` is its standard input."""
        return subprocess.run(
            ["pulumi", *arguments, "--stack", self.name, "--non-interactive"],
            cwd=self.folder, env=self.environment | environment, input=stdin,
            capture_output=True, text=True, check=False, timeout=600,
        )  # fmt: skip

    def up(self, *, refresh: bool = False) -> str:
        """Run `make up`, with REFRESH=1 where asked; AssertionError with all it said when it fails."""
        done = self.run("up", *(["--refresh"] if refresh else []))
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

    def set_secret(self, key: str, value: str) -> None:
        """Configure a secret on standard input, so that no list of processes shows it."""
        done = self.pulumi("config", "set", "--secret", key, stdin=value)
        assert done.returncode == 0, done.stderr

    def edit(self, file: str, old: str, new: str) -> Callable[[], None]:
        """Replace text in a file of the copy; returns what puts it back."""
        path = self.folder / file
        before = path.read_text()
        assert old in before, f"{old!r} is not in {file}"
        path.write_text(before.replace(old, new))

        def undo() -> None:
            path.write_text(before)

        return undo

    def url(self, port: str) -> str:
        """Return the address of a published port, by its name in DEFAULT_PORTS."""
        return f"http://127.0.0.1:{DEFAULT_PORTS[port] + self.offset}"

    def direct(self, service: str) -> str:
        """Return the address of a part in the stack's network of backends, as the Docker host itself reaches it now."""
        networks = self.container(service).attrs["NetworkSettings"]["Networks"]
        address = networks[f"observability-{self.name}-backends"]["IPAddress"]
        return f"http://{address}:{topology.part(service).port('http')}"

    def container(self, service: str) -> Container:
        """Return the container of a service, as it is now."""
        return self.docker.containers.get(f"observability-{self.name}-{service}")

    def serves(self, service: str) -> bool:
        """Tell whether a service answers, now, where it says that it is ready."""
        try:
            return not components_engine.check_health(self.container(service))
        except docker.errors.NotFound:
            return False

    def healthy(self, service: str) -> bool:
        """Tell whether the engine calls a service's container healthy."""
        return docker_engine.health(self.container(service)) == "healthy"

    def ids(self) -> dict[str, str]:
        """Return the container id of each service."""
        return {s: str(self.container(s).id) for s in CONTAINERS}

    def changed(self, before: dict[str, str]) -> set[str]:
        """Return the services whose container is another one than `before`."""
        return {s for s, id_ in self.ids().items() if before[s] != id_}

    def outputs(self) -> dict[str, str]:
        """Return the stack's outputs, secrets included."""
        # Tests ask twice a second while they wait, and the CLI takes a second of a core to tell.
        written = (self.folder / ".state" / ".pulumi" / "stacks" / PROJECT / f"{self.name}.json").stat().st_mtime_ns
        if self._cached_outputs is None or self._cached_outputs[0] != written:
            done = self.pulumi("stack", "output", "--json", "--show-secrets")
            self._cached_outputs = written, json.loads(done.stdout)
        return dict(self._cached_outputs[1])

    def grafana(self) -> GrafanaApi:
        """Return Grafana's API as its administrator."""
        return administrator(self.outputs())

    def sweep(self) -> None:
        """Remove whatever carries this stack's name on the Docker host."""
        prefix = f"observability-{self.name}"
        for container in self.docker.containers.list(all=True, filters={"name": prefix}, ignore_removed=True):
            with contextlib.suppress(docker.errors.NotFound):  # of a one-shot job, removed in between
                container.remove(force=True, v=True)
        for volume in self.docker.volumes.list(filters={"name": prefix}):
            volume.remove(force=True)
        for network in self.docker.networks.list(names=[prefix]):
            network.remove()
