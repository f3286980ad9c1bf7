"""From queries to what the SDK sends: data sources, ref ids, and the query class Jaeger lacks."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from dashboards import sdk
from dashboards.errors import refuse
from dashboards.model import AnyQuery, JaegerQuery, PanelQuery, Query, QueryInput
from observability.names import panel_ids, uids

DATASOURCE_TYPES: Final = {
    uids.DATASOURCE_PROMETHEUS: "prometheus",
    uids.DATASOURCE_LOKI: "loki",
    uids.DATASOURCE_JAEGER: "jaeger",
}
MIXED: Final = sdk.common.DataSourceRef("datasource", "-- Mixed --")
PANEL: Final = sdk.common.DataSourceRef("datasource", "-- Dashboard --")
"""Grafana's own data source that answers with what another panel of the dashboard has."""

_JAEGER_KINDS: Final = {"search": "search", "dependencies": "dependencyGraph"}

MISSING: Final = "missing"
"""Ref id of the query whose one line stands for the data that a panel does not have."""


@dataclass(frozen=True, slots=True)
class QueryDefaults:
    """What a bare string means on a panel of some type."""

    datasource_uid: str = uids.DATASOURCE_PROMETHEUS
    instant: bool = False
    format: Literal["time_series", "table", "heatmap"] = "time_series"
    legend: str = ""


class JaegerDataquery(sdk.Dataquery):
    """Jaeger's query as its Grafana plugin reads it (12.4: `queryType`, `query`, `service`, ...)."""

    def __init__(self, query: JaegerQuery) -> None:
        self._query = query

    def to_json(self) -> dict[str, object]:
        """Payload, without the fields that are empty."""
        query = self._query
        payload: dict[str, object] = {
            "datasource": datasource(query.datasource_uid),
            "refId": query.ref_id,
        }
        # Jaeger's plugin takes a query without a type for a trace id.
        if query.kind == "trace":
            return {**payload, "query": query.trace_id}
        payload["queryType"] = _JAEGER_KINDS[query.kind]
        if query.kind == "search":
            fields = {
                "service": query.service,
                "operation": query.operation,
                "tags": query.tags,
                "minDuration": query.min_duration,
                "maxDuration": query.max_duration,
                "limit": query.limit,
            }
            payload.update({name: value for name, value in fields.items() if value})
        return payload


class PanelDataquery(sdk.Dataquery):
    """Query for another panel's answers, before its transformations."""

    def __init__(self, query: PanelQuery, dashboard: str) -> None:
        self._query = query
        self._dashboard = dashboard

    def to_json(self) -> dict[str, object]:
        """Return the payload: the panel by its id."""
        panel = panel_ids.panel_id(self._dashboard, self._query.key)
        return {"datasource": PANEL, "refId": self._query.ref_id, "panelId": panel, "withTransforms": False}


def datasource(uid: str, kind: str = "") -> sdk.common.DataSourceRef:
    """Refer to a data source by type and uid.

    Raises:
        SettingError: `uid` is not one of ours and `kind` does not say what it is.

    """
    kind = kind or DATASOURCE_TYPES.get(uid, "")
    if not kind or not uid:
        types = ", ".join(DATASOURCE_TYPES)
        refuse("datasource_uid", uid, f"one of {types}, or any with its datasource_type")
    return sdk.common.DataSourceRef(kind, uid)


def resolve(query: QueryInput, defaults: QueryDefaults) -> tuple[AnyQuery, ...]:
    """Give queries their ref ids; strings become what `defaults` says.

    Raises:
        SettingError: there is none, one is blank, or two share a ref id.

    """
    parts = (query,) if isinstance(query, str | Query | JaegerQuery | PanelQuery) else query
    if not isinstance(parts, Sequence) or not parts:
        refuse("query", query, "a query string, a Query, a JaegerQuery, or a sequence of these, not empty")
    resolved = [_typed(part, defaults) for part in parts]
    used = {part.ref_id for part in resolved if part.ref_id}
    free = (name for name in map(_letters, range(len(resolved) + len(used))) if name not in used)
    named = tuple(part if part.ref_id else replace(part, ref_id=next(free)) for part in resolved)
    seen: set[str] = set()
    for part in named:
        if part.ref_id in seen:
            refuse("ref_id", part.ref_id, "a name that no other query of the panel has")
        seen.add(part.ref_id)
    return named


