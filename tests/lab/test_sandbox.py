"""What the end-to-end tests edit is there: they run rarely, the sources change often."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.bootstrap import ROOT
from tests import readme

_MADE_BY_THE_TEST = "imported/"
_SOURCES = (".py", ".toml", ".json", ".yaml", ".md")


def _edits(module: Path) -> Iterator[tuple[str, str]]:
    """Yield each file of the project that a module names right before a text, as `edit(file, old, new)` does."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        arguments = node.args if isinstance(node, ast.Call) else node.elts if isinstance(node, ast.Tuple) else []
        match arguments:
            case [ast.Constant(value=str(file)), ast.Constant(value=str(old)), ast.Constant(value=str()), *_]:
                if file.endswith(_SOURCES) and "\n" not in file and not file.startswith(_MADE_BY_THE_TEST):
                    yield file, old


@pytest.mark.parametrize("module", sorted((ROOT / "tests" / "e2e").glob("test_*.py")), ids=lambda m: m.stem)
def test_what_a_module_edits_is_in_the_file(module: Path) -> None:
    missing = [
        f"{old!r} in {file}"
        for file, old in _edits(module)
        if not (ROOT / file).is_file() or old not in (ROOT / file).read_text(encoding="utf-8")
    ]
    assert missing == []


def test_edits_are_found() -> None:
    modules = (ROOT / "tests" / "e2e").glob("test_*.py")
    assert sum(len(list(_edits(module))) for module in modules) > 15


@pytest.mark.parametrize("module", sorted((ROOT / "tests" / "e2e").glob("test_*.py")), ids=lambda m: m.stem)
def test_every_command_that_a_module_runs_is_in_a_document(module: Path) -> None:
    """`readme.works(stack, "make …")` runs a command as a document shows it."""
    shown = readme.shown()
    run = [
        node.args[1].value
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "readme"
        and len(node.args) > 1
        and isinstance(node.args[1], ast.Constant)
    ]
    assert [command for command in run if command not in shown] == []
