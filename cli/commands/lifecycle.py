"""Commands that create, change and remove a stack."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.commands.options import DEFAULT_STACK, Stack, Yes, factory, of

app = typer.Typer()


@app.command()
def up(
    context: typer.Context,
    stack: Stack = DEFAULT_STACK,
    refresh: Annotated[
        bool, typer.Option("--refresh", envvar="REFRESH", help="Correct what was changed outside the program, too.")
    ] = False,
) -> int:
    """Bring the stack up, or up to date."""
    from cli import up as command

    return command.run(of(context, stack), refresh=refresh)


@app.command()
def preview(
    context: typer.Context,
    options: Annotated[list[str] | None, typer.Argument(help="More options for `pulumi preview`, after `--`.")] = None,
    stack: Stack = DEFAULT_STACK,
) -> int:
    """Show what `up` would change, and check the policies."""
    from cli import preview as command

    return command.run(of(context, stack), options or [])


@app.command()
def down(context: typer.Context, stack: Stack = DEFAULT_STACK) -> int:
    """Remove the containers and keep the data."""
    from cli import down as command

    return command.run(of(context, stack))


@app.command()
def destroy(context: typer.Context, stack: Stack = DEFAULT_STACK, yes: Yes = None) -> int:
    """Remove everything, data included, after a question."""
    from cli import destroy as command

    return command.run(of(context, stack), confirmation=yes)


@app.command()
def promote(
    context: typer.Context,
    source: Annotated[str, typer.Argument(metavar="FROM", help="The stack whose release is promoted.")],
    target: Annotated[str, typer.Argument(metavar="TO", help="The stack that gets the release.")],
    yes: Yes = None,
) -> int:
    """Bring what one stack runs to another, after checks and a question."""
    from cli import promote as command

    make = factory(context)
    return command.run(make(source), make(target), confirmation=yes)


@app.command()
def upgrade(
    context: typer.Context,
    component: Annotated[str, typer.Argument(help="The component, as in versions.toml.")],
    version: Annotated[str, typer.Argument(help="The new tag of its image.")],
    stack: Stack = DEFAULT_STACK,
) -> int:
    """Upgrade one component; roll back, with its data, if the new version fails."""
    from cli import upgrade as command

    return command.run(of(context, stack), component, version)


@app.command()
def repair(context: typer.Context, stack: Stack = DEFAULT_STACK) -> int:
    """Repair what an interrupted run left behind, as `up` does before it starts."""
    from cli import lock
    from cli import repair as command

    opened = of(context, stack)
    with lock.held(opened):
        if not command.prepare_stack(opened):
            opened.console.say(f"stack '{stack}' needs no repair")
    return 0
