"""The pinned versions, read from versions.toml, the only file that contains them."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent.parent / "versions.toml"


@dataclass(frozen=True)
class Image:
    """A container image: `name:tag`, with `@digest` if versions.toml has the registry's digest."""

    name: str
    tag: str
    digest: str

    @property
    def reference(self) -> str:
        """The image's reference for the Docker engine."""
        return f"{self.name}:{self.tag}" + (f"@{self.digest}" if self.digest else "")


@dataclass(frozen=True)
class Checker:
    """A program that checks documents, rules or dashboards: one release archive for Linux on x86-64."""

    release: str
    """The address of the release's folder, without a trailing slash."""
    archive: str
    program: str
    """The program's file name in the archive."""
    checksums: str
    """The file of published checksums beside the archive, lines of `<sha256>  <file>`."""
    sha256: str
    """SHA-256 of the archive, "" to compare only with the published one."""


@cache
def _document() -> dict[str, Any]:
    return tomllib.loads(FILE.read_text(encoding="utf-8"))


def image(service: str) -> Image:
    """Return the pinned image of `service` (a key of `[images]`); raise KeyError if there is none."""
    return Image(**_document()["images"][service])


def images() -> dict[str, Image]:
    """Return every pinned image by service name."""
    return {service: image(service) for service in _document()["images"]}


def checkers() -> dict[str, Checker]:
    """Return the pinned release of every checker by its name on PATH."""
    return {name: Checker(**fields) for name, fields in _document()["checkers"].items()}


def schema(name: str) -> tuple[str, str]:
    """Return the address of a JSON schema and its SHA-256."""
    pinned = _document()["schemas"][name]
    return str(pinned["url"]), str(pinned["sha256"])


def pulumi_checksum(platform: str) -> str:
    """Return the pinned SHA-256 of the Pulumi CLI's release for a platform like linux-x64, "" if none is pinned."""
    pinned: Any = _document()["pulumi"].get("sha256", {})
    return str(pinned.get(platform, ""))


def pulumi_cli() -> str:
    """Return the Pulumi CLI's version, without a leading v."""
    return str(_document()["pulumi"]["version"])
