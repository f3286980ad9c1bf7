"""Infrastructure Health: what each container takes of CPU, memory and network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dashboards import queries, style
from dashboards.model import Query
from observability.names import uids
from observability.rules import containers

if TYPE_CHECKING:
    from dashboards.builder import DashboardBuilder
    from observability.settings import Settings

HEIGHT: Final = 9
MEGABYTES: Final = "suffix: MB/s"
"""Grafana's own unit would turn to kB/s, and every panel to another."""
NO_NETWORK: Final = "No data: the collector does not run, or may not ask the Docker engine (`dockerSocket`)."


def build(settings: Settings) -> DashboardBuilder:
    """Return the dashboard."""
    db = style.dashboard(
        uids.INFRASTRUCTURE_HEALTH,
        settings,
        description="CPU, memory and network of each container, and how far it is from its limits.",
        time_from="now-1h",
    )
    db.add_query_variable(
        "container", "Container", queries.CONTAINERS, multi=True, include_all=True, all_value=style.ANY
    )
    _compute(db, settings)
    _network(db, settings)
    return db


def _compute(db: DashboardBuilder, settings: Settings) -> None:
    db.add_row("CPU and memory", panel_id=101)
    cores = ", ".join(f"{name} {settings.limit(name).cpus:g}" for name in settings.containers)
    db.add_timeseries_panel(
        title="CPU by container",
        query=Query(queries.of_container(containers.CPU), legend="{{container}}"),
        unit="suffix: cores",
        decimals=3,
        min_val=0,
        legend=style.SHORT_RIGHT,
        overrides=style.colored(style.colors(settings)),
        no_value=style.NOT_RUNNING,
        description=style.describe(
            f"Cores in use, averaged over 5 minutes. The limits: {cores}.",
            "close to its limit a container is slowed down: look what it is asked for (queries, ingestion), make that "
            "cheaper, or raise `limits` of the service in the stack's configuration.",
        ),
        width=style.HALF,
        height=HEIGHT,
        panel_id=1,
    )
    db.add_timeseries_panel(
        title="Memory by container",
        query=[
            Query(queries.of_container(containers.MEMORY), legend="{{container}}", ref_id="used"),
            Query(queries.of_container(containers.MEMORY_LIMIT), legend="{{container}} limit", ref_id="limit"),
        ],
        unit="bytes",
        min_val=0,
        legend=style.SHORT_RIGHT,
        overrides=[*style.colored(style.colors(settings)), style.dashed("limit")],
        no_value=style.NOT_RUNNING,
        description=style.describe(
            "Resident memory. Dashed, in the same colour: the limit at which the engine kills the container.",
            "close to its limit a container is about to be killed and restarted: raise `limits` of the service in the "
            "stack's configuration, or lower its load. Climbing without end is a leak: restart it and report it.",
        ),
        width=style.HALF,
        height=HEIGHT,
        panel_id=2,
    )


def _network(db: DashboardBuilder, settings: Settings) -> None:
    db.add_row("Network", panel_id=102)
    _traffic(
        db,
        settings,
        "Received",
        containers.NETWORK_RECEIVED,
        "a sudden rise at Loki or Prometheus is new data or heavy queries: check who sends or asks. A fall to nothing "
        "at a running container: check the network and its senders.",
        panel_id=3,
    )
    _traffic(
        db,
        settings,
        "Sent",
        containers.NETWORK_SENT,
        "a sudden rise is somebody reading much: look for wide queries or a dashboard that refreshes too often, and "
        "narrow it. A fall to nothing: check that the container answers.",
        panel_id=4,
    )


def _traffic(  # noqa: PLR0913 - what the two differ in
    db: DashboardBuilder, settings: Settings, direction: str, metric: str, when_bad: str, *, panel_id: int
) -> None:
    db.add_timeseries_panel(
        title=f"Network {direction.lower()}",
        query=Query(queries.megabytes(metric), legend="{{container}}"),
        unit=MEGABYTES,
        decimals=4,
        min_val=0,
        legend=style.SHORT_RIGHT,
        overrides=style.colored(style.colors(settings)),
        no_value=NO_NETWORK,
        description=style.describe(f"{direction} data in MB/s by container, averaged over 5 minutes.", when_bad),
        width=style.HALF,
        height=HEIGHT,
        panel_id=panel_id,
    )
