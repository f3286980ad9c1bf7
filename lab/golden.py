"""`golden`: writes everything that `render` writes, for each environment, to tests/golden.

A pull request then shows its effect as a diff of these files.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from cli import stack_config
from cli.bootstrap import ROOT
from cli.context import Context
from cli.render import files

FOLDER: Final = ROOT / "tests" / "golden"
STACKS: Final = ("dev", "staging", "prod")


def run(context: Context) -> int:
    """Write the golden files of every environment; remove those that are no longer rendered."""
    for stack in STACKS:
        shutil.rmtree(FOLDER / stack, ignore_errors=True)
        for path, text in rendered(stack).items():
            target = FOLDER / stack / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        context.console.say(f"{len(written(stack))} files of stack '{stack}' written to {FOLDER / stack}")
    return 0


def rendered(stack: str) -> dict[str, str]:
    """Return what the program renders for `stack`: path → text."""
    return files(stack_config.settings(stack, stand_in=True))


def written(stack: str) -> dict[str, Path]:
    """Return the golden files of `stack`: path below its folder → file."""
    folder = FOLDER / stack
    return {file.relative_to(folder).as_posix(): file for file in folder.rglob("*") if file.is_file()}
