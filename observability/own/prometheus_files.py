"""Prometheus' files: scrape jobs, recording rules, and alerts, which become Grafana's own alert rules."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

import promql_parser

from observability.names import series
from observability.own import secret_references
from observability.own.model import RULE_FILE_PREFIX, AlertRule, AlertRuleGroup, Folder, Scrape
from observability.own.reading import File, ValuePath, slug
from observability.settings.checks import RESERVED_NAMES
from observability.settings.value_types import milliseconds
from observability.text import dump

if TYPE_CHECKING:
    from observability.settings import Settings

QUERY: Final = "query"
"""The name of an alert's one query, whose value its texts show."""
FIRES: Final = f"is_number(${QUERY}) || is_nan(${QUERY}) || is_inf(${QUERY})"
"""True for every series that the query returns, whatever its value: when Prometheus itself would alert."""
_RECORDED: Final = frozenset(value for name, value in vars(series).items() if name.isupper() and ":" in value)
_RECORDED_PREFIXES: Final = ("slo:",)
_GRAFANA_SECONDS: Final = 10
"""Grafana evaluates in multiples of this."""
_RULE_FIELDS: Final = ("record", "alert", "expr", "for", "keep_firing_for", "labels", "annotations")
_GROUP_FIELDS: Final = ("name", "interval", "limit", "query_offset", "labels", "rules", "partial_response_strategy")
_ELSEWHERE: Final = ("rule_files", "alerting", "remote_write", "remote_read", "storage", "tracing", "runtime", "otlp")
_ACTION: Final = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_VALUE: Final = re.compile(r"(\$value|(?<![\w)\]$.])\.Value)\b")
_NOT_IN_GRAFANA: Final = re.compile(r"\$externalLabels|\.ExternalLabels|(?<![\w.$\"])query\s+\"|\|\s*query\b|\bfirst\b")


def scrapes(files: Iterable[File], settings: Settings) -> tuple[Scrape, ...]:
    """Return every scrape job."""
    taken = dict.fromkeys((*RESERVED_NAMES, *settings.configured_names), "the stack")
    found = []
    for file in files:
        defaults, jobs = _jobs(file)
        for path, job in file.items(jobs, ("scrape_configs",) if isinstance(file.value, dict) else ()):
            name = file.text(job, "job_name", path)
            if name in RESERVED_NAMES and _whole(file):
                file.warn((*path, "job_name"), f"'{name}' is left out: the stack watches its own parts by these names")
                continue
            if name in taken:
                file.refuse((*path, "job_name"), f"'{name}'; accepted: a name that no other job has ({taken[name]})")
            taken[name] = file.name
            filled = {**{k: v for k, v in defaults.items() if k not in job}, **job}
            found.append(Scrape(filled, file.name, secret=bool(secret_references.names(filled))))
    return tuple(found)


def _whole(file: File) -> bool:
    """Return whether a file configures a Prometheus as a whole, which then watches itself and what it works with."""
    return isinstance(file.value, dict) and set(file.value) > {"scrape_configs"}


def _jobs(file: File) -> tuple[dict[str, Any], Any]:
    """Return the defaults and the jobs of a file: a list of jobs, `scrape_configs`, or a whole prometheus.yml."""
    if isinstance(file.value, list):
        return {}, file.value
    document = file.mapping(file.value, ())
    for key in document:
        if key in _ELSEWHERE:
            file.warn((key,), "left out: only scrape_configs is read here")
        elif key not in {"scrape_configs", "global"}:
            file.refuse((key,), "nothing reads this; accepted: scrape_configs")
    general = document.get("global") or {}
    for key in general:
        if key not in {"scrape_interval", "scrape_timeout", "evaluation_interval"}:
            file.warn(("global", key), "left out: only scrape_interval and scrape_timeout are read here")
    if "scrape_configs" not in document:
        file.refuse((), "scrape_configs is missing; accepted: scrape_configs with a list of jobs, or that list alone")
    return {k: v for k, v in general.items() if k in {"scrape_interval", "scrape_timeout"}}, document.get(
        "scrape_configs"
    )


