"""What the containers use, by promtool: from each process's own numbers to one series a container."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from observability.rules import containers
from observability.rules.slo import RecordingRule, RuleGroup
from observability.settings import SERVICES
from tests.observability.rules.conftest import near

if TYPE_CHECKING:
    from observability.settings import Settings
    from tests.observability.rules.conftest import Promtool

MEBIBYTE = 1024 * 1024
PROCESS = {
    "process_cpu_seconds_total": "0+30x60",
    "process_resident_memory_bytes": "100x20 300x20 200x20",
    "process_network_receive_bytes_total": "0+6000x60",
    "process_network_transmit_bytes_total": "0+600x60",
}
JAEGER = ("cpu_seconds", "cpu_seconds_total"), ("memory_rss", "memory_rss_bytes")


@pytest.fixture
def group(settings: Settings) -> RuleGroup:
    (written,) = yaml.safe_load(containers.render(settings)["containers.yml"])["groups"]
    return RuleGroup(written["name"], written["interval"], tuple(RecordingRule(**rule) for rule in written["rules"]))


def of(record: str, container: str) -> str:
    return f'{record}{{container="{container}"}}'


@pytest.mark.parametrize("container", [name for name in SERVICES if name not in containers.COLLECTORS])
def test_a_process_tells_what_its_container_uses(promtool: Promtool, group: RuleGroup, container: str) -> None:
    mine = {f'{name}{{job="{container}",instance="a"}}': values for name, values in PROCESS.items()}
    strange = {f'{name}{{job="checkout",instance="b"}}': "0+1000000x60" for name in PROCESS}
    others = f'{{__name__=~"container:.*", __name__!~"container:.*_limit.*", container!="{container}"}}'
    promtool.evaluate(
        group,
        mine | strange,
        [
            ("1h", *near(of(containers.CPU, container), 0.5)),
            ("30m", of(containers.MEMORY, container), 300),
            ("1h", of(containers.MEMORY, container), 200),
            ("1h", *near(of(containers.NETWORK_RECEIVED, container), 100)),
            ("1h", *near(of(containers.NETWORK_SENT, container), 10)),
            ("1h", others, None),
        ],
    )


@pytest.mark.parametrize("container", containers.COLLECTORS)
@pytest.mark.parametrize("cpu", JAEGER[0])
@pytest.mark.parametrize("memory", JAEGER[1])
def test_a_collector_is_known_in_either_spelling(
    promtool: Promtool, group: RuleGroup, container: str, cpu: str, memory: str
) -> None:
    series = {
        f'otelcol_process_{cpu}{{job="{container}"}}': "0+15x60",
        f'otelcol_process_{memory}{{job="{container}"}}': "700x60",
        f'otelcol_process_{cpu}{{job="strange"}}': "0+1500x60",
        f'otelcol_process_runtime_total_sys_memory_bytes{{job="{container}"}}': "90000x60",
    }
    promtool.evaluate(
        group,
        series,
        [
            ("1h", *near(of(containers.CPU, container), 0.25)),
            ("1h", of(containers.MEMORY, container), 700),
            ("1h", of(containers.NETWORK_RECEIVED, container), None),
            ("1h", of(containers.NETWORK_SENT, container), None),
        ],
    )


MINE = 'container="loki",service="loki",stack="dev"'
ENGINE = {
    f"container_cpu_usage_nanoseconds_total{{{MINE}}}": "0+30000000000x60",
    f"container_memory_usage_total_bytes{{{MINE}}}": "500x60",
    f'container_network_io_usage_rx_bytes_total{{{MINE},interface="eth0"}}': "0+6000x60",
    f'container_network_io_usage_rx_bytes_total{{{MINE},interface="eth1"}}': "0+6000x60",
    f'container_network_io_usage_tx_bytes_total{{{MINE},interface="eth0"}}': "0+600x60",
    'container_memory_usage_limit_bytes{container="shop-1",service="shop"}': "900x60",
    'container_memory_usage_total_bytes{container="shop-1",service="shop"}': "90x60",
    'container_cpu_limit{container="shop-1",service="shop"}': "0x60",
}


def test_what_the_engine_says_counts_before_what_the_process_says(promtool: Promtool, group: RuleGroup) -> None:
    process = {f'{name}{{job="loki"}}': "0+60x60" for name in PROCESS}
    promtool.evaluate(
        group,
        ENGINE | process,
        [
            ("1h", *near(of(containers.CPU, "loki"), 0.5)),
            ("1h", of(containers.MEMORY, "loki"), 500),
            ("1h", *near(of(containers.NETWORK_RECEIVED, "loki"), 200)),
            ("1h", *near(of(containers.NETWORK_SENT, "loki"), 10)),
            ("1h", of(containers.MEMORY, "shop-1"), 90),
            ("1h", of(containers.MEMORY_LIMIT, "shop-1"), 900),
            ("1h", of(containers.CPU_LIMIT, "shop-1"), None),
        ],
    )


def test_the_hosts_memory_is_no_limit(promtool: Promtool, group: RuleGroup) -> None:
    """What the engine reports for a container without one: drawn, every other line lies at zero."""
    host = 24 * 1024 * MEBIBYTE
    unlimited = 'container_memory_usage_limit_bytes{container="shop-2",service="shop"}'
    memory = {
        f'system_memory_usage_bytes{{state="{state}"}}': f"{host // 4}x60"
        for state in ("used", "free", "buffered", "cached")
    }
    promtool.evaluate(
        group,
        ENGINE | memory | {unlimited: f"{host}x60"},
        [
            ("1h", of(containers.MEMORY_LIMIT, "shop-1"), 900),
            ("1h", of(containers.MEMORY_LIMIT, "shop-2"), None),
        ],
    )


def test_without_the_socket_the_engine_is_not_asked(settings: Settings) -> None:
    text = containers.render(settings.model_validate({"stack": "t", "dockerSocket": ""}))["containers.yml"]
    assert "container_cpu" not in text
    assert "engine-filter" not in text


def test_a_restart_takes_no_cpu_and_no_bytes_away(promtool: Promtool, group: RuleGroup) -> None:
    """The counter starts again at 0: one of five minutes is lost, and nothing is below 0."""
    series = {f'{name}{{job="loki"}}': "0+60x29 0+60x30" for name in PROCESS if name.endswith("_total")}
    records = (containers.CPU, containers.NETWORK_RECEIVED, containers.NETWORK_SENT)
    some = [("32m", f"{of(record, 'loki')} > bool 0.7", 1) for record in records]
    promtool.evaluate(group, series, [*some, *(("59m", *near(of(record, "loki"), 1)) for record in records)])


def test_every_container_has_its_limit(promtool: Promtool, group: RuleGroup, settings: Settings) -> None:
    limits = [("1m", of(containers.MEMORY_LIMIT, name), settings.limit(name).memory * MEBIBYTE) for name in SERVICES]
    promtool.evaluate(group, {}, limits)


def test_a_configured_limit_is_the_one_that_is_shown(promtool: Promtool, settings: Settings) -> None:
    text = containers.render(settings.model_validate({"stack": "t", "limits": {"loki": {"memory": 4096, "cpus": 2}}}))
    assert f"vector({4096 * MEBIBYTE})" in text["containers.yml"]
    assert promtool.lint(text).returncode == 0
