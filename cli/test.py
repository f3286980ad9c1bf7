"""`test`: types, lint, layering, spelling, then every test that can run here; end to end where an engine is."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from cli.bootstrap import ROOT
from cli.console import say
from cli.environment import Environment

_WORKFLOWS = sorted(str(p.relative_to(ROOT)) for p in (ROOT / ".github" / "workflows").glob("*.yml"))
_STEPS = (
    ("lint", ("ruff", "check", ".")),
    ("format", ("ruff", "format", "--check", ".")),
    ("types", ("mypy",)),
    ("layers", ("lint-imports", "--no-cache")),
    ("spelling", ("codespell",)),
    ("workflows", ("zizmor", "--offline", "--no-progress", "--quiet", ".github")),
    ("workflows' schema", ("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *_WORKFLOWS)),
)
_SMOKE = "end to end, smoke"
_NONE_COLLECTED = 5
"""pytest's exit code."""
_PARALLEL = ("-n", "auto", "--dist", "loadfile", "-m", "not e2e")
_COVERAGE = ("--cov", "--cov-report=term:skip-covered")
"""pyproject.toml says what is measured."""


def run(arguments: Sequence[str], *, require_all: bool, smoke: bool = False, coverage: bool = False) -> int:
    """Run every step; the exit code is the first failure's.

    Tests without an engine run in parallel. Tests that share one engine run one after the other: the smoke tests, and
    then the others, unless `smoke` leaves them out or a smoke test failed.

    Args:
        arguments: further arguments of pytest.
        require_all: whether a test that skips for a missing tool fails.
        smoke: whether only the smoke tests of the end-to-end tests run.
        coverage: whether the tests without an engine measure their coverage.

    """
    environment = os.environ | {"PATH": Environment().path} | ({"REQUIRE_ALL": "1"} if require_all else {})
    steps = [
        *_STEPS,
        ("tests", ("pytest", "-q", "--durations=15", *_PARALLEL, *(_COVERAGE if coverage else ()), *arguments)),
        (_SMOKE, ("pytest", "-q", "--durations=15", "-m", "smoke", *arguments)),
        ("end to end", ("pytest", "-q", "--durations=15", "-m", "e2e and not smoke", *arguments)),
    ]
    failed = 0
    for name, (tool, *rest) in steps[:-1] if smoke else steps:
        say(f"== {name}")
        began = time.monotonic()
        command = [str(Path(sys.executable).parent / tool), *rest]
        code = subprocess.run(command, cwd=ROOT, check=False, env=environment).returncode  # noqa: S603 - ours
        if code == _NONE_COLLECTED and arguments:  # the arguments choose tests of the other step
            code = 0
        say(f"   {time.monotonic() - began:.0f} s")
        failed = failed or code
        if name == _SMOKE and code:
            say("the other end-to-end tests do not run, because a smoke test failed")
            break
    return failed
