"""`up`: installs and repairs what is needed, runs `pulumi up`, and prints a table of addresses."""

from __future__ import annotations

from typing import Final

from cli import lock, policies
from cli.context import Context
from cli.engine import published
from cli.errors import UserError
from cli.repair import prepare_stack
from components.checks import answers


def run(context: Context, *, refresh: bool) -> int:
    """Bring the stack up, or up to date; a second run changes nothing.

    With `refresh`, changes that were made in Grafana or on the host are corrected too.
    """
    settings = context.settings
    if settings.runs_stack:
        policies.check_digests(settings)
        context.engine.pull(settings)
    with lock.held(context):
        prepare_stack(context)
        if settings.runs_stack:
            check_ports(context)
        context.pulumi.install_plugins()
        # Other stacks check the policies in a preview only, because that takes a second of every `up`.
        options = policies.arguments(context) if settings.production else ()
        code = context.pulumi.up(*options)
        if not code and refresh:  # afterwards, because a refresh reads resources that the first run may create
            code = context.pulumi.up("--refresh", *options)
    if code:
        context.console.say(
            "`make up` stopped; the reason is above. What ran before still runs, and another `make up` continues from"
            " here. `make plan` and `make render` need no engine."
        )
        return code
    show_outputs(context)
    return 0


def check_ports(context: Context) -> None:
    """Raise UserError if another program uses a port; ports may move between services of the stack."""
    settings = context.settings
    own = {port for c in context.engine.containers() for port in published(c)}
    used = [
        f"{settings.port(name)} ({name})"
        for name in settings.published
        if settings.port(name) not in own and answers(settings.access_host, settings.port(name))
    ]
    if used:
        msg = (
            f"in use by another program on {settings.access_host}: port {', '.join(used)}. Free it, or set portOffset"
            f" or ports in Pulumi.{context.stack}.yaml. Nothing was changed."
        )
        raise UserError(msg)


_IF_PUBLISHED: Final = (
    ("Prometheus, to read", "prometheus"),
    ("Loki, to read", "loki"),
    ("Jaeger, to read", "jaeger"),
    ("OTLP over HTTP", "otlpHttp"),
)


def show_outputs(context: Context) -> None:
    """Print the stack's addresses. They come from the settings, as the program's outputs do."""
    settings = context.settings
    if not settings.runs_stack:
        rows = [("Grafana", settings.grafana_url + "/d/slo-overview")]
        context.console.table(f"stack '{context.stack}' is up", ("what", "where"), rows)
        return
    rows = [
        ("Grafana", settings.address("grafana") + "/d/slo-overview"),
        ("user", settings.grafana_admin_user),
        ("password", "make password"),
        *((title, settings.address(name)) for title, name in _IF_PUBLISHED if name in settings.published),
    ]
    if settings.demo:
        rows.append(("inference gateway", settings.address("demo") + "/docs"))
    context.console.table(f"stack '{context.stack}' is up", ("what", "where"), rows)
