"""What each container uses: CPU, memory and network, as recorded series that carry `container` and `service`.

The engine tells, through the collector, for every container on the host. Where it does not (no `dockerSocket`, or the
filter is down), the stack's own processes report, one process to a container. One rule a series: two that
record the same series meet, and the second one fails.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from observability import topology
from observability.rules.slo import RecordingRule, RuleGroup, to_yaml
from observability.rules.windows import BASE_WINDOW
from observability.settings import SERVICES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from observability.settings import Settings

CPU: Final = "container:cpu_cores:rate5m"
CPU_LIMIT: Final = "container:cpu_limit_cores:max"
MEMORY: Final = "container:memory_bytes:max"
MEMORY_LIMIT: Final = "container:memory_limit_bytes:max"
NETWORK_RECEIVED: Final = "container:network_received_bytes:rate5m"
"""Bytes per second."""
NETWORK_SENT: Final = "container:network_sent_bytes:rate5m"

_MEBIBYTE: Final = 1024 * 1024
_NANOSECONDS: Final = "1e9"

_OWN: Final = '{job=""}'
"""What the collector measures itself has no job. What a sender pushes always has: the name of its service."""
_OWN_RATE: Final = f"{_OWN}[{BASE_WINDOW}]"
_MEMORY_LIMIT: Final = f"max by (container, service) (container_memory_usage_limit_bytes{_OWN})"
_HOST_MEMORY: Final = '0.9 * sum(system_memory_usage_bytes{job="", state=~"used|free|buffered|cached"})'
"""The engine reports the host's memory as the limit of a container that has none: that is no limit."""

_ENGINE: Final = {
    CPU: f"sum by (container, service) (rate(container_cpu_usage_nanoseconds_total{_OWN_RATE})) / {_NANOSECONDS}",
    MEMORY: f"max by (container, service) (container_memory_usage_total_bytes{_OWN})",
    NETWORK_RECEIVED: f"sum by (container, service) (rate(container_network_io_usage_rx_bytes_total{_OWN_RATE}))",
    NETWORK_SENT: f"sum by (container, service) (rate(container_network_io_usage_tx_bytes_total{_OWN_RATE}))",
    CPU_LIMIT: f"max by (container, service) (container_cpu_limit{_OWN} > 0)",
    MEMORY_LIMIT: (
        f"({_MEMORY_LIMIT} < on () group_left () {_HOST_MEMORY}) or ({_MEMORY_LIMIT} unless on () {_HOST_MEMORY})"
    ),
}

# Go's Prometheus client writes the first set. Jaeger is an OpenTelemetry collector, as the collector is, which counts
# no network and writes `_total` and `_bytes` or not, depending on its version and its telemetry settings; never both.
_PROCESS: Final = {
    CPU: "process_cpu_seconds_total{%s}",
    MEMORY: "process_resident_memory_bytes{%s}",
    NETWORK_RECEIVED: "process_network_receive_bytes_total{%s}",
    NETWORK_SENT: "process_network_transmit_bytes_total{%s}",
}
_COLLECTOR: Final = {
    CPU: '{__name__=~"otelcol_process_cpu_seconds(_total)?", %s}',
    MEMORY: '{__name__=~"otelcol_process_memory_rss(_bytes)?", %s}',
}
COLLECTORS: Final = tuple(
    part.name for part in topology.SCRAPED if part.metrics is not None and part.metrics.dialect == "opentelemetry"
)
"""The parts whose own metrics have the names of an OpenTelemetry collector's."""


def render(settings: Settings) -> dict[str, str]:
    """Return the rule files: their name and their YAML."""
    rules = tuple(RecordingRule(record, " or ".join(_sources(record, settings)), {}) for record in _ENGINE)
    return {"containers.yml": to_yaml(RuleGroup("containers", settings.rule_interval, rules))}


def _sources(record: str, settings: Settings) -> Iterator[str]:
    if record in (CPU_LIMIT, MEMORY_LIMIT):
        for container in settings.containers:
            limit = settings.limit(container)
            value = f"{limit.cpus:g}" if record == CPU_LIMIT else str(limit.memory * _MEBIBYTE)
            yield _named(f"vector({value})", container)
    if settings.docker_socket:
        yield _ENGINE[record]
    for container in SERVICES:
        selector = (_COLLECTOR if container in COLLECTORS else _PROCESS).get(record)
        if selector is not None:
            series = selector % f'job="{container}"'
            yield _named(f"max({series})" if record == MEMORY else f"sum(rate({series}[{BASE_WINDOW}]))", container)


def _named(expr: str, container: str) -> str:
    named = f'label_replace({expr}, "container", "{container}", "", "")'
    return f'label_replace({named}, "service", "{container}", "", "")'
