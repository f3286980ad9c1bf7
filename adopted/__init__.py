"""What somebody made by hand in Grafana and is code now: written by `make pull` and `make import`, yours to edit.

`folders.json` and `datasources.json` hold what Grafana tells of each; every module of `dashboards` holds one dashboard
as data: UID, FOLDER (a folder's UID, "" for General), and DASHBOARD, the model as Grafana has it.
"""

from __future__ import annotations

import json
import pkgutil
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from adopted import dashboards as _dashboards

FOLDERS_FILE: Final = Path(__file__).parent / "folders.json"
SOURCES_FILE: Final = Path(__file__).parent / "datasources.json"
DASHBOARDS: Final = Path(__file__).parent / "dashboards"

Json = dict[str, Any]


@dataclass(frozen=True)
class Folder:
    """A folder; `parent` is a folder's UID, "" at the top."""

    uid: str
    title: str
    parent: str = ""


@dataclass(frozen=True)
class Source:
    """A data source, without its secrets: Grafana keeps those and shows them to nobody."""

    uid: str
    name: str
    type: str
    url: str = ""
    access: str = "proxy"
    is_default: bool = False
    user: str = ""
    database: str = ""
    basic_auth: bool = False
    basic_auth_user: str = ""
    json_data: str = "{}"


@dataclass(frozen=True)
class Dashboard:
    """A dashboard, as Grafana has it."""

    uid: str
    folder: str
    model: Json


def folders() -> tuple[Folder, ...]:
    """Return every adopted folder."""
    return tuple(Folder(**found) for found in _list(FOLDERS_FILE))


def sources() -> tuple[Source, ...]:
    """Return every adopted data source."""
    return tuple(Source(**found) for found in _list(SOURCES_FILE))


def dashboards() -> tuple[Dashboard, ...]:
    """Return every adopted dashboard."""
    modules = [
        import_module(f"{_dashboards.__name__}.{found.name}") for found in pkgutil.iter_modules(_dashboards.__path__)
    ]
    return tuple(Dashboard(module.UID, module.FOLDER, module.DASHBOARD) for module in modules)


def _list(path: Path) -> list[Json]:
    found: list[Json] = json.loads(path.read_text(encoding="utf-8"))
    return found
