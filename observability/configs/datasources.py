"""Grafana's data sources and the links between them. Plain values, with constant UIDs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from observability import endpoints, explore, topology
from observability.names import series
from observability.names.uids import (
    DATASOURCE_JAEGER,
    DATASOURCE_LOKI,
    DATASOURCE_LONG_TERM,
    DATASOURCE_PROMETHEUS,
)
from observability.settings import seconds

if TYPE_CHECKING:
    from observability.settings import Settings
    from observability.topology import Endpoint

TRACE_LABEL = "^trace_id$"
"""Structured metadata in which the collector stores a line's trace ID (`configs.lines`)."""
TRACE_ID_IN_LINE = (
    r"""\b(?:trace[._-]?id|traceparent["']?\s*[=:]\s*["']?[0-9a-f]{2}(?=-)|trace["']?\s*:\s*\{\s*["']?id)"""
    r"""["']?\s*[=:-]\s*["']?((?=[0-9]*[a-f])(?:[0-9a-f]{32}|[0-9a-f]{16}))(?![0-9a-z])"""
)
"""JavaScript regular expression of a trace ID in a line that the collector did not parse."""
REQUEST_ID_IN_LINE = r'(?:request_?id|requestId)"?\s*[=:]\s*"?([A-Za-z0-9._-]+)'


def lines_of_trace(trace: str) -> str:
    """Return the LogQL for all lines of a trace, with its ID in the line or in the structured metadata.

    Jaeger shows an ID of 64 bits with 16 digits; the metadata always has 32, with leading zeros. Grafana's own lines
    need the ID in the metadata, because Grafana logs the URL of every page on which a trace is open.
    """
    in_line = f'and (contains "{trace}" __line__) (ne .service_name "{topology.GRAFANA.name}")'
    trace_id = f"{{{{ if {in_line} }}}}{trace}{{{{ else }}}}{{{{ .trace_id }}}}{{{{ end }}}}"
    return f'{{service_name=~".+"}} | label_format trace_id=`{trace_id}` | trace_id=~"0*{trace}"'


@dataclass(frozen=True)
class DataSourceSpec:
    """A data source; `url` is its address for Grafana, and `uid` is also its type unless `type` is set."""

    uid: str
    title: str
    url: str
    json_data: Mapping[str, Any]
    default: bool = False
    type: str = ""
    """Grafana's type of data source, "" if it is the UID."""
    endpoint: Endpoint | None = None
    """The credentials for an external store, None for the stack's own."""


def datasources(settings: Settings) -> tuple[DataSourceSpec, ...]:
    """Return Prometheus (the default), Loki, Jaeger, and the copy of the metrics in an external store, if any."""
    own = (_prometheus(settings), _loki(settings), _jaeger(settings))
    if not settings.runs_stack:
        return tuple(replace(spec, endpoint=endpoints.reads(topology.part(spec.uid), settings)) for spec in own)
    return (*own, *_long_term(settings))


def _long_term(settings: Settings) -> Iterator[DataSourceSpec]:
    """Yield the data source of the copy of the metrics, which no dashboard uses by default."""
    endpoint = endpoints.metrics_long_term(settings)
    if endpoint is not None:
        yield replace(
            _prometheus(settings),
            uid=DATASOURCE_LONG_TERM,
            title="Prometheus, long-term",
            url=endpoint.url,
            default=False,
            type=DATASOURCE_PROMETHEUS,
            endpoint=endpoint,
        )


def _prometheus(settings: Settings) -> DataSourceSpec:
    # Services write trace_id; Grafana's own metrics write traceID.
    # A URL: in a link to a Jaeger data source Grafana 12.4 writes the query in Tempo's form, which finds nothing.
    kept = f"now-{seconds(settings.jaeger_retention) // 60:.0f}m"
    trace = explore.address(settings.root_url, DATASOURCE_JAEGER, {"query": explore.VALUE}, start=kept)
    exemplars = [
        {"name": label, "url": trace, "urlDisplayLabel": "Open the trace"} for label in ("trace_id", "traceID")
    ]
    return DataSourceSpec(
        DATASOURCE_PROMETHEUS,
        topology.PROMETHEUS.title,
        endpoints.reads(topology.PROMETHEUS, settings).url,
        {
            "httpMethod": "POST",
            "timeInterval": settings.scrape_interval,
            "queryTimeout": "60s",
            "incrementalQuerying": True,
            "incrementalQueryOverlapWindow": "10m",
            "cacheLevel": "High",
            "prometheusType": "Prometheus",
            "manageAlerts": True,
            "exemplarTraceIdDestinations": exemplars,
        },
        default=True,
    )


def _loki(settings: Settings) -> DataSourceSpec:
    return DataSourceSpec(
        DATASOURCE_LOKI,
        topology.LOKI.title,
        endpoints.reads(topology.LOKI, settings).url,
        {
            "maxLines": "1000",
            "manageAlerts": False,  # there are no alerts in Loki, and the reading proxy refuses to list them
            "derivedFields": [
                {
                    "name": "TraceID",
                    "matcherType": "label",
                    "matcherRegex": TRACE_LABEL,
                    "url": "${__value.raw}",
                    "datasourceUid": DATASOURCE_JAEGER,
                    "urlDisplayLabel": "Open the trace",
                },
                {
                    "name": "RequestID",
                    "matcherType": "regex",
                    "matcherRegex": REQUEST_ID_IN_LINE,
                    "url": '{service_name=~".+"} |= "${__value.raw}"',
                    "datasourceUid": DATASOURCE_LOKI,
                    "urlDisplayLabel": "All lines of this request",
                },
            ],
        },
    )


def _jaeger(settings: Settings) -> DataSourceSpec:
    return DataSourceSpec(
        DATASOURCE_JAEGER,
        topology.JAEGER.title,
        endpoints.reads(topology.JAEGER, settings).url,
        {
            "nodeGraph": {"enabled": True},
            "traceIdTimeParams": {"enabled": True},
            "spanBar": {"type": "None"},
            "tracesToLogsV2": {
                "datasourceUid": DATASOURCE_LOKI,
                "spanStartTimeShift": "-1h",
                "spanEndTimeShift": "1h",
                "tags": [{"key": "service.name", "value": "service_name"}],
                "customQuery": True,
                "query": lines_of_trace("${__span.traceId}"),
            },
            "tracesToMetrics": {
                "datasourceUid": DATASOURCE_PROMETHEUS,
                "spanStartTimeShift": "-30m",
                "spanEndTimeShift": "30m",
                "tags": [{"key": "service.name", "value": "service_name"}],
                "queries": [
                    {"name": "Request rate", "query": f"sum(rate({series.SPAN_CALLS}{{$__tags}}[5m]))"},
                    {
                        "name": "Error rate",
                        # Without errors there is no such series, so it is 0 if there are requests.
                        "query": (
                            f'sum(rate({series.SPAN_CALLS}{{$__tags, status_code="STATUS_CODE_ERROR"}}[5m]))'
                            f" or 0 * sum(rate({series.SPAN_CALLS}{{$__tags}}[5m]))"
                        ),
                    },
                    {
                        "name": "Duration, 99th percentile",
                        "query": (
                            "histogram_quantile(0.99,"
                            f" sum by (le) (rate({series.SPAN_DURATION_BUCKET}{{$__tags}}[5m])))"
                        ),
                    },
                ],
            },
        },
    )
