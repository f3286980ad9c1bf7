"""Windows and burn factors, once, for rules, alerts and the thresholds of dashboards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from observability.settings import milliseconds

_UNITS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000))


@dataclass(frozen=True, slots=True)
class BurnAlert:
    """Alert when the budget burns at `factor` or faster over both windows: one proves, one ends it."""

    severity: Literal["page", "ticket"]
    factor: float
    long: str
    short: str


BURN_ALERTS: Final = (
    BurnAlert("page", 14.4, "1h", "5m"),
    BurnAlert("page", 6.0, "6h", "30m"),
    BurnAlert("ticket", 3.0, "1d", "2h"),
    BurnAlert("ticket", 1.0, "3d", "6h"),
)
"""Google's SRE workbook, for 30 days: 2 %, 5 %, 10 % and 10 % of the budget spent."""

BUDGET_LOW: Final = 0.25
"""A budget with less than this left is marked, and its owner gets a ticket."""
ENOUGH_COVERAGE: Final = 0.1
"""A verdict on a window's budget needs data for this share of it: before, one incident takes the whole budget."""
BASE_WINDOW: Final = "5m"
"""The range of every base rate."""
BURN_WINDOWS: Final = tuple(
    sorted({w for a in BURN_ALERTS for w in (a.long, a.short)} | {BASE_WINDOW}, key=milliseconds)
)
CONSUMED_WINDOWS: Final = ("1h", "6h", "3d")
AVAILABILITY_WINDOW: Final = "30d"
"""`slo:availability:ratio_rate30d` exists for every availability SLO, whatever its own window."""
LATENCY_WINDOW: Final = "7d"
"""Window of the long P99."""


def canonical(window: str) -> str:
    """Return `window` in its largest whole unit: `720h` and `30d` are one name."""
    size = milliseconds(window)
    return next((f"{size // unit}{name}" for name, unit in _UNITS if size % unit == 0), f"{size}ms")
