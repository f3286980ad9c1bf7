"""The Pulumi CLI: found on PATH or installed in its pinned version, and run for the chosen stack."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import re
import shutil
import subprocess
import sysconfig
import tarfile
import tomllib
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cli import context, stack_config
from cli.bootstrap import ROOT, UserError
from cli.console import say
from observability import versions

_RELEASES = "https://github.com/pulumi/pulumi/releases/download"
_MACHINES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}
_REQUIRED = re.compile(r'requiredPulumiVersion:\s*">=([0-9.]+)"')


def cli() -> str:
    """Return the CLI's path, installing the pinned version where none is new enough."""
    found = shutil.which("pulumi", path=context.environment()["PATH"])
    if found and _version(found) >= _minimum():
        return found
    return _install()


def run(*arguments: str, check: bool = False) -> int:
    """Run the CLI with its output where it belongs; return its exit code."""
    done = subprocess.run([cli(), *arguments], cwd=ROOT, env=context.environment(), check=False)  # noqa: S603 - the CLI
    if check and done.returncode:
        msg = f"`pulumi {arguments[0]}` failed; what it said is above."
        raise UserError(msg)
    return done.returncode


def look(*arguments: str) -> tuple[int, str]:
    """Run the CLI quietly; return its exit code and all it prints."""
    done = subprocess.run(  # noqa: S603 - the CLI
        [cli(), *arguments, "--non-interactive", "--color", "never"],
        cwd=ROOT,
        env=context.environment(),
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.returncode, done.stdout.strip()


def ask(
    *arguments: str, given: str | None = None, folder: Path = ROOT, environment: Mapping[str, str] | None = None
) -> str:
    """Run the CLI quietly and return what it prints; UserError with its own words when it fails.

    `folder` is that of another project, `environment` replaces the usual one.
    """
    done = subprocess.run(  # noqa: S603 - the CLI
        [cli(), *arguments, "--non-interactive"],
        cwd=folder,
        env=environment or context.environment(),
        check=False,
        capture_output=True,
        text=True,
        input=given,
    )
    if done.returncode:
        raise UserError(_explain(arguments, done.stderr.strip() or done.stdout.strip()))
    return done.stdout


def select() -> None:
    """Select the chosen stack, made when it is not there yet; refuses a wrong or an empty passphrase."""
    _require_passphrase()
    ask("stack", "select", "--create", context.stack())
    # Decrypts something: the one place where a wrong passphrase shows before anything runs.
    file = ROOT / f"Pulumi.{context.stack()}.yaml"
    in_config = file.exists() and "secure:" in file.read_text(encoding="utf-8")
    ask(*(("config", "--show-secrets", "--json") if in_config else ("stack", "output", "--show-secrets", "--json")))


def _require_passphrase() -> None:
    production = stack_config.raw(context.stack())[0].get("production") == "true"
    try:
        passphrase = context.passphrase()
    except (OSError, UnicodeDecodeError) as error:
        msg = f"PULUMI_CONFIG_PASSPHRASE_FILE: cannot be read ({error}); accepted: a file with a passphrase"
        raise UserError(msg) from None
    if production and passphrase is not None and not passphrase.strip():
        msg = (
            "PULUMI_CONFIG_PASSPHRASE: (hidden); accepted: in production, a passphrase, or"
            " PULUMI_CONFIG_PASSPHRASE_FILE, a file with one: an empty one protects no secret"
        )
        raise UserError(msg)


def plugins() -> None:
    """See that the providers' plugins are there (on PATH or installed), installing what is missing."""
    path = context.environment()["PATH"]
    home = Path(context.environment().get("PULUMI_HOME") or Path.home() / ".pulumi") / "plugins"
    for plugin in plugin_packages():
        name, version = plugin["name"], plugin["version"]
        if shutil.which(f"pulumi-resource-{name}", path=path) or (home / f"resource-{name}-v{version}").exists():
            continue
        say(f"installing Pulumi's provider {name} {version} …")
        server = ["--server", plugin["server"]] if plugin.get("server") else []
        try:
            ask("plugin", "install", "resource", name, version, *server)
        except UserError as stop:
            msg = f"Pulumi's provider {name} {version} could not be installed; is there a network? {stop}"
            raise UserError(msg) from None


def plugin_packages() -> list[dict[str, Any]]:
    """Return what each provider's Python package says of its plugin: name, version, and where it comes from."""
    found = (json.loads(file.read_text()) for file in sorted(site_packages().glob("pulumi*/pulumi-plugin.json")))
    return [plugin for plugin in found if plugin["resource"]]  # a package for policies has none


def site_packages() -> Path:
    """Return where the virtual environment keeps its packages."""
    return Path(sysconfig.get_path("purelib"))


def exported() -> dict[str, Any]:
    """Return the stack's state as Pulumi exports it, secrets still encrypted."""
    state: dict[str, Any] = json.loads(ask("stack", "export"))
    return state


def outputs() -> dict[str, str]:
    """Return the stack's outputs, secrets included."""
    found: dict[str, str] = json.loads(ask("stack", "output", "--json", "--show-secrets"))
    if "grafanaUrl" not in found:
        msg = f"stack '{context.stack()}' is not up: run `make up` first"
        raise UserError(msg)
    return found


def _explain(arguments: tuple[str, ...], said: str) -> str:
    if "incorrect passphrase" in said or "decrypting" in said:
        return (
            f"the passphrase does not open the secrets of stack '{context.stack()}': put the right one in"
            " PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE (this clone's own is .state/passphrase),"
            f" or start over without the secrets of Pulumi.{context.stack()}.yaml"
        )
    return f"`pulumi {' '.join(arguments[:2])}` failed: {said}"


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(n) for n in re.findall(r"\d+", text)[:3])