def rules(
    files: Iterable[tuple[File, Folder]], settings: Settings
) -> tuple[dict[str, str], tuple[AlertRuleGroup, ...]]:
    """Return the rule files of Prometheus, with nothing but recording rules, and the groups of alerts for Grafana."""
    recorded: dict[str, str] = {}
    groups: dict[tuple[str, str], AlertRuleGroup] = {}
    for file, folder in files:
        kept = []
        for path, group in file.items(_groups(file), ("groups",)):
            name = file.text(group, "name", path)
            _known(file, group, path, _GROUP_FIELDS)
            every = _seconds(file, group, "interval", path) or 60
            recording, alerting = _split(file, group, path)
            if recording:
                plain = {k: v for k, v in group.items() if k not in {"rules", "partial_response_strategy"}}
                kept.append({"name": name, **plain, "rules": recording})
            if alerting:
                unique_name = name if (folder.uid, name) not in groups else f"{name} ({slug(file.path.stem)})"
                interval = -(-every // _GRAFANA_SECONDS) * _GRAFANA_SECONDS
                shared = _texts(file, group, "labels", path)
                alerts = _alerts(file, alerting, (folder.uid, unique_name), shared, settings)
                groups[folder.uid, unique_name] = AlertRuleGroup(unique_name, folder.uid, interval, alerts)
        if kept:
            place = slug(file.name.rpartition(".")[0].replace("rules/", "", 1), 100)
            recorded[f"{RULE_FILE_PREFIX}{place}.yml"] = dump({"groups": kept})
    return recorded, tuple(groups.values())


def _groups(file: File) -> Any:  # noqa: ANN401 - YAML
    document = file.mapping(file.value, ())
    if document.get("kind") == "PrometheusRule":  # as Kubernetes' Prometheus operator has it
        document = document.get("spec") or {}
    elif unknown := [key for key in document if key not in {"groups", "namespace"}]:
        file.refuse((unknown[0],), "nothing reads this; accepted: groups, as in Prometheus' rule files")
    if "groups" not in document:
        file.refuse((), "groups is missing; accepted: groups, as in Prometheus' rule files")
    return document.get("groups")


def _known(file: File, item: Mapping[str, Any], path: ValuePath, fields: tuple[str, ...]) -> None:
    for key in item:
        if key not in fields:
            file.refuse((*path, key), f"unknown field; fields are: {', '.join(fields)}")


def _split(
    file: File, group: Mapping[str, Any], path: ValuePath
) -> tuple[list[dict[str, Any]], list[tuple[ValuePath, dict[str, Any]]]]:
    """Return a group's recording rules, and its alerts with their paths."""
    recording: list[dict[str, Any]] = []
    alerting: list[tuple[ValuePath, dict[str, Any]]] = []
    for where, rule in file.items(group.get("rules"), (*path, "rules")):
        _known(file, rule, where, _RULE_FIELDS)
        _promql(file, rule, where)
        if ("record" in rule) == ("alert" in rule):
            file.refuse(where, "accepted: either record or alert")
        elif "record" in rule:
            name = file.text(rule, "record", where)
            if name in _RECORDED or name.startswith(_RECORDED_PREFIXES):
                file.refuse((*where, "record"), f"'{name}'; accepted: a name that the program does not record itself")
            recording.append(rule)
        else:
            alerting.append((where, rule))
    return recording, alerting


def _promql(file: File, rule: Mapping[str, Any], path: ValuePath) -> None:
    text = file.text(rule, "expr", path)
    if not text:
        return
    try:
        promql_parser.parse(text)
    except Exception as error:  # noqa: BLE001 - the parser's errors have no common base
        file.refuse((*path, "expr"), f"no PromQL: {str(error).strip().splitlines()[0][:200]}")


def _seconds(file: File, item: Mapping[str, Any], key: str, path: ValuePath) -> int:
    value = item.get(key)
    if value in (None, "", 0, "0"):
        return 0
    try:
        return -(-milliseconds(str(value)) // 1000)
    except ValueError as error:
        file.refuse((*path, key), f"accepted: {error}")
        return 0


def _texts(file: File, item: Mapping[str, Any], key: str, path: ValuePath) -> dict[str, str]:
    return {
        name: file.text(item[key], name, (*path, key), default="")
        for name in file.mapping(item.get(key) or {}, (*path, key))
    }


def _alerts(
    file: File,
    found: list[tuple[ValuePath, dict[str, Any]]],
    place: tuple[str, str],
    shared: Mapping[str, str],
    settings: Settings,
) -> tuple[AlertRule, ...]:
    """Return the alerts of one group; of several with one name the severity, or a number, makes the title different."""
    del settings
    alerts: list[AlertRule] = []
    titles: set[str] = set()
    counted = [str(rule.get("alert")) for _, rule in found]
    for path, rule in found:
        name = file.text(rule, "alert", path)
        labels = {**shared, **_texts(file, rule, "labels", path)}
        annotations = _texts(file, rule, "annotations", path)
        title = name
        if counted.count(name) > 1 and "{{" not in labels.get("severity", "{{"):
            title = f"{name} ({labels['severity']})"
        number = 2
        while title in titles:
            title, number = f"{name} {number}", number + 1
        titles.add(title)
        for key, texts in (("labels", labels), ("annotations", annotations)):
            for label, text in texts.items():
                if any(_NOT_IN_GRAFANA.search(action) for action in _ACTION.findall(text)):
                    file.refuse(
                        (*path, key, label),
                        "Grafana's templates have no queries and no $externalLabels; accepted: $labels, $value and"
                        " Prometheus' functions for text",
                    )
        if "runbook_url" not in annotations:
            file.warn(path, f"the alert {name} has no runbook_url")
        alerts.append(
            AlertRule(
                uid=f"own-{hashlib.sha256('/'.join((*place, title)).encode()).hexdigest()[:10]}",
                title=title,
                expr=str(rule.get("expr", "")).strip(),
                pending_seconds=_seconds(file, rule, "for", path),
                keep_firing_seconds=_seconds(file, rule, "keep_firing_for", path),
                labels={k: as_grafana(v) for k, v in labels.items()},
                annotations={k: as_grafana(v).strip() for k, v in annotations.items()},
            )
        )
    return tuple(alerts)


def as_grafana(text: str) -> str:
    """Return a template of Prometheus' as Grafana reads it: `$value` is the number of the one query."""
    number = f'(index $values "{QUERY}").Value'
    return _ACTION.sub(lambda action: _VALUE.sub(number, action[0]), text)
