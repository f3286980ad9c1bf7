"""Every dashboard and its folder, as plain strings that wait for nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dashboards import (
    application_performance,
    executive_slo_report,
    home,
    incident,
    infrastructure_health,
    logs,
    runbooks,
    service_detail,
    slo_overview,
    stack_health,
    uids,
)
from dashboards.builder import check_unique

if TYPE_CHECKING:
    from dashboards.builder import DashboardBuilder
    from settings import Settings

FOLDERS: Final[dict[str, str]] = {
    uids.FOLDER_ML_PLATFORM: "ML Platform",
    uids.FOLDER_INFRASTRUCTURE: "Infrastructure",
    uids.FOLDER_EXECUTIVE: "Executive",
}
"""UID to title."""


@dataclass(frozen=True)
class DashboardFile:
    """One dashboard as Grafana takes it; `folder` is a UID of FOLDERS: none lies in Grafana's own General folder."""

    uid: str
    folder: str
    json: str
    """Compact: Pulumi keeps it twice in its state and sends it through two processes on every `up`."""


def dashboards(settings: Settings) -> tuple[DashboardFile, ...]:
    """Return all dashboards.

    Raises:
        DashboardError: one cannot be built, or two have the same uid.

    """
    return files(
        (
            (uids.FOLDER_INFRASTRUCTURE, home.build(settings)),
            (uids.FOLDER_ML_PLATFORM, slo_overview.build(settings)),
            (uids.FOLDER_ML_PLATFORM, application_performance.build(settings)),
            (uids.FOLDER_ML_PLATFORM, service_detail.build(settings)),
            (uids.FOLDER_ML_PLATFORM, logs.build(settings)),
            (uids.FOLDER_ML_PLATFORM, incident.build(settings)),
            (uids.FOLDER_INFRASTRUCTURE, infrastructure_health.build(settings)),
            (uids.FOLDER_INFRASTRUCTURE, stack_health.build(settings)),
            (uids.FOLDER_EXECUTIVE, executive_slo_report.build(settings)),
            (uids.FOLDER_INFRASTRUCTURE, runbooks.build(settings)),
        ),
    )


def files(placed: tuple[tuple[str, DashboardBuilder], ...]) -> tuple[DashboardFile, ...]:
    """Build dashboards, each given with its folder's UID.

    Raises:
        DashboardError: one cannot be built, or two have the same uid.

    """
    check_unique(builder for _, builder in placed)
    return tuple(DashboardFile(builder.uid, folder, builder.to_json(indent=None)) for folder, builder in placed)
