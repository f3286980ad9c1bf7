"""Installs the programs that check documents, rules and dashboards, from their pinned releases."""

from __future__ import annotations

import hashlib
import io
import platform
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cli.errors import UserError
from cli.pulumi import download
from observability import versions
from observability.failures import reason
from observability.versions import Checker


class NotInstalledError(UserError):
    """A checker or schema that cannot be had here; its tests skip and say so."""


DASHBOARD_SCHEMA: Final = "dashboard.jsonschema.json"


def fetch_schema(folder: Path, fetch: Callable[[str], bytes] = download) -> Path:
    """Download Grafana's schema of dashboards to `folder`; NotInstalledError without a network, or if it is another."""
    url, sha256 = versions.schema("dashboard")
    try:
        content = fetch(url)
    except OSError as error:
        msg = f"{url} could not be downloaded ({reason(error)}): the test of it will skip"
        raise NotInstalledError(msg) from None
    if hashlib.sha256(content).hexdigest() != sha256:
        msg = f"{url} does not have the checksum that versions.toml pins; it was not installed"
        raise NotInstalledError(msg)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / DASHBOARD_SCHEMA
    target.write_bytes(content)
    return target


def install(name: str, checker: Checker, folder: Path, fetch: Callable[[str], bytes] = download) -> Path:
    """Download a checker's release, and write its program to `folder` as `name`.

    Raises:
        NotInstalledError: another platform, no network, or an archive that is not the published or pinned one.

    """
    if (platform.system(), platform.machine().lower()) not in {("Linux", "x86_64"), ("Linux", "amd64")}:
        msg = f"{name}: the pinned release is for Linux on x86-64; install it yourself for its tests to run"
        raise NotInstalledError(msg)
    try:
        sums = fetch(f"{checker.release}/{checker.checksums}").decode()
        archive = fetch(f"{checker.release}/{checker.archive}")
    except OSError as error:
        msg = f"{name} could not be downloaded from {checker.release} ({reason(error)}): its tests will skip"
        raise NotInstalledError(msg) from None
    digest = hashlib.sha256(archive).hexdigest()
    if f"{digest}  {checker.archive}" not in sums.splitlines() or checker.sha256 not in {"", digest}:
        msg = f"{checker.archive} does not have its published and pinned checksum; it was not installed"
        raise NotInstalledError(msg)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / name
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        member = next((m for m in tar if m.isfile() and Path(m.name).name == checker.program), None)
        content = tar.extractfile(member) if member else None
        if content is None:
            msg = f"{checker.archive} has no file {checker.program}; it was not installed"
            raise NotInstalledError(msg)
        target.write_bytes(content.read())
    target.chmod(0o755)
    return target
