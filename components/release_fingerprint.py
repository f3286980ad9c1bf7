"""The release fingerprint: short facts of which one differs whenever a deployment differs for its users."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from components.files import digest
from observability import alerts
from observability.alerts.links import alert_annotations

if TYPE_CHECKING:
    from collections.abc import Iterable

    from components.service_spec import ServiceSpec
    from dashboards.catalogue import DashboardFile
    from observability.settings import Settings


def release_fingerprint(
    settings: Settings, specs: Iterable[ServiceSpec], dashboards: Iterable[DashboardFile]
) -> dict[str, str]:
    """Return a fact for each service, dashboard and alert group, by its name for people.

    Returns:
        For a service its image's tag and a digest, separated by a space; for everything else a digest. No secret is
        part of any of them.

    """
    return {
        **{spec.name: f"{spec.image.tag} {spec.fingerprint()}{digest(spec.files)}" for spec in specs},
        **{f"dashboard {dashboard.uid}": _digest(dashboard.json) for dashboard in dashboards},
        **{
            f"alerts {group.name}": _digest(
                repr([(alert, alert_annotations(alert, settings)) for alert in group.alerts])
            )
            for group in alerts.groups(settings)
        },
    }


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
