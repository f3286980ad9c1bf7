"""Imported content: people made it in Grafana, and the program manages it now. `make import` and `make pull` write it.

It comes from Grafana, or from a server that only claims to be Grafana. So it is stored as JSON, which cannot run, and
each UID is checked with Grafana's own rule before it becomes part of a file name, an API path or a resource name.

Clones made before 0.3 have it in `adopted/`, with dashboards as Python modules. These are read too; a file here with
the same UID takes precedence.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import TypeAdapter, ValidationError

from observability.settings.errors import shown

ROOT: Final = Path(__file__).resolve().parent.parent
FOLDER: Final = "imported"
_FORMER: Final = "adopted"
_FOLDERS, _SOURCES, _DASHBOARDS = "folders.json", "datasources.json", "dashboards"
_UID: Final = re.compile(r"[A-Za-z0-9_-]{1,40}")
_PLAIN: Final = re.compile(r"[a-z0-9_-]+")
_RESERVED: Final = re.compile(r"con|prn|aux|nul|com\d|lpt\d")
"""Names that no file can have on Windows."""
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories of characters that are invisible, or shown in a different place."""

Json = dict[str, Any]


class ImportedContentError(ValueError):
    """Content from Grafana, or a file of it, that cannot be used."""


@dataclass(frozen=True)
class Folder:
    """A folder; `parent` is a folder's UID, "" at the top."""

    uid: str
    title: str
    parent: str = ""


@dataclass(frozen=True)
class Source:
    """A data source, without its secrets, which Grafana never shows."""

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
    """A dashboard; `folder` is a folder's UID, "" for none, and `model` its JSON in Grafana."""

    uid: str
    folder: str
    model: Json


_Content = TypeVar("_Content", Folder, Source, Dashboard)


def require_uid(uid: object) -> str:
    """Return `uid`; raise ImportedContentError unless Grafana itself would accept it."""
    if isinstance(uid, str) and _UID.fullmatch(uid):
        return uid
    raise ImportedContentError(
        f"UID {shown(str(uid)[:60])}; accepted: up to 40 letters, digits, hyphens and underscores"
    )


def folders(root: Path = ROOT) -> tuple[Folder, ...]:
    """Return every imported folder, parents before children."""
    result = _unique(*(_list(root / place / _FOLDERS, list[Folder]) for place in (_FORMER, FOLDER)))
    return by_depth(result)


def sources(root: Path = ROOT) -> tuple[Source, ...]:
    """Return every imported data source."""
    return tuple(_unique(*(_list(root / place / _SOURCES, list[Source]) for place in (_FORMER, FOLDER))))


def dashboards(root: Path = ROOT) -> tuple[Dashboard, ...]:
    """Return every imported dashboard."""
    own = [_dashboard(path) for path in sorted((root / FOLDER / _DASHBOARDS).glob("*.json"))]
    twice = {d.uid for d in own if sum(d.uid == other.uid for other in own) > 1}
    if twice:
        raise ImportedContentError(f"{FOLDER}/{_DASHBOARDS}: more than one file has the UID {shown(min(twice))}")
    return tuple(_unique(_former_dashboards(root), own))


def by_depth(folders: Sequence[Folder]) -> tuple[Folder, ...]:
    """Return folders with parents before children; ImportedContentError if one is inside itself."""
    left = {folder.uid: folder for folder in folders}
    placed: list[Folder] = []
    while left:
        ready = sorted((f for f in left.values() if f.parent not in left), key=lambda f: f.uid)
        if not ready:
            raise ImportedContentError(f"folder {shown(min(left))} is inside itself")
        placed += ready
        for folder in ready:
            del left[folder.uid]
    return tuple(placed)


