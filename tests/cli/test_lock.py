"""Two who change a stack at once, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli import lock
from cli.bootstrap import ROOT, UserError

OTHER = "from cli import lock\nwith lock.taken():\n    print('mine', flush=True)\n    input()\n"


@pytest.fixture(autouse=True)
def backend(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path}")
    monkeypatch.setenv("STACK", "dev")


def test_the_second_reads_who_is_first_until_that_one_dies(monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OTHER], cwd=ROOT, env=dict(os.environ), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(UserError, match=f"stack 'dev' is being changed by process {other.pid} on this machine"):
            lock.taken().__enter__()
        with monkeypatch.context() as patched:
            patched.setenv("STACK", "staging")
            with lock.taken():  # another stack is nobody's business
                pass
        other.kill()
        other.wait()
        with lock.taken():
            pass


def test_a_turn_ends_with_its_block_also_by_an_error() -> None:
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), lock.taken():
            _ = 1 / 0
