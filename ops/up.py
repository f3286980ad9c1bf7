"""`make up`: everything that is missing, then `pulumi up`, then a table of where to look."""

from __future__ import annotations

from ops import context, engine, pulumi, stack_config
from ops.console import say, table
from ops.mend import mend


def main(_arguments: list[str]) -> int:
    """Bring the chosen stack up, or up to date; a second run changes nothing."""
    stack_config.current()
    client = engine.connect()
    engine.pull(client)
    pulumi.select()
    mend(client)
    code = pulumi.run("up", "--yes", "--skip-preview", "--stack", context.stack())
    if code:
        say(
            "`make up` stopped; the reason is above. What ran before still runs, and another `make up` goes on from"
            " here. `make plan` and `make render` need no engine."
        )
        return code
    show_outputs()
    return 0


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
