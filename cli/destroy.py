"""`make destroy`: everything goes, data included. Asks first; production's protected volumes refuse."""

from __future__ import annotations

import os
import sys

from cli import context, engine, lock, pulumi
from cli.bootstrap import UserError
from cli.console import say
from cli.repair import prepare_stack


def main(_arguments: list[str]) -> int:
    """Destroy the chosen stack after its name has been typed (or given as YES=<stack>)."""
    client = engine.connect()
    name = context.stack()
    given = os.environ.get("YES")
    if given is None:
        if not sys.stdin.isatty():
            msg = f"destroy asks for the stack's name: run it in a terminal, or with YES={name}"
            raise UserError(msg)
        say(f"This removes stack '{name}' with all its metrics, logs, traces and users.")
        given = input("Type the stack's name to go on: ")
    if given != name:
        msg = f"'{given}' is not '{name}': nothing was removed"
        raise UserError(msg)
    with lock.taken():
        prepare_stack(client)
        # With its preview: that is where a protected volume refuses, before anything else is gone.
        return pulumi.run("destroy", "--yes", "--stack", name)
