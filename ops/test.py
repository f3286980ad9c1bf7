"""`make test`: types, lint, then every test that can run here; end to end where an engine and the images are."""

from __future__ import annotations

import subprocess
import sys

from ops.bootstrap import ROOT
from ops.console import say

_STEPS = (
    ("lint", ("ruff", "check", ".")),
    ("format", ("ruff", "format", "--check", ".")),
    ("types", ("mypy",)),
    ("tests", ("pytest", "-q")),
)


def main(arguments: list[str]) -> int:
    """Run every step; the exit code is the first failure's."""
    failed = 0
    for name, (module, *rest) in _STEPS:
        say(f"== {name}")
        extra = arguments if module == "pytest" else []
        code = subprocess.run([sys.executable, "-m", module, *rest, *extra], cwd=ROOT, check=False).returncode  # noqa: S603 - ours
        failed = failed or code
    return failed
