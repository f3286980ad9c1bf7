"""Runbooks: what to do about each alert, where its message's link leads, with nothing but Grafana to reach."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Final

from dashboards import style
from dashboards.builder import DashboardBuilder
from observability import runbooks
from observability.names import uids

if TYPE_CHECKING:
    from observability.settings import Settings

LINES_PER_CELL: Final = 1.6
FEWEST_CELLS: Final = 6
_CODE: Final = re.compile(r"`([^`\n]+)`")
_LINE_ON_A_PHONE: Final = 30
"""Characters of code."""


def build(settings: Settings) -> DashboardBuilder:
    """Return the dashboard: one panel for each file of docs/runbooks whose alerts this stack can have."""
    db = DashboardBuilder(
        title="Runbooks",
        uid=uids.RUNBOOKS,
        description="What each alert means, how to confirm it, what to do, who owns it. From docs/runbooks.",
        tags=("observability", "runbook", style.MENU_TAG),
        editable=settings.dashboards_editable,
        refresh="",
    )
    db.add_dashboard_menu("Dashboards", style.MENU_TAG)
    for kind in runbooks.shown(settings):
        heading, _, text = runbooks.text(kind).partition("\n")
        db.add_text_panel(
            title=heading.removeprefix("# "),
            content=wrapped(text.strip()),
            description=style.describe(
                f"What to do when an alert of the kind {kind} fires.",
                f"read it, act, and improve docs/runbooks/{kind}.md.",
            ),
            height=max(FEWEST_CELLS, round(text.count("\n") / LINES_PER_CELL)),
            key=kind,
        )
    return db


def wrapped(text: str) -> str:
    """Return Markdown whose long code takes a second line: Grafana breaks no code, and a phone would cut it off."""

    def shown(code: re.Match[str]) -> str:
        if len(code[1]) <= _LINE_ON_A_PHONE:
            return code[0]
        return f'<kbd style="word-break: break-word">{html.escape(code[1])}</kbd>'

    # Every piece of code is matched, short ones too: else the text between two of them would be taken for one.
    return _CODE.sub(shown, text)
