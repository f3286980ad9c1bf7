"""An alert's queries and its condition, as Grafana's API and its provisioning files take them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from observability.names import uids

if TYPE_CHECKING:
    from observability.alerts.model import Alert

EXPRESSIONS: Final = "__expr__"
"""Grafana's own data source for conditions over other queries."""
CONDITION: Final = "fires"
_INSTANT: Final = "instant"
_LOOK_BACK_SECONDS: Final = 600


@dataclass(frozen=True, slots=True)
class Query:
    """One query of an alert, or its condition: `model` is what the data source with that UID takes."""

    ref_id: str
    datasource: str
    model: Mapping[str, Any]
    look_back_seconds: int


def queries(alert: Alert) -> Iterator[Query]:
    """Yield instant queries, and one expression over their values. Nothing waits for a range to fill."""
    kind = {"queryType": _INSTANT} if alert.datasource == uids.DATASOURCE_LOKI else {"instant": True, "range": False}
    for name, expression in alert.queries.items():
        model = {"refId": name, "expr": expression, **kind}
        yield Query(name, alert.datasource, model, _LOOK_BACK_SECONDS)
    yield Query(CONDITION, EXPRESSIONS, {"type": "math", "expression": alert.condition, "refId": CONDITION}, 0)
