"""The health check that restarts what hangs, run by a real shell on a process that is not PID 1."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from observability.configs.process import UNREADY_CHECKS, restarting


@pytest.fixture
def service() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


def check(service: subprocess.Popen[bytes], folder: Path, *, ready: bool) -> int:
    command = restarting("true" if ready else "false", pid=service.pid)
    return subprocess.run(command, env=os.environ | {"STATE": str(folder)}, check=False).returncode


def test_a_service_that_stays_unready_is_ended(service: subprocess.Popen[bytes], tmp_path: Path) -> None:
    assert check(service, tmp_path, ready=True) == 0
    for _ in range(UNREADY_CHECKS - 1):
        assert check(service, tmp_path, ready=False) == 1
    assert service.poll() is None
    assert check(service, tmp_path, ready=False) == 1
    assert service.wait(timeout=5) != 0


def test_one_good_check_starts_the_count_again(service: subprocess.Popen[bytes], tmp_path: Path) -> None:
    for ready in (True, *[False] * (UNREADY_CHECKS - 1), True, *[False] * (UNREADY_CHECKS - 1)):
        assert check(service, tmp_path, ready=ready) == (0 if ready else 1)
    assert service.poll() is None


def test_a_service_that_was_never_ready_is_left_alone(service: subprocess.Popen[bytes], tmp_path: Path) -> None:
    for _ in range(2 * UNREADY_CHECKS):
        assert check(service, tmp_path, ready=False) == 1
    assert service.poll() is None
