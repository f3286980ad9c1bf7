"""The pinned versions, read from versions.toml (the only place that names one)."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent.parent / "versions.toml"


@dataclass(frozen=True)
class Image:
    """One container image: `name:tag`, with `@digest` where the registry's digest has been filled in."""

    name: str
    tag: str
    digest: str

    @property
    def reference(self) -> str:
        """What the engine is asked for."""
        return f"{self.name}:{self.tag}" + (f"@{self.digest}" if self.digest else "")


@cache
def _document() -> dict[str, Any]:
    return tomllib.loads(FILE.read_text(encoding="utf-8"))


def image(service: str) -> Image:
    """Return the pinned image of `service` (a key of `[images]`); KeyError if there is none."""
    return Image(**_document()["images"][service])


def images() -> dict[str, Image]:
    """Return every pinned image by service name."""
    return {service: image(service) for service in _document()["images"]}


def pulumi_checksum(platform: str) -> str:
    """Return the pinned SHA-256 of the Pulumi CLI's release for a platform like linux-x64, "" where none is pinned."""
    pinned: Any = _document()["pulumi"].get("sha256", {})
    return str(pinned.get(platform, ""))


def pulumi_cli() -> str:
    """Return the Pulumi CLI's version, without a leading v."""
    return str(_document()["pulumi"]["version"])
