"""Commands that print addresses and passwords, or recover them."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.commands.options import DEFAULT_STACK, AsJson, Stack, of

app = typer.Typer()


@app.command()
def outputs(
    context: typer.Context,
    stack: Stack = DEFAULT_STACK,
    as_json: AsJson = False,
    show_secrets: Annotated[bool, typer.Option("--show-secrets", help="Print secrets in plain text.")] = False,
) -> int:
    """Print the stack's outputs: addresses and the administrator's name."""
    from cli import outputs as command

    return command.run(of(context, stack), as_json=as_json, show_secrets=show_secrets)


@app.command()
def password(context: typer.Context, stack: Stack = DEFAULT_STACK) -> int:
    """Print Grafana's administrator password."""
    from cli import outputs as command

    return command.password(of(context, stack))


@app.command("recover-password")
def recover_password(context: typer.Context, stack: Stack = DEFAULT_STACK) -> int:
    """Set Grafana's administrator password to the configured one, when the current one is lost."""
    from cli import recover_password as command

    return command.run(of(context, stack))
