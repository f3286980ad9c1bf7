"""Dashboards: panels matched by title, or by what they ask where the title changed; never by position."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Final

from cli.diffing.model import Change, Facts, code, differences, flatten, text
from cli.evaluation import Registered

SECTION: Final = "Dashboards"
_PLACED: Final = ("id", "gridPos", "panels", "title", "pluginVersion")
"""Of a panel: where it stands and what it is called. The layout flows, so one new panel moves all after it."""
_APART: Final = ("panels", "templating", "annotations", "links", "uid", "schemaVersion")
"""Keys of a dashboard that are compared one by one, or are the same for all."""
_SHOWN_OF_NEW: Final = ("type", "unit", "thresholds", "query")
_SUBJECT_KEYS: Final = ("target.expr", "query.query", "query", "target.tags", "url")
"""What a variable, an annotation or a link is about, best first."""
_RENAMED: Final = (
    ("fieldConfig.defaults.thresholds.mode", "thresholds: mode"),
    ("fieldConfig.defaults.", ""),
    ("fieldConfig.overrides", "override "),
    ("datasource.uid", "data source"),
    ("datasource.type", "data source's type"),
)

Panel = dict[str, Any]


def changes(before: list[Registered], after: list[Registered]) -> list[Change]:
    """Return what differs in the dashboards of two versions."""
    old, new = _dashboards(before), _dashboards(after)
    diff: list[Change] = []
    for uid in (*new, *(uid for uid in old if uid not in new)):
        was, now = old.get(uid), new.get(uid)
        if was is None or now is None:
            diff.append(_whole(uid, was, now))
        else:
            diff += _dashboard(uid, was, now)
    return diff


def changed(before: list[Registered], after: list[Registered]) -> dict[str, tuple[Panel, Panel]]:
    """Return the models (old, new) of the dashboards that are in both versions and differ, by UID."""
    old, new = _dashboards(before), _dashboards(after)
    return {uid: (old[uid][0], new[uid][0]) for uid in new if uid in old and old[uid] != new[uid]}


def _dashboards(resources: list[Registered]) -> dict[str, tuple[Panel, str]]:
    """Return each dashboard's model and folder by its UID."""
    by_uid = {}
    for resource in resources:
        if resource.type.endswith("oss/dashboard:Dashboard"):
            model = json.loads(resource.inputs["configJson"])
            by_uid[model["uid"]] = (model, str(resource.inputs.get("folder", "General")))
    return by_uid


def _whole(uid: str, was: tuple[Panel, str] | None, now: tuple[Panel, str] | None) -> Change:
    present = now or was
    assert present is not None  # noqa: S101 - one of them is
    model, folder = present
    summary = f"{model['title']}, in folder {folder}, {len(_panels(model))} panels"
    if now is None:
        return Change(SECTION, f"dashboard {code(uid)}", "removed", summary)
    return Change(SECTION, f"dashboard {code(uid)}", "added", None, summary)


def _dashboard(uid: str, was: tuple[Panel, str], now: tuple[Panel, str]) -> list[Change]:
    subject = f"dashboard {code(uid)}"
    diff = differences(SECTION, subject, _facts(*was), _facts(*now))
    diff += _helped(subject, _helpers(was[0]), _helpers(now[0]))
    old, new = _panels(was[0]), _panels(now[0])
    renamed = _renamed(old, new)
    for title, panel in new.items():
        about = f"{subject}, panel {code(title)}"
        former = renamed.get(title, title)
        if former not in old:
            properties = {k: v for k, v in _panel(panel).items() if k.startswith(_SHOWN_OF_NEW)}
            diff += [Change(SECTION, about, "added"), *differences(SECTION, about, {}, properties)]
            continue
        if former != title:
            diff.append(Change(SECTION, about, "title", former, title))
        diff += _without_parts_of_whole(differences(SECTION, about, _panel(old[former]), _panel(panel)))
    matched = {renamed.get(title, title) for title in new}
    diff += [
        Change(SECTION, f"{subject}, panel {code(title)}", "removed", panel["type"])
        for title, panel in old.items()
        if title not in matched
    ]
    if not diff and (was != now):
        diff.append(Change(SECTION, subject, "layout", None, "panels stand elsewhere or have another size"))
    return diff


def _without_parts_of_whole(changes: list[Change]) -> list[Change]:
    """Leave out how a query is made where the whole of it is new or gone."""
    whole = tuple(f"{c.what}: " for c in changes if c.what.startswith("query ") and None in (c.before, c.after))
    return [change for change in changes if not whole or not change.what.startswith(whole)]


