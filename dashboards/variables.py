"""Template variables, annotations and links of a whole dashboard, as the SDK's classes."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from dashboards import fields, sdk, targets
from dashboards.errors import refuse
from dashboards.model import Query

Variable = sdk.dashboard.VariableModel

# A whole PromQL-like call (label_values, query_result, ...) rather than one of the editor's forms.
_CLASSIC_PROMETHEUS: Final = {"qryType": 5, "refId": "PrometheusVariableQueryEditor-VariableQuery"}
_ALL: Final = "$__all"
GRAFANA: Final = "-- Grafana --"
"""UID of Grafana's own data source."""
_MOST_ANNOTATIONS: Final = 100


class TopLink(sdk.dashboard.DashboardLink):
    """Link at the top of a dashboard. The SDK would always hide it in the menu of controls."""

    def to_json(self) -> dict[str, object]:
        """Return the payload without a placement."""
        return {name: value for name, value in super().to_json().items() if name != "placement"}


def query_variable(  # noqa: PLR0913 - keyword-only, one for each field of Grafana's form
    name: str,
    *,
    label: str,
    query: str,
    datasource_uid: str,
    multi: bool,
    include_all: bool,
    regex: str,
    all_value: str,
    hidden: bool = False,
) -> Variable:
    """Return a variable whose values a data source lists.

    Raises:
        SettingError: no query, or a data source that cannot list values.

    """
    ref = targets.datasource(datasource_uid)
    if ref.type_val not in {"prometheus", "loki"}:
        refuse("datasource_uid", datasource_uid, "a prometheus or loki data source")
    if not query.strip():
        refuse("query", query, "text that is not blank")
    variable = _variable(sdk.dashboard.VariableType.QUERY, name, label)
    variable.query = {**_CLASSIC_PROMETHEUS, "query": query} if ref.type_val == "prometheus" else query
    variable.definition = query
    variable.datasource = ref
    variable.refresh = sdk.dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED
    variable.sort = sdk.dashboard.VariableSort.NATURAL_ASC
    variable.regex = regex
    if hidden:
        variable.hide = sdk.dashboard.VariableHide.HIDE_VARIABLE
        variable.skip_url_sync = True
    _selectable(variable, multi=multi, include_all=include_all, all_value=all_value)
    return variable


def custom_variable(  # noqa: PLR0913 - keyword-only, one for each field of Grafana's form
    name: str,
    *,
    label: str,
    values: Sequence[str] | Mapping[str, str],
    multi: bool,
    include_all: bool,
    all_value: str = "",
) -> Variable:
    """Return a variable whose values are listed here; the first is chosen. A mapping gives shown text to value.

    Raises:
        SettingError: no values.

    """
    pairs = list(values.items()) if isinstance(values, Mapping) else [(value, value) for value in values]
    if not pairs:
        refuse("values", values, "at least one value")
    variable = _variable(sdk.dashboard.VariableType.CUSTOM, name, label)
    variable.query = ",".join(
        _escaped(value) if shown == value else f"{_escaped(shown)} : {_escaped(value)}" for shown, value in pairs
    )
    variable.options = [_option(shown, value, index == 0) for index, (shown, value) in enumerate(pairs)]
    variable.current = _option(*pairs[0], selected=True)
    _selectable(variable, multi=multi, include_all=include_all, all_value=all_value)
    return variable


def textbox_variable(name: str, *, label: str, default: str) -> Variable:
    """Return a variable to type into."""
    variable = _variable(sdk.dashboard.VariableType.TEXTBOX, name, label)
    variable.query = default
    variable.current = _option(default, default, selected=True)
    variable.options = [_option(default, default, selected=True)]
    return variable


def interval_variable(name: str, *, label: str, values: Sequence[str]) -> Variable:
    """Return a variable of durations; the first is chosen.

    Raises:
        SettingError: no values, or one that is not a duration.

    """
    if not values or not all(re.fullmatch(r"\d+(ms|[smhdwMy])", value) for value in values):
        refuse("values", values, "durations such as 1m, 5m, 1h; at least one")
    variable = _variable(sdk.dashboard.VariableType.INTERVAL, name, label)
    variable.query = ",".join(values)
    variable.options = [_option(value, value, index == 0) for index, value in enumerate(values)]
    variable.current = _option(values[0], values[0], selected=True)
    variable.refresh = sdk.dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED
    variable.auto = False
    return variable


