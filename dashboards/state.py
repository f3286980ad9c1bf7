"""How many objectives are in which state: the same panel, of the same query, on every page that has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboards import palette, style, tables, transform
from dashboards.model import Override, Query, Thresholds

if TYPE_CHECKING:
    from dashboards.builder import DashboardBuilder
    from observability.settings import Settings


def add_states(db: DashboardBuilder, settings: Settings, states: str, *, key: str) -> None:
    """Add the counts of objectives by state; `states` is `queries.states`, of all or of the chosen services."""
    db.add_stat_panel(
        title="Objectives by state",
        query=Query(states, instant=True, format="table", ref_id="states"),
        **style.COUNT,
        sparkline=False,
        color_mode="background_solid",
        thresholds=Thresholds.plain(palette.TRANSPARENT),
        text_mode="value_and_name",
        transformations=[
            transform.sort_by("state", descending=True),
            transform.rows_to_fields(name="state", value="Value"),
        ],
        overrides=[
            Override(
                name=str(state.number),
                display_name=state.text,
                thresholds=Thresholds(((None, palette.TRANSPARENT, ""), (1, palette.filled(state.color), state.text))),
            )
            for state in tables.STATES
        ],
        no_value=style.NO_RULES_YET,
        description=style.describe(
            "How many objectives are in which state, by the conditions of the alerts; *Too early* is less than "
            f"{settings.thresholds.coverage_percent:g}% of the window with data.",
            "act now on *Fast burn* and *Missed*, within the day on *Slow burn* and *Low*, and "
            "check the scraping of what has *No data*.",
        ),
        width=24,
        height=4,
        key=key,
    )
