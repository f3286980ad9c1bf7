"""`diff`: what changes in meaning since a commit, as Markdown. Needs neither engine, Docker nor secrets."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from cli import stack_config
from cli.bootstrap import ROOT
from cli.context import Context
from cli.diffing import dashboards
from cli.diffing.compare import Difference, compare
from cli.diffing.markdown import markdown
from cli.diffing.model import code
from cli.diffing.versions import Environment, checked_out, environments
from cli.errors import UsageError


@dataclass(frozen=True)
class Output:
    """What a comparison writes besides Markdown on standard output.

    `changed` is a file for the environments that change and still exist, as a JSON list. `pictures` is a folder for
    pictures of the changed dashboards: they need the running stack and a browser. `as_json` replaces the Markdown.
    """

    changed: Path | None = None
    pictures: Path | None = None
    as_json: bool = False


def run(context: Context, base: str, named: Sequence[str] = (), output: Output | None = None) -> int:
    """Compare the commit, branch or tag `base` with the working tree, in the environments `named`, or in all."""
    output = output or Output()
    _check(base, output)
    with context.console.status(f"evaluating {base}"), checked_out(base) as (folder, commit):
        stacks = list(named) or sorted({*stack_config.stacks(folder), *stack_config.stacks()})
        old = environments(folder, stacks, f"BASE={base} ({commit})")
    with context.console.status("evaluating the working tree"):
        new = environments(ROOT, stacks, "the working tree")
    if not {*old, *new}:
        msg = f"no environment {', '.join(named)}: neither {base} nor the working tree has a Pulumi.<stack>.yaml of it"
        raise UsageError(msg)
    difference = compare(old, new)
    if output.changed is not None:
        output.changed.write_text(json.dumps([name for name in difference.changed if name in new]))
    if output.as_json:
        context.console.json(_document(difference, base, commit))
        return 0
    files = _pictures(context, old, new, output.pictures) if output.pictures is not None else {}
    sys.stdout.write(markdown(difference, f"{code(base)} ({commit})", files))
    return 0


def _check(base: str, output: Output) -> None:
    """Raise UsageError for arguments that cannot be used, before anything is evaluated."""
    changed, pictures = output.changed, output.pictures
    if not base:
        tags = subprocess.run(
            ["git", "branch", "--format=%(refname:short)"],  # noqa: S607 - git on PATH
            cwd=ROOT, capture_output=True, text=True, check=False,
        ).stdout.split()  # fmt: skip
        msg = f"BASE is empty; accepted: a branch, tag or commit, such as {', '.join(tags[:5]) or 'main'}"
        raise UsageError(msg)
    if changed is not None and not changed.absolute().parent.is_dir():
        msg = f"CHANGED={changed}: {changed.absolute().parent} is no folder; accepted: a file in a folder that exists"
        raise UsageError(msg)
    if pictures is not None and pictures.exists() and not pictures.is_dir():
        msg = f"PICTURES={pictures}: this is a file; accepted: a folder, which is created when it is missing"
        raise UsageError(msg)


def _document(difference: Difference, base: str, commit: str) -> dict[str, object]:
    return {
        "base": base,
        "commit": commit,
        "environments": list(difference.environments),
        "changes": [asdict(c) | {"environments": list(where)} for c, where in difference.changes.items()],
        "restarts": [asdict(r) | {"environments": list(where)} for r, where in difference.restarts.items()],
    }


def _pictures(
    context: Context, old: Mapping[str, Environment], new: Mapping[str, Environment], folder: Path
) -> dict[str, tuple[str, str]]:
    from cli.diffing import pictures  # noqa: PLC0415 - the browser is needed for this alone

    stack = context.stack
    if stack not in old or stack not in new:
        msg = f"pictures are of one stack, and '{stack}' is not compared here: name another by STACK"
        raise UsageError(msg)
    changed = dashboards.changed(list(old[stack].resources), list(new[stack].resources))
    return pictures.take(context, changed, folder)
