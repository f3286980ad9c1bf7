"""Tables that several queries fill, one a column, and how a state is told in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dashboards import palette, queries, transform
from dashboards.model import Query, ValueText
from observability.names import uids

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


def _value(query: Query) -> str:
    return "Value" if query.datasource_uid == uids.DATASOURCE_LOKI else f"Value #{query.ref_id}"


def joined(
    columns: Mapping[str, str | Query],
    labels: tuple[str, ...],
    *,
    names: Mapping[str, str] = NAMES,
    needs: tuple[str, ...] = (),
    first: tuple[str, ...] = ("State",),
) -> tuple[list[Query], list[Transformation]]:
    """Return a query for each column and the steps that make one table of them: `first`, then labels, then the rest.

    PromQL alone is asked once, at the end of the time range. `needs` drops the rows that lack a value in all of these
    columns: what a `topk` left out. One column may come from Loki: it names its value "Value", whatever its ref.
    """
    refs = {title: "".join(c if c.isalnum() else "_" for c in title.lower()) for title in columns}
    asked = [
        Query(
            asked.expr if isinstance(asked, Query) else asked,
            instant=not isinstance(asked, Query),
            format="table",
            interval=asked.interval if isinstance(asked, Query) else "",
            ref_id=refs[title],
            datasource_uid=asked.datasource_uid if isinstance(asked, Query) else uids.DATASOURCE_PROMETHEUS,
        )
        for title, asked in columns.items()
    ]
    from_loki = any(query.datasource_uid == uids.DATASOURCE_LOKI for query in asked)
    shown = {_value(query): title for query, title in zip(asked, columns, strict=True)}
    early = [name for name, title in shown.items() if title in first]
    kept = ("Time",) if "Time" in names else ()
    steps = [
        *([transform.labels_to_fields()] if from_loki else []),
        transform.merge(),
        transform.organize(
            rename={**{label: names[label] for label in (*kept, *labels)}, **shown},
            exclude=() if kept else ("Time",),
            order=(*early, *kept, *labels, *(name for name in shown if name not in early)),
        ),
    ]
    if needs:
        steps.append(transform.with_value(*needs))
    return asked, steps