def files(
    new_folders: Sequence[Folder] = (),
    new_sources: Sequence[Source] = (),
    new_dashboards: Sequence[Dashboard] = (),
    *,
    root: Path = ROOT,
) -> dict[Path, str]:
    """Return the text of every file that changes when this content is imported."""
    changed: dict[Path, str] = {}
    if new_folders:
        path = root / FOLDER / _FOLDERS
        changed[path] = _text([asdict(f) for f in _unique(_list(path, list[Folder]), new_folders)])
    if new_sources:
        path = root / FOLDER / _SOURCES
        changed[path] = _text([asdict(s) for s in _unique(_list(path, list[Source]), new_sources)])
    for dashboard in new_dashboards:
        document = {"uid": dashboard.uid, "folder": dashboard.folder, "dashboard": dashboard.model}
        changed[root / FOLDER / _DASHBOARDS / file_name(dashboard.uid)] = _text(document)
    return changed


def file_name(uid: str) -> str:
    """Return the file name of a dashboard, unique for each UID also on file systems that ignore case."""
    require_uid(uid)
    if _PLAIN.fullmatch(uid) and not _RESERVED.fullmatch(uid):
        return f"{uid}.json"
    # No UID has a dot, so no other dashboard can have this name.
    return f"{uid.lower()}.{hashlib.sha256(uid.encode()).hexdigest()[:16]}.json"


@contextmanager
def writing(changed: Mapping[Path, str]) -> Iterator[None]:
    """Write files, all or none: after an exception, here or in the caller's block, the former files are restored."""
    former = {path: path.read_bytes() if path.exists() else None for path in changed}
    partial = {path: path.with_name(f".{path.name}.partial") for path in changed}
    try:
        for path, text in changed.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            partial[path].write_text(text, encoding="utf-8")
        for path, file in partial.items():
            file.replace(path)
        yield
    except BaseException:
        for path, content in former.items():
            if content is None:
                path.unlink(missing_ok=True)
            else:
                path.write_bytes(content)
        raise
    finally:
        for file in partial.values():
            file.unlink(missing_ok=True)


def _unique(*groups: Sequence[_Content]) -> list[_Content]:
    """Return the content of all groups; of two with one UID, the later."""
    return list({require_uid(content.uid): content for group in groups for content in group}.values())


def _list(path: Path, kind: type[list[_Content]]) -> list[_Content]:
    if not path.exists():
        return []
    try:
        return TypeAdapter(kind).validate_python(json.loads(path.read_bytes()))
    except (ValueError, RecursionError) as error:
        raise ImportedContentError(f"{path.name} cannot be read: {_first(error)}") from None


def _dashboard(path: Path) -> Dashboard:
    try:
        document = TypeAdapter(dict[str, Any]).validate_python(json.loads(path.read_bytes()))
        document["model"] = document.pop("dashboard", None)
        dashboard = TypeAdapter(Dashboard).validate_python(document)
    except (ValueError, RecursionError) as error:
        raise ImportedContentError(f"{path.name} cannot be read: {_first(error)}") from None
    require_uid(dashboard.uid)
    if dashboard.folder:
        require_uid(dashboard.folder)
    if dashboard.model.get("uid", dashboard.uid) != dashboard.uid:
        raise ImportedContentError(f"{path.name}: `uid` and the dashboard's own `uid` differ")
    return dashboard


def _first(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error)[:200]
    problem = error.errors(include_input=False, include_url=False)[0]
    return f"{shown('.'.join(str(part) for part in problem['loc'])[:100])}: {problem['msg'][:200]}"


def _former_dashboards(root: Path) -> list[Dashboard]:
    """Return the dashboards that versions before 0.3 wrote as modules, and people may have edited since."""
    result = []
    for path in sorted((root / _FORMER / _DASHBOARDS).glob("*.py")):
        if path.name == "__init__.py":
            continue
        spec = importlib.util.spec_from_file_location(f"{_FORMER}_{path.stem}", path)
        if spec is None or spec.loader is None:
            raise ImportedContentError(f"{path.name} is no module")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        result.append(Dashboard(module.UID, module.FOLDER, module.DASHBOARD))
    return result


def _text(document: Any) -> str:  # noqa: ANN401 - JSON
    """Return JSON in which invisible characters are escaped."""
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    shown = "".join(c if c == "\n" or unicodedata.category(c) not in _INVISIBLE else json.dumps(c)[1:-1] for c in text)
    return shown + "\n"
