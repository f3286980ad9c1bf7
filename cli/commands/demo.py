"""Commands that inject faults into the demo."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.commands.options import DEFAULT_STACK, Stack, of

app = typer.Typer()


@app.command()
def fault(
    context: typer.Context,
    kind: Annotated[str, typer.Argument(help="errors, latency, saturation or crash.")],
    duration: Annotated[str, typer.Argument(help="How long, such as 30s, 5m or 1h.")] = "5m",
    stack: Stack = DEFAULT_STACK,
) -> int:
    """Inject a fault into the demo."""
    from cli import fault as command

    return command.run(of(context, stack), kind, duration)


@app.command()
def drill(context: typer.Context, stack: Stack = DEFAULT_STACK) -> int:
    """Break the demo, wait for the page, repair the demo, and compare the times with the calculation."""
    from cli import drill as command

    return command.run(of(context, stack))
