"""Evaluates a version of the program over mocks, to find what it registers for a stack, and caches the result.

A result depends only on the sources, the packages and the configuration. It is cached under a hash of them, so a second
`plan`, `diff` or test of the same version does not run the program.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cli.bootstrap import ROOT
from cli.errors import UserError
from observability import own

ENTRIES: Final = ("cli/mocked.py", "ops/mocked.py")
"""What runs the program over mocks: its name now, and in versions before 0.1.0."""
_NOT_READ: Final = frozenset({"tests", "lab", "build", "backups", "pictures", "__pycache__"})
"""Folders that the program does not read; nor those whose name begins with a dot."""
_OF_COMMANDS: Final = frozenset({"mocked.py", "evaluation.py", "bootstrap.py", "errors.py"})
"""What runs the program, among the commands' modules."""
_KEPT: Final = 60
"""Most results in the cache; the oldest are deleted first."""
_RAISED: Final = re.compile(r"^[A-Za-z_][\w.]*(?:Error|Exception)?: ?(?P<message>.*)$")


@dataclass(frozen=True)
class Registered:
    """One resource as the program registered it: type token, name, and its inputs (camelCase)."""

    type: str
    name: str
    inputs: dict[str, Any]


class ProgramError(UserError):
    """The program failed; the message is that of its exception."""


def entry(folder: Path) -> str | None:
    """Return the module that runs the program of `folder` over mocks, None where there is none."""
    name = next((name for name in ENTRIES if (folder / name).exists()), None)
    return name and name.removesuffix(".py").replace("/", ".")


def evaluate(stack: str, raw: Mapping[str, str], secret: frozenset[str], folder: Path = ROOT) -> tuple[Registered, ...]:
    """Return what the program in `folder` registers for `stack`, in order.

    Args:
        stack: the stack's name.
        raw: the configuration as the engine would pass it, with stand-ins for secrets.
        secret: the keys that are secret.
        folder: the project; another version of it may be unpacked elsewhere.

    Raises:
        ProgramError: the program failed.
    """
    request = json.dumps({"stack": stack, "raw": dict(raw), "secret": sorted(secret)}, sort_keys=True)
    outside = own.signature(own.folder(raw["ownFolder"])) if raw.get("ownFolder") else ()
    with _remembered(f"{_fingerprint(folder)}\n{outside}\n{request}") as cached:
        text = cached.read()
        if not text:
            text = _run(request, folder)
            cached.write(text)
    return tuple(Registered(**r) for r in json.loads(text))


def _run(request: str, folder: Path) -> str:
    done = subprocess.run(  # noqa: S603 - this project itself
        [sys.executable, "-m", str(entry(folder))],
        cwd=folder,
        input=request,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ProgramError(reason(done.stderr))
    return done.stdout


def reason(traceback: str) -> str:
    """Return the last exception's message out of a traceback."""
    lines = traceback.strip().splitlines()
    for place in range(len(lines) - 1, -1, -1):
        match = _RAISED.match(lines[place])
        if match is not None:
            return "\n".join([match["message"] or lines[place], *lines[place + 1 :]])
    return lines[-1] if lines else "it prints nothing"


def _fingerprint(folder: Path) -> str:
    """Return a hash of the sources in `folder` and of the installed packages."""
    digest = hashlib.sha256(sys.version.encode())
    digest.update(str(Path(sysconfig.get_path("purelib")).stat().st_mtime_ns).encode())
    for path in _sources(folder):
        digest.update(f"\0{path.relative_to(folder)}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _sources(folder: Path) -> Iterator[Path]:
    """Yield every file that the program may read, always in the same order."""
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(f for f in folders if f not in _NOT_READ and not f.startswith("."))
        commands = Path(root).relative_to(folder).parts[:1] in {("cli",), ("ops",)}
        yield from (Path(root) / f for f in sorted(files) if not commands or f in _OF_COMMANDS)


class _Result:
    """A result in the cache, or only in memory if there is no writable folder for the cache."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def read(self) -> str:
        with suppress(OSError):
            return self._path.read_text(encoding="utf-8") if self._path else ""
        return ""

    def write(self, text: str) -> None:
        if self._path is None:
            return
        with suppress(OSError):
            partial = self._path.with_suffix(f".{os.getpid()}")
            partial.write_text(text, encoding="utf-8")
            partial.rename(self._path)
            for old in sorted(self._path.parent.glob("*.json"), key=lambda p: p.stat().st_mtime_ns)[:-_KEPT]:
                old.unlink(missing_ok=True)
                old.with_suffix(".lock").unlink(missing_ok=True)


@contextmanager
def _remembered(key: str) -> Iterator[_Result]:
    """Yield the cache's entry for `key`; other processes that need it wait, instead of computing it too."""
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "observability" / "programs"
    path = root / f"{hashlib.sha256(key.encode()).hexdigest()}.json"
    try:
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = path.with_suffix(".lock").open("w")
    except OSError:  # a home folder that cannot be written to
        yield _Result(None)
        return
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield _Result(path)
