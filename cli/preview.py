"""`make preview`: what `up` would change, and whether it keeps the policies."""

from __future__ import annotations

from cli import context, engine, policies, pulumi, stack_config


def main(arguments: list[str]) -> int:
    """Run `pulumi preview --diff` with the policies for the chosen stack."""
    settings = stack_config.current()
    engine.connect()
    pulumi.select()
    return pulumi.run("preview", "--diff", "--stack", context.stack(), *policies.arguments(settings), *arguments)
