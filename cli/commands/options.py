"""Options that several commands share, and the context that they are turned into."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from cli.context import Context

DEFAULT_STACK = "dev"

Stack = Annotated[str, typer.Option("--stack", "-s", envvar="STACK", help="The stack, as in Pulumi.<stack>.yaml.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]
Yes = Annotated[
    str | None,
    typer.Option("--yes", envvar="YES", help="The stack's name: confirms without a question.", show_default=False),
]


def factory(context: typer.Context) -> Callable[[str], Context]:
    """Return the function that makes the context of a stack."""
    make: Callable[[str], Context] = context.obj
    return make


def of(context: typer.Context, stack: str) -> Context:
    """Return the context of `stack`."""
    return factory(context)(stack)
