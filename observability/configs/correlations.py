"""Grafana's correlations: links from a log line or a span to queries of the other data sources. Plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from observability.configs.datasources import TRACE_ID_IN_LINE, lines_of_trace
from observability.names import series
from observability.names.uids import DATASOURCE_JAEGER, DATASOURCE_LOKI, DATASOURCE_PROMETHEUS
from observability.settings import quoted
from observability.watched import watched

if TYPE_CHECKING:
    from observability.settings import Settings

_REQUESTS = "service:http_requests:rate5m"
_OF_LINES = "logs-to-metrics"


@dataclass(frozen=True)
class CorrelationSpec:
    """A link from `field` of `source`'s results to a query of `target` (both data source UIDs).

    `query` is the target's query model; its `${variable}`s come from the result's other fields and from
    `transformations`, which read `field` unless they name another.
    """

    name: str
    source: str
    target: str
    label: str
    description: str
    field: str
    query: Mapping[str, Any]
    transformations: tuple[Mapping[str, str], ...] = ()


def _regex(expression: str, variable: str, field: str = "") -> dict[str, str]:
    step = {"type": "regex", "expression": expression, "mapValue": variable}
    return step | {"field": field} if field else step


CORRELATIONS: tuple[CorrelationSpec, ...] = (
    CorrelationSpec(
        name="logs-to-traces",
        source=DATASOURCE_LOKI,
        target=DATASOURCE_JAEGER,
        label="Trace of this line",
        description="Opens the trace whose ID the log line carries, where the data source does not link it already",
        field="Line",
        # Grafana shows a link if all its variables have a value: `unlinked` has one if there is no label `trace_id`.
        query={"query": "${traceId}", "shownWhere": "${unlinked}"},
        transformations=(
            _regex(TRACE_ID_IN_LINE, "traceId"),
            _regex(r'^(?!.*"trace_id":)(\{)', "unlinked", field="labels"),
        ),
    ),
    CorrelationSpec(
        name=_OF_LINES,
        source=DATASOURCE_LOKI,
        target=DATASOURCE_PROMETHEUS,
        label="Requests of this service",
        description="Opens the request rate by status of the service that wrote the line",
        field="Line",
        query={"expr": f'sum by (status) ({_REQUESTS}{{service="${{service}}"}})', "range": True},
        transformations=(
            # JSON escapes a quote in a name with a backslash, which is what the query needs.
            _regex(r'"service_name"\s*:\s*"((?:[^"\\]|\\.)+)"', "service", field="labels"),
        ),
    ),
    CorrelationSpec(
        name="traces-to-logs",
        source=DATASOURCE_JAEGER,
        target=DATASOURCE_LOKI,
        label="Log lines of this trace",
        description="Opens every log line that carries the trace's ID",
        field="traceID",
        query={"expr": lines_of_trace("${traceID}"), "queryType": "range"},
    ),
    CorrelationSpec(
        name="traces-to-metrics",
        source=DATASOURCE_JAEGER,
        target=DATASOURCE_PROMETHEUS,
        label="Calls of this service",
        description="Opens the rate of calls by status of the span's service",
        field="serviceName",
        query={
            "expr": f"sum by (status_code) (rate({series.SPAN_CALLS}{{service_name=`${{serviceName}}`}}[5m]))",
            "range": True,
        },
    ),
)


def correlations(settings: Settings) -> tuple[CorrelationSpec, ...]:
    """Return the correlations. Links to metrics work also for a service whose telemetry has a different name."""
    carried = {s.name: s.telemetry_name for s in watched(settings) if s.telemetry_name != s.name}
    if not carried:
        return CORRELATIONS
    query = {"expr": _requests_by_carried_name(carried), "range": True}
    return tuple(replace(spec, query=query) if spec.name == _OF_LINES else spec for spec in CORRELATIONS)


def _requests_by_carried_name(carried: Mapping[str, str]) -> str:
    """Return the query of the request rate by status of the service whose telemetry has the name `${service}`.

    Args:
        carried: name in the telemetry by name of the service, for services where the two differ.

    """
    renamed = (
        f'label_replace({_REQUESTS}{{service="{name}"}}, "service", {quoted(other.replace("$", "$$"))}, "", "")'
        for name, other in carried.items()
    )
    others = f'{_REQUESTS}{{service!~"{"|".join(carried)}"}}'
    line = 'label_replace(vector(1), "service", "${service}", "", "")'
    return f"sum by (status) (({' or '.join((*renamed, others))}) and on (service) {line})"
