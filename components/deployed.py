"""What a deployment consists of, as short facts: deployments that differ for their users differ in one of them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from components.files import digest
from observability import alerts
from observability.alerts.links import alert_annotations

if TYPE_CHECKING:
    from collections.abc import Iterable

    from components.service import ServiceSpec
    from dashboards.catalogue import DashboardFile
    from observability.settings import Settings


def facts(settings: Settings, specs: Iterable[ServiceSpec], dashboards: Iterable[DashboardFile]) -> dict[str, str]:
    """Return everything that people would want to know of when it changes: its name, and what it is now.

    Of a service, its image's tag and a digest of all else; no secret goes into it.
    """
    return {
        **{spec.name: f"{spec.image.tag} {spec.fingerprint()}{digest(spec.files)}" for spec in specs},
        **{f"dashboard {found.uid}": _digest(found.json) for found in dashboards},
        **{
            f"alerts {group.name}": _digest(
                repr([(alert, alert_annotations(alert, settings)) for alert in group.alerts])
            )
            for group in alerts.groups(settings)
        },
    }


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
