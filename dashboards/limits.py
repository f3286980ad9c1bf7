"""A graph of what each container uses, of what it may use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboards import queries, style
from dashboards.model import Query

if TYPE_CHECKING:
    from dashboards.builder import DashboardBuilder
    from dashboards.model import Link
    from observability.settings import Settings


def add_share_of_limit(  # noqa: PLR0913 - what differs from one such graph to the next
    db: DashboardBuilder,
    settings: Settings,
    *,
    title: str,
    used: str,
    limit: str,
    link: Link,
    description: str,
    key: str,
) -> None:
    """Add the graph to `db`; `used` and `limit` are recorded series by container."""
    db.add_timeseries_panel(
        title=title,
        query=Query(queries.share_of_limit(used, limit), legend="{{container}}"),
        **style.on_axis(style.SHARE),
        min_val=0,
        max_val=1,
        fill_opacity=0,
        thresholds=style.usage_thresholds(settings),
        overrides=style.colored_stack(),
        links=[link],
        no_value=style.NOT_RUNNING,
        description=description,
        width=style.HALF,
        height=style.GRAPH_HEIGHT,
        key=key,
    )
