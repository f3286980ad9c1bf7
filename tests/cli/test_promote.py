"""Promotion: what is asked and refused before anything is changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from cli import promote, release
from cli.context import Context
from cli.errors import ExitCode, NotConfirmedError, UsageError, UserError
from tests.cli import fakes

FINGERPRINT = {"loki": "3.7.8 aaa", "dashboard home": "111"}


@dataclass
class World:
    """Two stacks and a clone: what each runs, and the commands that were run, by name and stack."""

    running: Mapping[str, Mapping[str, str] | None] = field(default_factory=lambda: {"staging": FINGERPRINT})
    works: bool = True
    ran: list[tuple[str, str]] = field(default_factory=list)
    steps: promote.Steps = field(init=False)

    def __post_init__(self) -> None:
        self.steps = promote.Steps(
            checked_out=lambda: ("abc", False),
            expected=lambda _: FINGERPRINT,
            verify=lambda context: self._run("verify", context, int(not self.works)),
            up=lambda context: self._run("up", context, 0),
        )

    def _run(self, command: str, context: Context, code: int) -> int:
        self.ran.append((command, context.stack))
        return code

    def context(self, stack: str) -> Context:
        return fakes.context(stack, on_output=self._pulumi)

    def _pulumi(self, *arguments: str, **_: object) -> str:
        answers: dict[str, Any] = {
            "ls": [{"name": name} for name, result in self.running.items() if result],
            "history": [{"environment": {"git.head": f"commit of {arguments[-1]}"}}],
            "export": {"deployment": {"resources": [self._release(arguments[-1])]}},
        }
        return json.dumps(answers[arguments[1]])

    def _release(self, stack: str) -> dict[str, Any]:
        return {"type": "dynamic/grafana:Deployment", "outputs": {"facts": self.running.get(stack)}}

    def promote(self, source: str, target: str, *, confirmation: str = "prod") -> int:
        return promote.run(self.context(source), self.context(target), confirmation=confirmation, steps=self.steps)


def test_what_works_in_one_goes_to_the_other(capsys: pytest.CaptureFixture[str]) -> None:
    world = World()
    assert world.promote("staging", "prod") == ExitCode.OK
    assert world.ran == [("verify", "staging"), ("up", "prod")]
    printed = capsys.readouterr().out
    assert "prometheusRetention" in printed
    assert "40d" in printed
    assert "`up` changes in 'prod': loki added, dashboard home added" in printed
    assert "commit of" in printed


def test_of_a_secret_only_its_presence_is_shown() -> None:
    values = {"grafanaAdminPassword": "hidden", "smtpPassword": "", "owner": "a  b"}
    assert promote.rows({}, frozenset(), values, frozenset({"grafanaAdminPassword"})) == [
        ("grafanaAdminPassword", "generated", "set"),
        ("owner", "", "a b"),
    ]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("nowhere", "prod"), "FROM: 'nowhere'; accepted: dev, prod, staging"),
        (("staging", ""), "TO: ''"),
        (("prod", "prod"), "another stack than FROM"),
    ],
)
def test_stacks_that_cannot_be(names: tuple[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        World().promote(*names)


@pytest.mark.parametrize(
    ("world", "error", "message"),
    [
        (World(works=False), UserError, "does not work, see above"),
        (
            World(running={"staging": FINGERPRINT | {"loki": "3.7.7 aaa"}}),
            UserError,
            r"does not run what this commit makes of it \(loki 3.7.7 → 3.7.8\)",
        ),
        (World(running={}), UserError, "not up: there is nothing to promote"),
    ],
)
def test_what_is_not_right_is_refused_before_the_question(world: World, error: type[UserError], message: str) -> None:
    with pytest.raises(error, match=message):
        world.promote("staging", "prod")
    assert ("up", "prod") not in world.ran


def test_another_answer_changes_nothing() -> None:
    world = World()
    with pytest.raises(NotConfirmedError, match="'staging' is not 'prod'"):
        world.promote("staging", "prod", confirmation="staging")
    assert ("up", "prod") not in world.ran


def test_changed_files_are_refused() -> None:
    world = World()
    world.steps = replace(world.steps, checked_out=lambda: ("abc", True))
    with pytest.raises(UserError, match="files differ from commit abc"):
        world.promote("staging", "prod")


def test_the_program_has_the_same_fingerprint_twice() -> None:
    fingerprint = release.expected("staging")
    assert fingerprint == release.expected("staging")
    assert {"grafana", "dashboard home"} <= set(fingerprint)
    assert release.expected("prod")["prometheus"] != fingerprint["prometheus"], "another retention"
