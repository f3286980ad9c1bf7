"""Grafana's alert rules, what they say and whom they tell, from the settings. Never imports pulumi."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from observability.alerts.model import AlertGroup
    from observability.settings import Settings


def groups(settings: Settings) -> tuple[AlertGroup, ...]:
    """Return every group of alerts: those of each watched service, and the stack's own."""
    from observability.alerts import services, stack  # noqa: PLC0415 - the leaf modules of this package stay importable alone
    from observability.watched import exporters, watched  # noqa: PLC0415 - likewise

    of_services = (
        group
        for service in (*watched(settings), *exporters(settings))
        for group in services.of_service(service, settings)
    )
    return (*of_services, stack.group(settings))
