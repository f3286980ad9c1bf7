"""Pieces of OTTL, the OpenTelemetry collector's language for changing telemetry."""

from __future__ import annotations

from typing import Any, Final

REFUSED: Final = "refused.reason"
"""The attribute that marks a point, a span or a record that is counted and dropped; its value is the reason."""

ANSI: Final = r"\x1b(\[[0-9;:?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[@-Z\\-_])"
"""What a terminal would act on: colours, cursor movements."""
INVISIBLE: Final = (
    r"[\x00-\x08\x0b-\x1f\x7f\x{80}-\x{9f}\x{ad}\x{61c}\x{115f}\x{1160}\x{180e}\x{200b}\x{200e}\x{200f}"
    r"\x{2028}-\x{202e}\x{2060}-\x{206f}\x{3164}\x{feff}\x{ffa0}\x{fff9}-\x{fffb}\x{e0000}-\x{e007f}]"
)
"""Characters that reverse or hide text, or show as nothing. Left are tabs, line breaks, and the two joiners that emoji
and Persian are written with."""
UNSEEN_IN_NAMES: Final = r"^[\s\pZ]+|[\s\pZ]+$|[\p{Cf}\x{34f}\x{fe00}-\x{fe0f}\x{e0100}-\x{e01ef}]"
"""What makes two names of services look the same: blanks around them, joiners, variants of characters."""


def quoted(text: str) -> str:
    """Return `text` as an OTTL string that survives the collector's expansion of `$`."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("$", "$$")
    return f'"{escaped}"'


def matches(target: str, pattern: str) -> str:
    """Return the condition that `target` matches the regular expression `pattern` (RE2) somewhere."""
    return f"IsMatch({target}, {quoted(pattern)})"


def replace(target: str, pattern: str, replacement: str, *, where: str = "") -> str:
    """Return the statement that replaces every match of `pattern` in the text at `target`."""
    condition = f" where {where}" if where else ""
    return f"replace_pattern({target}, {quoted(pattern)}, {quoted(replacement)}){condition}"


def group(context: str, *statements: str, conditions: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return a group of statements of the transform processor; any one of `conditions` lets it run.

    Each group has a cache of its own.
    """
    limited = {"conditions": list(conditions)} if conditions else {}
    return {"context": context, **limited, "statements": list(statements)}
