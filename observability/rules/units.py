"""Durations in seconds, whatever unit a service's histogram has: recorded series and their readers know one unit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from observability.settings import seconds

if TYPE_CHECKING:
    from observability.settings import LatencySlo, MetricNames

_PER_SECOND: Final = {"seconds": 1, "milliseconds": 1000}
# A bound is text: its decimal point moves by three digits. What matches none of these, like +Inf, stays.
_BOUNDS: Final = (
    (r"(\\d)(?:\\.(\\d+))?", "0.00$1$2"),
    (r"(\\d\\d)(?:\\.(\\d+))?", "0.0$1$2"),
    (r"(\\d\\d\\d)(?:\\.(\\d+))?", "0.$1$2"),
    (r"(\\d+)(\\d\\d\\d)(?:\\.(\\d+))?", "$1.$2$3"),
    (r"(.+)e\\+06", "${1}e+03"),
    (r"(.+)e\\+07", "${1}e+04"),
)


def bound(slo: LatencySlo, metrics: MetricNames) -> str:
    """Return the SLO's threshold as the histogram has it in `le`, the way Prometheus 3 writes it: `0.3`, `300.0`."""
    return str(float(round(seconds(slo.threshold) * _PER_SECOND[metrics.unit], 9)))


def total(expr: str, metrics: MetricNames) -> str:
    """Return a sum of durations in seconds."""
    return expr if metrics.unit == "seconds" else f"{expr} / {_PER_SECOND[metrics.unit]}"


def by_bound(expr: str, metrics: MetricNames) -> str:
    """Return `sum by (le)` of the rates of buckets, with the bounds in seconds."""
    summed = f"sum by (le) ({expr})"
    if metrics.unit == "seconds":
        return summed
    renamed = f'label_replace({summed}, "bound", "$1", "le", "(.*)")'
    for pattern, replacement in _BOUNDS:
        renamed = f'label_replace({renamed}, "bound", "{replacement}", "le", "{pattern}")'
    return f'sum by (le) (label_replace({renamed}, "le", "$1", "bound", "(.*)"))'
