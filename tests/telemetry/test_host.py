"""The Docker host's numbers by the real collector, against what the kernel says: processors, load, memory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from observability.rules import host
from tests.telemetry.conftest import Stores, wait_for

GIBIBYTE = 1024**3


def expression(record: str, stores: Stores) -> str:
    """Return the PromQL of a recorded series."""
    (group,) = yaml.safe_load(host.render(stores.settings)["host.yml"])["groups"]
    return next(str(rule["expr"]) for rule in group["rules"] if rule["record"] == record)


def measured(record: str, stores: Stores) -> float:
    return float(wait_for(lambda: stores.number(expression(record, stores)), 60))


def test_memory_is_the_kernels(stores: Stores) -> None:
    total = measured(host.MEMORY, stores)
    available = measured(host.MEMORY_AVAILABLE, stores)
    rows = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    now = {name: int(value.split()[0]) * 1024 for name, value in rows.items()}
    assert total == now["MemTotal"]
    assert available == pytest.approx(now["MemAvailable"], abs=4 * GIBIBYTE), "it changes from second to second"
    assert measured(host.MEMORY_USED, stores) == pytest.approx(1 - available / total, abs=0.2)


def test_processors_and_load_are_the_kernels(stores: Stores) -> None:
    assert measured(host.CPUS, stores) == os.cpu_count()
    assert measured(host.LOAD, stores) == pytest.approx(os.getloadavg()[2], rel=0.5, abs=1)
    used = wait_for(lambda: stores.number(expression(host.CPU_USED, stores)), 90)
    assert 0 < used <= 1.01
    shares = stores.query(expression(host.CPU, stores))
    assert sum(shares.values()) == pytest.approx(1, abs=0.05)
