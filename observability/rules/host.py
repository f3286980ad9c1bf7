"""The disks that hold the stack's volumes, as recorded series by `device`: what `df` on the Docker host prints.

The one source for every number about disk space, on dashboards and in alerts. The collector measures the file system
of its own volume, which is that of all volumes unless one is on another disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from observability.rules.slo import RecordingRule, RuleGroup, to_yaml

if TYPE_CHECKING:
    from observability.settings import Settings

DISK_FREE: Final = "host:filesystem_free_bytes:min"
"""Bytes that a process without privileges can still write; `df` calls them available."""
DISK_USED: Final = "host:filesystem_used:ratio"
"""Used bytes of used and free ones: `Use%` of `df`, which leaves out what is reserved for root."""
FORECAST_WINDOW: Final = "6h"
"""A forecast is made of this much data, and of no less."""

_USAGE: Final = "system_filesystem_usage_bytes"
"""Of the collector's own, which has no job, as a sender's always has: any collector elsewhere may push such metrics."""


def render(settings: Settings) -> dict[str, str]:
    """Return the rule files: their name and their YAML."""
    free, used = (f'min by (device) ({_USAGE}{{job="", state="{state}"}})' for state in ("free", "used"))
    rules = (
        RecordingRule(DISK_FREE, free, {}),
        RecordingRule(DISK_USED, f"{used} / ({used} + {free})", {}),
    )
    return {"host.yml": to_yaml(RuleGroup("host", settings.rule_interval, rules))}


def disk_free_in(seconds: float) -> str:
    """Return the bytes that will be free in `seconds`, by `device`; nothing before FORECAST_WINDOW of data is there."""
    return f"predict_linear({DISK_FREE}[{FORECAST_WINDOW}], {seconds:g}) and {DISK_FREE} offset {FORECAST_WINDOW}"


def disk_full_in() -> str:
    """Return the seconds until each disk is full, by `device`; nothing while it is not filling or data is short."""
    filling = f"-deriv({DISK_FREE}[{FORECAST_WINDOW}]) > 0"
    return f"{DISK_FREE} / ({filling}) and {DISK_FREE} offset {FORECAST_WINDOW}"
