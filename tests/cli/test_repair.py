"""Locks: one whose process is gone is removed, one whose process lives is respected."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from docker import DockerClient

from cli import repair, state_migration
from cli.context import Context
from cli.errors import StackLockedError, UserError
from tests.cli import fakes


@pytest.fixture
def stack(tmp_path: Path) -> Context:
    return fakes.context("dev", variables={"PULUMI_BACKEND_URL": f"file://{tmp_path}"})


@pytest.fixture
def locks(tmp_path: Path) -> Path:
    folder = tmp_path / ".pulumi" / "locks" / "organization" / "observability" / "dev"
    folder.mkdir(parents=True)
    return folder


def lock(folder: Path, pid: int, host: str | None = None) -> Path:
    path = folder / "one.json"
    path.write_text(json.dumps({"pid": pid, "username": "me", "hostname": host or socket.gethostname()}))
    return path


def gone() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_lock_whose_process_is_gone_is_removed(stack: Context, locks: Path) -> None:
    pid = gone()
    path = lock(locks, pid)
    assert repair.remove_locks(stack) == [f"removed the lock of process {pid}, which is gone"]
    assert not path.exists()


def test_a_lock_whose_process_lives_is_respected(stack: Context, locks: Path, tmp_path: Path) -> None:
    program = tmp_path / "pulumi"
    program.write_text("import time\nprint(flush=True)\ntime.sleep(60)\n")
    process = subprocess.Popen([sys.executable, str(program)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()  # it runs
    try:
        path = lock(locks, process.pid)
        with pytest.raises(StackLockedError, match=f"process {process.pid} on this machine"):
            repair.remove_locks(stack)
        assert path.exists()
    finally:
        process.kill()
        process.stdout.close()
        process.wait()


def test_a_number_that_another_program_got_later_does_not_count(stack: Context, locks: Path) -> None:
    path = lock(locks, os.getpid())  # alive, but no Pulumi
    assert len(repair.remove_locks(stack)) == 1
    assert not path.exists()


def test_a_lock_of_another_machine_is_respected(stack: Context, locks: Path) -> None:
    path = lock(locks, gone(), host="elsewhere")
    with pytest.raises(StackLockedError, match="by me on elsewhere"):
        repair.remove_locks(stack)
    assert path.exists()


def test_another_stacks_lock_is_none_of_ours(stack: Context, locks: Path) -> None:
    other = locks.parent / "staging"
    other.mkdir()
    path = lock(other, gone())
    assert repair.remove_locks(stack) == []
    assert path.exists()


def test_a_half_written_state_is_taken_from_its_copy(stack: Context, locks: Path, tmp_path: Path) -> None:
    folder = tmp_path / ".pulumi" / "stacks" / "observability"
    folder.mkdir(parents=True)
    (folder / "dev.json").write_text('{"version": 3, "checkpo')
    (folder / "dev.json.bak").write_text('{"version": 3}')
    (folder / "dev.json.attrs").write_text("")
    (folder / "dev.json.bak.attrs").write_text("{}")
    assert repair.unlock(stack) == [
        "restored the state from its copy, because it was half-written",
        "removed the half-written dev.json.attrs",
    ]
    assert (folder / "dev.json").read_text() == '{"version": 3}'
    assert (folder / "dev.json.bak.attrs").exists()
    assert not (folder / "dev.json.attrs").exists()
    assert repair.unlock(stack) == []
    (folder / "dev.json").write_text("")
    (folder / "dev.json.bak").write_text("")
    with pytest.raises(UserError, match="damaged and so is its copy"):
        repair.unlock(stack)
    assert locks.exists()


def test_with_a_volume_goes_what_was_in_it() -> None:
    class Volumes:
        name = "kept-data"

        def list(self) -> list[Volumes]:
            return [self]

    volume = {"type": "docker:index/volume:Volume"}
    resources = [
        volume | {"urn": "kept", "id": "kept-data"},
        volume | {"urn": "gone", "id": "gone-data"},
        {"type": "grafana:oss/folder:Folder", "urn": "in-kept", "id": "1", "deletedWith": "kept"},
        {"type": "grafana:oss/folder:Folder", "urn": "in-gone", "id": "2", "deletedWith": "gone"},
        {"type": "pulumi:providers:grafana", "urn": "provider", "id": "3"},
    ]
    client = cast("DockerClient", SimpleNamespace(volumes=Volumes()))
    assert [r["urn"] for r in repair.lost_volumes(client, resources)] == ["gone", "in-gone"]


def test_references_to_what_left_the_state_leave_with_it() -> None:
    resource = {"dependencies": ["a", "b"], "propertyDependencies": {"x": ["a"], "y": None}}
    assert state_migration.without_references(resource, {"a"}) == {
        "dependencies": ["b"],
        "propertyDependencies": {"x": [], "y": []},
    }
