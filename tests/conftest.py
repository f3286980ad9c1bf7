"""What every test may use: the settings of each environment, and the program run over Pulumi's mocks."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache

import pytest

from cli import mocked, stack_config
from cli.bootstrap import ROOT
from observability.settings import Settings

STACKS = ("dev", "staging", "prod")


@cache
def _program(stack: str) -> tuple[mocked.Registered, ...]:
    values, secret = stack_config.filled(stack)
    # A process of its own: Pulumi's runtime keeps global state, and leaves event loops behind.
    given = json.dumps({"stack": stack, "raw": values, "secret": sorted(secret)})
    done = subprocess.run(
        [sys.executable, "-m", "cli.mocked"], input=given, capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    return tuple(mocked.Registered(**r) for r in json.loads(done.stdout))


@pytest.fixture(params=STACKS)
def stack(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def program(stack: str) -> tuple[mocked.Registered, ...]:
    """Everything the program registers for the stack."""
    return _program(stack)


@pytest.fixture
def program_of() -> Callable[[str], tuple[mocked.Registered, ...]]:
    return _program


@pytest.fixture
def settings(stack: str) -> Settings:
    return stack_config.settings(stack, stand_in=True)


@pytest.fixture
def settings_of() -> Callable[[str], Settings]:
    return lambda stack: stack_config.settings(stack, stand_in=True)


@pytest.fixture
def promtool(request: pytest.FixtureRequest) -> str:
    """The path of promtool; `.ci/run` installs Debian's package where there is none."""
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not on PATH (Debian: apt-get install prometheus)")
    if request.node.get_closest_marker("prometheus3") and _major(found) < PROMETHEUS:
        pytest.skip("promtool is older than Prometheus 3, whose ranges leave their first moment out: another number")
    return found


PROMETHEUS = 3


@cache
def _major(promtool: str) -> int:
    said = subprocess.run([promtool, "--version"], capture_output=True, text=True, check=True)
    version = re.search(r"version (\d+)", said.stdout + said.stderr)
    assert version is not None, said
    return int(version[1])
