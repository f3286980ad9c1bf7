"""The defaults that the table of parts (`observability/topology.py`) gives the settings."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from observability import topology
from observability.settings.value_types import Frozen, number, whole

SERVICES = tuple(part.name for part in topology.SCRAPED)
"""The parts with metrics about themselves."""
CONTAINERS = tuple(part.name for part in topology.PARTS)
"""Every container that a stack runs by default, without the demo's."""
ENGINE_FILTER = topology.SOCKET_PROXY.name
DEMO = tuple(part.name for part in topology.DEMO)
"""The containers of the demo: applications that the stack observes, not parts of it."""
DEMO_PAGER_URL = f"http://{topology.DEMO_PAGER.address('http')}/"


class Limits(Frozen):
    """Limits of one container: `memory` in MiB, `cpus` in cores."""

    memory: Annotated[int, whole(64, 1_048_576)] = Field(description="MiB of memory")
    cpus: Annotated[float, number(0.05, 256)] = Field(description="Processor cores")


DEFAULT_LIMITS: dict[str, Limits] = {part.name: Limits(memory=part.memory_mib, cpus=part.cpus) for part in topology.ALL}
PORTS: dict[str, topology.Port] = {port.key: port for part in topology.ALL for port in part.ports.values() if port.key}
"""Every port that can be published, by its key in the settings `ports` and `addresses`."""
DEFAULT_PORTS: dict[str, int] = {key: port.published for key, port in PORTS.items()}
DEMO_PORTS = tuple(port.key for part in topology.DEMO for port in part.ports.values() if port.key)
PUBLISHABLE = ("grafana", "otlpGrpc", "otlpHttp")
"""The ports that may be published outside loopback, because they can authenticate their callers."""
