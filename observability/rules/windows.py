"""Windows and burn factors, once, for rules, alerts and the thresholds of dashboards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from observability.settings import CALENDAR, Slo, milliseconds

_UNITS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000))


def canonical(window: str) -> str:
    """Return `window` in its largest whole unit: `720h` and `30d` are one name; a calendar's as it is."""
    if window in CALENDAR:
        return window
    size = milliseconds(window)
    return next((f"{size // unit}{name}" for name, unit in _UNITS if size % unit == 0), f"{size}ms")


@dataclass(frozen=True, slots=True)
class BurnAlert:
    """Alert when the budget burns at `factor` or faster over both windows: one proves, one ends it."""

    severity: Literal["page", "ticket"]
    factor: float
    long: str
    short: str


@dataclass(frozen=True, slots=True)
class _Tier:
    severity: Literal["page", "ticket"]
    consumed: float
    """Share of the window's budget that is spent when it fires."""
    long: str
    short: str


_LONG: Final = (
    _Tier("page", 0.02, "1h", "5m"),
    _Tier("page", 0.05, "6h", "30m"),
    _Tier("ticket", 0.10, "1d", "2h"),
    _Tier("ticket", 0.10, "3d", "6h"),
)
"""Google's SRE workbook."""
_SHORT: Final = (
    _Tier("page", 0.03, "30m", "5m"),
    _Tier("page", 0.05, "2h", "30m"),
    _Tier("ticket", 0.10, "6h", "1h"),
    _Tier("ticket", 0.15, "1d", "2h"),
)
"""The same for windows of days: for 7 days factors of 10.08, 4.2, 2.8 and 1.05."""
_LONG_FROM, _LONGEST = "14d", "30d"
_REACHABLE: Final = 0.8
"""Largest computed factor, as a share of the burn rate at which every event is bad.

Not a setting: `burnAlerts` of an SLO sets its factors; this only keeps the computed ones within reach of an outage.
"""


def burn_alerts(slo: Slo) -> tuple[BurnAlert, ...]:
    """Return the burn rates at which an SLO alerts: its own, or those that follow from its window and objective.

    A factor is `consumed * window / long`. It is at least 1, at which the budget lasts exactly its window. It is
    at most what 80 % of failing requests burn, so that each tier can fire whatever the objective. Windows beyond 30
    days have the factors of 30 days. A tier whose long window is more than half of the window of the SLO is left out.
    """
    if slo.burn_alerts is not None:
        return tuple(BurnAlert(t.severity, t.factor, canonical(t.long), canonical(t.short)) for t in slo.burn_alerts)
    window = min(milliseconds(slo.length), milliseconds(_LONGEST))
    most = max(_REACHABLE * 100 / (100 - float(slo.objective)), 1.0)
    tiers = _LONG if window >= milliseconds(_LONG_FROM) else _SHORT
    return tuple(
        BurnAlert(
            t.severity, round(min(max(t.consumed * window / milliseconds(t.long), 1.0), most), 4), t.long, t.short
        )
        for t in tiers
        if 2 * milliseconds(t.long) <= window
    )


BURN_ALERTS: Final = burn_alerts(Slo(objective=99.5))
"""Those of 30 days, for the thresholds of panels that show many SLOs: 14.4, 6, 3 and 1."""

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
