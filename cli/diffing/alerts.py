"""Alerts, matched by their UIDs: when they fire, how they are looked at, and what they say."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from cli.diffing.model import Change, Facts, code, differences, flatten, text
from cli.evaluation import Registered

SECTION: Final = "Alerts"
_PANEL: Final = re.compile(r"viewPanel=panel-\d+")
"""A link's panel is a number that follows from where the panel stands."""
_DERIVED: Final = ("__panelId__",)
_SAID: Final = {
    "noDataState": "without data",
    "execErrState": "when the query fails",
    "intervalSeconds": "evaluated every (s)",
    "folderUid": "folder",
    "for": "for",
    "name": "title",
}
_NEW: Final = ("condition", "for", "severity", "evaluated every (s)")


def changes(before: list[Registered], after: list[Registered]) -> list[Change]:
    """Return what differs in the alerts of two versions."""
    old, new = _alerts(before), _alerts(after)
    diff: list[Change] = []
    for uid in (*new, *(uid for uid in old if uid not in new)):
        was, now = old.get(uid), new.get(uid)
        if now is None:
            assert was is not None  # noqa: S101 - one of them is
            diff.append(Change(SECTION, code(was["title"]), "removed", was["severity"]))
        elif was is None:
            shown = {k: v for k, v in now.items() if k.startswith(_NEW)}
            diff += [
                Change(SECTION, code(now["title"]), "added"),
                *differences(SECTION, code(now["title"]), {}, shown),
            ]
        else:
            diff += differences(SECTION, code(now["title"]), was, now)
    return diff


def _alerts(resources: list[Registered]) -> dict[str, Facts]:
    return {
        str(rule["uid"]): _facts(rule, group.inputs)
        for group in resources
        if group.type.endswith("alerting/ruleGroup:RuleGroup")
        for rule in group.inputs["rules"]
    }


def _facts(rule: dict[str, Any], group: dict[str, Any]) -> Facts:
    of_group = {k: v for k, v in group.items() if k != "name"}
    plain = {k: v for k, v in (rule | of_group).items() if k in _SAID}
    facts = {_SAID[key]: text(value) for key, value in plain.items()}
    facts["severity"] = str(rule["labels"].get("severity", ""))
    for data in rule["datas"]:
        model = json.loads(data["model"])
        name = f"query {data['refId']}"
        if data["refId"] == rule["condition"]:
            facts["condition"] = str(model.get("expression"))
            continue
        facts[name] = str(model.get("expr"))
        rest = {k: v for k, v in {**data, **model}.items() if k not in {"model", "expr", "refId"}}
        facts |= {f"{name}: {key}": value for key, value in flatten(rest).items()}
    facts |= {f"label {k}": text(v) for k, v in rule["labels"].items() if k != "severity"}
    for key, value in rule.get("annotations", {}).items():
        if key not in _DERIVED:
            facts[f"annotation {key}"] = _PANEL.sub("viewPanel=…", text(value))
    return facts
