"""A difference, and how two nested values are told apart: as flat facts, each with a name that survives reordering."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

Facts = dict[str, str]
"""What is said about one thing: the fact's name → its value as text."""

_IDENTITY: Final = ("uid", "refId", "record", "job_name", "name", "title", "label", "file", "id", "external")
"""What names a thing within a list, best first."""
_SECRET: Final = re.compile(r"https://stand-in-for-a-secret-\w+/|generated-[a-z-]+")
"""What stands in for secrets when the program runs over mocks; see cli/mocked.py and cli/stack_config.py."""


@dataclass(frozen=True)
class Change:
    """`what` of `subject` (Markdown) was `before` and is `after`; None where it was, or is, not there."""

    section: str
    subject: str
    what: str
    before: str | None = None
    after: str | None = None


def flatten(value: Any, path: str = "") -> Facts:  # noqa: ANN401 - JSON
    """Return every scalar in `value` by its path; an item of a list by what names it, else by its place."""
    if isinstance(value, dict):
        items = {f"{path}.{key}" if path else str(key): item for key, item in value.items()}
    elif isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value):
        items = {f"{path}[{name}]": item for name, item in zip(_names(value), value, strict=True)}
    elif isinstance(value, list):
        return {path: ", ".join(text(item) for item in value)} if value else {}
    else:
        return {} if value is None else {path: text(value)}
    return {name: fact for key, item in items.items() for name, fact in flatten(item, key).items()}


def text(value: Any) -> str:  # noqa: ANN401 - JSON
    """Return a scalar as a person writes it, secrets left out."""
    if isinstance(value, str):
        return _SECRET.sub("(secret)", value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(value, ensure_ascii=False)


def differences(section: str, subject: str, before: Mapping[str, str], after: Mapping[str, str]) -> list[Change]:
    """Return the facts that differ, in the order of the new."""
    names = [*after, *(name for name in before if name not in after)]
    return [
        Change(section, subject, name, before.get(name), after.get(name))
        for name in names
        if before.get(name) != after.get(name)
    ]


def code(value: str) -> str:
    """Return `value` as Markdown that shows it as it is and does nothing else, on one line."""
    line = " ".join(value.split())
    fence = "`" * (max((len(run) for run in re.findall("`+", line)), default=0) + 1)
    pad = " " if line.startswith("`") or line.endswith("`") or not line else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def _names(items: list[Any]) -> Iterable[str]:
    for key in _IDENTITY:
        identifiers = [item.get(key) if isinstance(item, dict) else None for item in items]
        names = ["" if name is None else text(name) for name in identifiers]
        if all(names) and len(set(names)) == len(names):
            return names
    return [str(place) for place in range(1, len(items) + 1)]
