"""`lock`: uv.lock from pyproject.toml, and the requirements files from uv.lock, with hashes for uv and pip alike."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from cli.bootstrap import DEVELOPMENT, ROOT, RUNTIME
from cli.errors import UserError

_EXPORT: Final = ("export", "--quiet", "--frozen", "--no-emit-project", "--no-annotate")
EXPORTS: Final = {RUNTIME: (), DEVELOPMENT: ("--all-groups",)}
"""The files, with the options of `uv export` that write them."""


def run(*, check: bool) -> int:
    """Write the files, or with `check` only compare them."""
    if not check:
        _uv("lock", "--quiet")
    stale = [name for name in EXPORTS if (ROOT / name).read_text(encoding="utf-8") != export(name)]
    if not check:
        for name in stale:
            (ROOT / name).write_text(export(name), encoding="utf-8")
        return 0
    if stale:
        msg = f"{', '.join(stale)}: not what uv.lock says; run `python -m cli lock`"
        raise UserError(msg)
    return 0


def export(name: str) -> str:
    """Return a requirements file as uv.lock defines it."""
    header = "# Written from uv.lock by `python -m cli lock`; edit pyproject.toml instead.\n"
    return header + _uv(*_EXPORT, "--no-header", *EXPORTS[name])


def _uv(*arguments: str) -> str:
    # Addresses of this machine's index or mirror must not get into the files.
    hidden = ("UV_INDEX", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "PIP_FIND_LINKS")
    environment = {key: value for key, value in os.environ.items() if key not in hidden}
    done = subprocess.run(  # noqa: S603 - uv, from the development packages
        [str(Path(sys.executable).parent / "uv"), *arguments],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        msg = f"`uv {arguments[0]}` failed: {done.stderr.strip()}"
        raise UserError(msg)
    return done.stdout
