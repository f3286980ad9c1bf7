"""Checkers are installed from the pinned release alone."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from cli import checkers
from observability import versions

PROGRAM = b"#!/bin/sh\necho it runs\n"
CHECKER = versions.Checker("https://example.org/v1", "a.tar.gz", "tool-linux-amd64", "sums.txt", "")


def archive(name: str = "some/folder/tool-linux-amd64") -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        member = tarfile.TarInfo(name)
        member.size = len(PROGRAM)
        tar.addfile(member, io.BytesIO(PROGRAM))
    return packed.getvalue()


def serving(data: bytes, *, published: bytes | None = None) -> dict[str, bytes]:
    digest = hashlib.sha256(data if published is None else published).hexdigest()
    return {CHECKER.release + "/a.tar.gz": data, CHECKER.release + "/sums.txt": f"{digest}  a.tar.gz\n".encode()}


@pytest.fixture(autouse=True)
def _linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")


def test_the_program_is_installed_under_its_own_name(tmp_path: Path) -> None:
    target = checkers.install("tool", CHECKER, tmp_path / "bin", serving(archive()).__getitem__)
    assert target == tmp_path / "bin" / "tool"
    assert target.read_bytes() == PROGRAM
    assert os.access(target, os.X_OK)


@pytest.mark.parametrize(
    ("checker", "answers"),
    [
        (CHECKER, serving(archive(), published=b"other")),
        (replace(CHECKER, sha256="0" * 64), serving(archive())),
        (CHECKER, serving(archive("tool"))),
    ],
)
def test_another_archive_is_refused(tmp_path: Path, checker: versions.Checker, answers: dict[str, bytes]) -> None:
    with pytest.raises(checkers.NotInstalledError, match="not installed"):
        checkers.install("tool", checker, tmp_path, answers.__getitem__)
    assert list(tmp_path.iterdir()) == []


def test_no_network_is_said(tmp_path: Path) -> None:
    def unreachable(url: str) -> bytes:
        raise OSError(url)

    with pytest.raises(checkers.NotInstalledError, match=r"could not be downloaded .*its tests will skip"):
        checkers.install("tool", CHECKER, tmp_path, unreachable)


def test_another_platform_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    with pytest.raises(checkers.NotInstalledError, match="x86-64"):
        checkers.install("tool", CHECKER, tmp_path, serving(archive()).__getitem__)


def test_another_schema_is_refused(tmp_path: Path) -> None:
    with pytest.raises(checkers.NotInstalledError, match="checksum"):
        checkers.fetch_schema(tmp_path, lambda _: b"{}")
    assert list(tmp_path.iterdir()) == []


def test_every_pinned_release_is_on_https() -> None:
    for checker in versions.checkers().values():
        assert checker.release.startswith("https://github.com/")
        assert checker.release.rpartition("/v")[2] in checker.archive
