"""What a team's own folder holds, read and checked: plain frozen values, secrets as references only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

FOLDER_UID: Final = "own"
FOLDER_TITLE: Final = "Own"
"""Grafana's folder of what lies in no folder below `dashboards/` or `rules/`."""
RULE_FILE_PREFIX: Final = "own-"

Json = dict[str, Any]


class OwnContentError(ValueError):
    """Files of the team's own that cannot be used; `problems` holds one line each, with file and line."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        self.problems = problems
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        lines = "\n".join(f"  - {p}" for p in problems)
        super().__init__(f"{count} in the folder of own content; nothing was created:\n{lines}")


@dataclass(frozen=True)
class Folder:
    """A folder of Grafana."""

    uid: str
    title: str


@dataclass(frozen=True)
class AlertRule:
    """One alert of a Prometheus rule file; durations are in seconds."""

    uid: str
    title: str
    expr: str
    pending_seconds: int
    keep_firing_seconds: int
    labels: Mapping[str, str]
    annotations: Mapping[str, str]


@dataclass(frozen=True)
class AlertRuleGroup:
    """Alerts of one Prometheus rule group; `folder` is a UID."""

    name: str
    folder: str
    interval_seconds: int
    alerts: tuple[AlertRule, ...]


@dataclass(frozen=True)
class GrafanaRuleGroup:
    """A group of Grafana's own alert rules, as Grafana exports it; `rules` are its rules."""

    name: str
    folder: str
    interval_seconds: int
    rules: tuple[Json, ...]


@dataclass(frozen=True)
class Dashboard:
    """A dashboard as Grafana takes it; `folder` is a UID, `file` where it comes from."""

    uid: str
    folder: str
    json: str
    file: str


@dataclass(frozen=True)
class PythonDashboard:
    """A file of Python with `build(settings)`, which returns a dashboards.builder.DashboardBuilder."""

    path: Path
    name: str
    folder: str


@dataclass(frozen=True)
class Source:
    """A data source in the fields of Grafana's provisioning; `secure` and `headers` hold references to secrets."""

    uid: str
    name: str
    type: str
    url: str = ""
    access: str = "proxy"
    user: str = ""
    database: str = ""
    basic_auth: bool = False
    basic_auth_user: str = ""
    json_data: Json = field(default_factory=dict)
    secure: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Correlation:
    """A correlation between two data sources, by their UIDs; `type` is query or external."""

    name: str
    source: str
    target: str
    label: str
    description: str
    type: str
    config: Json


@dataclass(frozen=True)
class ContactPoint:
    """One receiver of a contact point, by Grafana's own fields; `settings` may hold references to secrets."""

    uid: str
    name: str
    type: str
    settings: Json
    disable_resolve_message: bool = False


@dataclass(frozen=True)
class MuteTiming:
    """A mute timing; `intervals` as Grafana's provisioning has them."""

    name: str
    intervals: tuple[Json, ...]


@dataclass(frozen=True)
class Template:
    """A group of notification templates."""

    name: str
    template: str


@dataclass(frozen=True)
class Scrape:
    """One scrape job, and whether it holds a reference to a secret."""

    job: Json
    file: str
    secret: bool


@dataclass(frozen=True)
class Content:
    """Everything in a team's own folder, for one stack.

    Attributes:
        rules: recording rules: name of the file in Prometheus to its text.
        collector: partial configurations of the collector, by file.
        grafana: sections, keys and values of grafana.ini.
        secrets: names of the secrets that are referred to.
        warnings: what is accepted and should be looked at; one line each, with the file.
        files: every file that was read, below the folder.
    """

    scrapes: tuple[Scrape, ...] = ()
    rules: Mapping[str, str] = field(default_factory=dict)
    alert_groups: tuple[AlertRuleGroup, ...] = ()
    grafana_groups: tuple[GrafanaRuleGroup, ...] = ()
    folders: tuple[Folder, ...] = ()
    dashboards: tuple[Dashboard, ...] = ()
    python_dashboards: tuple[PythonDashboard, ...] = ()
    sources: tuple[Source, ...] = ()
    correlations: tuple[Correlation, ...] = ()
    collector: Mapping[str, Json] = field(default_factory=dict)
    grafana: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    contact_points: tuple[ContactPoint, ...] = ()
    mute_timings: tuple[MuteTiming, ...] = ()
    templates: tuple[Template, ...] = ()
    routes: tuple[Json, ...] = ()
    secrets: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Tell whether there is anything."""
        return bool(self.files)


NOTHING: Final = Content()
