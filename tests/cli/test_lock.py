"""Two processes that change a stack at the same time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli import lock
from cli.bootstrap import ROOT
from cli.context import Context
from cli.environment import Environment
from cli.errors import ExitCode, StackLockedError

OTHER = (
    "from cli import lock\nfrom cli.context import Context\n"
    "with lock.held(Context('dev')):\n    print('mine', flush=True)\n    input()\n"
)


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    return os.environ | {"PULUMI_BACKEND_URL": f"file://{tmp_path}"}


def test_the_second_reads_who_is_first_until_that_one_dies(variables: dict[str, str]) -> None:
    dev = Context("dev", Environment(variables))
    with subprocess.Popen(
        [sys.executable, "-c", OTHER], cwd=ROOT, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        message = f"stack 'dev' is being changed by process {other.pid} on this machine"
        with pytest.raises(StackLockedError, match=message) as refused:
            lock.held(dev).__enter__()
        assert refused.value.code == ExitCode.LOCKED
        with lock.held(Context("staging", Environment(variables))):  # another stack is free
            pass
        other.kill()
        other.wait()
        with lock.held(dev):
            pass


def test_a_lock_ends_with_its_block_also_by_an_error(variables: dict[str, str]) -> None:
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), lock.held(Context("dev", Environment(variables))):
            _ = 1 / 0
