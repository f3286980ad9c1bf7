"""Settings: what the environment's file and the defaults come to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from cli.diffing.model import Change, code, differences, flatten

SECTION: Final = "Settings"
_HIDDEN: Final = "(secret)"


def changes(before: Mapping[str, Any], after: Mapping[str, Any], *, given: frozenset[str]) -> list[Change]:
    """Return what differs; a value of `given` (keys in the environment's file) is its own, any other is the default.

    A secret is a dictionary with `secure`, as Pulumi writes it; only that it is another one is told.
    """
    diff: list[Change] = []
    for key in (*after, *(key for key in before if key not in after)):
        if before.get(key) == after.get(key) and (key in before) == (key in after):
            continue
        kind = "" if key in given else "default"
        if key not in before:
            kind = "new setting" if key in given else "new setting, by default"
        if key not in after:
            kind = "no setting any more"
        was, now = _value(before.get(key)), _value(after.get(key))
        if was == now == {"": _HIDDEN}:
            diff.append(Change(SECTION, code(key), "another secret"))
        elif set(was) | set(now) <= {""}:
            diff.append(Change(SECTION, code(key), kind, was.get(""), now.get("")))
        else:
            diff += differences(SECTION, code(key), was, now)
    return diff


def _value(value: Any) -> dict[str, str]:  # noqa: ANN401 - YAML
    if isinstance(value, dict) and set(value) == {"secure"}:
        return {"": _HIDDEN}
    if isinstance(value, str) and value[:1] in "[{" and value:
        try:
            value = json.loads(value)
        except ValueError:
            return {"": value}
    if isinstance(value, (dict, list)) and not value:
        return {}
    return flatten(value)
