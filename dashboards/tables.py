"""Tables that several queries fill, one query a column, and the words for the states of an objective."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from dashboards import palette, queries, transform
from dashboards.model import Query, ValueText
from observability.names import uids

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dashboards.model import Mappings, Transformation

NAMES: Final = {
    "service": "Service",
    "objective": "Objective",
    "slo": "SLO",
    "endpoint": "Endpoint",
    "part": "Data",
    "container": "Container",
}
"""The head of each label's column."""


class State(NamedTuple):
    """One state of an objective: its number, which rises with urgency, its words and its colour."""

    number: int
    text: str
    color: str


STATES: Final = (
    State(queries.BURNING_FAST, "Fast burn", palette.BAD),
    State(queries.MISSED, "Missed", palette.BAD),
    State(queries.BURNING_SLOWLY, "Slow burn", palette.WARNING),
    State(queries.BUDGET_LOW, "Low", palette.WARNING),
    State(queries.MET, "Met", palette.GOOD),
    State(queries.TOO_EARLY, "Too early", palette.NEUTRAL),
    State(queries.NO_DATA, "No data", palette.MUTED),
)
"""Most urgent first."""
STATE_TEXTS: Final[Mappings] = {str(state.number): ValueText(state.text, state.color) for state in STATES}


def columns(
    expressions: Mapping[str, str | Query],
) -> tuple[list[Query], dict[str, str]]:
    """Return a query for each column, and the column's title by the name that Grafana gives its values.

    PromQL alone is evaluated once, at the end of the time range. One column may come from Loki, which names its values
    "Value" whatever the query's ref id is.
    """
    queries: list[Query] = []
    titles: dict[str, str] = {}
    for title, expression in expressions.items():
        ref_id = "".join(c if c.isalnum() else "_" for c in title.lower())
        query = expression if isinstance(expression, Query) else Query(expression, instant=True)
        from_loki = query.datasource_uid == uids.DATASOURCE_LOKI
        queries.append(
            Query(
                query.expr,
                instant=query.instant,
                format="table",
                interval=query.interval,
                ref_id=ref_id,
                datasource_uid=query.datasource_uid,
            )
        )
        titles["Value" if from_loki else f"Value #{ref_id}"] = title
    return queries, titles


def joined(  # noqa: PLR0913 - keyword-only, each optional
    expressions: Mapping[str, str | Query],
    labels: Sequence[str],
    *,
    show: Sequence[str],
    names: Mapping[str, str] = NAMES,
    needs: Sequence[str] = (),
    order: str = "",
    then: str = "",
    most: int = 0,
    extra: Sequence[Transformation] = (),
) -> list[Transformation]:
    """Return the steps that make one table of the answers of `columns(expressions)`.

    Args:
        expressions: the query of each column, by its title.
        labels: the labels that the answers are joined on or bring along; "Time" keeps the moment of a range query.
        show: the columns shown, by title or label, from left to right; all others are dropped.
        names: the head of each label's column.
        needs: rows without a value in any of these columns are dropped: what a `topk` left out.
        order: the column to sort by, largest first; it need not be shown. "" keeps the order.
        then: the column that decides among equal ones, smallest first.
        most: the most rows; 0 for all.
        extra: steps after the columns have their titles.

    """
    queries_, titles = columns(expressions)
    heads = {label: names.get(label, label) for label in labels} | titles
    shown = [names.get(name, name) for name in show]
    steps: list[Transformation] = []
    if any(query.datasource_uid == uids.DATASOURCE_LOKI for query in queries_):
        steps.append(transform.labels_to_fields())
    steps += [
        transform.merge(),
        transform.organize(rename={old: new for old, new in heads.items() if old != new}),
        *extra,
    ]
    if needs:
        steps.append(transform.with_value(*needs))
    if then:
        # Grafana sorts by one column only, and keeps the order of what is equal.
        steps.append(transform.sort_by(then))
    if order:
        steps.append(transform.sort_by(order, descending=True))
    if most:
        steps.append(transform.limit(most))
    # Grafana knows a renamed column by its old name too: the moment is hidden only where no column shows it.
    moment = () if "Time" in heads else ("Time",)
    hidden = [head for head in (*moment, *heads.values()) if head not in shown]
    steps.append(transform.organize(exclude=hidden, order=shown))
    return steps
