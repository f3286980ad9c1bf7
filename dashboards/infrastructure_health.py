"""Infrastructure Health: CPU, memory and network of each container."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dashboards import queries, style
from dashboards.model import Query
from observability.names import uids
from observability.rules import containers

if TYPE_CHECKING:
    from dashboards.builder import DashboardBuilder
    from observability.settings import Settings

CONTAINERS: Final = 8
"""Containers in a graph; of more, the highest are drawn. The stack's own are six."""
MEGABYTES: Final[style.Scale] = {"unit": "suffix:MB/s", "decimals": 3}
"""Grafana's own unit would turn to kB/s, on each panel at another value."""
NO_NETWORK: Final = (
    "No data: the collector is not running, or may not read from the Docker engine. Check `dockerSocket`."
)


def build(settings: Settings) -> DashboardBuilder:
    """Return the dashboard."""
    db = style.dashboard(
        uids.INFRASTRUCTURE_HEALTH,
        settings,
        description="CPU, memory and network of each container, and how far it is from its limits.",
    )
    style.add_worst_service_link(db, settings)
    db.add_query_variable(
        "container",
        "Container",
        queries.CONTAINERS,
        regex=queries.CONTAINER_VALUES,
        multi=True,
        include_all=True,
        all_value=style.ANY,
    )
    cores = ", ".join(f"{name} {settings.limit(name).cpus:g}" for name in settings.containers)
    for key, title, expr, scale, missing, shows, when_bad in (
        (
            "cpu",
            "CPU by container",
            queries.highest_containers(containers.CPU, CONTAINERS),
            style.CORES,
            style.NOT_RUNNING,
            f"Cores in use, over 5 minutes, of the {CONTAINERS} containers that use most; the limits are {cores}.",
            "make its queries or ingestion cheaper, or raise `limits`, before it reaches its limit and is slowed down.",
        ),
        (
            "memory",
            "Memory by container",
            queries.highest_containers(containers.MEMORY, CONTAINERS),
            style.BYTES,
            style.NOT_RUNNING,
            f"Resident memory of the {CONTAINERS} containers that use most; dashed is the limit of each.",
            "raise `limits` or lower the load close to the limit, and look for a leak when it climbs without end.",
        ),
        (
            "network-received",
            "Network received",
            queries.megabytes(containers.NETWORK_RECEIVED, CONTAINERS),
            MEGABYTES,
            NO_NETWORK,
            f"Data received, averaged over 5 minutes, of the {CONTAINERS} containers that receive most.",
            "check who sends or queries after a sudden rise, and the network and the senders after a fall to nothing.",
        ),
        (
            "network-sent",
            "Network sent",
            queries.megabytes(containers.NETWORK_SENT, CONTAINERS),
            MEGABYTES,
            NO_NETWORK,
            f"Data sent, averaged over 5 minutes, of the {CONTAINERS} containers that send most.",
            "look for wide queries after a sudden rise, and check that the container answers after a fall to nothing.",
        ),
    ):
        query = [Query(expr, legend="{{container}}", ref_id="used")]
        overrides = style.colored(settings)
        if key == "memory":
            limit = queries.limits_of_highest(containers.MEMORY, containers.MEMORY_LIMIT, CONTAINERS)
            query.append(Query(limit, legend="{{container}} limit", ref_id="limit"))
            overrides = [*overrides, style.dashed("limit"), style.without_legend("limit")]
        db.add_timeseries_panel(
            title=f"{title}, {CONTAINERS} highest",
            query=query,
            **style.on_axis(scale),
            min_val=0,
            fill_opacity=0,
            overrides=overrides,
            no_value=missing,
            description=style.describe(shows, when_bad),
            width=style.HALF,
            height=style.GRAPH_HEIGHT,
            key=key,
        )
    return db
