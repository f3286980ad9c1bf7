"""`preview`: shows what `up` would change, and checks it against the policies."""

from __future__ import annotations

from collections.abc import Sequence

from cli import policies
from cli.context import Context


def run(context: Context, options: Sequence[str]) -> int:
    """Run `pulumi preview --diff` with the policies."""
    _ = context.settings, context.engine  # checked before Pulumi starts
    context.pulumi.select()
    return context.pulumi.run("preview", "--diff", "--stack", context.stack, *policies.arguments(context), *options)
