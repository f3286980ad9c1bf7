"""The runbooks: one Markdown file for each kind of alert, in the repository and, as a dashboard, in Grafana.

The link in a message leads to the files that are published at `runbookBaseUrl`, or to the dashboard in Grafana.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from observability.names import panel_ids, uids
from observability.names.alert_kinds import FOLDER, kinds

if TYPE_CHECKING:
    from observability.settings import Settings

__all__ = ["FOLDER", "kinds", "shown", "text", "url"]

_OF_EVERY_STACK: Final = (
    "queries-failing",
    "service-gone",
    "service-uncounted",
    "slo-budget-nearly-gone",
    "slo-burning-fast",
    "slo-burning-slowly",
    "slo-unmeasured",
    "watchdog",
)
"""Kinds of alerts that need no container of this stack."""
NEEDS: Final[Mapping[str, str]] = {
    **{kind: "runs_stack" for kind in kinds() if kind not in _OF_EVERY_STACK},
    "certificate-expiring": "probes",
    "loki-not-storing": "logs_in_bucket",
    "loki-rejecting": "keeps_logs",
    "metrics-copy-behind": "metrics_copied",
    "metrics-copy-refused": "metrics_copied",
}
"""Kinds of alerts that only some stacks have, with the attribute of the settings that they need."""


def shown(settings: Settings) -> tuple[str, ...]:
    """Return the kinds of alerts that this stack can have."""
    return tuple(kind for kind in kinds() if kind not in NEEDS or getattr(settings, NEEDS[kind]))


def text(kind: str) -> str:
    """Return the runbook's Markdown."""
    return (FOLDER / f"{kind}.md").read_text(encoding="utf-8")


def url(kind: str, settings: Settings) -> str:
    """Return the URL of the runbook of this kind of alert."""
    if settings.runbook_base_url:
        return f"{settings.runbook_base_url}{kind}.md"
    return f"{settings.root_url}d/{uids.RUNBOOKS}?viewPanel=panel-{panel_ids.panel_id(uids.RUNBOOKS, kind)}"
