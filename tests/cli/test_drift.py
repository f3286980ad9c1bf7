"""`make drift`: what is told apart, and what the report says. The real engine: tests/e2e/test_stack_review.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli import drift
from cli.commands import main

Answers = dict[str, tuple[int, str]]


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    found: Answers = {"refresh": (0, "1 unchanged"), "preview": (0, "2 unchanged")}
    monkeypatch.setenv("STACK", "dev")
    monkeypatch.setattr("cli.engine.connect", lambda: None)
    monkeypatch.setattr("cli.pulumi.select", lambda: None)
    monkeypatch.setattr("cli.pulumi.look", lambda command, *_: found[command])
    return found


def test_no_drift(answers: Answers, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert answers
    assert main(["drift", str(tmp_path / "r.md")]) == 0
    assert not (tmp_path / "r.md").exists()
    assert "stack 'dev' has not drifted" in capsys.readouterr().out


def test_drift_of_either_kind_is_reported(answers: Answers, tmp_path: Path) -> None:
    answers["refresh"] = (drift.DRIFTED, "~ container loki: memory ``` 1\nerror: no changes were expected")
    assert main(["drift", str(tmp_path / "r.md")]) == drift.DRIFTED
    assert (tmp_path / "r.md").read_text() == (
        "Stack `dev` has drifted; `make up REFRESH=1` puts it back.\n\n"
        "### What runs is not what the state believes\n\n"
        "````\n~ container loki: memory ``` 1\nerror: no changes were expected\n````\n"
    )
    answers["refresh"], answers["preview"] = (0, ""), (drift.DRIFTED, "+ dashboard")
    assert main(["drift", str(tmp_path / "r.md")]) == drift.DRIFTED
    assert (
        "### The program says something else than what is deployed\n\n```\n+ dashboard\n```\n"
        in (tmp_path / "r.md").read_text()
    )


def test_a_failure_is_no_drift(answers: Answers, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answers["preview"] = (1, "error: the engine is away")
    assert main(["drift", str(tmp_path / "r.md")]) == 1
    assert not (tmp_path / "r.md").exists()
    assert "could not tell" in capsys.readouterr().out
