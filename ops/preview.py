"""`make preview`: what `up` would change."""

from __future__ import annotations

from ops import context, engine, pulumi, stack_config


def main(arguments: list[str]) -> int:
    """Run `pulumi preview --diff` for the chosen stack."""
    stack_config.current()
    engine.connect()
    pulumi.select()
    return pulumi.run("preview", "--diff", "--stack", context.stack(), *arguments)
