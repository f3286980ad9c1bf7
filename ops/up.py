"""`make up`: everything that is missing, then `pulumi up`, then a table of where to look."""

from __future__ import annotations

from docker import DockerClient

from components.gates import answers
from configs import labels
from ops import context, engine, pulumi, stack_config
from ops.bootstrap import CannotGoOn
from ops.console import say, table
from ops.mend import take_over
from settings import PORT_OWNERS


def main(_arguments: list[str]) -> int:
    """Bring the chosen stack up, or up to date; a second run changes nothing."""
    stack_config.current()
    client = engine.connect()
    engine.pull(client)
    take_over(client)
    _ports(client)
    pulumi.plugins()
    code = pulumi.run("up", "--yes", "--skip-preview", "--stack", context.stack())
    if code:
        say(
            "`make up` stopped; the reason is above. What ran before still runs, and another `make up` goes on from"
            " here. `make plan` and `make render` need no engine."
        )
        return code
    show_outputs()
    return 0


def _ports(client: DockerClient) -> None:
    """Refuse, before anything is made, ports that somebody else holds; our own running services hold theirs."""
    settings = stack_config.current()
    running = {c.labels[labels.SERVICE] for c in engine.containers(client) if c.status == "running"}
    taken = [
        f"{settings.port(name)} ({name})"
        for name, service in PORT_OWNERS.items()
        if service not in running and answers(settings.access_host, settings.port(name))
    ]
    if taken:
        msg = (
            f"in use by another program on {settings.access_host}: port {', '.join(taken)}. Free it, or set portOffset"
            f" or ports in Pulumi.{context.stack()}.yaml. Nothing was changed."
        )
        raise CannotGoOn(msg)


def show_outputs() -> None:
    """Print where everything is."""
    found = pulumi.outputs()
    rows = [
        ("Grafana", found["grafanaUrl"] + "/d/slo-overview"),
        ("user", found["grafanaAdminUser"]),
        ("password", "make password"),
        ("Prometheus", found["prometheusUrl"]),
        ("Loki", found["lokiUrl"]),
        ("Jaeger", found["jaegerUrl"]),
        ("OTLP over HTTP", found["otlpEndpoint"]),
    ]
    table(f"stack '{context.stack()}' is up", ("what", "where"), rows)
