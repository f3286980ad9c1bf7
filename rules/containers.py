"""What each container uses: CPU, memory and network, as recorded series that carry `container`.

The source today is what the processes say of themselves, one process to a container; a collector that asks the engine
may take its place without a dashboard or an alert noticing, because they read these names only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rules.slo import RecordingRule, RuleGroup, to_yaml
from rules.windows import BASE_WINDOW
from settings import SERVICES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from settings import Settings

CPU: Final = "container:cpu_cores:rate5m"
CPU_LIMIT: Final = "container:cpu_limit_cores:max"
MEMORY: Final = "container:memory_bytes:max"
MEMORY_LIMIT: Final = "container:memory_limit_bytes:max"
NETWORK_RECEIVED: Final = "container:network_received_bytes:rate5m"
"""Bytes per second; none for Jaeger, whose process does not count them."""
NETWORK_SENT: Final = "container:network_sent_bytes:rate5m"

_MEBIBYTE: Final = 1024 * 1024

# Go's Prometheus client writes the first set. Jaeger is an OpenTelemetry collector, which counts no network and writes
# `_total` and `_bytes` or not, depending on its version and its telemetry settings; never both.
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


def render(settings: Settings) -> dict[str, str]:
    """Return the rule files: their name and their YAML."""
    rules = tuple(rule for container in SERVICES for rule in _container(container, settings))
    return {"containers.yml": to_yaml(RuleGroup("containers", settings.rule_interval, rules))}


def _container(container: str, settings: Settings) -> Iterator[RecordingRule]:
    labels = {"container": container}
    for record, selector in (_COLLECTOR if container == "jaeger" else _PROCESS).items():
        series = selector % f'job="{container}"'
        expr = f"max({series})" if record == MEMORY else f"sum(rate({series}[{BASE_WINDOW}]))"
        yield RecordingRule(record, expr, labels)
    yield RecordingRule(CPU_LIMIT, f"vector({settings.limit(container).cpus:g})", labels)
    yield RecordingRule(MEMORY_LIMIT, f"vector({settings.limit(container).memory * _MEBIBYTE})", labels)
