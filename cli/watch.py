"""`watch`: applies a saved dashboard within seconds. For development."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from cli.bootstrap import ROOT
from cli.context import Context
from cli.errors import UserError
from cli.repair import prepare_stack

_WATCHED = ("adopted", "imported", "dashboards", "observability")
_POLL_SECONDS = 0.3


def run(context: Context) -> int:
    """Watch the sources of the content; on every change run `up`, unless the change cannot be loaded."""
    if not context.settings.dashboards_editable:
        msg = f"stack '{context.stack}' is not for development (dashboardsEditable is false): use `make up`"
        raise UserError(msg)
    prepare_stack(context)
    seen = _modification_times()
    say = context.console.say
    say("watching " + ", ".join(_WATCHED) + "; Ctrl-C ends it")
    while True:
        time.sleep(_POLL_SECONDS)
        now = _modification_times()
        if now != seen:
            changed = sorted(str(p.relative_to(ROOT)) for p in now if now[p] != seen.get(p))
            seen = now
            say(f"{', '.join(changed) or 'a file was removed'}: applying …")
            started = time.monotonic()
            if _renders(context.stack) and not context.pulumi.up("--suppress-outputs"):
                say(f"applied in {time.monotonic() - started:.1f} s")


def _modification_times() -> dict[Path, int]:
    return {
        p: p.stat().st_mtime_ns
        for folder in _WATCHED
        for p in (ROOT / folder).rglob("*")
        if p.suffix in (".py", ".json")
    }


def _renders(stack: str) -> bool:
    """Return whether everything renders; a failure has printed its reason already."""
    command = [sys.executable, "-m", "cli", "render", "build/watch", "--stack", stack]
    return subprocess.run(command, cwd=ROOT, check=False).returncode == 0  # noqa: S603 - ourselves
