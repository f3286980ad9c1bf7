"""The team's own alerts from Prometheus' rule files, as Grafana alert rules with the same links and routing as ours.

Prometheus alerts for every series that the expression returns, whatever its value. So the condition here is true for
any number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from observability import own
from observability.alerts.model import NOTHING_IS_FINE, AlertGroup, OwnAlert, Severity

if TYPE_CHECKING:
    from observability.settings import Settings

KIND: Final = "own"
_PAGES: Final = frozenset({"page", "critical", "emergency", "disaster", "fatal", "p1"})
"""Severities in rule files that are pages here; all others are tickets."""
_SILENT: Final = frozenset({"none", "watchdog"})
"""Severities in rule files of alerts that always fire, or only inhibit others."""
SEVERITY_LABEL: Final = "own_severity"
"""Label with the severity in the rule file, if ours has a different name."""
_SUMMARIES: Final = ("summary", "message", "title", "description")


def groups(settings: Settings) -> tuple[AlertGroup, ...]:
    """Return every group of the team's own alerts."""
    return tuple(
        AlertGroup(
            group.name,
            group.folder,
            group.interval_seconds,
            tuple(_alert(rule, settings) for rule in group.alerts),
        )
        for group in own.read(settings).alert_groups
    )


def _alert(rule: own.AlertRule, settings: Settings) -> OwnAlert:
    severity = severity_of(rule.labels.get("severity", ""))
    given = rule.labels.get("severity", "")
    labels = {**rule.labels, **({SEVERITY_LABEL: given} if given not in {"", severity} else {})}
    service = rule.labels.get("service", "")
    return OwnAlert(
        kind=KIND,
        title=rule.title,
        severity=severity,
        service="" if "{{" in service else service,
        owner=rule.labels.get("owner") or rule.labels.get("team") or settings.owner,
        queries={own.QUERY: rule.expr},
        condition=own.FIRES,
        summary=next((rule.annotations[key] for key in _SUMMARIES if rule.annotations.get(key)), rule.title),
        panel=None,
        missing=NOTHING_IS_FINE,
        pending=_duration(rule.pending_seconds),
        own_uid=rule.uid,
        own_labels=labels,
        annotations=rule.annotations,
        keep_firing=_duration(rule.keep_firing_seconds) if rule.keep_firing_seconds else "",
    )


def severity_of(given: str) -> Severity:
    """Return our severity for one as rule files have it."""
    lower = given.lower()
    if lower in _PAGES:
        return "page"
    return "watchdog" if lower in _SILENT else "ticket"


def _duration(seconds: int) -> str:
    for unit, length in (("h", 3600), ("m", 60)):
        if seconds and seconds % length == 0:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"
