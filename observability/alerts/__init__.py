"""Grafana's alert rules, their messages and their receivers, from the settings. Nothing here imports Pulumi."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from observability.alerts.model import AlertGroup
    from observability.settings import Settings


def groups(settings: Settings) -> tuple[AlertGroup, ...]:
    """Return every group of alerts: one for each watched service, and the stack's own."""
    from observability.alerts import own, probes, services, stack  # noqa: PLC0415 - the leaf modules of this package stay importable alone
    from observability.watched import exporters, watched  # noqa: PLC0415 - likewise

    of_services = (
        group
        for service in (*watched(settings), *exporters(settings))
        for group in services.of_service(service, settings)
    )
    of_the_stack = (stack.group(settings), probes.group(settings), *own.groups(settings))
    adjusted = (_adjusted(group, settings) for group in (*of_services, *of_the_stack))
    return tuple(group for group in adjusted if group.alerts)


def _adjusted(group: AlertGroup, settings: Settings) -> AlertGroup:
    """Return the group with the overrides of the setting `alerts`: kinds left out, other severities, other waits."""
    alerts = []
    for alert in group.alerts:
        override = settings.alerts.get(alert.kind)
        if override is None:
            alerts.append(alert)
        elif override.enabled:
            severity, pending = override.severity or alert.severity, override.pending or alert.pending
            alerts.append(replace(alert, severity=severity, pending=pending))
    return replace(group, alerts=tuple(alerts))
