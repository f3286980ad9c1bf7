"""What is found in a file: one SLO, as ours, and what of it is lost."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from cli.slo_import.located import Located

State = Literal["imported", "partly", "refused"]
_LONGEST_NAME: Final = 39


class CannotExpressError(Exception):
    """An SLO that cannot be one of ours, with the line that says so."""

    def __init__(self, where: Located, reason: str) -> None:
        """Keep where and why."""
        super().__init__(reason)
        self.line, self.reason = where.line, reason


@dataclass(frozen=True, slots=True)
class Note:
    """What is not carried over: `lost` where the number or the alerts differ without it."""

    line: int
    text: str
    lost: bool


@dataclass(slots=True)
class Found:
    """One SLO of a file."""

    file: str
    line: int
    service: str
    name: str
    slo: dict[str, Any] = field(default_factory=dict)
    description: str = ""
    owner: str = ""
    selector: str = ""
    notes: list[Note] = field(default_factory=list)
    refused: str = ""

    def lose(self, where: Located, text: str) -> None:
        """Note something that changes the number or its alerts."""
        self.notes.append(Note(where.line, text, lost=True))

    def leave(self, where: Located, text: str) -> None:
        """Note something that is left out and changes neither."""
        self.notes.append(Note(where.line, text, lost=False))

    def refuse(self, line: int, reason: str) -> None:
        """Give it up."""
        self.line, self.refused, self.slo = line, reason, {}

    @property
    def state(self) -> State:
        """How much of it is carried over."""
        if self.refused:
            return "refused"
        return "partly" if any(note.lost for note in self.notes) else "imported"


def name_of(text: str) -> str:
    """Return a name as ours are: lower-case letters, digits and -, the first a letter."""
    found = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    if not re.match(r"[a-z]", found):
        found = f"slo-{found}".strip("-")
    return found[:_LONGEST_NAME].strip("-")


def percent(share: float) -> float:
    """Return a share in percent, without the dust of binary fractions."""
    return round(100 * share, 9)
