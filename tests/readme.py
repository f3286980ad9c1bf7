"""The commands that the README and the guides show, run as they show them.

A test names a command by the README's own words, so that neither can change without the other; `tests/test_readme.py`
holds that every one of them is run.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol

from cli.bootstrap import ROOT

DOCUMENTS: Final = (
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs" / "tutorial").glob("*.md")),
    *sorted((ROOT / "docs" / "how-to").glob("*.md")),
)
"""What shows commands for people to type."""
_STARTS: Final = ("make ", "pulumi ", "E2E_SLOW=1 ", "opentelemetry-instrument ", "java ", "node ", "OTEL_SEMCONV")
_BLOCK: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE: Final = re.compile(r"`([^`\n]+)`")
_COMMENT: Final = re.compile(r"\s+#.*")


class Copy(Protocol):
    """A copy of the project, and the environment in which its commands run."""

    @property
    def folder(self) -> Path:
        """Return where it is."""

    @property
    def environment(self) -> Mapping[str, str]:
        """Return all of the environment."""


def shown(text: str | None = None) -> set[str]:
    """Return every command of the documents (or of this text): lines of shell blocks, and commands named in prose."""
    if text is None:
        return set[str]().union(*(shown(page.read_text(encoding="utf-8")) for page in DOCUMENTS))
    lines = [line for language, block in _BLOCK.findall(text) if language in ("", "sh") for line in block.splitlines()]
    lines += _INLINE.findall(_BLOCK.sub("", text))
    return {_COMMENT.sub("", line).strip() for line in lines if line.startswith(_STARTS)}


def line(command: str, **values: str) -> str:
    """Return a command of the README with other values: KEY=… by its key, anything else by what stands there.

    AssertionError when the README shows no such command, or no such value.
    """
    assert command in shown(), f"no document shows {command!r}"
    for old, new in values.items():
        assert re.search(rf"\b{old}=\S+", command), f"{command!r} has no {old}="
        value = f"{old}={shlex.quote(new)}"
        command = re.sub(rf"\b{old}=\S+", value.replace("\\", r"\\"), command)
    return command


def typed(
    stack: Copy, command: str, *, stdin: str = "", env: Mapping[str, str] | None = None, **values: str
) -> subprocess.CompletedProcess[str]:
    """Type a command of the README in a copy of the project, `env` in its environment; return what it said."""
    return subprocess.run(
        ["bash", "-c", line(command, **values)],
        cwd=stack.folder, env=_environment(stack) | dict(env or {}), input=stdin, capture_output=True, text=True,
        check=False, timeout=3_600,
    )  # fmt: skip


def works(stack: Copy, command: str, *, stdin: str = "", env: Mapping[str, str] | None = None, **values: str) -> str:
    """Type a command of the README that has to work, and return what it printed."""
    done = typed(stack, command, stdin=stdin, env=env, **values)
    assert done.returncode == 0, f"{command}: {done.stdout[-4_000:]}{done.stderr[-4_000:]}"
    return done.stdout


def started(stack: Copy, command: str, output: Path, **values: str) -> subprocess.Popen[bytes]:
    """Start a command of the README that goes on until it is interrupted, in a process group of its own."""
    with output.open("wb") as file:
        return subprocess.Popen(
            # Where the tests themselves run in the background, Ctrl-C is ignored, by all that they start too.
            ["env", "--default-signal=INT", "bash", "-c", f"exec {line(command, **values)}"],
            cwd=stack.folder, env=_environment(stack) | {"PYTHONUNBUFFERED": "1"}, stdin=subprocess.DEVNULL,
            stdout=file, stderr=file, start_new_session=True,
        )  # fmt: skip


def _environment(stack: Copy) -> dict[str, str]:
    # make's own variables, of a `make test` that runs this, are not those of a person who types.
    own = {key: value for key, value in stack.environment.items() if not key.startswith("MAKE")}
    return own | {"PYTHON": sys.executable, "PULUMI_STACK": own["STACK"]}
