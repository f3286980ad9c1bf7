"""`drift`: how the results differ, and the report. The real engine: tests/e2e/test_stack_review.py."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.app import main
from cli.errors import ExitCode
from tests.cli import fakes

CLEAN = {"refresh": (0, "1 unchanged"), "preview": (0, "2 unchanged")}


def drift(*arguments: str, **answers: tuple[int, str]) -> int:
    return main(["drift", *arguments], lambda stack: fakes.context(stack, answers=CLEAN | answers))


def test_no_drift(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert drift(str(tmp_path / "r.md")) == ExitCode.OK
    assert not (tmp_path / "r.md").exists()
    assert "stack 'dev' has not drifted" in capsys.readouterr().out


def test_drift_of_either_kind_is_reported(tmp_path: Path) -> None:
    report = tmp_path / "r.md"
    changed = (ExitCode.DRIFTED, "~ container loki: memory ``` 1\nerror: no changes were expected")
    assert drift(str(report), refresh=changed) == ExitCode.DRIFTED
    assert report.read_text() == (
        "Stack `dev` has drifted; `make up REFRESH=1` corrects it.\n\n"
        "### What runs is not what the state believes\n\n"
        "````\n~ container loki: memory ``` 1\nerror: no changes were expected\n````\n"
    )
    assert drift(str(report), preview=(ExitCode.DRIFTED, "+ dashboard")) == ExitCode.DRIFTED
    assert "### The program says something else than what is deployed\n\n```\n+ dashboard\n```\n" in report.read_text()


def test_a_failure_is_no_drift(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert drift(str(tmp_path / "r.md"), preview=(1, "error: the engine is away")) == ExitCode.FAILED
    assert not (tmp_path / "r.md").exists()
    assert "could not determine" in capsys.readouterr().out


def test_programs_read_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert drift("--json", preview=(ExitCode.DRIFTED, "+ dashboard")) == ExitCode.DRIFTED
    assert json.loads(capsys.readouterr().out) == {
        "stack": "dev",
        "drifted": True,
        "changes": {"The program says something else than what is deployed": "+ dashboard"},
    }
