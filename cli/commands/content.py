"""Commands that move dashboards between Grafana and the code."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.commands.options import DEFAULT_STACK, Stack, of

app = typer.Typer()


@app.command()
def pull(
    context: typer.Context,
    uid: Annotated[str, typer.Argument(help="The dashboard's UID, as in its address after /d/.")],
    stack: Stack = DEFAULT_STACK,
) -> int:
    """Write a dashboard, as it is in Grafana now, as code."""
    from cli import pull as command

    return command.run(of(context, stack), uid)


@app.command("import")
def import_(context: typer.Context, stack: Stack = DEFAULT_STACK) -> int:
    """Import folders, data sources and dashboards that were made in Grafana."""
    from cli import import_content as command

    return command.run(of(context, stack))


@app.command()
def watch(context: typer.Context, stack: Stack = DEFAULT_STACK) -> int:
    """Apply saved dashboards within seconds, for development."""
    from cli import watch as command

    return command.run(of(context, stack))
