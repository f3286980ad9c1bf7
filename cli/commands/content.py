"""Commands that move dashboards between Grafana and the code."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.commands.options import DEFAULT_STACK, AsJson, Stack, of

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


@app.command("import-slos")
def import_slos(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(help="Files of Sloth, Pyrra or OpenSLO v1.", metavar="FILE...")],
    out: Annotated[Path | None, typer.Option(help="The file to write to; standard output by default.")] = None,
    service: Annotated[str, typer.Option(help="Put all SLOs into this service.")] = "",
    period: Annotated[str, typer.Option(help="The window of Sloth's SLOs, as given to Sloth.")] = "30d",
    as_json: AsJson = False,
) -> int:
    """Read SLOs of Sloth, Pyrra or OpenSLO and write them as `services:`; name what cannot be expressed."""
    from cli import import_slos as command
    from cli.console import Console

    del context
    return command.run(Console(), files, command.Options(out, service, period, as_json))
