"""`make diff BASE=main`: what changes in meaning since BASE, as Markdown. Needs neither engine, Docker nor secrets.

`CHANGED=file` also writes the environments that change and are still there, as a JSON list, for the
workflow that previews them. `PICTURES=folder` also takes pictures of the dashboards that change, before and after, from
the running stack (STACK); that alone needs Pulumi and a browser.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from cli import context, stack_config
from cli.bootstrap import ROOT, UserError
from cli.diffing import dashboards
from cli.diffing.compare import compare
from cli.diffing.markdown import markdown
from cli.diffing.model import code
from cli.diffing.versions import Environment, checked_out, environments


def main(arguments: list[str]) -> int:
    """Compare BASE (the first argument) with the working tree, for every environment or those named after it."""
    base, *named = [given for given in arguments if given]
    with checked_out(base) as (folder, commit):
        stacks = named or sorted({*stack_config.stacks(folder), *stack_config.stacks()})
        old = environments(folder, stacks, f"BASE={base} ({commit})")
    new = environments(ROOT, stacks, "the working tree")
    if not {*old, *new}:
        msg = f"no environment {', '.join(named)}: neither {base} nor the working tree has a Pulumi.<stack>.yaml of it"
        raise UserError(msg)
    difference = compare(old, new)
    if os.environ.get("CHANGED"):
        Path(os.environ["CHANGED"]).write_text(json.dumps([name for name in difference.changed if name in new]))
    taken = _pictures(old, new) if os.environ.get("PICTURES") else {}
    sys.stdout.write(markdown(difference, f"{code(base)} ({commit})", taken))
    return 0


def _pictures(old: Mapping[str, Environment], new: Mapping[str, Environment]) -> dict[str, tuple[str, str]]:
    from cli.diffing import pictures  # noqa: PLC0415 - the browser is for this alone

    stack = context.stack()
    if stack not in old or stack not in new:
        msg = f"pictures are of one stack, and '{stack}' is not compared here: name another by STACK"
        raise UserError(msg)
    changed = dashboards.changed(list(old[stack].resources), list(new[stack].resources))
    return pictures.take(changed, Path(os.environ["PICTURES"]))
