"""The health check that restarts what hangs, run by a real shell on a process that is not PID 1."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from observability import processes, topology
from observability.configs.process import PROBE_SECONDS, TERMINATION_CHECKS, UNREADY_CHECKS, restarting
from observability.names.paths import TOOLS
from observability.settings import Settings

DEAF = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.signal(signal.SIGQUIT, signal.SIG_DFL);"
    " print(flush=True); time.sleep(60)"
)
"""Deaf to SIGTERM alone: what a shell starts in the background inherits that SIGQUIT is ignored."""


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


def test_a_stopped_service_is_ended(service: subprocess.Popen[bytes], tmp_path: Path) -> None:
    check(service, tmp_path, ready=True)
    service.send_signal(signal.SIGSTOP)
    for _ in range(UNREADY_CHECKS):
        check(service, tmp_path, ready=False)
    assert service.wait(timeout=5) == -signal.SIGTERM


def test_a_service_that_does_not_end_when_asked_is_made_to(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", DEAF], stdout=subprocess.PIPE) as deaf:
        assert deaf.stdout is not None
        deaf.stdout.readline()
        check(deaf, tmp_path, ready=True)
        for _ in range(UNREADY_CHECKS + TERMINATION_CHECKS - 1):
            check(deaf, tmp_path, ready=False)
        assert deaf.poll() is None
        check(deaf, tmp_path, ready=False)
        assert deaf.wait(timeout=5) == -signal.SIGQUIT


_ADOPTS_ORPHANS = """
import ctypes, subprocess, sys
PR_SET_CHILD_SUBREAPER = 36
assert ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
code = subprocess.run(sys.argv[1:]).returncode
left = open("/proc/self/task/%d/children" % __import__("os").getpid()).read().split()
print(code, len(left))
"""


@pytest.mark.parametrize(("probe", "code"), [(("true",), 0), (("false",), 1), (("sleep", "30"), 1)])
@pytest.mark.parametrize("shell", [("sh",), ("busybox", "sh")], ids=" ".join)
def test_a_check_leaves_no_process_behind(
    shell: tuple[str, ...], probe: tuple[str, ...], code: int, tmp_path: Path
) -> None:
    """A container's first process collects no strangers: each that is left counts against the limit of processes."""
    if shutil.which(shell[0]) is None:
        pytest.skip(f"no {shell[0]} on PATH")
    _, *arguments = restarting(*probe, pid=os.getpid())
    command = [sys.executable, "-c", _ADOPTS_ORPHANS, *shell, *arguments]
    environment = os.environ | {"STATE": str(tmp_path)}
    began = time.monotonic()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(code), "0"]
    assert time.monotonic() - began < 3 * PROBE_SECONDS, "a probe that hangs is ended"


@pytest.mark.parametrize("part", [*topology.PARTS, *topology.OPTIONAL], ids=lambda part: part.name)
def test_every_part_is_restarted_when_it_hangs(part: topology.Part, settings: Settings) -> None:
    process = processes.process(part.name, settings)
    assert f'[ "$failed" -lt {UNREADY_CHECKS} ] || kill' in " ".join(process.health)
    assert process.borrows_tools == (process.health[0] == f"{TOOLS}/busybox")
