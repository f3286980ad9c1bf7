"""Pulumi loads the modules of dynamic providers into a process of their own, in every `up`: they must stay light."""

from __future__ import annotations

import subprocess
import sys

import pytest

from cli.bootstrap import ROOT
from cli.state_check import PROVIDERS

_HEAVY = ("pydantic", "docker", "dashboards", "observability.settings", "observability.rules", "grafana_foundation_sdk")


@pytest.mark.parametrize("module", sorted({provider.__module__ for provider in PROVIDERS.values()}))
def test_a_dynamic_provider_loads_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert [name for name in _HEAVY if name in done.stdout.split()] == []
