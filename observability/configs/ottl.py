"""Pieces of OTTL, the OpenTelemetry collector's language for changing telemetry."""

from __future__ import annotations

from typing import Any, Final

REFUSED: Final = "refused.reason"
"""Attribute that marks a point, span or record to be counted and dropped; its value is the reason."""

ANSI: Final = r"\x1b(\[[0-9;:?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[@-Z\\-_])"
"""Terminal codes: colours, cursor movements."""
INVISIBLE: Final = (
    r"[\x00-\x08\x0b-\x1f\x7f\x{80}-\x{9f}\x{ad}\x{61c}\x{115f}\x{1160}\x{180e}\x{200b}\x{200e}\x{200f}"
    r"\x{2028}-\x{202e}\x{2060}-\x{206f}\x{3164}\x{feff}\x{ffa0}\x{fff9}-\x{fffb}\x{e0000}-\x{e007f}]"
)
"""Characters that reverse or hide text, or are invisible. Tabs, line breaks, and the two joiners that emoji and Persian
need are kept."""
UNSEEN_IN_NAMES: Final = r"^[\s\pZ]+|[\s\pZ]+$|[\p{Cf}\x{34f}\x{fe00}-\x{fe0f}\x{e0100}-\x{e01ef}]"
"""Characters that make two different service names look alike: blanks around them, joiners, variation selectors."""


def quoted(text: str) -> str:
    """Return `text` as an OTTL string, with `$` escaped for the collector's expansion of variables."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("$", "$$")
    return f'"{escaped}"'


def matches(target: str, pattern: str) -> str:
    """Return the condition that the regular expression `pattern` (RE2) matches anywhere in `target`."""
    return f"IsMatch({target}, {quoted(pattern)})"


def replace(target: str, pattern: str, replacement: str, *, where: str = "") -> str:
    """Return the statement that replaces every match of `pattern` in the text at `target`."""
    condition = f" where {where}" if where else ""
    return f"replace_pattern({target}, {quoted(pattern)}, {quoted(replacement)}){condition}"


def group(context: str, *statements: str, conditions: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return a group of the transform processor's statements, which runs if any of `conditions` holds.

    Each group has its own cache.
    """
    limited = {"conditions": list(conditions)} if conditions else {}
    return {"context": context, **limited, "statements": list(statements)}
