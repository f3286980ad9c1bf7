"""The files in a team's own folder: which there are for a stack, and what is in each, with file, line and column."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from observability.own import secret_references
from observability.settings.documents import DocumentError, parse_file, read_text

YAML: Final = (".yaml", ".yml")
KINDS: Final[Mapping[str, tuple[str, ...]]] = {
    "scrape": YAML,
    "rules": YAML,
    "dashboards": (".json", ".py"),
    "datasources": YAML,
    "correlations": YAML,
    "alerting": YAML,
    "collector": YAML,
}
"""The folders in a folder of own content, and how the files in each end."""
GRAFANA_INI: Final = "grafana.ini"
_IGNORED: Final = frozenset({"readme", "readme.md", "license", "changelog.md"})
_SUMMARY: Final = 200

ValuePath = tuple[str | int, ...]


@dataclass
class Report:
    """What is wrong, and what should be looked at: one line each, beginning with file, line and column."""

    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    secrets: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class File:
    """A file that was read: its value, and where each part of it stands."""

    path: Path
    name: str
    value: Any
    positions: Mapping[ValuePath, tuple[int, int]]
    report: Report

    def at(self, path: ValuePath) -> str:
        """Return `name:line:column` of what is at `path`, or of what that is in."""
        while path and path not in self.positions:
            path = path[:-1]
        line, column = self.positions.get(path, (1, 1))
        return f"{self.name}:{line}:{column}"

    def refuse(self, path: ValuePath, sentence: str) -> None:
        """Note a problem at `path`."""
        self.report.problems.append(f"{self.at(path)}: {dotted(path)}{sentence}")

    def warn(self, path: ValuePath, sentence: str) -> None:
        """Note something at `path` that should be looked at."""
        self.report.warnings.append(f"{self.at(path)}: {dotted(path)}{sentence}")

    def mapping(self, value: Any, path: ValuePath) -> dict[str, Any]:  # noqa: ANN401 - YAML
        """Return an object; an empty one, and a problem, for anything else."""
        if isinstance(value, dict):
            return value
        self.refuse(path, "accepted: an object with named fields")
        return {}

    def items(self, value: Any, path: ValuePath) -> Iterator[tuple[ValuePath, dict[str, Any]]]:  # noqa: ANN401 - YAML
        """Yield the path and value of every object in a list; None is an empty list."""
        if value is None:
            return
        if not isinstance(value, list):
            self.refuse(path, "accepted: a list")
            return
        for index, item in enumerate(value):
            if isinstance(item, dict):
                yield (*path, index), item
            else:
                self.refuse((*path, index), "accepted: an object with named fields")

    def text(self, item: Mapping[str, Any], key: str, path: ValuePath, *, default: str | None = None) -> str:
        """Return the text at `key`; a problem where it is missing without a default, or is no text."""
        value = item.get(key)
        if value is None and default is not None:
            return default
        if isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)
        if isinstance(value, str) and (value or default is not None):
            return value
        self.refuse((*path, key), "accepted: text" if value is not None else "missing")
        return ""


def texts(value: Any, path: ValuePath) -> Iterator[tuple[ValuePath, str]]:  # noqa: ANN401 - YAML
    """Yield every text in `value`, which is at `path`, with where it is."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from texts(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from texts(inner, (*path, index))


def dotted(path: ValuePath) -> str:
    """Return a path for people, with a colon behind it: `groups[0].rules[1].expr: `."""
    text = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path).lstrip(".")
    return f"{text[:_SUMMARY]}: " if text else ""


@dataclass(frozen=True)
class Found:
    """One file of a kind; `folder` is the title of the folder below the kind's own that it lies in, "" for none."""

    path: Path
    name: str
    folder: str


def find(root: Path, stack: str, report: Report) -> dict[str, list[Found]]:
    """Return the files of each kind: for all stacks, then those for `stack` alone. What has no place is a problem."""
    found: dict[str, list[Found]] = {kind: [] for kind in (*KINDS, GRAFANA_INI)}
    for place in (root, root / stack):
        if place.is_dir():
            _find_in(root, place, found, report)
    return found


