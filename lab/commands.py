"""The laboratory's commands: measurements, load, fault injection, pictures. No part of what users install."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.commands.options import DEFAULT_STACK, Stack, of

app = typer.Typer()


@app.command()
def bench(
    context: typer.Context,
    parts: Annotated[
        list[str] | None, typer.Argument(help="commands, installation, stack, collector, slo; all by default.")
    ] = None,
    stack: Stack = DEFAULT_STACK,
) -> int:
    """Measure speed, as ratios in one run."""
    from lab import bench as command

    if unknown := set(parts or ()) - set(command.PARTS):
        msg = f"{', '.join(sorted(unknown))}: accepted: {', '.join(command.PARTS)}"
        raise typer.BadParameter(msg)
    return command.run(of(context, stack), tuple(parts or command.PARTS))


@app.command()
def profile(
    context: typer.Context,
    stack: Stack = DEFAULT_STACK,
) -> int:
    """Show where the time of an `up` that changes nothing goes: processes, providers, resources."""
    from lab import profile as command

    return command.run(of(context, stack))


@app.command()
def growth(
    context: typer.Context,
    services: Annotated[list[int] | None, typer.Argument(help="Watched services; 10 100 300 by default.")] = None,
    stack: Stack = DEFAULT_STACK,
) -> int:
    """Bring up stacks of its own with more and more watched services: resources, seconds, memory, size of the state."""
    from lab import growth as command

    return command.run(of(context, stack), tuple(services or (10, 100, 300)))


@app.command()
def stress(
    context: typer.Context,
    rate: Annotated[int, typer.Argument(help="Requests a second.")] = 1_000,
    duration: Annotated[str, typer.Argument(help="How long, such as 30s or 5m.")] = "5m",
    stack: Stack = DEFAULT_STACK,
) -> int:
    """Load, kill and fill a stack of its own, and count what is lost."""
    from lab import stress as command

    return command.run(of(context, stack), rate, duration)


@app.command()
def faults(
    context: typer.Context,
    only: Annotated[str, typer.Argument(help="One scenario, or the first word of several; all by default.")] = "",
    stack: Stack = DEFAULT_STACK,
) -> int:
    """Inject faults into stacks of its own, and report what was lost and how long it took."""
    from lab import faults as command

    return command.run(of(context, stack), only)


@app.command()
def pages(
    context: typer.Context,
    scenarios: Annotated[
        list[str] | None, typer.Argument(help="Made-up histories: young, month, outage, one, ten, fifty, hundred.")
    ] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Every size and theme; else laptop, phone; dark.")] = False,
    theme: Annotated[str, typer.Option(help="Only this theme: dark or light.")] = "",
    page: Annotated[list[str] | None, typer.Option(help="Only this page, by its uid; may be given again.")] = None,
    pictures: Annotated[Path | None, typer.Option(help="A folder for a picture of each.")] = None,
    stack: Stack = DEFAULT_STACK,
) -> int:
    """Measure and time every dashboard over made-up data, in a real Grafana and browser; needs no Docker."""
    from lab import pages as command

    return command.run(of(context, stack), scenarios or ["ten"], page or [], pictures, theme, everything=everything)


@app.command()
def scale(
    context: typer.Context,
    services: Annotated[int, typer.Option(help="Services with SLOs; without it the page is written.", min=0)] = 0,
    hosts: Annotated[int, typer.Option(help="Docker hosts.", min=1)] = 1,
    instances: Annotated[int, typer.Option(help="Processes of one service.", min=1)] = 3,
    series: Annotated[int, typer.Option(help="Series that one instance shows.", min=1)] = 500,
    requests: Annotated[float, typer.Option(help="Requests a second of one service.", min=0)] = 10,
    stack: Stack = DEFAULT_STACK,
) -> int:
    """Estimate what a number of services and hosts needs, and which signal leaves one machine first."""
    from lab import scale as command

    size = command.Size(services=services, hosts=hosts, instances=instances, series=series, requests=requests)
    return command.run(of(context, stack), size if services else None)


@app.command()
def settings(context: typer.Context, stack: Stack = DEFAULT_STACK) -> int:
    """Write the reference of settings from the schema."""
    from lab import settings_table as command

    return command.run(of(context, stack))


@app.command()
def reference(context: typer.Context, stack: Stack = DEFAULT_STACK) -> int:
    """Write the generated reference pages: commands, recorded series, alerts, outputs."""
    from lab import reference as command

    return command.run(of(context, stack))


@app.command()
def golden(context: typer.Context, stack: Stack = DEFAULT_STACK) -> int:
    """Write everything that `render` writes, for every environment, to tests/golden."""
    from lab import golden as command

    return command.run(of(context, stack))


@app.command()
def measure(
    context: typer.Context,
    what: Annotated[str, typer.Argument(help="bench, drill, faults, stress or verify.")],
    stack: Stack = DEFAULT_STACK,
) -> int:
    """Run a command that measures, and write its tables to docs/measurements.md."""
    from lab import measure as command

    return command.run(of(context, stack), what)


@app.command()
def digests(context: typer.Context, stack: Stack = DEFAULT_STACK) -> int:
    """Write the images' digests from the registry into versions.toml."""
    from lab import digests as command

    return command.run(of(context, stack))


@app.command()
def screenshots(
    context: typer.Context,
    folder: Annotated[Path | None, typer.Argument(help="The folder to write to; docs/pictures by default.")] = None,
    stack: Stack = DEFAULT_STACK,
) -> int:
    """Take the documentation's pictures from the running stack."""
    from lab import screenshots as command

    return command.run(of(context, stack), folder or command.PICTURES)
