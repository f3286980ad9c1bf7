"""The manifest of an archive: its files, and the inventory of its stores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import Field
from typing_extensions import TypedDict

Json = dict[str, Any]


@dataclass(frozen=True)
class Member:
    """A file in the content.

    Attributes:
        name: path within the content.
        stored: bytes in the archive.
        sha256: checksum of these bytes.
        size: bytes in the volume, where zeros at the end are restored.
        kept: False for a file that was copied before the pause and was gone from the volume in the pause.
    """

    name: str
    stored: int
    sha256: str
    size: int
    kept: bool = True


class Count(TypedDict):
    """One measure of cli/inventory.py: how much of `what` a store holds, by time."""

    store: str
    what: str
    low: dict[str, int]
    high: dict[str, int]


Plain = Annotated[str, Field(pattern=r"^[\x20-\x7e]{1,300}$")]
"""Text without terminal codes."""


@dataclass(frozen=True)
class Manifest:
    """The list of an archive's files, and the inventory of its stores."""

    stack: Plain
    created: Plain
    images: Mapping[Plain, Plain]
    paused_seconds: float
    at: int
    counts: list[Count]
    members: Mapping[str, Member] = field(repr=False)

    @property
    def size(self) -> int:
        """Bytes of all files in the archive."""
        return sum(m.stored for m in self.members.values())