def _facts(model: Panel, folder: str) -> Facts:
    return {"folder": folder} | flatten({k: v for k, v in model.items() if k not in _APART})


def _helpers(model: Panel) -> dict[str, Facts]:
    """Return variables, annotations and links by kind and name."""
    return {
        f"{kind} {item.get('name') or item.get('title') or item.get('type')}": flatten(
            {k: v for k, v in item.items() if k not in {"name", "title"}}
        )
        for kind, items in (
            ("variable", model.get("templating", {}).get("list", [])),
            ("annotation", model.get("annotations", {}).get("list", [])),
            ("link", model.get("links", [])),
        )
        for item in items
    }


def _helped(subject: str, old: dict[str, Facts], new: dict[str, Facts]) -> list[Change]:
    diff: list[Change] = []
    for name in (*new, *(name for name in old if name not in new)):
        if name in old and name in new:
            diff += [replace(c, what=f"{name}: {c.what}") for c in differences(SECTION, subject, old[name], new[name])]
            continue
        helper = new.get(name) or old.get(name) or {}
        summary = next((helper[key] for key in _SUBJECT_KEYS if key in helper), "there")
        diff.append(Change(SECTION, subject, name, None if name in new else summary, summary if name in new else None))
    return diff


def _panels(model: Panel) -> dict[str, Panel]:
    """Return every panel and row by a name of its own: its title, numbered where it is not the first."""
    every = [p for top in model["panels"] for p in (top, *(top.get("panels") or ()))]
    by_name: dict[str, Panel] = {}
    for panel in every:
        title = panel.get("title") or f"(untitled {panel['type']})"
        if panel["type"] == "row":
            title = f"row {title}"
        name, number = title, 1
        while name in by_name:
            number += 1
            name = f"{title} #{number}"
        by_name[name] = panel
    return by_name


def _renamed(old: dict[str, Panel], new: dict[str, Panel]) -> dict[str, str]:
    """Return new title → old title of the panels that are the same but for it, or ask the same in the same shape."""
    unmatched = {title: panel for title, panel in old.items() if title not in new}
    former: dict[str, str] = {}
    for alike in (_panel, _queries):
        for title, panel in new.items():
            if title in old or title in former or not alike(panel):
                continue
            match = next((t for t, p in unmatched.items() if alike(p) == alike(panel)), None)
            if match is not None:
                former[title] = match
                del unmatched[match]
    return former


def _queries(panel: Panel) -> Facts:
    queries = {k: v for k, v in _panel(panel).items() if k.startswith("query")}
    return queries | {"type": panel["type"]} if queries else {}


def _panel(panel: Panel) -> Facts:
    rest = {k: v for k, v in panel.items() if k not in (*_PLACED, "targets", "fieldConfig")}
    facts = flatten(rest)
    for target in panel.get("targets") or ():
        name = f"query {target.get('refId', '')}".strip()
        query_key = next((key for key in ("expr", "query") if isinstance(target.get(key), str)), None)
        if query_key is not None:
            facts[name] = text(target[query_key])
        others = {k: v for k, v in target.items() if k not in (query_key, "refId")}
        facts |= {f"{name}: {key}": value for key, value in flatten(others).items()}
    config = panel.get("fieldConfig") or {}
    defaults = dict(config.get("defaults") or {})
    steps = (defaults.pop("thresholds", None) or {}).get("steps") or []
    if steps:
        facts["thresholds"] = _thresholds(steps)
    facts |= flatten({"fieldConfig": {"defaults": defaults}})
    for override in config.get("overrides") or ():
        matcher = override.get("matcher", {})
        name = f"override {text(matcher.get('options', matcher.get('id', '')))}"
        for item in override.get("properties") or ():
            value = item.get("value")
            if item["id"] == "thresholds" and isinstance(value, dict):
                facts[f"{name}: thresholds"] = _thresholds(value.get("steps") or [])
            else:
                facts |= flatten(value, f"{name}: {item['id']}")
    return {_name(key): value for key, value in facts.items()}


def _thresholds(steps: list[Panel]) -> str:
    """Return thresholds as they read: `green, orange from 80`."""
    return ", ".join(
        str(step["color"]) + ("" if step.get("value") is None else f" from {text(step['value'])}") for step in steps
    )


def _name(path: str) -> str:
    for start, label in _RENAMED:
        if path.startswith(start):
            return label + path.removeprefix(start)
    return path
