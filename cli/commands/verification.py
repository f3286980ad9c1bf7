"""Commands that check a running stack."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.commands.options import DEFAULT_STACK, AsJson, Stack, of

app = typer.Typer()


@app.command()
def verify(context: typer.Context, stack: Stack = DEFAULT_STACK, as_json: AsJson = False) -> int:
    """Check every service, data source, panel, alert and link."""
    from cli import verify as command

    return command.run(of(context, stack), as_json=as_json)


@app.command()
def drift(
    context: typer.Context,
    report: Annotated[
        Path | None, typer.Argument(help="Write a Markdown report to this file if the stack drifted.")
    ] = None,
    stack: Stack = DEFAULT_STACK,
    as_json: AsJson = False,
) -> int:
    """Check whether the stack is what the program defines and the state believes."""
    from cli import drift as command

    return command.run(of(context, stack), report=report, as_json=as_json)


@app.command()
def inventory(context: typer.Context, stack: Stack = DEFAULT_STACK, as_json: AsJson = False) -> int:
    """Count what the stores hold."""
    from cli import inventory as command

    return command.run(of(context, stack), as_json=as_json)
