"""A team's own content: a folder of files in the formats of Prometheus, Grafana and the collector, read and checked.

The folder is `own/` beside the program, or where the setting `ownFolder` says; what lies in `own/<stack>/` is for that
stack alone. `docs/how-to/own-content.md` shows every kind of file. Nothing here runs a tool: `observability.own_checks`
does, before anything is created.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from observability.own import (
    collector_files,
    dashboard_files,
    grafana_files,
    prometheus_files,
    reading,
    secret_references,
)
from observability.own.model import (
    FOLDER_TITLE,
    FOLDER_UID,
    NOTHING,
    AlertRule,
    AlertRuleGroup,
    ContactPoint,
    Content,
    Correlation,
    Dashboard,
    Folder,
    GrafanaRuleGroup,
    MuteTiming,
    OwnContentError,
    PythonDashboard,
    Scrape,
    Source,
    Template,
)
from observability.own.prometheus_files import FIRES, QUERY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from observability.settings import Settings

__all__ = [
    "DEFAULT_FOLDER",
    "FIRES",
    "NOTHING",
    "QUERY",
    "AlertRule",
    "AlertRuleGroup",
    "ContactPoint",
    "Content",
    "Correlation",
    "Dashboard",
    "Folder",
    "GrafanaRuleGroup",
    "MuteTiming",
    "OwnContentError",
    "PythonDashboard",
    "Scrape",
    "Source",
    "Template",
    "folder",
    "read",
    "referenced",
    "signature",
]

ROOT: Final = Path(__file__).resolve().parents[2]
DEFAULT_FOLDER: Final = "own"
UIDS_OF_OURS: Final = (
    "slo-overview", "application-performance", "infrastructure-health", "stack-health", "executive-slo-report",
    "runbooks", "logs", "service-detail", "incident", "home", "hosts", "probes",
)  # fmt: skip
"""The program's own dashboards; a test keeps this list equal to the catalogue."""

Signature = tuple[tuple[str, int, int], ...]


def folder(given: str) -> Path:
    """Return the folder of own content by the setting `ownFolder`: relative to the program, or absolute."""
    return ROOT / (Path(given).expanduser() if given else DEFAULT_FOLDER)


def read(settings: Settings) -> Content:
    """Return the team's own content for the stack.

    Raises:
        OwnContentError: with every problem found, each with file, line and column.

    """
    root = folder(settings.own_folder)
    if not root.is_dir():
        if settings.own_folder:
            raise OwnContentError((f"ownFolder: '{settings.own_folder}'; accepted: a folder that exists ({root})",))
        return NOTHING
    return _read(_Request(settings), signature(root))


def signature(root: Path) -> Signature:
    """Return what changes with every change of a file below `root`."""
    return tuple(
        (path.relative_to(root).as_posix(), path.stat().st_mtime_ns, path.stat().st_size) for path in _files(root)
    )


def referenced(root: Path) -> frozenset[str]:
    """Return the names of the secrets that any file below `root` refers to, without reading any further."""
    return frozenset(
        match[1]
        for path in _files(root)
        if path.suffix != ".py"
        for match in secret_references.REFERENCE.finditer(path.read_text(encoding="utf-8", errors="replace"))
    )


def _files(root: Path) -> Iterator[Path]:
    for path in sorted(root.rglob("*")) if root.is_dir() else ():
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(root).parts):
            yield path


class _Request:
    """The settings, compared by what reading depends on."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._key = (
            settings.stack,
            str(folder(settings.own_folder)),
            settings.own_dashboards_strict,
            settings.production,
            settings.configured_names,
            frozenset(settings.own_secrets),
        )

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Request) and self._key == other._key


@lru_cache(maxsize=16)
def _read(request: _Request, _signature: Signature) -> Content:
    settings = request.settings
    root = folder(settings.own_folder)
    report = reading.Report()
    found = reading.find(root, settings.stack, report)
    content = _content(found, report, settings)
    report.problems += [
        f"ownSecrets.{name}: missing, and a file refers to it; accepted: a secret, set by"
        f" `pulumi config set --secret --path ownSecrets.{name}`"
        for name in sorted(report.secrets - set(settings.own_secrets))
    ]
    if report.problems:
        raise OwnContentError(tuple(report.problems))
    return content


def _content(found: dict[str, list[reading.Found]], report: reading.Report, settings: Settings) -> Content:
    folders: dict[str, Folder] = {}

    def files(kind: str) -> Iterator[reading.File]:
        for one in found[kind]:
            file = reading.load(one, report) if one.path.suffix != ".py" else None
            if file is not None:
                yield file

    def in_folders(kind: str) -> Iterator[tuple[reading.File, Folder]]:
        for one in found[kind]:
            file = reading.load(one, report) if one.path.suffix != ".py" else None
            if file is not None:
                yield file, _folder(one, folders)

    alerting = tuple(files("alerting"))
    grafana_files.check_alerting(alerting)
    sources, beside = grafana_files.sources(files("datasources"))
    correlations = (*beside, *grafana_files.correlations(files("correlations"), (s.uid for s in sources)))
    rules, alert_groups = prometheus_files.rules(in_folders("rules"), settings)
    contacts = grafana_files.contact_points(alerting, production=settings.production)
    content = Content(
        scrapes=prometheus_files.scrapes(files("scrape"), settings),
        rules=rules,
        alert_groups=alert_groups,
        grafana_groups=grafana_files.rule_groups(alerting, folders),
        dashboards=dashboard_files.adapted(
            in_folders("dashboards"),
            sources,
            dict.fromkeys(UIDS_OF_OURS, "the program"),
            strict=settings.own_dashboards_strict,
        ),
        python_dashboards=tuple(
            PythonDashboard(one.path, one.name, _folder(one, folders).uid)
            for one in found["dashboards"]
            if one.path.suffix == ".py"
        ),
        sources=sources,
        correlations=correlations,
        collector=collector_files.partials(files("collector")),
        grafana=grafana_files.ini(found[reading.GRAFANA_INI], report, production=settings.production),
        contact_points=contacts,
        mute_timings=grafana_files.mute_timings(alerting),
        templates=grafana_files.templates(alerting),
        routes=grafana_files.routes(alerting, contacts),
        folders=tuple(folders.values()),
        secrets=frozenset(report.secrets),
        warnings=tuple(report.warnings),
        files=tuple(one.name for kind in found.values() for one in kind),
    )
    return content if content.files else NOTHING


def _folder(found: reading.Found, folders: dict[str, Folder]) -> Folder:
    uid = reading.slug(found.folder) if found.folder else FOLDER_UID
    return folders.setdefault(uid, Folder(uid, found.folder or FOLDER_TITLE))
