"""Commands read a stack's settings from its file: what is wrong is said in a few lines, with the place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cli import plan, stack_config
from cli.errors import UserError
from cli.evaluation import Registered
from observability.settings import STAND_IN

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return what writes the file of the stack `dev` in a project of its own."""
    (tmp_path / "Pulumi.yaml").write_bytes((ROOT / "Pulumi.yaml").read_bytes())
    monkeypatch.setattr(stack_config, "ROOT", tmp_path)

    def write(text: str) -> None:
        (tmp_path / "Pulumi.dev.yaml").write_text(text, encoding="utf-8")

    return write


def stop(stack: str = "dev") -> str:
    with pytest.raises(UserError) as caught:
        stack_config.settings(stack)
    return str(caught.value)


def test_no_yaml(write: Callable[[str], None]) -> None:
    write("config:\n\tobservability:demo: true\n")
    assert stop() == "Pulumi.dev.yaml:2:1: a tab; indent with spaces"


def test_a_problem_has_its_place(write: Callable[[str], None]) -> None:
    write("config:\n  observability:portOffset: -1\n  observability:services:\n    - name: a\n      targets: a:1\n")
    output = stop()
    assert "portOffset: '-1'; accepted: a whole number from 0 to 50000 (Pulumi.dev.yaml, line 2, column 3)" in output
    assert "services[0].targets: 'a:1'; accepted: a list (Pulumi.dev.yaml, line 5, column 7)" in output


@pytest.mark.parametrize("key", ["observabilty:demo", "Observability:demo", "observability-stack:demo", "obs:demo"])
def test_a_misspelt_namespace(write: Callable[[str], None], key: str) -> None:
    write(f"config:\n  {key}: true\n")
    assert f"{key}: unknown namespace '{key.partition(':')[0]}'; did you mean `observability:demo`?" in stop()


def test_others_have_namespaces_too(write: Callable[[str], None]) -> None:
    write("config:\n  docker:host: tcp://x:1\n  aws:region: eu-central-1\n  demo: true\n")
    assert stack_config.settings("dev").demo


def test_one_setting_with_and_without_its_namespace(write: Callable[[str], None]) -> None:
    write("config:\n  demo: true\n  observability:demo: false\n")
    assert "'demo' is given twice" in stop()


def test_a_stack_without_its_file_is_mentioned(
    write: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    write("config: {}\n")
    stack_config.settings("dve")
    assert "there is no Pulumi.dve.yaml" in (output := capsys.readouterr().err)
    assert "Did you mean dev?" in output
    stack_config.settings("dev")
    assert not capsys.readouterr().err


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("!!binary aGk=", "a tag !binary"),
        ("&x [*x]", "contains itself"),
        *((text, "portOffset: ") for text in ("2026-01-02", ".nan", ".inf", "{1: 2}", "null", "''")),
    ],
)
def test_any_value_is_refused_or_accepted(write: Callable[[str], None], written: str, reason: str) -> None:
    write(f"config:\n  observability:portOffset: {written}\n")
    assert reason in stop()


def test_null_is_as_if_nothing_were_written(write: Callable[[str], None]) -> None:
    write("config:\n  observability:services:\n  observability:alertEmail: null\n")
    assert stack_config.settings("dev").services == ()


SERVICES = """
  observability:services:
    - {name: a, targets: ["a:1"], bearerTokenSecret: tokenOfA}
"""


@pytest.mark.parametrize("secrets", ["{secure: AAAA}", "{tokenOfA: {secure: AAAA}}"])
def test_scrape_secrets_are_stand_ins(write: Callable[[str], None], tmp_path: Path, secrets: str) -> None:
    write(f"config:{SERVICES}  observability:scrapeSecrets: {secrets}\n")
    values, secret = stack_config.raw("dev", tmp_path)
    assert json.loads(values["scrapeSecrets"]) == {"tokenOfA": STAND_IN}
    assert "scrapeSecrets" in secret
    assert stack_config.settings("dev").scrape_secrets["tokenOfA"].get_secret_value() == STAND_IN


def test_a_scrape_secret_in_plain_text_is_refused(write: Callable[[str], None]) -> None:
    write(f"config:{SERVICES}  observability:scrapeSecrets: {{tokenOfA: hunter2, other: {{secure: AAAA}}}}\n")
    output = stop()
    assert "scrapeSecrets: stored in plain text" in output
    assert "hunter2" not in output


def test_a_plan_with_one_name_twice_is_refused() -> None:
    one, other = Registered("docker:index/volume:Volume", "a", {}), Registered("docker:index/network:Network", "a", {})
    assert plan.duplicates([one, other]) == []
    assert plan.duplicates([one, other, one]) == ["docker:index/volume:Volume a"]
