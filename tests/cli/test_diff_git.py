"""`make diff` as a person runs it: real commits of a copy of the project, edits in its working tree."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cli.bootstrap import ROOT
from cli.errors import ExitCode
from lab.sandbox import LEFT_OUT
from tests.repository import begin, git


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("diff") / "project"
    shutil.copytree(ROOT, folder, ignore=LEFT_OUT)
    begin(folder)
    return folder


@pytest.fixture
def edit(project: Path) -> Iterator[Callable[[str, str, str], None]]:
    def replace(file: str, old: str, new: str) -> None:
        path = project / file
        assert old in path.read_text(), file
        path.write_text(path.read_text().replace(old, new))

    yield replace
    git(project, "checkout", "--quiet", "--force", "main")
    git(project, "clean", "--quiet", "-d", "--force")


def diff(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    code = "import sys; from cli.app import main; sys.exit(main(['diff', *sys.argv[1:]]))"
    git_alone = str(Path(shutil.which("git") or "").parent)
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        cwd=project, capture_output=True, text=True, check=False,
        env={"PATH": git_alone, "HOME": os.environ["HOME"], "DOCKER_HOST": "tcp://127.0.0.1:9"},
    )  # fmt: skip


def test_nothing_changed_is_exactly_one_line(project: Path) -> None:
    done = diff(project, "main", "dev")
    commit = git(project, "rev-parse", "main")[:12]
    assert (done.stdout, done.stderr) == (f"No change in meaning against `main` ({commit}) in dev.\n", "")


def test_every_environment_and_what_others_did_on_main_is_left_out(
    project: Path, edit: Callable[[str, str, str], None]
) -> None:
    base = git(project, "rev-parse", "main")
    git(project, "checkout", "--quiet", "-b", "work")
    edit("versions.toml", 'tag = "3.7.8"', 'tag = "3.7.9"')
    git(project, "commit", "--quiet", "--all", "--message=mine")
    git(project, "checkout", "--quiet", "main")
    edit("versions.toml", 'tag = "2.20.0"', 'tag = "2.20.1"')
    git(project, "commit", "--quiet", "--all", "--message=theirs")
    git(project, "checkout", "--quiet", "work")
    edit("Pulumi.prod.yaml", "100GB", "200GB")
    try:
        done = diff(project, "main")
    finally:
        git(project, "checkout", "--quiet", "--force", "main")
        git(project, "reset", "--quiet", "--hard", base)
        git(project, "branch", "--quiet", "-D", "work")
    assert done.returncode == 0, done.stderr
    assert "- `loki`: `grafana/loki:3.7.8` → `grafana/loki:3.7.9` (dev, staging, prod)\n" in done.stdout
    assert "- `prometheusRetentionSize`: `100GB` → `200GB` (prod)\n" in done.stdout
    assert "| `loki` | image | " in done.stdout
    assert "jaeger" not in done.stdout


def test_another_secret_is_seen_and_not_shown(project: Path, edit: Callable[[str, str, str], None]) -> None:
    edit("Pulumi.prod.yaml", "config:\n", "config:\n  observability:grafanaSecretKey: {secure: v1:aaaa:bbbb}\n")
    done = diff(project, "main", "prod")
    assert "- `grafanaSecretKey`: (empty) → `(secret)`\n" in done.stdout, done.stderr
    assert "| `grafana` | secret files | " in done.stdout
    assert not [shown for shown in ("v1:", "aaaa", "stand-in") if shown in done.stdout]


def test_a_base_that_is_not_there_is_one_sentence(project: Path) -> None:
    done = diff(project, "nowhere")
    assert done.returncode == ExitCode.USAGE
    assert done.stderr == (
        "BASE=nowhere is no branch, tag or commit of this repository: name one, or `git fetch` it first\n"
    )
    assert diff(project, "--", "--upload-pack=x").stderr.startswith("BASE=--upload-pack=x is no branch")


def test_an_environment_that_is_not_there_is_one_sentence(project: Path) -> None:
    done = diff(project, "main", "moon")
    assert done.returncode == ExitCode.USAGE
    assert done.stderr.startswith("no environment moon: ")


def test_a_program_that_does_not_run_says_whose_and_why(project: Path, edit: Callable[[str, str, str], None]) -> None:
    edit("Pulumi.dev.yaml", "healthInterval: 5s", "healthInterval: soon")
    done = diff(project, "main", "dev")
    assert done.returncode == 1
    assert done.stderr.startswith("the program of the working tree does not run for stack 'dev': 1 setting of stack")
    assert "healthInterval: 'soon'; accepted: " in done.stderr
    assert "Traceback" not in done.stderr
