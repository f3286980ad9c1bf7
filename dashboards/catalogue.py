"""Every dashboard and its folder, as plain strings that wait for nothing."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass
from traceback import extract_tb
from typing import TYPE_CHECKING, Any, Final, Protocol

from dashboards import (
    application_performance,
    executive_slo_report,
    home,
    hosts,
    incident,
    infrastructure_health,
    logs,
    probes,
    runbooks,
    service_detail,
    slo_overview,
    stack_health,
)
from dashboards.builder import check_unique
from dashboards.errors import DashboardError
from observability import imported, own
from observability.names import uids
from observability.names.uids import FOLDERS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dashboards.builder import DashboardBuilder
    from observability.settings import Settings


@dataclass(frozen=True)
class DashboardFile:
    """One dashboard as Grafana takes it; `folder` is a UID of FOLDERS: none lies in Grafana's own General folder."""

    uid: str
    folder: str
    json: str
    """Compact: Pulumi keeps it twice in its state and sends it through two processes on every `up`."""
    imported: bool = False
    """Made in Grafana, and managed as it was made."""


class PageModule(Protocol):
    """A module of this package that builds one dashboard."""

    __name__: str

    def build(self, settings: Settings) -> DashboardBuilder:
        """Return the dashboard, not yet checked."""


@dataclass(frozen=True)
class Page:
    """A dashboard that is built here; `needs` is the attribute of the settings without which there is none."""

    folder: str
    module: PageModule
    needs: str = ""

    def shown(self, settings: Settings) -> bool:
        """Return whether this stack has the dashboard."""
        return not self.needs or bool(getattr(settings, self.needs))


PAGES: Final = (
    Page(uids.FOLDER_INFRASTRUCTURE, home),
    Page(uids.FOLDER_ML_PLATFORM, slo_overview),
    Page(uids.FOLDER_ML_PLATFORM, application_performance),
    Page(uids.FOLDER_ML_PLATFORM, service_detail),
    Page(uids.FOLDER_ML_PLATFORM, logs),
    Page(uids.FOLDER_ML_PLATFORM, incident),
    Page(uids.FOLDER_INFRASTRUCTURE, infrastructure_health, "runs_stack"),
    Page(uids.FOLDER_INFRASTRUCTURE, hosts, "runs_stack"),
    Page(uids.FOLDER_INFRASTRUCTURE, stack_health, "runs_stack"),
    Page(uids.FOLDER_INFRASTRUCTURE, probes, "probes"),
    Page(uids.FOLDER_EXECUTIVE, executive_slo_report),
    Page(uids.FOLDER_INFRASTRUCTURE, runbooks),
)
"""Every dashboard that is built here, in the order in which they are made."""


def folders() -> dict[str, str]:
    """Return the title of every folder by its UID, the imported ones too."""
    return FOLDERS | {folder.uid: folder.title for folder in imported.folders()}


def titles(settings: Settings) -> dict[str, str]:
    """Return the title of every folder of the built dashboards and alerts, by its UID."""
    return {uid: settings.folder_titles.get(uid, title) for uid, title in FOLDERS.items()}


def own_folders(settings: Settings) -> dict[str, str]:
    """Return the title of every folder that only the team's own content needs, by its UID."""
    return {f.uid: f.title for f in own.read(settings).folders if f.uid not in folders()}


def dashboards(settings: Settings) -> tuple[DashboardFile, ...]:
    """Return all dashboards; an imported one takes the place of the one that is built with its UID.

    Raises:
        DashboardError: one cannot be built, two have the same uid, an imported one names no known folder, or there is
            no `homeDashboard`.

    """
    ours = built(settings)
    imported_by_uid = {dashboard.uid: dashboard for dashboard in imported.dashboards()}
    folder_uids = folders()
    for uid, dashboard in imported_by_uid.items():
        if dashboard.folder and dashboard.folder not in folder_uids:
            raise DashboardError(
                dashboard=uid,
                panel="",
                setting="FOLDER",
                value=dashboard.folder,
                accepted=f"one of {', '.join(folder_uids)}",
            )
    replaced = {file.uid for file in ours} & set(imported_by_uid)
    every = (
        *(file for file in (*ours, *_own(settings)) if file.uid not in imported_by_uid),
        *(
            # What takes the place of a built one can be edited where that could.
            DashboardFile(uid, dashboard.folder, _compact(dashboard.model | {"editable": settings.dashboards_editable}))
            if uid in replaced
            else DashboardFile(uid, dashboard.folder, _compact(dashboard.model), imported=True)
            for uid, dashboard in imported_by_uid.items()
        ),
    )
    if settings.home_dashboard not in {file.uid for file in every}:
        raise DashboardError(
            dashboard=settings.home_dashboard,
            panel="",
            setting="homeDashboard",
            value=settings.home_dashboard,
            accepted=f"one of {', '.join(file.uid for file in every)}",
        )
    return every


def _own(settings: Settings) -> tuple[DashboardFile, ...]:
    """Return the team's own dashboards: Grafana's exports, and those that a file of Python builds."""
    content = own.read(settings)
    built_by_files = []
    for file in content.python_dashboards:
        spec = importlib.util.spec_from_file_location(f"own_{file.path.stem}", file.path)
        module = importlib.util.module_from_spec(spec) if spec else None
        if spec is None or spec.loader is None or module is None:
            raise own.OwnContentError((f"{file.name}: no module of Python",))
        try:
            spec.loader.exec_module(module)
            built_by_files.append((file.folder, module.build(settings)))
        except Exception as error:
            calls = reversed(extract_tb(error.__traceback__))
            line = next((call.lineno for call in calls if call.filename == str(file.path)), 1)
            raise own.OwnContentError((f"{file.name}:{line}: {type(error).__name__}: {error}",)) from error
    exported = (DashboardFile(file.uid, file.folder, file.json) for file in content.dashboards)
    return (*exported, *files(tuple(built_by_files)))


def _compact(model: Mapping[str, Any]) -> str:
    return json.dumps(model, separators=(",", ":"), ensure_ascii=False)


def built(settings: Settings) -> tuple[DashboardFile, ...]:
    """Return the dashboards that are built here.

    Raises:
        DashboardError: one cannot be built, or two have the same uid.

    """
    return files(tuple((page.folder, page.module.build(settings)) for page in PAGES if page.shown(settings)))


def files(placed: tuple[tuple[str, DashboardBuilder], ...]) -> tuple[DashboardFile, ...]:
    """Build dashboards, each given with its folder's UID.

    Raises:
        DashboardError: one cannot be built, or two have the same uid.

    """
    check_unique(builder for _, builder in placed)
    return tuple(DashboardFile(builder.uid, folder, builder.to_json(indent=None)) for folder, builder in placed)
