"""`make watch`: applies a saved dashboard within seconds. For development."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from cli import context, engine, pulumi, stack_config
from cli.bootstrap import ROOT, UserError
from cli.console import say
from cli.repair import prepare_stack

_WATCHED = ("adopted", "imported", "dashboards", "observability")
_POLL_SECONDS = 0.3


def main(_arguments: list[str]) -> int:
    """Watch the sources of the content; on every change run `up`, unless the change does not even load."""
    if not stack_config.current().dashboards_editable:
        msg = f"stack '{context.stack()}' is not for development (dashboardsEditable is false): use `make up`"
        raise UserError(msg)
    client = engine.connect()
    prepare_stack(client)
    seen = _stamps()
    say("watching " + ", ".join(_WATCHED) + "; Ctrl-C ends it")
    while True:
        time.sleep(_POLL_SECONDS)
        now = _stamps()
        if now != seen:
            changed = sorted(str(p.relative_to(ROOT)) for p in now if now[p] != seen.get(p))
            seen = now
            say(f"{', '.join(changed) or 'a file went'}: applying …")
            started = time.monotonic()
            if _loads() and not pulumi.run(
                "up", "--yes", "--skip-preview", "--suppress-outputs", "--stack", context.stack()
            ):
                say(f"applied in {time.monotonic() - started:.1f} s")


def _stamps() -> dict[Path, int]:
    return {
        p: p.stat().st_mtime_ns
        for folder in _WATCHED
        for p in (ROOT / folder).rglob("*")
        if p.suffix in (".py", ".json")
    }


def _loads() -> bool:
    """Tell whether everything renders; what does not has already said why."""
    return subprocess.run([sys.executable, "-m", "cli", "render", "build/watch"], cwd=ROOT, check=False).returncode == 0
