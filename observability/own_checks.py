"""The check of the team's own content by promtool and the collector, before anything is created.

A tool that is not on this machine is skipped: its container checks the same files before the running service is
replaced. Everything that Python can check (YAML, fields, PromQL, data sources, secrets) is checked in any case.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from observability import own
from observability.configs import collector
from observability.own import secret_references
from observability.settings import STAND_IN
from observability.text import dump

if TYPE_CHECKING:
    from collections.abc import Iterator

    from observability.settings import Settings

_TOOLS: Final = own.ROOT / ".tools"
_SECONDS: Final = 30
_LINES: Final = 6
"""Lines of a tool's output that are shown."""


def check(settings: Settings) -> own.Content:
    """Return the team's own content, once every tool on this machine has accepted it.

    Raises:
        own.OwnContentError: with every problem that was found.

    """
    content = own.read(settings)
    points = [point.name for point in content.contact_points]
    if missing := [
        f"teams[{index}].contactPoint: '{team.contact_point}'; accepted: a contact point in ownFolder:"
        f" {', '.join(points) or 'it has none'}"
        for index, team in enumerate(settings.teams)
        if team.contact_point and team.contact_point not in points
    ]:
        raise own.OwnContentError(tuple(missing))
    if content and (problems := _by_tools(_Rendered(settings, content))):
        raise own.OwnContentError(problems)
    return content


class _Rendered:
    """The files that the tools check, compared by their text, so that the tools run once for each content."""

    def __init__(self, settings: Settings, content: own.Content) -> None:
        self.rules = dict(content.rules)
        self.jobs: dict[str, list[Any]] = {}
        for scrape in content.scrapes:
            self.jobs.setdefault(scrape.file, []).append(scrape.job)
        self.collector = collector.render(settings) if content.collector else ""
        self.collector_files = ", ".join(content.collector)

    def _key(self) -> str:
        return repr((sorted(self.rules.items()), sorted(self.jobs.items()), self.collector))

    def __hash__(self) -> int:
        return hash(self._key())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Rendered) and self._key() == other._key()


@lru_cache(maxsize=16)
def _by_tools(rendered: _Rendered) -> tuple[str, ...]:
    return (*_prometheus(rendered), *_collector(rendered))


def _prometheus(rendered: _Rendered) -> Iterator[str]:
    promtool = _tool("promtool")
    if promtool is None or not (rendered.rules or rendered.jobs):
        return
    with tempfile.TemporaryDirectory() as folder:
        for name, text in rendered.rules.items():
            path = Path(folder) / name
            path.write_text(text, encoding="utf-8")
            yield from _refused(f"rules ({name})", folder, promtool, "check", "rules", str(path))
        for name, jobs in rendered.jobs.items():
            path = Path(folder) / "prometheus.yml"
            text = secret_references.stand_in(dump({"scrape_configs": jobs}))
            path.write_text(text, encoding="utf-8")
            yield from _refused(name, folder, promtool, "check", "config", "--syntax-only", str(path))


def _collector(rendered: _Rendered) -> Iterator[str]:
    otelcol = _tool("otelcol-contrib")
    if otelcol is None or not rendered.collector:
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "collector.yaml"
        text = re.sub(r"\$\{file:[^}]*/own-[^}]*\}", STAND_IN, rendered.collector)
        path.write_text(text.replace(collector.DATA, folder), encoding="utf-8")
        yield from _refused(rendered.collector_files, folder, otelcol, "validate", f"--config={path}")


def _tool(name: str) -> str | None:
    found = sorted(_TOOLS.glob(f"**/{name}")) if _TOOLS.is_dir() else []
    return str(found[0]) if found else shutil.which(name)


def _refused(what: str, folder: str, *command: str) -> Iterator[str]:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS)  # noqa: S603 - a tool of this project
    except (OSError, subprocess.TimeoutExpired):
        return
    if done.returncode:
        lines = [line.strip() for line in f"{done.stdout}\n{done.stderr}".splitlines()]
        said = [line.replace(f"{folder}/", "") for line in lines if line and not line.startswith("Checking")]
        yield f"{what}: {Path(command[0]).name} refuses it: {' '.join(said[:_LINES])[:600]}"
