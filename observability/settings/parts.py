"""What a stack consists of: containers, ports, limits, and the limits of its input."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from observability.settings.value_types import Frozen

PROJECT = "observability"
SERVICES = ("grafana", "prometheus", "loki", "jaeger", "collector")
"""The stack's own services: the names of their containers, volumes and limits."""
ENGINE_FILTER = "engine-filter"
"""Stands between the collector and the Docker engine's socket; not there where `dockerSocket` is empty."""
CONTAINERS = (*SERVICES, ENGINE_FILTER)
"""Every container that a stack may run."""
DEMO = ("inference-gateway", "inference-model", "demo-load", "demo-pager")
"""The containers of the demo, which is watched and no part of the stack."""
DEMO_PAGER_URL = "http://demo-pager:8000/"
DEMO_PORTS = ("demo", "demoPager")


class Limits(Frozen):
    """What one container may use: `memory` in MiB, `cpus` in cores."""

    memory: Annotated[int, Field(ge=64, le=1_048_576)]
    cpus: Annotated[float, Field(gt=0, le=256)]


DEFAULT_LIMITS: dict[str, Limits] = {
    # An engine refuses more cores than it has, so the defaults fit the smallest host.
    "grafana": Limits(memory=768, cpus=1),
    "prometheus": Limits(memory=1024, cpus=1),
    "loki": Limits(memory=1024, cpus=1),
    "jaeger": Limits(memory=1024, cpus=1),
    "collector": Limits(memory=512, cpus=1),
    ENGINE_FILTER: Limits(memory=64, cpus=0.25),
    "inference-gateway": Limits(memory=256, cpus=1),
    "inference-model": Limits(memory=512, cpus=1),
    "demo-load": Limits(memory=256, cpus=0.5),
    "demo-pager": Limits(memory=128, cpus=0.25),
}
DEFAULT_PORTS: dict[str, int] = {
    "grafana": 3000,
    "prometheus": 9090,
    "loki": 3100,
    "jaeger": 16686,
    "otlpGrpc": 4317,
    "otlpHttp": 4318,
    "containerLogs": 4324,
    "collector": 13133,
    "demo": 8000,
    "demoPager": 8001,
}
