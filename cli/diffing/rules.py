"""Recording rules, and among them the SLOs: objective, window and threshold of each."""

from __future__ import annotations

import re
from typing import Any, Final

import yaml

from cli.diffing.files import texts
from cli.diffing.model import Change, Facts, code, differences
from cli.evaluation import Registered
from observability.names import series

SLOS: Final = "SLOs"
SECTION: Final = "Recording rules"
FOLDER: Final = "/rules/"
"""Part of the path of every rule file."""
_DAY: Final = 86_400
_VECTOR: Final = re.compile(r"vector\((?P<number>[0-9.e+-]+)\)")


def _percent(value: float) -> str:
    return f"{value * 100:.6g} %"


def _duration(seconds: float) -> str:
    return f"{seconds / _DAY:g}d" if seconds % _DAY == 0 else f"{seconds:g}s"


_OBJECTIVE_SERIES: Final = {
    series.OBJECTIVE: ("objective", _percent),
    series.WINDOW: ("window", _duration),
    series.THRESHOLD: ("threshold", lambda seconds: f"{seconds * 1000:g} ms"),
}
_DERIVED: Final = (series.BUDGET,)
"""Repeats an SLO."""


def changes(before: list[Registered], after: list[Registered]) -> list[Change]:
    """Return what differs in SLOs and recording rules of two versions."""
    old, new = _rules(before), _rules(after)
    return _compared(SLOS, *(_slos(rules) for rules in (old, new))) + _compared(
        SECTION, *(_recorded(rules) for rules in (old, new))
    )


def _compared(section: str, old: dict[str, Facts], new: dict[str, Facts]) -> list[Change]:
    diff: list[Change] = []
    for name in (*new, *(name for name in old if name not in new)):
        was, now = old.get(name), new.get(name)
        if was is None or now is None:
            kind = "removed" if now is None else "added"
            diff.append(Change(section, code(name), kind))
        diff += differences(section, code(name), was or {}, now or {}) if now is not None else []
    return diff


def _rules(resources: list[Registered]) -> list[dict[str, Any]]:
    """Return every rule with its group's interval."""
    return [
        {"interval": group.get("interval", ""), **rule}
        for path, content in texts(resources).items()
        if FOLDER in path
        for group in yaml.load(content, _LOADER)["groups"]  # noqa: S506 - a safe loader
        for rule in group["rules"]
    ]


_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _slos(rules: list[dict[str, Any]]) -> dict[str, Facts]:
    slos: dict[str, Facts] = {}
    for rule in rules:
        value = _VECTOR.fullmatch(str(rule["expr"]))
        if rule.get("record") in _OBJECTIVE_SERIES and value is not None:
            word, say = _OBJECTIVE_SERIES[rule["record"]]
            labels = rule["labels"]
            slos.setdefault(f"{labels['service']} {labels['slo']}", {})[word] = say(float(value["number"]))
    return slos


def _recorded(rules: list[dict[str, Any]]) -> dict[str, Facts]:
    recorded: dict[str, Facts] = {}
    for rule in rules:
        record = rule.get("record") or rule.get("alert", "")
        if record in _OBJECTIVE_SERIES or record in _DERIVED:
            continue
        labels = ", ".join(f'{k}="{v}"' for k, v in sorted((rule.get("labels") or {}).items()))
        name, number = f"{record}{{{labels}}}", 1
        while name in recorded:
            number += 1
            name = f"{record}{{{labels}}} #{number}"
        recorded[name] = {"expr": str(rule["expr"]), "every": str(rule["interval"])}
    return recorded
