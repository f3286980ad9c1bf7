"""`make up`: everything that is missing, then `pulumi up`, then a table of where to look.

`REFRESH=1` then looks for what somebody, or something, else has changed, and puts that back too.
"""

from __future__ import annotations

from typing import Final

from docker import DockerClient

from cli import context, engine, lock, policies, pulumi, stack_config
from cli.bootstrap import UserError
from cli.console import say, table
from cli.repair import prepare_stack
from components.checks import answers

REFRESH: Final = "refresh"


def main(arguments: list[str]) -> int:
    """Bring the chosen stack up, or up to date; a second run changes nothing. `arguments` may be REFRESH."""
    settings = stack_config.current()
    client = engine.connect()
    engine.pull(client, settings)
    with lock.taken():
        prepare_stack(client)
        ports(client)
        pulumi.plugins()
        # Elsewhere the preview checks them: that costs a second, which in development every `up` would pay.
        checked = policies.arguments(settings) if settings.production else ()
        code = _up(*checked)
        if not code and REFRESH in arguments:  # only now: what is to be looked at has to be there
            code = _up("--refresh", *checked)
    if code:
        say(
            "`make up` stopped; the reason is above. What ran before still runs, and another `make up` goes on from"
            " here. `make plan` and `make render` need no engine."
        )
        return code
    show_outputs()
    return 0


def _up(*options: str) -> int:
    return pulumi.run("up", "--yes", "--skip-preview", "--stack", context.stack(), *options)


def ports(client: DockerClient) -> None:
    """Refuse, before anything is made, ports that somebody else holds; ours may pass from one service to another."""
    settings = stack_config.current()
    own = {port for c in engine.containers(client) for port in engine.published(c)}
    taken = [
        f"{settings.port(name)} ({name})"
        for name in settings.published
        if settings.port(name) not in own and answers(settings.access_host, settings.port(name))
    ]
    if taken:
        msg = (
            f"in use by another program on {settings.access_host}: port {', '.join(taken)}. Free it, or set portOffset"
            f" or ports in Pulumi.{context.stack()}.yaml. Nothing was changed."
        )
        raise UserError(msg)


_IF_PUBLISHED: Final = (
    ("Prometheus, to read", "prometheusUrl"),
    ("Loki, to read", "lokiUrl"),
    ("Jaeger, to read", "jaegerUrl"),
    ("OTLP over HTTP", "otlpEndpoint"),
)


def show_outputs() -> None:
    """Print where everything is."""
    found = pulumi.outputs()
    rows = [
        ("Grafana", found["grafanaUrl"] + "/d/slo-overview"),
        ("user", found["grafanaAdminUser"]),
        ("password", "make password"),
        *((title, found[output]) for title, output in _IF_PUBLISHED if output in found),
    ]
    if "gatewayUrl" in found:
        rows.append(("inference gateway", found["gatewayUrl"] + "/docs"))
    table(f"stack '{context.stack()}' is up", ("what", "where"), rows)