def _minimum() -> tuple[int, ...]:
    match = _REQUIRED.search((ROOT / "Pulumi.yaml").read_text())
    return _numbers(match.group(1)) if match else ()


def _version(path: str) -> tuple[int, ...]:
    done = subprocess.run([path, "version"], check=False, capture_output=True, text=True)  # noqa: S603 - the CLI
    return _numbers(done.stdout)


def _install() -> str:
    """Install the pinned CLI from its official release, refused unless its checksum is the published one."""
    version = tomllib.loads((ROOT / "versions.toml").read_text())["pulumi"]["version"]
    machine = _MACHINES.get(platform.machine().lower())
    system = platform.system().lower()
    if machine is None or system not in {"linux", "darwin"}:
        msg = f"no Pulumi release for {system}/{platform.machine()}: install Pulumi {version} by hand"
        raise UserError(msg)
    archive = f"pulumi-v{version}-{system}-{machine}.tar.gz"
    say(f"installing Pulumi {version} into .tools …")
    try:
        sums = published_checksums(version)
        data = _download(f"{_RELEASES}/v{version}/{archive}")
    except OSError as error:
        msg = (
            f"Pulumi {version} is not on PATH and could not be downloaded ({error}). Install it"
            " (https://www.pulumi.com/docs/install/) or try again with a network. `make plan` and `make render`"
            " work without it."
        )
        raise UserError(msg) from None
    # Lines are "<sha256>  <file>".
    if f"{hashlib.sha256(data).hexdigest()}  {archive}" not in sums.splitlines():
        msg = f"{archive} does not have its published checksum; nothing was installed"
        raise UserError(msg)
    pinned = versions.pulumi_checksum(f"{system}-{machine}")
    if pinned and hashlib.sha256(data).hexdigest() != pinned:
        msg = (
            f"{archive} has not the checksum that versions.toml pins for {system}-{machine}, though the published one:"
            " the release was replaced. Nothing was installed."
        )
        raise UserError(msg)
    target = context.TOOLS / "pulumi" / "bin"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for member in tar.getmembers():
            content = tar.extractfile(member) if member.isfile() else None
            if content is not None:
                file = target / Path(member.name).name  # flat, whatever paths the archive has
                file.write_bytes(content.read())
                file.chmod(0o755)
    return str(target / "pulumi")


def published_checksums(version: str) -> str:
    """Return the checksums that are published with a release of the CLI, as `sha256sum` prints them."""
    return _download(f"{_RELEASES}/v{version}/pulumi-{version}-checksums.txt").decode()


def _download(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 - https
        data: bytes = answer.read()
    return data
