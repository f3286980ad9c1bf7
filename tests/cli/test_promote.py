"""Promotion: what is asked and refused before anything is changed."""

from __future__ import annotations

import pytest

from cli import promote, release, stack_config
from cli.commands import main
from observability.settings import Settings

FACTS = {"loki": "3.7.8 aaa", "dashboard home": "111"}


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Every other command that was run, by name and stack; all of them succeed."""
    found: list[tuple[str, str]] = []

    def make(command: str, stack: str) -> int:
        found.append((command, stack))
        return 0

    monkeypatch.setattr(promote, "_make", make)
    monkeypatch.setattr(stack_config, "settings", lambda stack: Settings(stack=stack))
    monkeypatch.setattr(release, "checked_out", lambda: ("abc", False))
    monkeypatch.setattr(release, "commit", lambda stack: f"commit of {stack}")
    monkeypatch.setattr(release, "expected", lambda _: FACTS)
    monkeypatch.setattr(release, "running", lambda stack: FACTS if stack == "staging" else None)
    monkeypatch.setenv("YES", "prod")
    return found


def test_what_works_in_one_goes_to_the_other(ran: list[tuple[str, str]], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["promote", "staging", "prod"]) == 0
    assert ran == [("verify", "staging"), ("up", "prod")]
    said = capsys.readouterr().out
    assert "prometheusRetention" in said
    assert "40d" in said
    assert "`up` changes in 'prod': loki added, dashboard home added" in said
    assert "commit of staging" in said


def test_a_secret_is_told_of_and_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"grafanaAdminPassword": "hidden", "smtpPassword": "", "owner": "a  b"}
    monkeypatch.setattr(
        stack_config,
        "raw",
        lambda stack: (values, frozenset({"grafanaAdminPassword"})) if stack == "prod" else ({}, frozenset()),
    )
    assert promote._settings("staging", "prod") == [("grafanaAdminPassword", "generated", "set"), ("owner", "", "a b")]


def test_what_is_not_right_is_refused_before_the_question(
    ran: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*names: str) -> str:
        assert main(["promote", *names]) == 1
        assert ("up", "prod") not in ran
        return capsys.readouterr().err

    assert "FROM: 'nowhere'; accepted: dev, prod, staging" in refused("nowhere", "prod")
    assert "TO: ''" in refused("staging")
    assert "another stack than FROM" in refused("prod", "prod")
    monkeypatch.setenv("YES", "staging")
    assert "'staging' is not 'prod'" in refused("staging", "prod")
    monkeypatch.setattr(promote, "_make", lambda command, _: int(command == "verify"))
    assert "does not work, see above" in refused("staging", "prod")
    monkeypatch.setattr(release, "running", lambda _: FACTS | {"loki": "3.7.7 aaa"})
    assert "does not run what this commit makes of it (loki 3.7.7 → 3.7.8)" in refused("staging", "prod")
    monkeypatch.setattr(release, "running", lambda _: None)
    assert "not up: there is nothing to promote" in refused("staging", "prod")
    monkeypatch.setattr(release, "checked_out", lambda: ("abc", True))
    assert "files differ from commit abc" in refused("staging", "prod")


def test_the_program_tells_the_same_facts_twice() -> None:
    facts = release.expected("staging")
    assert facts == release.expected("staging")
    assert {"grafana", "dashboard home"} <= set(facts)
    assert release.expected("prod")["prometheus"] != facts["prometheus"], "another retention"