def target(query: AnyQuery, dashboard: str = "") -> sdk.Dataquery:
    """Return the SDK's query for a resolved query of the dashboard with the UID `dashboard`."""
    if isinstance(query, PanelQuery):
        return PanelDataquery(query, dashboard)
    if isinstance(query, JaegerQuery):
        return JaegerDataquery(query)
    ref = datasource(query.datasource_uid, query.datasource_type)
    if ref.type_val == "loki":
        return sdk.loki.Dataquery(
            expr=query.expr,
            legend_format=query.legend or None,
            max_lines=query.max_lines,
            query_type="instant" if query.instant else "range",
            step=query.interval or None,
            ref_id=query.ref_id,
            hide=query.hide or None,
            datasource=ref,
            editor_mode=sdk.loki.QueryEditorMode.CODE,
        )
    if ref.type_val != "prometheus":
        refuse("query", query, f"a query for a {ref.type_val} data source; Query is for prometheus and loki")
    return sdk.prometheus.Dataquery(
        expr=query.expr,
        legend_format=query.legend or "__auto",
        instant=query.instant,
        range_val=not query.instant,
        exemplar=query.exemplar,
        format_val=sdk.prometheus.PromQueryFormat(query.format),
        interval=query.interval or None,
        ref_id=query.ref_id,
        hide=query.hide or None,
        datasource=ref,
        editor_mode=sdk.prometheus.QueryEditorMode.CODE,
    )


def missing(queries: Sequence[AnyQuery], text: str) -> Query:
    """Return a query whose one answer is a line that says `text`, when the panel's only LogQL query finds none.

    Raises:
        SettingError: it is not one LogQL query, or LogQL would read something into the text.

    """
    (query, *others) = queries
    if others or not isinstance(query, Query) or query.datasource_uid != uids.DATASOURCE_LOKI:
        refuse("query", queries, f"one LogQL query, where a panel says '{text}' without data")
    if "$" in text:
        refuse("no_value", text, "text without $")
    # Counting fails at the first line that a parser could not read.
    probe = f'sum(count_over_time({query.expr} | __error__="" [$__range])) > 0'
    # The first column of text is the line: `body` comes before `level`.
    line = f'label_replace(vector(0) unless on () ({probe}), "body", {json.dumps(text, ensure_ascii=False)}, "", "")'
    return Query(
        f'label_replace({line}, "level", "info", "", "")',
        datasource_uid=query.datasource_uid,
        instant=True,
        ref_id=MISSING,
    )


def panel_datasource(queries: Sequence[AnyQuery]) -> sdk.common.DataSourceRef:
    """Name the data source of a whole panel: the one its queries share, or Grafana's mixed one."""
    if all(isinstance(query, PanelQuery) for query in queries):
        return PANEL
    kinds = {
        (q.datasource_uid, q.datasource_type if isinstance(q, Query) else "")
        for q in queries
        if not isinstance(q, PanelQuery)
    }
    if len(queries) > 1 and any(isinstance(query, PanelQuery) for query in queries):
        return MIXED
    return datasource(*kinds.pop()) if len(kinds) == 1 else MIXED


def _typed(part: object, defaults: QueryDefaults) -> AnyQuery:
    typed = _from_string(part, defaults) if isinstance(part, str) else part
    if isinstance(typed, PanelQuery):
        _required("key", typed.key)
        return typed
    if isinstance(typed, Query):
        _required("query", typed.expr)
        return typed
    if isinstance(typed, JaegerQuery):
        datasource(typed.datasource_uid)
        if typed.kind == "trace":
            _required("query", typed.trace_id)
        if typed.kind == "search":
            _required("service", typed.service)
            if typed.limit < 1:
                refuse("limit", typed.limit, "1 or more")
        return typed
    return refuse("query", part, "a query string, a Query or a JaegerQuery")


def _from_string(text: str, defaults: QueryDefaults) -> AnyQuery:
    if DATASOURCE_TYPES.get(defaults.datasource_uid) == "jaeger":
        return replace(JaegerQuery.trace(text), datasource_uid=defaults.datasource_uid)
    return Query(
        text,
        legend=defaults.legend,
        datasource_uid=defaults.datasource_uid,
        instant=defaults.instant,
        format=defaults.format,
    )


def _required(setting: str, text: object) -> None:
    if not isinstance(text, str) or not text.strip():
        refuse(setting, text, "text that is not blank")


def _letters(index: int) -> str:
    """Count A, B, ... Z, AA, AB, ... as Grafana's editor does."""
    name = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        name = chr(ord("A") + rest) + name
    return name
