"""`make test`: types, lint, then every test that can run here; end to end where an engine and the images are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from cli.bootstrap import ROOT
from cli.console import say

_WORKFLOWS = sorted(str(p.relative_to(ROOT)) for p in (ROOT / ".github" / "workflows").glob("*.yml"))
_STEPS = (
    ("lint", ("ruff", "check", ".")),
    ("format", ("ruff", "format", "--check", ".")),
    ("types", ("mypy",)),
    ("workflows", ("zizmor", "--offline", "--no-progress", "--quiet", ".github")),
    ("workflows' schema", ("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *_WORKFLOWS)),
    ("tests", ("pytest", "-q")),
)


def main(arguments: list[str]) -> int:
    """Run every step; the exit code is the first failure's."""
    failed = 0
    for name, (tool, *rest) in _STEPS:
        say(f"== {name}")
        extra = arguments if tool == "pytest" else []
        command = [str(Path(sys.executable).parent / tool), *rest, *extra]
        code = subprocess.run(command, cwd=ROOT, check=False).returncode  # noqa: S603 - ours
        failed = failed or code
    return failed
