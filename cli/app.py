"""The command line: every command with its options, help and exit codes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec

import typer

from cli.commands import access, backup, content, demo, development, lifecycle, review, verification
from cli.context import Context
from cli.errors import ExitCode, UserError

_LABORATORY = "lab.commands"
"""Module with the laboratory's commands, which are added if it is installed."""


def _exit(code: int | None) -> None:
    raise typer.Exit(code or ExitCode.OK)


app = typer.Typer(
    name="obs",
    help="Bring the observability stack up, look after it, and check it.",
    no_args_is_help=True,
    result_callback=_exit,
    rich_markup_mode=None,  # rich costs 0.1 s at each start
    pretty_exceptions_enable=False,
)
for group in (lifecycle, review, verification, backup, content, access, demo, development):
    app.add_typer(group.app)
if find_spec("lab") is not None:
    app.add_typer(import_module(_LABORATORY).app)


def main(arguments: Sequence[str], make_context: Callable[[str], Context] = Context) -> int:
    """Run the command in `arguments`; return its exit code. `make_context` returns the context of a stack."""
    try:
        app(args=list(arguments), prog_name="obs", obj=make_context)
    except SystemExit as end:  # also of usage errors and of --help
        return end.code if isinstance(end.code, int) else ExitCode.OK
    except UserError as error:
        print(error, file=sys.stderr)
        return error.code
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    return ExitCode.OK
