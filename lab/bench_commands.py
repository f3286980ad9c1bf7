"""How long the commands take that need no engine, and the first installation."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from cli.bootstrap import ROOT, RUNTIME
from dashboards import DashboardBuilder
from lab.ratios import Ratio, in_turns, timed

_RUNS = 3
_COMMITS = 30
_LARGEST_MIB = 250


def run(folder: Path) -> Iterator[Ratio]:
    """Yield the figures; `folder` is empty and may be filled."""
    yield _building()
    python = _command(sys.executable, "-c", "import pulumi")
    plan = _command(sys.executable, "-m", "cli", "plan", XDG_CACHE_HOME=str(folder / "cache"))
    first = timed(plan)
    second, start = in_turns(_RUNS, plan, python)
    yield Ratio("the first `plan` of a version", "Python with Pulumi imported", first, start)
    yield Ratio("the second `plan`", "Python with Pulumi imported", second, start, 2)
    base = f"HEAD~{_COMMITS}"
    if subprocess.run(
        ["git", "rev-parse", "-q", "--verify", base], cwd=ROOT, check=False, capture_output=True
    ).returncode:
        return
    diff = _command(sys.executable, "-m", "cli", "diff", base, XDG_CACHE_HOME=str(folder / "cache-of-diff"))
    yield Ratio(f"`diff` of {_COMMITS} commits", "the first `plan`", timed(diff), first, 3)


def installation(folder: Path) -> Iterator[Ratio]:
    """Yield the time of installing what `make up` needs, over Pulumi alone, and its size; needs a package index."""
    packages = (ROOT / RUNTIME).read_text().splitlines()
    pulumi = next(line.split()[0] for line in packages if line.startswith("pulumi=="))
    ours, alone = folder / "ours", folder / "pulumi"

    def install(venv: Path, *packages: str) -> Callable[[], None]:
        def run() -> None:
            uv = str(Path(sys.executable).parent / "uv")
            _run(uv, "venv", "--clear", "--quiet", str(venv))
            _run(uv, "pip", "install", "--quiet", "--no-cache", "--python", str(venv / "bin" / "python"), *packages)

        return run

    this, that = in_turns(1, install(ours, "--require-hashes", "-r", str(ROOT / RUNTIME)), install(alone, pulumi))
    yield Ratio("installing what `make up` needs", f"`uv pip install {pulumi}`", this, that, 2)
    yield Ratio("its size", "the bound", _mebibytes(ours), _LARGEST_MIB, 1, "MiB")


def _building() -> Ratio:
    def build(count: int) -> Callable[[], None]:
        def run() -> None:
            for number in range(count):
                _dashboard(number).to_json()

        return run

    build(10)()  # imports and caches belong to no dashboard
    hundred, ten = in_turns(_RUNS, build(100), build(10))
    return Ratio("100 dashboards of 20 panels", "10 of them", hundred, ten, 10)


def _dashboard(number: int) -> DashboardBuilder:
    dashboard = DashboardBuilder(title=f"Bench {number}", uid=f"bench-{number}")
    for panel in range(20):
        dashboard.add_timeseries_panel(title=f"Panel {panel}", query=f"up{{n='{panel}'}}", unit="short")
    return dashboard


def _command(*arguments: str, **environment: str) -> Callable[[], None]:
    return lambda: _run(*arguments, **environment)


def _run(*arguments: str, **environment: str) -> None:
    # Where it is set, Python compiles the program on every run; no user's machine has it.
    inherited = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(arguments, cwd=ROOT, env=inherited | environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def _mebibytes(folder: Path) -> float:
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir()) / 2**20
