"""The Docker host: processors, memory, disks and network, as recorded series that say what `top`, `free`, `df` print.

The one source for every number about the host, on dashboards and in alerts. The collector measures the file system of
its own volume, which is that of all volumes unless one is on another disk, and network interfaces with the
setting `hostNetwork` alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from observability.rules.slo import RecordingRule, RuleGroup, to_yaml
from observability.rules.windows import BASE_WINDOW

if TYPE_CHECKING:
    from observability.settings import Settings

DISK_FREE: Final = "host:filesystem_free_bytes:min"
"""Bytes that a process without privileges can still write; `df` calls them available."""
DISK_USED: Final = "host:filesystem_used:ratio"
"""Used bytes of used and free ones: `Use%` of `df`, which leaves out what is reserved for root."""
FORECAST_WINDOW: Final = "6h"
"""A forecast is made of this much data, and of no less."""

CPU: Final = "host:cpu:ratio_rate5m"
"""Share of all processors' time, by `state`: user, system, wait, steal, idle and so on."""
CPU_USED: Final = "host:cpu_used:ratio_rate5m"
"""The same of everything but idle and wait."""
CPUS: Final = "host:cpus:count"
LOAD: Final = "host:load15:max"
"""Processes that run or wait to, averaged over 15 minutes; above the number of processors some wait."""
MEMORY: Final = "host:memory_bytes:max"
MEMORY_AVAILABLE: Final = "host:memory_available_bytes:min"
"""Bytes that processes can still get, caches that the kernel gives back included: `available` of `free`."""
MEMORY_USED: Final = "host:memory_used:ratio"
DISK_IO: Final = "host:disk_io_bytes:rate5m"
"""Bytes per second, by `device` and `direction` (read, write)."""
DISK_BUSY: Final = "host:disk_busy:ratio_rate5m"
"""Share of the time in which the device had something to do, by `device`: `%util` of `iostat`."""
NETWORK_IO: Final = "host:network_io_bytes:rate5m"
"""Bytes per second, by `device` and `direction` (receive, transmit)."""
NETWORK_FAULTS: Final = "host:network_faults:rate5m"
"""Packets per second that were dropped or damaged, by `device`."""

_OWN: Final = 'job=""'
"""What the collector measures itself has no job."""
_CPU: Final = "system_cpu_time_seconds_total"
_UNUSED: Final = 'state=~"idle|wait"'
_DEVICES: Final = 'device!~"(loop|ram|zram|sr|fd)[0-9]+|[shv]d[a-z]+[0-9]+|(nvme[0-9]+n|mmcblk)[0-9]+p[0-9]+"'
"""Neither partitions, which are counted with their disk, nor what is no disk."""
_USAGE: Final = "system_filesystem_usage_bytes"
"""Of the collector's own, which has no job, as a sender's always has: any collector elsewhere may push such metrics."""


def render(settings: Settings) -> dict[str, str]:
    """Return the rule files: their name and their YAML."""
    free, used = (f'min by (device) ({_USAGE}{{job="", state="{state}"}})' for state in ("free", "used"))
    rules = (
        RecordingRule(DISK_FREE, free, {}),
        RecordingRule(DISK_USED, f"{used} / ({used} + {free})", {}),
        *(RecordingRule(record, expr, {}) for record, expr in _measured(settings).items()),
    )
    return {"host.yml": to_yaml(RuleGroup("host", settings.rule_interval, rules))}


def _measured(settings: Settings) -> dict[str, str]:
    """Return the expressions of everything but disk space, by the series that they are recorded as."""

    def rate(metric: str, *matchers: str) -> str:
        return f"rate({metric}{{{', '.join((_OWN, *matchers))}}}[{BASE_WINDOW}])"

    cpus = f'count({_CPU}{{{_OWN}, state="idle"}})'
    total, available = (
        f"{of}({metric}{{{_OWN}}})"
        for of, metric in (("max", "system_memory_limit_bytes"), ("min", "system_linux_memory_available_bytes"))
    )
    every = {
        # By all rates and not by the number of processors: in a stack's first minutes a rate is too low.
        CPU: f"sum by (state) ({rate(_CPU)}) / on () group_left () sum({rate(_CPU)})",
        CPU_USED: f"1 - sum({rate(_CPU, _UNUSED)}) / sum({rate(_CPU)})",
        CPUS: cpus,
        LOAD: f"max(system_cpu_load_average_15m{{{_OWN}}})",
        MEMORY: total,
        MEMORY_AVAILABLE: available,
        MEMORY_USED: f"1 - {available} / {total}",
        DISK_IO: f"sum by (device, direction) ({rate('system_disk_io_bytes_total', _DEVICES)})",
        DISK_BUSY: f"sum by (device) ({rate('system_disk_io_time_seconds_total', _DEVICES)})",
    }
    if settings.host_network:
        faults = ("system_network_dropped_total", "system_network_errors_total")
        every[NETWORK_IO] = f"sum by (device, direction) ({rate('system_network_io_bytes_total')})"
        every[NETWORK_FAULTS] = " + ".join(f"sum by (device) ({rate(metric)})" for metric in faults)
    return every


def disk_free_in(seconds: float) -> str:
    """Return the bytes that will be free in `seconds`, by `device`; nothing before FORECAST_WINDOW of data is there."""
    return f"predict_linear({DISK_FREE}[{FORECAST_WINDOW}], {seconds:g}) and {DISK_FREE} offset {FORECAST_WINDOW}"


def disk_full_in() -> str:
    """Return the seconds until each disk is full, by `device`; nothing while it is not filling or data is short."""
    filling = f"-deriv({DISK_FREE}[{FORECAST_WINDOW}]) > 0"
    return f"{DISK_FREE} / ({filling}) and {DISK_FREE} offset {FORECAST_WINDOW}"
