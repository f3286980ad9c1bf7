"""`destroy`: removes everything, data included. Asks first; protected volumes refuse."""

from __future__ import annotations

from cli import lock
from cli.context import Context
from cli.repair import prepare_stack


def run(context: Context, *, confirmation: str | None) -> int:
    """Destroy the stack after its name was typed, or given as `confirmation`."""
    what = "all its metrics, logs, traces and users" if context.settings.runs_stack else "its content in Grafana"
    context.confirm(
        f"This removes stack '{context.stack}' with {what}.",
        "nothing was removed",
        given=confirmation,
    )
    if context.settings.runs_stack:
        _ = context.engine  # before anything else is tried
    with lock.held(context):
        prepare_stack(context)
        # With its preview: that is where a protected volume refuses, before anything else is gone.
        return context.pulumi.run("destroy", "--yes", "--stack", context.stack)
