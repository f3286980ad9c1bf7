"""`make promote FROM=staging TO=prod`: the same content, one environment on.

First what still differs between the two, then whether FROM runs exactly what this commit makes of it and works, then
the question, then `up`.
"""

from __future__ import annotations

import os
import subprocess
import sys

from cli import release, stack_config
from cli.bootstrap import ROOT, UserError
from cli.console import say, table
from components.deployment import changes
from observability.settings import OPTIONAL_SECRETS, secret_keys

_WIDTH = 60


def main(arguments: list[str]) -> int:
    """Bring TO to what FROM runs, after its name has been typed (or given as YES=<stack>)."""
    source, target = _named(arguments)
    for stack in (source, target):
        stack_config.settings(stack)
    here = _here()
    differing = _settings(source, target)
    table(f"settings that differ between '{source}' and '{target}'", ("setting", source, target), differing)
    known, there = release.running(source), release.running(target)
    commits = [("this clone", here or "no git"), (source, _commit(source, known)), (target, _commit(target, there))]
    table("the commits of the last `up`", ("where", "commit"), commits)
    pending = changes(there or {}, release.expected(target))
    say(f"`up` changes in '{target}': {', '.join(pending) or 'nothing'}")
    if known is None:
        msg = f"stack '{source}' is not up: there is nothing to promote. Nothing was changed."
        raise UserError(msg)
    other = changes(known, release.expected(source))
    if other:
        msg = (
            f"stack '{source}' does not run what this commit makes of it ({', '.join(other)}):"
            f" `make up STACK={source}` first. Nothing was changed."
        )
        raise UserError(msg)
    if _make("verify", source):
        msg = f"stack '{source}' does not work, see above: it is not promoted. Nothing was changed."
        raise UserError(msg)
    _ask(target)
    return _make("up", target)


def _named(arguments: list[str]) -> tuple[str, str]:
    known = stack_config.stacks()
    for key, value in zip(("FROM", "TO"), [*arguments, "", ""], strict=False):
        if value not in known:
            msg = f"{key}: '{value}'; accepted: {', '.join(known)}, as in `make promote FROM=staging TO=prod`"
            raise UserError(msg)
    source, target = arguments[:2]
    if source == target:
        msg = f"TO: '{target}'; accepted: another stack than FROM"
        raise UserError(msg)
    return source, target


def _here() -> str:
    """Return the commit; UserError where the files are those of no commit."""
    commit, changed = release.checked_out()
    if changed:
        msg = f"files differ from commit {commit}: commit them, run `up` on FROM, then promote. Nothing was changed."
        raise UserError(msg)
    return commit


def _settings(source: str, target: str) -> list[tuple[str, str, str]]:
    (one, hidden_one), (other, hidden_other) = stack_config.raw(source), stack_config.raw(target)
    rows = ((key, _shown(key, one, hidden_one), _shown(key, other, hidden_other)) for key in sorted({*one, *other}))
    return [row for row in rows if row[1] != row[2]]


def _shown(key: str, values: dict[str, str], secret: frozenset[str]) -> str:
    """Return a setting's effective value in one line; of a secret, whether there is one."""
    value = values.get(key, "")
    if key in secret or key in secret_keys():
        return "set" if value else "not set" if key in OPTIONAL_SECRETS else "generated"
    line = " ".join(value.split())
    return line if len(line) <= _WIDTH else f"{line[: _WIDTH - 1]}…"


def _commit(stack: str, facts: release.Facts | None) -> str:
    return "never" if facts is None else release.commit(stack) or "not noted"


def _ask(target: str) -> None:
    given = os.environ.get("YES")
    if given is None:
        if not sys.stdin.isatty():
            msg = f"promote asks for the stack's name: run it in a terminal, or with YES={target}"
            raise UserError(msg)
        given = input(f"Type '{target}' to go on: ")
    if given != target:
        msg = f"'{given}' is not '{target}': nothing was changed"
        raise UserError(msg)


def _make(command: str, stack: str) -> int:
    """Run another command for `stack`: each is made for one stack a process."""
    return subprocess.run(  # noqa: S603 - our own
        [sys.executable, "-m", "cli", command], cwd=ROOT, env=os.environ | {"STACK": stack}, check=False
    ).returncode
