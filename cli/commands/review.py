"""Commands that show what the program creates, without a running stack."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from cli.commands.options import DEFAULT_STACK, AsJson, Stack, of

app = typer.Typer()


@app.command()
def plan(context: typer.Context, stack: Stack = DEFAULT_STACK, as_json: AsJson = False) -> int:
    """Show what the program would create; needs no engine, Docker or network."""
    from cli import plan as command

    return command.run(of(context, stack), as_json=as_json)


@app.command()
def own(context: typer.Context, stack: Stack = DEFAULT_STACK) -> int:
    """List and check your own content: scrape jobs, rules, dashboards and more in a folder of yours."""
    from cli import own_content as command

    return command.run(of(context, stack))


@app.command()
def render(
    context: typer.Context,
    out: Annotated[Path, typer.Argument(help="The folder to write to.")] = Path("build/render"),
    stack: Stack = DEFAULT_STACK,
    form: Annotated[
        Literal["files", "kubernetes"],
        typer.Option("--format", envvar="FORMAT", help="files, as each program reads them; or objects of kubernetes."),
    ] = "files",
) -> int:
    """Write dashboards, rules and configuration files to a folder."""
    from cli import render as command

    return command.run(of(context, stack), out, form)


@app.command()
def sbom(
    context: typer.Context,
    out: Annotated[Path | None, typer.Argument(help="The file to write to; standard output by default.")] = None,
    stack: Stack = DEFAULT_STACK,
) -> int:
    """Write what a stack is made of, as CycloneDX."""
    from cli import sbom as command

    return command.run(of(context, stack), out)


@app.command()
def diff(
    context: typer.Context,
    base: Annotated[str, typer.Argument(help="The commit, branch or tag to compare with.")] = "main",
    environments: Annotated[
        list[str] | None, typer.Argument(help="The environments to compare; all by default.", show_default=False)
    ] = None,
    stack: Stack = DEFAULT_STACK,
    changed: Annotated[
        Path | None, typer.Option(envvar="CHANGED", help="Write the changed environments to this file, as JSON.")
    ] = None,
    pictures: Annotated[
        Path | None,
        typer.Option(envvar="PICTURES", help="Take pictures of changed dashboards into this folder; needs the stack."),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Show what changes in meaning since a commit, as Markdown."""
    from cli import diff as command

    return command.run(of(context, stack), base, environments or (), command.Output(changed, pictures, as_json))
