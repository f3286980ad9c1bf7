"""`watch`: a saved dashboard is in Grafana within a second, and in the stack's state some seconds later."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from cli.bootstrap import ROOT
from cli.context import Context
from cli.errors import UserError
from cli.repair import prepare_stack
from dashboards import catalogue
from observability import imported

if TYPE_CHECKING:
    from components.grafana_api import GrafanaApi
    from dashboards.catalogue import Page
    from observability.settings import Settings

_WATCHED = ("adopted", "imported", "dashboards", "observability")
_POLL_SECONDS = 0.1


def run(context: Context) -> int:
    """Watch the sources of the content.

    A dashboard whose own module alone has changed is sent to Grafana at once. Every change then runs `up`, so that the
    state follows, unless the change cannot be loaded.
    """
    if not context.settings.dashboards_editable:
        msg = f"stack '{context.stack}' is not for development (dashboardsEditable is false): use `make up`"
        raise UserError(msg)
    prepare_stack(context)
    grafana = context.grafana()
    say = context.console.say
    say("watching " + ", ".join(_WATCHED) + "; Ctrl-C ends it")
    for changed in _changes():
        say(f"{', '.join(str(p.relative_to(ROOT)) for p in changed)}: applying …")
        started = time.monotonic()
        pages = _pages(changed)
        try:
            for page in pages:
                _show(page, context.settings, grafana)
        except Exception as error:  # noqa: BLE001 - of code that was edited a moment ago, so anything
            say(f"{type(error).__name__}: {error}; Grafana keeps the dashboard as it was")
            continue
        if pages:
            say(f"in Grafana after {time.monotonic() - started:.1f} s")
        if _renders(context.stack) and not context.pulumi.up("--suppress-outputs"):
            say(f"applied in {time.monotonic() - started:.1f} s")
    return 0


def _changes() -> Iterator[list[Path]]:
    """Yield the files that were saved or removed, each time that there are some."""
    seen = _modification_times()
    while True:
        time.sleep(_POLL_SECONDS)
        now = _modification_times()
        if now != seen:
            changed = sorted(path for path in now.keys() | seen.keys() if now.get(path) != seen.get(path))
            seen = now
            yield changed


def _modification_times() -> dict[Path, int]:
    return {
        p: p.stat().st_mtime_ns
        for folder in _WATCHED
        for p in (ROOT / folder).rglob("*")
        if p.suffix in (".py", ".json")
    }


def _pages(changed: list[Path]) -> list[Page]:
    """Return the dashboards that are all that changed; none where something else has, which only `up` can tell."""
    by_file = {ROOT.joinpath(*page.module.__name__.split(".")).with_suffix(".py"): page for page in catalogue.PAGES}
    return [by_file[path] for path in changed] if set(changed) <= by_file.keys() else []


def _show(page: Page, settings: Settings, grafana: GrafanaApi) -> None:
    """Build a dashboard from its module as it is now, and save it in Grafana under the name that `up` gives it."""
    importlib.reload(sys.modules[page.module.__name__])
    if not page.shown(settings):
        return
    (file,) = catalogue.files(((page.folder, page.module.build(settings)),))
    if file.uid in {dashboard.uid for dashboard in imported.dashboards()}:  # which is shown in its place
        return
    body = {"dashboard": json.loads(file.json), "folderUid": file.folder, "overwrite": True, "message": "make watch"}
    grafana.request("POST", "/api/dashboards/db", body)


def _renders(stack: str) -> bool:
    """Return whether everything renders; a failure has printed its reason already."""
    command = [sys.executable, "-m", "cli", "render", "build/watch", "--stack", stack]
    return subprocess.run(command, cwd=ROOT, check=False).returncode == 0  # noqa: S603 - ourselves
