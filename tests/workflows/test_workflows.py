"""The workflows: what a linter cannot know of them, and that the linters do catch what they are there for."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from cli.app import app
from cli.bootstrap import ROOT
from cli.stack_config import stacks

FOLDER = ROOT / ".github" / "workflows"
FILES = sorted(FOLDER.glob("*.yml"))
ACTIONS = sorted((ROOT / ".github" / "actions").glob("*/action.yml"))
BIN = Path(sys.executable).parent


def read(path: Path) -> dict[Any, Any]:
    document: dict[Any, Any] = yaml.safe_load(path.read_text())
    return document


def jobs() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path in FILES:
        for name, job in read(path)["jobs"].items():
            yield path.name, name, job


def steps() -> Iterator[dict[str, Any]]:
    for _, _, job in jobs():
        yield from job["steps"]
    for path in ACTIONS:
        yield from read(path)["runs"]["steps"]


def test_these_are_all() -> None:
    assert [path.name for path in FILES] == ["drift.yml", "main.yml", "nightly.yml", "pull-request.yml"]


def test_steps_are_the_commands_that_a_person_types() -> None:
    called = [name for step in steps() for name in re.findall(r"\bmake (?:-\S+ |--\S+ )*([a-z]+)", step.get("run", ""))]
    assert set(called) <= set(typer.main.get_command(app).commands), called  # type: ignore[attr-defined] # a group
    assert {"test", "diff", "preview", "up", "verify", "drift"} <= set(called)


def test_every_run_is_a_shell_script() -> None:
    for step in steps():
        if "run" in step:
            done = subprocess.run(["bash", "-n"], input=step["run"], capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr


def test_no_expression_is_pasted_into_a_script() -> None:
    assert [step["run"] for step in steps() if "${{" in step.get("run", "")] == []


def test_actions_are_pinned_by_commit_and_say_their_version() -> None:
    text = "".join(path.read_text() for path in (*FILES, *ACTIONS))
    used = re.findall(r"uses: (.+)", text)
    assert used
    for action in used:
        assert re.fullmatch(r"\./\.github/actions/[a-z]+|actions/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action
        if action.startswith("./"):
            assert (ROOT / action / "action.yml").exists()


def test_every_job_has_a_limit_and_its_own_permissions() -> None:
    for path in FILES:
        assert read(path)["permissions"] == {}, path
        assert "concurrency" in read(path), path
    for file, name, job in jobs():
        # All end-to-end tests take more than an hour.
        assert job["timeout-minutes"] <= {("main.yml", "test"): 150, ("nightly.yml", "test"): 350}.get(
            (file, name), 60
        ), (file, name)
        writes = {k for k, v in job["permissions"].items() if v == "write"}
        assert writes == {("pull-request.yml", "comment"): {"pull-requests"}, ("drift.yml", "drift"): {"issues"}}.get(
            (file, name), set()
        )


def test_forks_have_no_secrets_and_nothing_of_theirs_runs_with_rights() -> None:
    path = FOLDER / "pull-request.yml"
    document = read(path)
    assert set(document[True]) == {"pull_request"}  # YAML reads `on` as true
    own = "github.event.pull_request.head.repo.full_name == github.repository"
    for name, job in document["jobs"].items():
        privileged = "secrets." in str(job) or "write" in job["permissions"].values() or "environment" in job
        assert privileged is (name in {"comment", "preview"}), name
        assert not privileged or job["if"].startswith(own), name
    # The one with a token that may write takes nothing from the pull request but printed text.
    assert [step for step in document["jobs"]["comment"]["steps"] if "uses" in step] == []


def test_main_goes_from_environment_to_environment() -> None:
    result = read(FOLDER / "main.yml")["jobs"]
    assert [(name, job.get("needs")) for name, job in result.items()] == [
        ("test", None), ("dev", "test"), ("staging", "dev"), ("prod", "staging"),
    ]  # fmt: skip
    for stack in stacks():
        assert result[stack]["environment"] == stack
        runs = [step["run"] for step in result[stack]["steps"] if "run" in step]
        assert runs == [f"make {command} STACK={stack}" for command in ("preview", "up", "verify")]
    assert read(FOLDER / "drift.yml")["jobs"]["drift"]["strategy"]["matrix"]["stack"] == ["dev", "staging", "prod"]


Break = Callable[[str], str]


def replaced(old: str, new: str) -> Break:
    def edit(text: str) -> str:
        assert old in text, old
        return text.replace(old, new, 1)

    return edit


def zizmor(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(BIN / "zizmor"), "--offline", "--no-progress", "--color=never", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def schema(folder: Path) -> subprocess.CompletedProcess[str]:
    files = [str(path) for path in sorted((folder / "workflows").glob("*.yml"))]
    command = [str(BIN / "check-jsonschema"), "--builtin-schema", "vendor.github-workflows", *files]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_linters_find_nothing() -> None:
    for linter in (zizmor, schema):
        done = linter(ROOT / ".github")
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("linter", "edit", "said"),
    [
        (zizmor, replaced("@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1", "@v7"), "unpinned-uses"),
        (zizmor, replaced("          persist-credentials: false\n", "          clean: true\n"), "artipacked"),
        (zizmor, replaced("permissions:\n      contents: read\n", "permissions: write-all\n"), "excessive-permissions"),
        (zizmor, replaced("  pull_request:\n", "  pull_request_target:\n"), "dangerous-triggers"),
        (zizmor, replaced("run: make test", "run: make ${{ github.event.pull_request.title }}"), "template-injection"),
        (schema, replaced("    runs-on: ubuntu-24.04\n", ""), "'runs-on' is a required property"),
        (schema, replaced("    steps:\n", "    step:\n"), "'step' was unexpected"),
        (schema, replaced("timeout-minutes: 60", "timeout-minutes: [60]"), "timeout-minutes"),
    ],
)  # fmt: skip
def test_the_linters_find_what_is_broken(
    linter: Callable[[Path], subprocess.CompletedProcess[str]], edit: Break, said: str, tmp_path: Path
) -> None:
    shutil.copytree(ROOT / ".github", tmp_path / ".github")
    path = tmp_path / ".github" / "workflows" / "pull-request.yml"
    path.write_text(edit(path.read_text()))
    done = linter(tmp_path / ".github")
    assert done.returncode != 0
    assert said in done.stdout + done.stderr
