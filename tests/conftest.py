"""What every test may use: the settings of each environment, and the program run over Pulumi's mocks."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Generator
from functools import cache
from typing import Final

import hypothesis
import pytest

from cli import stack_config
from cli.evaluation import Registered, evaluate
from observability.settings import Settings

STACKS = ("dev", "staging", "prod")

# A busy machine makes an example slow, not wrong.
hypothesis.settings.register_profile("no-deadline", deadline=None)
hypothesis.settings.load_profile("no-deadline")


_WITH: Final = {"nightly": "NIGHTLY", "slow": "E2E_SLOW"}
"""The environment variable without which the tests of a marker skip: only the nightly workflow sets both."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests that take long, unless their environment variable is set."""
    for marker, variable in _WITH.items():
        if not os.environ.get(variable):
            skip = pytest.mark.skip(reason=f"takes long, every night: run with {variable}=1")
            for item in items:
                if item.get_closest_marker(marker) is not None:
                    item.add_marker(skip)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With REQUIRE_ALL=1 a test that skips fails: what CI is to run, it runs."""
    report = yield
    if report.skipped and os.environ.get("REQUIRE_ALL") == "1" and not hasattr(report, "wasxfail"):
        later = any(item.get_closest_marker(marker) and not os.environ.get(with_) for marker, with_ in _WITH.items())
        if item.get_closest_marker("optional") is None and not later:
            report.outcome = "failed"
            report.longrepr = f"REQUIRE_ALL=1: {item.nodeid} was skipped: {_skip_reason(report)}"
    return report


def _skip_reason(report: pytest.TestReport) -> str:
    return str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else str(report.longrepr)


@cache
def _program(stack: str) -> tuple[Registered, ...]:
    return evaluate(stack, *stack_config.filled(stack))


@pytest.fixture(params=STACKS)
def stack(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def program(stack: str) -> tuple[Registered, ...]:
    """Everything the program registers for the stack."""
    return _program(stack)


@pytest.fixture
def program_of() -> Callable[[str], tuple[Registered, ...]]:
    return _program


@pytest.fixture
def settings(stack: str) -> Settings:
    return stack_config.settings(stack, stand_in=True)


@pytest.fixture
def settings_of() -> Callable[[str], Settings]:
    return lambda stack: stack_config.settings(stack, stand_in=True)


@pytest.fixture
def promtool() -> str:
    """Return the path of promtool 3; older ones refuse the rules, or see other ranges, so these tests skip."""
    result = shutil.which("promtool")
    if result is None:
        pytest.skip("promtool is not on PATH (`make tools` brings the pinned one)")
    if major(result) < PROMETHEUS:
        pytest.skip("promtool is older than Prometheus 3 (`make tools` brings the pinned one)")
    return result


PROMETHEUS = 3


@cache
def major(binary: str) -> int:
    """Return the major version of promtool or Prometheus."""
    done = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True)
    version = re.search(r"version (\d+)", done.stdout + done.stderr)
    assert version is not None, done
    return int(version[1])
