"""`screenshots`: pictures of every dashboard of the running stack, as a person sees them, for the documentation."""

from __future__ import annotations

from pathlib import Path

from cli import browser
from cli.bootstrap import ROOT
from cli.context import Context
from dashboards.catalogue import dashboards

PICTURES = ROOT / "docs" / "pictures"


def run(context: Context, folder: Path) -> int:
    """Write one PNG a dashboard below `folder`."""
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    context.pulumi.select()
    outputs = context.pulumi.outputs()
    with browser.open_browser() as opened:
        page = browser.sign_in(opened, outputs)
        for dashboard in dashboards(context.settings):
            picture = folder / f"{dashboard.uid}.png"
            browser.take(page, f"{outputs['grafanaUrl']}/d/{dashboard.uid}?kiosk&from=now-30m&to=now", picture)
            context.console.say(f"{picture.relative_to(ROOT) if picture.is_relative_to(ROOT) else picture}")
    context.console.say(f"pictures of stack '{context.stack}' are in {folder}")
    return 0
