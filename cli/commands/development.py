"""Commands for those who change the program."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.commands.options import DEFAULT_STACK, Stack, of

app = typer.Typer()


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def test(
    context: typer.Context,
    require_all: Annotated[
        bool,
        typer.Option("--require-all", envvar="REQUIRE_ALL", help="Fail when a test is skipped for a missing tool."),
    ] = False,
    smoke: Annotated[
        bool,
        typer.Option("--smoke", envvar="SMOKE", help="Of the end-to-end tests run the smoke tests alone."),
    ] = False,
    coverage: Annotated[
        bool,
        typer.Option("--coverage", envvar="COVERAGE", help="Measure the coverage of tests without an engine."),
    ] = False,
    stack: Stack = DEFAULT_STACK,
) -> int:
    """Run types, lint and every test that can run here; further arguments go to pytest."""
    from cli import test as command

    del stack  # accepted, because `make` passes it to every command
    return command.run(context.args, require_all=require_all, smoke=smoke, coverage=coverage)


@app.command()
def tools(context: typer.Context, stack: Stack = DEFAULT_STACK) -> int:
    """Install what the tests need besides Python: images, checkers, the Pulumi CLI and its plugins."""
    from cli import tools as command

    return command.run(of(context, stack))


@app.command()
def lock(
    check: Annotated[bool, typer.Option("--check", help="Fail if the files are stale, and write nothing.")] = False,
) -> int:
    """Resolve the Python packages of pyproject.toml into uv.lock and the requirements files."""
    from cli import packages as command

    return command.run(check=check)
