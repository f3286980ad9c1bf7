"""Installs the programs that check documents, rules and dashboards, from their pinned releases."""

from __future__ import annotations

import hashlib
import platform
from pathlib import Path
from typing import Final

from cli.errors import UserError
from cli.release_archive import ChecksumError, Download, ReleaseArchive, download, programs
from observability import versions
from observability.failures import reason
from observability.versions import Checker


class NotInstalledError(UserError):
    """A checker or schema that cannot be installed here; its tests skip and say so."""


DASHBOARD_SCHEMA: Final = "dashboard.jsonschema.json"


def fetch_schema(folder: Path, fetch: Download = download) -> Path:
    """Download Grafana's JSON schema of dashboards to `folder`.

    Raises:
        NotInstalledError: it cannot be downloaded, or is not the pinned one.

    """
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


def install(name: str, checker: Checker, folder: Path, fetch: Download = download) -> Path:
    """Download a checker's release, and write its program to `folder` as `name`.

    Raises:
        NotInstalledError: the platform is not the release's, or the archive cannot be downloaded or is not the
            published and pinned one.

    """
    if (platform.system(), platform.machine().lower()) not in {("Linux", "x86_64"), ("Linux", "amd64")}:
        msg = f"{name}: the pinned release is for Linux on x86-64; install it yourself for its tests to run"
        raise NotInstalledError(msg)
    archive = ReleaseArchive(checker.release, checker.archive, checker.checksums, checker.sha256)
    try:
        program = programs(archive.fetch(fetch)).get(checker.program)
    except OSError as error:
        msg = f"{name} could not be downloaded from {checker.release} ({reason(error)}): its tests will skip"
        raise NotInstalledError(msg) from None
    except ChecksumError as error:
        msg = f"{error}; {name} was not installed"
        raise NotInstalledError(msg) from None
    if program is None:
        msg = f"{checker.archive} has no file {checker.program}; {name} was not installed"
        raise NotInstalledError(msg)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / name
    target.write_bytes(program)
    target.chmod(0o755)
    return target
