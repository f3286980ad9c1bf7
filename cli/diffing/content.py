"""What Grafana is given besides dashboards and alerts: data sources, correlations, who is told, and when."""

from __future__ import annotations

import json
from typing import Any, Final

from cli.diffing.model import Change, Facts, code, differences, flatten
from cli.evaluation import Registered

KINDS: Final = {
    "Data sources": ("oss/dataSource:DataSource",),
    "Correlations": ("grafana:Correlation",),
    "Contact points": ("alerting/contactPoint:ContactPoint", "alerting/messageTemplate:MessageTemplate"),
    "Routing": ("alerting/notificationPolicy:NotificationPolicy", "alerting/muteTiming:MuteTiming"),
}
"""Section → the resources that it describes."""
_HIDDEN: Final = frozenset({"__provider", "auth", "url"})
"""Of a correlation, which is a resource of our own: how Grafana is reached."""


def changes(before: list[Registered], after: list[Registered]) -> list[Change]:
    """Return what differs, one thing after the other."""
    diff: list[Change] = []
    for section, tokens in KINDS.items():
        old, new = _facts(before, tokens), _facts(after, tokens)
        for name in (*new, *(name for name in old if name not in new)):
            if name not in old or name not in new:
                diff.append(Change(section, code(name), "added" if name in new else "removed"))
            if name in new:
                diff += differences(section, code(name), old.get(name, {}), new[name])
    return diff


def _facts(resources: list[Registered], tokens: tuple[str, ...]) -> dict[str, Facts]:
    return {str(r.inputs.get("name", r.name)): flatten(_readable(r)) for r in resources if r.type.endswith(tokens)}


def _readable(resource: Registered) -> dict[str, Any]:
    hidden = _HIDDEN if resource.type.endswith("Correlation") else frozenset({"name"})
    inputs = {k: v for k, v in resource.inputs.items() if k not in hidden}
    if "jsonDataEncoded" in inputs:
        inputs["settings"] = json.loads(inputs.pop("jsonDataEncoded"))
    if "policies" in inputs:
        inputs["route"] = {_matched(policy): policy for policy in inputs.pop("policies")}
    return inputs


def _matched(policy: dict[str, Any]) -> str:
    return ", ".join(f"{m['label']}{m['match']}{m['value']}" for m in policy.get("matchers") or ()) or "everything"
