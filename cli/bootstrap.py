"""What a command needs before it can start: Python 3.11 and a virtual environment with the locked packages.

Imports only the standard library and cli.errors, because nothing else is installed yet.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from cli.errors import MissingToolError

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
RUNTIME = "requirements.txt"
"""Everything that `make up` needs. Exported from uv.lock, with hashes, for uv and pip alike."""
DEVELOPMENT = "requirements-dev.txt"
"""The same with tests, laboratory and demo."""
DEVELOPMENT_COMMANDS = frozenset(
    {"test", "lock", "bench", "profile", "growth", "stress", "faults", "measure", "screenshots"}
)
_STAMP = "installed.json"
_MINIMUM = (3, 11)
_PROGRESS_SECONDS = 10.0
_LAUNCHER = """#!{python}
import sys
sys.path.insert(0, {root!r})
from cli.__main__ import run
sys.exit(run())
"""


def environment(arguments: Sequence[str] = (), root: Path = ROOT) -> str:
    """Return the interpreter of the virtual environment, created or updated for the command in `arguments`.

    Raises:
        MissingToolError: Python is too old, or the packages cannot be installed.
    """
    if sys.version_info < _MINIMUM:
        msg = f"Python {sys.version.split()[0]} is too old: install Python 3.11 or newer, or set PYTHON=…"
        raise MissingToolError(msg)
    venv = root / ".venv"
    python = venv / "bin" / "python"
    name = DEVELOPMENT if DEVELOPMENT_COMMANDS & set(arguments[:1]) else RUNTIME
    wanted = {file: hashlib.sha256((root / file).read_bytes()).hexdigest() for file in (RUNTIME, DEVELOPMENT)}
    installed = _installed(venv)
    # The development packages contain the others, so one file is enough.
    if python.exists() and any(installed.get(file) == wanted[file] for file in {name, DEVELOPMENT}):
        return str(python)
    _install(venv, python, root / name)
    _launcher(venv, python, root)
    (venv / _STAMP).write_text(json.dumps({name: wanted[name]}))
    return str(python)


def _installed(venv: Path) -> dict[str, str]:
    try:
        stamp: dict[str, str] = json.loads((venv / _STAMP).read_text())
    except (OSError, ValueError):
        return {}
    return stamp


def _install(venv: Path, python: Path, requirements: Path) -> None:
    """Install the locked packages, by uv where there is one, else by pip."""
    uv = shutil.which("uv")
    if not python.exists():
        # Pulumi asks pip which packages there are, so the environment needs one.
        _run(
            [uv, "venv", "--quiet", "--seed", "--python", sys.executable, str(venv)]
            if uv
            else [sys.executable, "-m", "venv", str(venv)],
            "creating .venv",
            "Python's venv module does not work here: install it (Debian: apt-get install python3-venv)",
        )
    _run(
        [uv, "pip", "install", "--quiet", "--python", str(python), "--require-hashes", "-r", str(requirements)]
        if uv
        else [
            str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes",
            "-r", str(requirements),
        ],
        f"installing the packages of {requirements.name} into .venv, by {'uv' if uv else 'pip'}",
        "the Python packages could not be installed: is there a network and a package index (PIP_INDEX_URL)?",
    )  # fmt: skip


def _launcher(venv: Path, python: Path, root: Path) -> None:
    """Write `.venv/bin/obs`, so that the commands and their completion work from any folder."""
    file = venv / "bin" / "obs"
    file.write_text(_LAUNCHER.format(python=python, root=str(root)))
    file.chmod(0o755)


def _run(command: Sequence[str], step: str, failure: str) -> None:
    """Run a command, showing on standard error that it is still running; MissingToolError when it fails."""
    print(f"{step} …", file=sys.stderr, flush=True)
    began = time.monotonic()
    with subprocess.Popen(  # noqa: S603 - a command of ours
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ
    ) as process:
        while True:
            try:
                output, _ = process.communicate(timeout=_PROGRESS_SECONDS)
                break
            except subprocess.TimeoutExpired:
                print(f"  still {step}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    if process.returncode:
        last = output.strip().splitlines()[-1:]
        raise MissingToolError(f"{failure}\n  {' '.join(last)}")
