"""Every command that the README and the guides show is run by a test."""

from __future__ import annotations

import ast
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from cli.bootstrap import ROOT
from lab.sandbox import LEFT_OUT
from tests import readme
from tests.repository import begin

RUNNERS = {f"readme.{name}" for name in ("typed", "works", "started", "line")}
BY_CI = {"make test", "E2E_SLOW=1 make test"}
"""What runs the tests: a test of it would run itself."""


def run_by_tests() -> set[str]:
    """Return the commands that are written out in a call of one of the RUNNERS, in a test of the stack or above."""
    result = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and ast.unparse(call.func) in RUNNERS:
                texts = [a.value for a in call.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
                result |= set(texts[:1])
    return result


def test_every_command_of_the_documents_is_run() -> None:
    assert {form(command) for command in readme.shown() - BY_CI} <= {form(command) for command in run_by_tests()}
    assert (ROOT / ".ci/run").read_text().rstrip().splitlines()[-1] == "make test"


def form(command: str) -> str:
    """Return a command without values and without its stack: what has to be run once."""
    return re.sub(r"\b([A-Z_]+)=\S+", r"\1=", re.sub(r" STACK=\S+", "", command))


def test_a_command_is_what_blocks_and_prose_show() -> None:
    blocks = "```sh\nmake b X=1   # why\n```\n\n```yaml\nmake: c\n```\n\n```\nmake d\nother\n```\n"
    text = f"`make a` and `make`\n\n{blocks}`pulumi e`"
    assert readme.shown(text) == {"make a", "make b X=1", "make d", "pulumi e"}


def test_what_the_readme_does_not_show_is_no_command_of_it() -> None:
    with pytest.raises(AssertionError, match="shows 'make coffee'"):
        readme.line("make coffee")
    with pytest.raises(AssertionError, match="has no TO="):
        readme.line("make fault KIND=errors FOR=5m", TO="x")
    assert readme.line("make fault KIND=errors FOR=5m", FOR="1s 2") == "make fault KIND=errors FOR='1s 2'"


@dataclass(frozen=True)
class Plain:
    """A copy of the project for what needs no engine, with no engine."""

    folder: Path
    environment: Mapping[str, str]


@pytest.fixture
def copy(tmp_path: Path) -> Plain:
    folder = tmp_path / "project"
    shutil.copytree(ROOT, folder, ignore=LEFT_OUT)
    (folder / ".venv").symlink_to(ROOT / ".venv")
    return Plain(folder, os.environ | {"STACK": "dev", "DOCKER_HOST": "tcp://127.0.0.1:9"})


def edit(copy: Plain, file: str, old: str, new: str) -> None:
    path = copy.folder / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def test_what_needs_no_engine(copy: Plain) -> None:
    assert "slo-overview" in readme.works(copy, "make plan")
    readme.works(copy, "make render")
    readme.works(copy, "make sbom OUT=sbom.json")
    assert '"CycloneDX"' in (copy.folder / "sbom.json").read_text()
    readme.works(copy, "make render OUT=dir", OUT="elsewhere")
    for folder in ("build/render", "elsewhere"):
        assert (copy.folder / folder / "prometheus" / "prometheus.yml").exists()
    readme.works(copy, "make render STACK=prod FORMAT=kubernetes OUT=k8s")
    assert (copy.folder / "k8s" / "kustomization.yaml").exists()
    pages = {path: path.read_bytes() for path in (copy.folder / "docs" / "reference").iterdir()}
    assert "settings written" in readme.works(copy, "make settings")
    assert "series.md written" in readme.works(copy, "make reference")
    assert {path: path.read_bytes() for path in pages} == pages
    readme.works(copy, "make golden")
    begin(copy.folder)
    edit(copy, "dashboards/logs.py", '"Lines by level"', '"Lines by how bad"')
    for output in (readme.works(copy, "make diff"), readme.works(copy, "make diff BASE=main")):
        assert "Lines by how bad" in output