def _find_in(root: Path, place: Path, found: dict[str, list[Found]], report: Report) -> None:
    for entry in sorted(place.iterdir()):
        name = entry.relative_to(root).as_posix()
        if entry.name.startswith((".", "__")) or entry.name.lower() in _IGNORED:
            continue
        if entry.name in KINDS and entry.is_dir():
            found[entry.name] += _files(root, entry, report)
        elif entry.name == GRAFANA_INI:
            found[GRAFANA_INI].append(Found(entry, name, ""))
        elif entry.is_dir() and place == root and _is_of_a_stack(entry):
            continue
        else:
            near = get_close_matches(entry.name, [*KINDS, GRAFANA_INI], n=1)
            meant = f"did you mean {near[0]}? " if near else ""
            report.problems.append(
                f"{name}: nothing reads this; {meant}accepted: {', '.join(KINDS)}, {GRAFANA_INI}, or a stack's name"
                " with these in it"
            )


def _is_of_a_stack(folder: Path) -> bool:
    inside = {entry.name for entry in folder.iterdir() if not entry.name.startswith(".")}
    return not inside or bool(inside & {*KINDS, GRAFANA_INI})


def _files(root: Path, kind: Path, report: Report) -> Iterator[Found]:
    for path in sorted(kind.rglob("*")):
        below = path.relative_to(kind)
        if path.is_dir() or any(part.startswith((".", "__")) for part in below.parts):
            continue
        name = path.relative_to(root).as_posix()
        if path.name.lower() in _IGNORED:
            continue
        if path.suffix not in KINDS[kind.name]:
            report.problems.append(f"{name}: accepted: a file that ends with {' or '.join(KINDS[kind.name])}")
        else:
            yield Found(path, name, " / ".join(below.parts[:-1]))


def load(found: Found, report: Report) -> File | None:
    """Return a YAML or JSON file's value; None, and a problem, where it cannot be read or holds a secret."""
    try:
        text = read_text(found.path.read_bytes(), found.name)
        if found.path.suffix == ".json":
            # A number in exponents or a duplicate key is JSON's business, not YAML's; a position is worth less there.
            file = File(found.path, found.name, _json(text, found.name), {}, report)
        else:
            value, positions = parse_file(text, found.name)
            file = File(found.path, found.name, value, positions, report)
    except DocumentError as error:
        report.problems.append(str(error))
        return None
    except OSError as error:
        report.problems.append(f"{found.name}: cannot be read: {error.strerror}")
        return None
    return file if _without_secrets(file) else None


def _json(text: str, name: str) -> Any:  # noqa: ANN401 - JSON
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise DocumentError(f"{name}:{error.lineno}:{error.colno}: no JSON: {error.msg}") from None
    except RecursionError:
        raise DocumentError(f"{name}:1:1: values nested too deeply") from None


def _without_secrets(file: File) -> bool:
    """Return whether no text is a secret itself; note the names of the secrets that are referred to."""
    before = len(file.report.problems)
    by_field = file.path.suffix != ".json"
    for path, text in secret_references.texts(file.value):
        if kind := secret_references.looks_secret(path, text, by_field=by_field):
            file.refuse(
                path,
                f"(hidden) looks like {kind}; accepted: ${{secret:name}}, with the secret in the setting ownSecrets"
                " (pulumi config set --secret --path ownSecrets.name)",
            )
        if wrong := secret_references.malformed(text):
            file.refuse(path, f"'{wrong[:60]}'; accepted: ${{secret:name}}, a name of letters, digits, _ and -")
    file.report.secrets.update(secret_references.names(file.value))
    return len(file.report.problems) == before


def slug(text: str, longest: int = 40) -> str:
    """Return what Grafana accepts as a UID, made of `text`."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:longest].strip("-") or "own"


def unique(names: Sequence[str]) -> list[str]:
    """Return the names, with a number behind each that was there before."""
    seen: dict[str, int] = {}
    result = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        result.append(name if seen[name] == 1 else f"{name} {seen[name]}")
    return result
