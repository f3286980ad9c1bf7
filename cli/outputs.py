"""`outputs` and `password`: what the stack exports."""

from __future__ import annotations

import sys

from cli.context import Context

_SECRET = ("grafanaAdminPassword", "demoToken")


def run(context: Context, *, as_json: bool, show_secrets: bool) -> int:
    """Print the stack's outputs, secrets only when they are asked for."""
    context.pulumi.select()
    outputs = {
        key: value if show_secrets or key not in _SECRET else "[secret]"
        for key, value in context.pulumi.outputs().items()
    }
    if as_json:
        context.console.json(outputs)
    else:
        context.console.table(f"outputs of stack '{context.stack}'", ("output", "value"), sorted(outputs.items()))
    return 0


def password(context: Context) -> int:
    """Print Grafana's administrator password."""
    context.pulumi.select()
    sys.stdout.write(context.pulumi.outputs()["grafanaAdminPassword"] + "\n")
    return 0
