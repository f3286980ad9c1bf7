"""Processes have the names that people use, and are seen while they run."""

from __future__ import annotations

import subprocess
import sys

import psutil
import pytest

from lab import processes


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (["python", "-u", "/x/pulumi-language-python-exec", "--engine"], "the program"),
        (["python", "-u", "-m", "pulumi.dynamic", "127.0.0.1:1"], "dynamic providers"),
        (["/p/resource-docker-v5.2.0/pulumi-resource-docker", "127.0.0.1:1"], "docker provider"),
        (["/bin/sh", "-c", "x"], "sh"),
        ([], "ended"),
    ],
)
def test_processes_have_the_names_that_people_use(command: list[str], name: str) -> None:
    assert processes.name_of(command) == name


def test_a_process_is_seen_while_it_runs() -> None:
    seen: set[int] = set()

    def note(_name: str, process: psutil.Process) -> None:
        seen.add(process.pid)

    with processes.watched(note, 0.01):
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1)"])
        child.wait()
    assert child.pid in seen
