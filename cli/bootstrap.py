"""What has to be there before anything else: Python 3.11 and a virtual environment with the pinned packages.

Imports nothing but the standard library.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
_REQUIREMENTS = (ROOT / "requirements.txt", ROOT / "requirements-dev.txt")
_STAMP = VENV / "requirements.sha256"
_MINIMUM = (3, 11)


class UserError(Exception):
    """One clear sentence about what is missing, and what to do."""


def environment() -> str:
    """Return the virtual environment's interpreter, made or brought up to date first."""
    if sys.version_info < _MINIMUM:
        msg = f"Python {sys.version.split()[0]} is too old: install Python 3.11 or newer, or set PYTHON=…"
        raise UserError(msg)
    python = VENV / "bin" / "python"
    wanted = hashlib.sha256(b"".join(f.read_bytes() for f in _REQUIREMENTS)).hexdigest()
    if python.exists() and _STAMP.exists() and _STAMP.read_text() == wanted:
        return str(python)
    print("installing the pinned Python packages into .venv …", file=sys.stderr)
    if not python.exists():
        _run(
            [sys.executable, "-m", "venv", str(VENV)],
            "Python's venv module does not work here: install it (Debian: apt-get install python3-venv)",
        )
    _run(
        [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        + [part for f in _REQUIREMENTS for part in ("-r", str(f))],
        "the Python packages could not be installed: is there a network and a package index (PIP_INDEX_URL)?",
    )
    _STAMP.write_text(wanted)
    return str(python)


def _run(command: list[str], otherwise: str) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=os.environ)  # noqa: S603 - ours
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise UserError(f"{otherwise}\n  {' '.join(last)}")
