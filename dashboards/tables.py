"""Tables that several queries fill, one a column, and how a state is told in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dashboards import palette, queries, transform
from dashboards.model import Query, ValueText

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dashboards.model import Mappings, Transformation

NAMES: Final = {"service": "Service", "slo": "Objective of", "endpoint": "Endpoint"}
"""How the labels are called at the head of a column."""

STATES: Final[Mappings] = {
    str(queries.NO_DATA): ValueText("No data", palette.PURPLE),
    str(queries.SPENT): ValueText("Budget spent", palette.BAD),
    str(queries.PAGE): ValueText("Burning fast: page", palette.BAD),
    str(queries.TICKET): ValueText("Burning: ticket", palette.WARNING),
    str(queries.YOUNG): ValueText("Fine so far", palette.NEUTRAL),
    str(queries.FINE): ValueText("Fine", palette.GOOD),
}


def joined(
    columns: Mapping[str, str | Query],
    labels: tuple[str, ...],
    *,
    names: Mapping[str, str] = NAMES,
    needs: str = "",
    first: tuple[str, ...] = ("State",),
) -> tuple[list[Query], list[Transformation]]:
    """Return a query for each column and the steps that make one table of them: `first`, then labels, then the rest.

    PromQL alone is asked once, at the end of the time range. `needs` drops the rows that lack a value in that column:
    what a `topk` left out.
    """
    refs = {title: "".join(c if c.isalnum() else "_" for c in title.lower()) for title in columns}
    asked = [
        Query(
            asked.expr if isinstance(asked, Query) else asked,
            instant=not isinstance(asked, Query),
            format="table",
            interval=asked.interval if isinstance(asked, Query) else "",
            ref_id=refs[title],
        )
        for title, asked in columns.items()
    ]
    shown = {f"Value #{refs[title]}": title for title in columns}
    early = [name for name, title in shown.items() if title in first]
    kept = ("Time",) if "Time" in names else ()
    steps = [
        transform.merge(),
        transform.organize(
            rename={**{label: names[label] for label in (*kept, *labels)}, **shown},
            exclude=() if kept else ("Time",),
            order=(*early, *kept, *labels, *(name for name in shown if name not in early)),
        ),
    ]
    if needs:
        steps.append(transform.with_value(needs))
    return asked, steps
