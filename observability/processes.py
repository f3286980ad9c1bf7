"""The process of every part of the stack, by the part's name in the table of parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from observability import rules, topology
from observability.configs import blackbox, collector, grafana, jaeger, loki, prometheus, reading_proxy, socket_proxy

if TYPE_CHECKING:
    from observability.configs.process import Process
    from observability.settings import Settings


def _prometheus(settings: Settings) -> Process:
    return prometheus.process(settings, rules.render(settings))


_PROCESSES: Final[Mapping[str, Callable[[Settings], Process]]] = {
    topology.GRAFANA.name: grafana.process,
    topology.PROMETHEUS.name: _prometheus,
    topology.LOKI.name: loki.process,
    topology.JAEGER.name: jaeger.process,
    topology.COLLECTOR.name: collector.process,
    topology.SOCKET_PROXY.name: socket_proxy.process,
    topology.READING_PROXY.name: reading_proxy.process,
    topology.BLACKBOX.name: blackbox.process,
}


def process(name: str, settings: Settings) -> Process:
    """Return the process of the part called `name`."""
    return _PROCESSES[name](settings)
