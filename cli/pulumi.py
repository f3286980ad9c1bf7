"""The Pulumi CLI: found on PATH or installed in its pinned version, and run for one stack."""

from __future__ import annotations

import json
import platform
import re
import shutil
import subprocess
import sysconfig
import tomllib
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from cli.bootstrap import ROOT
from cli.console import Console
from cli.environment import Environment
from cli.errors import MissingToolError, NotUpError, UserError, WrongPassphraseError
from cli.release_archive import ChecksumError, Download, ReleaseArchive, download, programs
from cli.stack_file import StackFile
from observability import versions
from observability.failures import reason

_RELEASES = "https://github.com/pulumi/pulumi/releases/download"
_MACHINES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}
_NO_STACK = re.compile("no stack (named|selected)")
"""Pulumi's message about a stack that does not exist."""
_REQUIRED = re.compile(r'requiredPulumiVersion:\s*">=([0-9.]+)"')


def _is_production(stack: str) -> bool:
    from cli import stack_config  # noqa: PLC0415 - reads the schema, which `plan` need not pay

    return stack_config.raw(stack)[0].get("production") == "true"


@dataclass(frozen=True)
class Pulumi:
    """Runs the CLI for one stack of this project."""

    stack: str
    environment: Environment
    console: Console = field(default_factory=Console)
    download: Download = download
    packages: Path = field(default_factory=lambda: Path(sysconfig.get_path("purelib")))
    """Folder of the providers' Python packages, each of which names the version of its plugin."""
    is_production: Callable[[str], bool] = _is_production
    pinned_checksum: Callable[[str], str] = versions.pulumi_checksum

    @property
    def _file(self) -> StackFile:
        return StackFile(self.stack, self.environment.state)

    @cached_property
    def executable(self) -> str:
        """The CLI's path; the pinned version is installed if none is new enough."""
        result = shutil.which("pulumi", path=self.environment.path)
        if result and version(result) >= _minimum():
            return result
        return self._install()

    def run(self, *arguments: str, check: bool = False) -> int:
        """Run the CLI with its output on the terminal; return its exit code."""
        with self._file.options(arguments[0]) as options:
            done = subprocess.run(  # noqa: S603 - the CLI
                [self.executable, *arguments, *options],
                cwd=ROOT,
                env=self.environment.for_pulumi(self.stack),
                check=False,
            )
        if check and done.returncode:
            msg = f"`pulumi {arguments[0]}` failed; its output is above."
            raise UserError(msg)
        return done.returncode

    def up(self, *options: str, check: bool = False) -> int:
        """Run `pulumi up` without a preview and without questions."""
        return self.run("up", "--yes", "--skip-preview", "--stack", self.stack, *options, check=check)

    def capture(self, *arguments: str) -> tuple[int, str]:
        """Run the CLI quietly; return its exit code and everything it prints."""
        with self._file.options(arguments[0]) as options:
            done = subprocess.run(  # noqa: S603 - the CLI
                [self.executable, *arguments, *options, "--non-interactive", "--color", "never"],
                cwd=ROOT,
                env=self.environment.for_pulumi(self.stack),
                check=False,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        return done.returncode, done.stdout.strip()

    def output(
        self,
        *arguments: str,
        stdin: str | None = None,
        folder: Path = ROOT,
        environment: Mapping[str, str] | None = None,
    ) -> str:
        """Run the CLI quietly and return its output.

        Args:
            arguments: command and options.
            stdin: standard input.
            folder: folder of the project, by default this one.
            environment: environment variables, by default those of the stack.

        Raises:
            UserError: the command failed; the message is the CLI's.

        """
        with self._file.options(arguments[0]) if folder == ROOT else nullcontext(()) as options:
            done = subprocess.run(  # noqa: S603 - the CLI
                [self.executable, *arguments, *options, "--non-interactive"],
                cwd=folder,
                env=environment or self.environment.for_pulumi(self.stack),
                check=False,
                capture_output=True,
                text=True,
                input=stdin,
            )
        if done.returncode:
            raise self.error(arguments, done.stderr.strip() or done.stdout.strip())
        return done.stdout

    def select(self) -> None:
        """Select the stack, and create it if it is missing; raise WrongPassphraseError for a wrong passphrase."""
        self._require_passphrase()
        try:
            self._decrypt()
        except UserError as error:
            if not _NO_STACK.search(str(error)):
                raise
            self.output("stack", "select", "--create", self.stack)
            self._decrypt()

    def _decrypt(self) -> None:
        """Decrypt a value, so that a wrong passphrase shows before anything runs."""
        file = ROOT / f"Pulumi.{self.stack}.yaml"
        in_config = file.exists() and "secure:" in file.read_text(encoding="utf-8")
        self.output(
            *(("config", "--show-secrets", "--json") if in_config else ("stack", "output", "--show-secrets", "--json"))
        )

    def _require_passphrase(self) -> None:
        try:
            passphrase = self.environment.passphrase
        except (OSError, UnicodeDecodeError) as error:
            msg = f"PULUMI_CONFIG_PASSPHRASE_FILE: cannot be read ({reason(error)}); accepted: a file with a passphrase"
            raise WrongPassphraseError(msg) from None
        if passphrase is not None and not passphrase.strip() and self.is_production(self.stack):
            msg = (
                "PULUMI_CONFIG_PASSPHRASE: (hidden); accepted: in production, a passphrase, or"
                " PULUMI_CONFIG_PASSPHRASE_FILE, a file with one: an empty one protects no secret"
            )
            raise WrongPassphraseError(msg)

    def install_plugins(self) -> None:
        """Install the providers' plugins that are neither on PATH nor installed."""
        for plugin in plugin_packages(self.packages):
            name, wanted = plugin["name"], plugin["version"]
            if (
                shutil.which(f"pulumi-resource-{name}", path=self.environment.path)
                or (self.environment.plugins / f"resource-{name}-v{wanted}").exists()
            ):
                continue
            self.console.say(f"installing Pulumi's provider {name} {wanted} …")
            server = ["--server", plugin["server"]] if plugin.get("server") else []
            try:
                self.output("plugin", "install", "resource", name, wanted, *server)
            except UserError as error:
                msg = f"Pulumi's provider {name} {wanted} could not be installed; is there a network? {error}"
                raise MissingToolError(msg) from None

    def exported(self) -> dict[str, Any]:
        """Return the stack's state as Pulumi exports it, secrets still encrypted."""
        state: dict[str, Any] = json.loads(self.output("stack", "export"))
        return state

    def outputs(self) -> dict[str, str]:
        """Return the stack's outputs, secrets included; NotUpError when there are none yet."""
        result: dict[str, str] = json.loads(self.output("stack", "output", "--json", "--show-secrets"))
        if "grafanaUrl" not in result:
            msg = f"stack '{self.stack}' is not up: run `make up` first"
            raise NotUpError(msg)
        return result

    def error(self, arguments: tuple[str, ...], printed: str) -> UserError:
        """Return the error for a command that failed with this output."""
        if "incorrect passphrase" in printed or "decrypting" in printed:
            return WrongPassphraseError(
                f"the passphrase does not open the secrets of stack '{self.stack}': put the right one in"
                " PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE (this clone's own is .state/passphrase),"
                f" or start over without the secrets of Pulumi.{self.stack}.yaml"
            )
        return UserError(f"`pulumi {' '.join(arguments[:2])}` failed: {printed}")

    def published_checksums(self, release: str) -> str:
        """Return the checksums that are published with a release of the CLI, as `sha256sum` prints them."""
        return self.download(f"{_RELEASES}/v{release}/{_checksums(release)}").decode()

    def _install(self) -> str:
        """Install the pinned CLI from its official release; refused unless its checksum is the published one."""
        pinned = tomllib.loads((ROOT / "versions.toml").read_text())["pulumi"]["version"]
        machine = _MACHINES.get(platform.machine().lower())
        system = platform.system().lower()
        if machine is None or system not in {"linux", "darwin"}:
            msg = f"there is no Pulumi release for {system}/{platform.machine()}: install Pulumi {pinned} yourself"
            raise MissingToolError(msg)
        archive = ReleaseArchive(
            f"{_RELEASES}/v{pinned}",
            f"pulumi-v{pinned}-{system}-{machine}.tar.gz",
            _checksums(pinned),
            self.pinned_checksum(f"{system}-{machine}"),
        )
        self.console.say(f"installing Pulumi {pinned} into .tools …")
        try:
            content = archive.fetch(self.download)
        except OSError as error:
            msg = (
                f"Pulumi {pinned} is not on PATH and could not be downloaded ({reason(error)}). Install it"
                " (https://www.pulumi.com/docs/install/) or try again with a network. `make plan` and `make render`"
                " work without it."
            )
            raise MissingToolError(msg) from None
        except ChecksumError as error:
            msg = f"{error}. Nothing was installed."
            raise MissingToolError(msg) from None
        target = self.environment.tools / "pulumi" / "bin"
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for name, program in programs(content).items():
            file = target / name
            file.write_bytes(program)
            file.chmod(0o755)
        return str(target / "pulumi")


def _checksums(release: str) -> str:
    """Return the file name of the checksums that are published with a release of the CLI."""
    return f"pulumi-{release}-checksums.txt"


def plugin_packages(packages: Path | None = None) -> list[dict[str, Any]]:
    """Return the plugin of each provider's Python package: name, version, and download server."""
    folder = packages or Path(sysconfig.get_path("purelib"))
    result = (json.loads(file.read_text()) for file in sorted(folder.glob("pulumi*/pulumi-plugin.json")))
    return [plugin for plugin in result if plugin["resource"]]  # a package for policies has none


def version(executable: str) -> tuple[int, ...]:
    """Return the version of a Pulumi CLI."""
    done = subprocess.run([executable, "version"], check=False, capture_output=True, text=True)  # noqa: S603 - the CLI
    return _numbers(done.stdout)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(n) for n in re.findall(r"\d+", text)[:3])


def _minimum() -> tuple[int, ...]:
    match = _REQUIRED.search((ROOT / "Pulumi.yaml").read_text())
    return _numbers(match.group(1)) if match else ()
