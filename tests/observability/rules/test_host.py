"""Disk space as `df` counts it, by promtool: one source, and no forecast before six hours of data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from observability.alerts import stack
from observability.configs import collector
from observability.rules import host
from observability.rules.slo import RecordingRule, RuleGroup
from tests.observability.rules.conftest import near

if TYPE_CHECKING:
    from observability.settings import Settings
    from tests.observability.rules.conftest import Promtool

GIGABYTE = 10**9
DISK = 'device="/dev/vda1",mountpoint="/var/lib/otelcol",type="ext4"'
MINUTES = 8 * 60
SHRINKING = f"{30 * GIGABYTE}-{GIGABYTE // 60}x{MINUTES}"
"""A gigabyte an hour."""


@pytest.fixture
def group(settings: Settings) -> RuleGroup:
    (written,) = yaml.safe_load(host.render(settings)["host.yml"])["groups"]
    return RuleGroup(written["name"], written["interval"], tuple(RecordingRule(**rule) for rule in written["rules"]))


def usage(used: str, free: str, reserved: str) -> dict[str, str]:
    values = {"used": used, "free": free, "reserved": reserved}
    return {f'system_filesystem_usage_bytes{{{DISK},state="{state}"}}': value for state, value in values.items()}


def test_the_share_is_that_of_df(promtool: Promtool, group: RuleGroup) -> None:
    """71 % of what can be written, though less of the whole disk: `df` leaves out what is reserved for root."""
    promtool.evaluate(
        group,
        usage(f"{71 * GIGABYTE}x60", f"{29 * GIGABYTE}x60", f"{5 * GIGABYTE}x60"),
        [("1h", *near(host.DISK_USED, 0.71)), ("1h", host.DISK_FREE, 29 * GIGABYTE)],
    )


def test_several_volumes_on_one_disk_are_one_disk(promtool: Promtool, group: RuleGroup) -> None:
    other = {
        series.replace("/var/lib/otelcol", "/other"): values for series, values in usage("7x60", "3x60", "0x60").items()
    }
    promtool.evaluate(group, usage("7x60", "3x60", "0x60") | other, [("1h", f"count({host.DISK_FREE})", 1)])


def test_another_collectors_disk_is_not_counted(promtool: Promtool, group: RuleGroup) -> None:
    """Whatever a sender pushes has the job that is its name; the stack's own measurements have none."""
    pushed = {series.replace("{", '{job="shop",'): values for series, values in usage("99x60", "0x60", "0x60").items()}
    promtool.evaluate(
        group,
        usage("7x60", "3x60", "0x60") | pushed,
        [("1h", host.DISK_FREE, 3), ("1h", *near(host.DISK_USED, 0.7))],
    )


def test_no_forecast_before_six_hours_of_data(promtool: Promtool, group: RuleGroup) -> None:
    series = usage(f"{10 * GIGABYTE}x{MINUTES}", SHRINKING, f"0x{MINUTES}")
    in_three_days = host.disk_free_in(3 * 86_400)
    promtool.evaluate(
        group,
        series,
        [
            ("5h50m", f"count({host.disk_full_in()})", None),
            ("5h50m", f"count({in_three_days})", None),
            ("7h", *near(f"({host.disk_full_in()}) / 3600", 23)),
            ("7h", f"count(({in_three_days}) < 0)", 1),
        ],
    )


def test_a_disk_that_does_not_fill_is_never_full(promtool: Promtool, group: RuleGroup) -> None:
    even = usage(f"{GIGABYTE}x{MINUTES}", f"{GIGABYTE}x{MINUTES}", f"0x{MINUTES}")
    promtool.evaluate(group, even, [("7h", f"count({host.disk_full_in()})", None)])


def test_alerts_read_the_same_series_as_the_dashboards(settings: Settings) -> None:
    requests = {
        alert.kind: " ".join(alert.queries.values())
        for alert in stack.group(settings).alerts
        if alert.kind in {"disk-nearly-full", "disk-filling"}
    }
    assert all(host.DISK_FREE in text for text in requests.values())
    assert "badger" not in str(requests)
    assert host.disk_free_in(3 * 86_400) in requests["disk-filling"]


def test_memory_is_what_free_prints(promtool: Promtool, group: RuleGroup) -> None:
    """Used is what no process could get any more: caches that the kernel gives back are not."""
    promtool.evaluate(
        group,
        {
            "system_memory_limit_bytes": "1000x60",
            "system_linux_memory_available_bytes": "250x60",
            'system_linux_memory_available_bytes{job="other-collector"}': "1x60",
        },
        [("1h", host.MEMORY, 1000), ("1h", host.MEMORY_AVAILABLE, 250), ("1h", *near(host.MEMORY_USED, 0.75))],
    )


def test_processors_are_in_use_unless_they_idle_or_wait(promtool: Promtool, group: RuleGroup) -> None:
    every = {
        f'system_cpu_time_seconds_total{{cpu="cpu{cpu}",state="{state}"}}': f"0+{seconds}x60"
        for cpu in (0, 1)
        for state, seconds in (("idle", 15), ("wait", 15), ("user", 24), ("system", 6))
    }
    promtool.evaluate(
        group,
        every | {"system_cpu_load_average_15m": "3x60"},
        [
            ("1h", *near(host.CPU_USED, 0.5)),
            ("1h", *near(f'{host.CPU}{{state="user"}}', 0.4)),
            ("1h", host.CPUS, 2),
            ("1h", host.LOAD, 3),
        ],
    )


def test_partitions_count_with_their_disk(promtool: Promtool, group: RuleGroup) -> None:
    devices = ("sda", "sda1", "nvme0n1", "nvme0n1p2", "mmcblk0", "mmcblk0p1", "loop3", "xvda1")
    written = {f'system_disk_io_bytes_total{{device="{d}",direction="write"}}': "0+60x60" for d in devices}
    promtool.evaluate(
        group,
        written,
        [("1h", f"count({host.DISK_IO})", 4), ("1h", *near(f'{host.DISK_IO}{{device="xvda1"}}', 1))],
    )


def test_the_network_is_measured_on_request(settings: Settings) -> None:
    asked = settings.model_copy(update={"host_network": True})
    assert host.NETWORK_IO not in host.render(settings)["host.yml"]
    assert host.NETWORK_IO in host.render(asked)["host.yml"]
    assert not collector.process(settings).host_paths
    paths = collector.process(asked).host_paths
    assert set(paths) == {"/proc/1/net", "/proc/stat"}
    receivers = yaml.safe_load(collector.render(asked))["receivers"]
    assert receivers["host_metrics/network"]["root_path"] == "/etc"
    assert all(inside == f"/etc/proc/{Path(path).name}" for path, inside in paths.items())
