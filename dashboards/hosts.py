"""Hosts: CPU, memory, disks and network of the Docker host itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dashboards import queries, style
from dashboards.model import Query, Thresholds
from observability.names import uids
from observability.rules import host

if TYPE_CHECKING:
    from dashboards.builder import DashboardBuilder
    from observability.settings import Settings

DEVICES: Final = 6
"""Disks or interfaces in a graph; of more, the busiest are drawn."""
NO_HOST: Final = "No data: the collector measures the host and is not running. Check its log with `docker logs`."
NO_NETWORK: Final = "Not measured: interfaces of the host need `hostNetwork: true`. Read about it in the settings."


def build(settings: Settings) -> DashboardBuilder:
    """Return the dashboard."""
    db = style.dashboard(
        uids.HOSTS, settings, description="CPU, memory, disks and network of the machine that the containers run on."
    )
    style.add_worst_service_link(db, settings)
    _now(db, settings)
    _graphs(db)
    return db


def _now(db: DashboardBuilder, settings: Settings) -> None:
    disk, usage = style.disk_thresholds(settings), style.usage_thresholds(settings)
    for key, title, query, thresholds, shows, when_bad in (
        (
            "cpu-now",
            "CPU used",
            f"max({host.CPU_USED})",
            usage,
            "The share of all processors' time that was in use in the last 5 minutes, as `top` counts it.",
            "look below what kind of work it is, and on Infrastructure Health which container does it.",
        ),
        (
            "memory-now",
            "Memory used",
            f"max({host.MEMORY_USED})",
            usage,
            "The share of the host's memory that is in use, caches left out, as `free` counts it.",
            "find the container that grew on Infrastructure Health before the kernel kills one.",
        ),
        (
            "disk-now",
            "Disk used",
            f"max({host.DISK_USED})",
            disk,
            "How full the disk with the stack's volumes is, as `df` counts it; disks without volumes are not measured.",
            "find what grows on Stack Health and with `docker system df -v`, and make room.",
        ),
        (
            "load-now",
            "Load by processor",
            f"max({host.LOAD}) / max({host.CPUS})",
            Thresholds.high_is_bad(0.7, 1),
            "Processes that run or wait to, by processor, averaged over 15 minutes; above 1 some wait.",
            "compare with CPU used: a high load with idle processors waits for disks.",
        ),
    ):
        db.add_stat_panel(
            title=title,
            query=Query(query, legend=title, instant=True),
            **({"unit": "none", "decimals": 2} if key == "load-now" else style.SHARE),
            sparkline=False,
            color_mode="background_solid",
            thresholds=thresholds.filled(),
            no_value=NO_HOST,
            description=style.describe(shows, when_bad),
            width=6,
            height=4,
            key=key,
        )


def _graphs(db: DashboardBuilder) -> None:
    used = f"max({host.MEMORY}) - min({host.MEMORY_AVAILABLE})"
    for key, title, query, unit, options, missing, shows, when_bad in (
        (
            "cpu",
            "CPU by state",
            [Query(queries.select(host.CPU, 'state!="idle"'), legend="{{state}}")],
            style.SHARE["unit"],
            {"stacking": "normal", "soft_max": 1},
            NO_HOST,
            "What the processors' time goes to; 100 % is all of them, and what is missing is idle.",
            "look for wait (disks), steal (other virtual machines) or system (the kernel) in place of user.",
        ),
        (
            "load",
            "Load and processors",
            [
                Query(f"max({host.LOAD})", legend="load over 15 minutes", ref_id="load"),
                Query(f"max({host.CPUS})", legend="processors", ref_id="cpus"),
            ],
            "short",
            {"overrides": [style.dashed("cpus")]},
            NO_HOST,
            "Processes that run or wait to, averaged over 15 minutes, and how many can run at once.",
            "scale the host, or stop what nobody needs, when the load stays above the dashed line.",
        ),
        (
            "memory",
            "Memory",
            [
                Query(used, legend="used", ref_id="used"),
                Query(f"max({host.MEMORY})", legend="all", ref_id="all"),
            ],
            style.BYTES["unit"],
            {"overrides": [style.dashed("all")]},
            NO_HOST,
            "Memory in use, without caches that the kernel gives back, and how much there is.",
            "look for the container that grew on Infrastructure Health when it nears the dashed line.",
        ),
        (
            "disk-free",
            "Disk space left",
            [Query(f"min by (device) ({host.DISK_FREE})", legend="{{device}}")],
            style.BYTES["unit"],
            {},
            NO_HOST,
            f"What can still be written where the volumes are; its alert looks ahead after {host.FORECAST_WINDOW}.",
            "find what grows on Stack Health and make room before the line reaches 0.",
        ),
        (
            "disk-io",
            f"Disk throughput, {DEVICES} busiest",
            [Query(_busiest(host.DISK_IO, "device, direction"), legend="{{device}} {{direction}}")],
            "Bps",
            {},
            NO_HOST,
            "Data read from and written to each disk, averaged over 5 minutes; partitions count with their disk.",
            "look on Stack Health who ingests or queries more since the rise.",
        ),
        (
            "disk-busy",
            f"Disk busy, {DEVICES} busiest",
            [Query(_busiest(host.DISK_BUSY, "device"), legend="{{device}}")],
            style.SHARE["unit"],
            {"soft_max": 1},
            NO_HOST,
            "The share of time in which each disk had something to do, as `iostat` counts it.",
            "move what writes most to another disk, or limit it, when it stays near 100 %.",
        ),
        (
            "network",
            f"Network, {DEVICES} busiest",
            [Query(_busiest(host.NETWORK_IO, "device, direction"), legend="{{device}} {{direction}}")],
            "Bps",
            {},
            NO_NETWORK,
            "Data received and sent by each real interface of the host, averaged over 5 minutes.",
            "compare with Infrastructure Health, which has the containers' share, and look for who began at the rise.",
        ),
        (
            "network-faults",
            f"Packets lost, {DEVICES} worst",
            [Query(_busiest(host.NETWORK_FAULTS, "device"), legend="{{device}}")],
            "pps",
            {},
            NO_NETWORK,
            "Packets per second that an interface dropped or found damaged.",
            "check cable, switch and driver, or the limits of the virtual machine's network.",
        ),
    ):
        db.add_timeseries_panel(
            title=title,
            query=query,
            unit=unit,
            min_val=0,
            **options,
            no_value=missing,
            description=style.describe(shows, when_bad),
            width=style.HALF,
            height=style.GRAPH_HEIGHT,
            key=key,
        )


def _busiest(metric: str, by: str) -> str:
    """Return a series by device, of the devices that are highest at the end of the time range."""
    ranked = f"topk({DEVICES}, max by (device) (max_over_time({metric}[$__range] @ end())))"
    return f"max by ({by}) ({metric}) and on (device) {ranked}"