def annotation(  # noqa: PLR0913 - keyword-only, one for each field of Grafana's form
    name: str,
    *,
    query: str | Query,
    datasource_uid: str,
    color: str,
    title: str,
    text: str,
    tags: Sequence[str],
    enabled: bool,
    step: str,
) -> sdk.dashboard.AnnotationQuery:
    """Return annotations on every graph, one wherever a query has a value, or a log line.

    Raises:
        SettingError: no name, no query, a foreign colour.

    """
    if not name.strip():
        refuse("name", name, "text that is not blank")
    source_query = query if isinstance(query, Query) else Query(query, datasource_uid=datasource_uid, interval=step)
    (resolved,) = targets.resolve(source_query, targets.QueryDefaults())
    source = targets.panel_datasource((resolved,))
    return sdk.dashboard.AnnotationQuery(
        name=name,
        datasource=source,
        # Loki's plugin looks here, and nowhere else.
        expr=source_query.expr if source.type_val == "loki" else None,
        enable=enabled,
        hide=False,
        icon_color=fields.color(color),
        target=targets.target(resolved),
        title_format=title or name,
        text_format=text or None,
        tag_keys=",".join(tags) or None,
        built_in=None,
    )


def tagged_annotations(name: str, *, tag: str, color: str) -> sdk.dashboard.AnnotationQuery:
    """Return Grafana's own annotations that carry a tag.

    Raises:
        SettingError: no name or tag, a foreign colour.

    """
    for setting, value in (("name", name), ("tag", tag)):
        if not value.strip():
            refuse(setting, value, "text that is not blank")
    return sdk.dashboard.AnnotationQuery(
        name=name,
        datasource=sdk.common.DataSourceRef(type_val="grafana", uid=GRAFANA),
        enable=True,
        hide=False,
        icon_color=fields.color(color),
        target=_TaggedAnnotations(tag),
        built_in=None,
    )


class _TaggedAnnotations(sdk.Dataquery):
    """Query for Grafana's own annotations by tag."""

    def __init__(self, tag: str) -> None:
        self._tag = tag

    def to_json(self) -> dict[str, object]:
        """Return the payload."""
        return {"type": "tags", "tags": [self._tag], "matchAny": False, "limit": _MOST_ANNOTATIONS}


def top_link(  # noqa: PLR0913 - keyword-only
    title: str, url: str, *, keep_time: bool, keep_variables: bool, new_tab: bool, icon: str
) -> TopLink:
    """Return a link at the top of a dashboard.

    Raises:
        SettingError: no title or URL.

    """
    for setting, value in (("title", title), ("url", url)):
        if not value.strip():
            refuse(setting, value, "text that is not blank")
    return TopLink(
        title=title,
        type_val=sdk.dashboard.DashboardLinkType.LINK,
        icon=icon,
        tooltip="",
        url=url,
        keep_time=keep_time,
        include_vars=keep_variables,
        target_blank=new_tab,
    )


def top_menu(title: str, tag: str) -> TopLink:
    """Return a menu of the dashboards that carry a tag; the links keep time range and variables.

    Raises:
        SettingError: no title or tag.

    """
    for setting, value in (("title", title), ("tag", tag)):
        if not value.strip():
            refuse(setting, value, "text that is not blank")
    return TopLink(
        title=title,
        type_val=sdk.dashboard.DashboardLinkType.DASHBOARDS,
        icon="external link",
        tooltip="",
        url="",
        tags=[tag],
        as_dropdown=True,
        keep_time=True,
        include_vars=True,
    )


def address(uid: str, chosen: Mapping[str, str]) -> str:
    """Return the path of a dashboard with values for its variables, which may be Grafana's own."""
    query = "&".join(f"var-{name}={value}" for name, value in chosen.items())
    return f"/d/{uid}?{query}" if query else f"/d/{uid}"


def _variable(kind: sdk.dashboard.VariableType, name: str, label: str) -> Variable:
    if not re.fullmatch(r"[A-Za-z]\w*", name):
        refuse("name", name, "a letter, then letters, digits and underscores")
    # The SDK would give each of them an interval variable's settings.
    return Variable(
        type_val=kind,
        name=name,
        label=label or None,
        hide=sdk.dashboard.VariableHide.DONT_HIDE,
        multi=None,
        include_all=None,
        allow_custom_value=None,
        auto=None,
        auto_min=None,
        auto_count=None,
    )


def _selectable(variable: Variable, *, multi: bool, include_all: bool, all_value: str) -> None:
    variable.multi = multi
    variable.include_all = include_all
    variable.all_value = all_value or None
    if include_all:
        # A single choice is stored as a string, several as a list.
        text: str | list[str] = ["All"] if multi else "All"
        value: str | list[str] = [_ALL] if multi else _ALL
        variable.current = sdk.dashboard.VariableOption(selected=True, text=text, value=value)


def _option(text: str, value: str, selected: bool) -> sdk.dashboard.VariableOption:  # noqa: FBT001 - private
    return sdk.dashboard.VariableOption(selected=selected, text=text, value=value)


def _escaped(text: str) -> str:
    return text.replace(",", r"\,")
