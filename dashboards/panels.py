"""The panel types, one function each; `dashboards.panel.panel_type` says how to add one."""

from collections.abc import Sequence
from typing import Final, Literal

from dashboards import fields, palette, sdk
from dashboards.errors import refuse
from dashboards.model import JaegerQuery, Legend, PanelSpec
from dashboards.panel import PanelDefaults, SdkPanelBuilder, panel_type
from dashboards.targets import QueryDefaults
from observability.names import uids

__all__ = [
    "alert_list",
    "bar_gauge",
    "gauge",
    "heatmap",
    "logs",
    "node_graph",
    "stat",
    "table",
    "text",
    "timeseries",
    "traces",
]

Calcs = Sequence[str]
Orientation = Literal["auto", "horizontal", "vertical"]

LAST: Final = ("lastNotNull",)
LIST_LEGEND: Final = Legend(mode="list", calcs=())
"""Names below the graph: values are in the tooltip, and the graph has the panel."""
MAX_OPACITY: Final = 100
STAT_NAME: Final = 11
"""Pixels of the name beside a number: Grafana would shrink it with the panel, to 8 on a phone."""
EMPTY_CELL: Final = "—"
NARROWEST_COLUMN: Final = 78
"""Pixels: a name of a dozen letters."""

_INSTANT: Final = QueryDefaults(instant=True)
_ROWS: Final = QueryDefaults(instant=True, format="table")
_BUCKETS: Final = QueryDefaults(format="heatmap", legend="{{le}}")
_LOGQL: Final = QueryDefaults(datasource_uid=uids.DATASOURCE_LOKI)
_TRACE: Final = QueryDefaults(datasource_uid=uids.DATASOURCE_JAEGER)


@panel_type(PanelDefaults(width=6, height=4))
def stat(  # noqa: PLR0913 - keyword-only, each optional
    spec: PanelSpec,  # noqa: ARG001 - all of it is applied for us
    *,
    calcs: Calcs = LAST,
    sparkline: bool = True,
    color_mode: Literal["value", "background", "background_solid", "none"] = "value",
    text_mode: Literal["auto", "value", "value_and_name", "name", "none"] = "auto",
    orientation: Orientation = "auto",
) -> SdkPanelBuilder:
    """One big number a series, with its course behind it; beside a number its name has a size that can be read."""
    graph = sdk.common.BigValueGraphMode.AREA if sparkline else sdk.common.BigValueGraphMode.NONE
    builder = (
        sdk.stat.Panel()
        .graph_mode(graph)
        .color_mode(fields.choice(sdk.common.BigValueColorMode, "color_mode", color_mode))
        .text_mode(fields.choice(sdk.common.BigValueTextMode, "text_mode", text_mode))
        # A name stands above its number, however wide the panel is.
        .wide_layout(wide_layout=False)
        .orientation(fields.choice(sdk.common.VizOrientation, "orientation", orientation))
        .reduce_options(_reduce(calcs))
    )
    if text_mode == "value_and_name":
        builder.text(sdk.common_builders.VizTextDisplayOptions().title_size(STAT_NAME))
    return builder


@panel_type(PanelDefaults(width=6, height=7, query=_INSTANT))
def gauge(
    spec: PanelSpec,  # noqa: ARG001 - all of it is applied for us
    *,
    calcs: Calcs = LAST,
    orientation: Orientation = "auto",
    title_size: int | None = None,
) -> SdkPanelBuilder:
    """One number a series on a dial from `min_val` to `max_val`; long names need a `title_size` in pixels."""
    # Numbers at the steps run into each other when the steps are close, as 99.5 and 99.625 are.
    builder = (
        sdk.gauge.Panel()
        .show_threshold_markers(show_threshold_markers=True)
        .show_threshold_labels(show_threshold_labels=False)
        .orientation(fields.choice(sdk.common.VizOrientation, "orientation", orientation))
        .reduce_options(_reduce(calcs))
    )
    if title_size is not None:
        builder.text(sdk.common_builders.VizTextDisplayOptions().title_size(title_size))
    return builder


@panel_type(PanelDefaults(width=12, height=8, query=_INSTANT))
def bar_gauge(
    spec: PanelSpec,  # noqa: ARG001 - all of it is applied for us
    *,
    calcs: Calcs = LAST,
    display_mode: Literal["basic", "lcd", "gradient"] = "basic",
    orientation: Orientation = "horizontal",
    title_size: int | None = None,
) -> SdkPanelBuilder:
    """One bar a series, for comparing; long names need a `title_size` in pixels."""
    builder = (
        sdk.bargauge.Panel()
        .display_mode(fields.choice(sdk.common.BarGaugeDisplayMode, "display_mode", display_mode))
        .value_mode(sdk.common.BarGaugeValueMode.TEXT)
        # Beside its bar a name of a service and an objective is cut off.
        .name_placement(sdk.common.BarGaugeNamePlacement.TOP)
        .orientation(fields.choice(sdk.common.VizOrientation, "orientation", orientation))
        .reduce_options(_reduce(calcs))
    )
    if title_size is not None:
        builder.text(sdk.common_builders.VizTextDisplayOptions().title_size(title_size))
    return builder


@panel_type(PanelDefaults(width=12, height=8, color="series"))
def timeseries(  # noqa: PLR0913 - keyword-only, each optional
    spec: PanelSpec,
    *,
    legend: Legend = LIST_LEGEND,
    series: Sequence[str] = (),
    stacking: Literal["none", "normal", "percent"] = "none",
    fill_opacity: int = 10,
    line_width: int = 2,
    span_nulls: bool | int = False,
    axis_label: str = "",
    soft_min: float | None = None,
    soft_max: float | None = None,
    log_scale: bool = False,
    draw_style: Literal["line", "bars", "points"] = "line",
    threshold_style: Literal["off", "line", "dashed", "area", "line+area", "dashed+area"] = "dashed",
) -> SdkPanelBuilder:
    """Lines over time; thresholds are drawn as `threshold_style`, if there are any.

    `series` names the lines to expect, which fixes their colours in that order. `span_nulls` joins the ends
    of gaps: always, never, or those up to that many milliseconds.
    """
    if not 0 <= fill_opacity <= MAX_OPACITY:
        refuse("fill_opacity", fill_opacity, f"percent, 0 to {MAX_OPACITY}")
    style = threshold_style if spec.thresholds is not None else "off"
    panel = (
        sdk.timeseries.Panel()
        .legend(_legend(legend))
        .tooltip(
            sdk.common_builders.VizTooltipOptions()
            .mode(sdk.common.TooltipDisplayMode.MULTI)
            .sort(sdk.common.SortOrder.DESCENDING),
        )
        .draw_style(fields.choice(sdk.common.GraphDrawStyle, "draw_style", draw_style))
        .line_width(line_width)
        .fill_opacity(fill_opacity)
        .show_points(sdk.common.VisibilityMode.AUTO)
        .span_nulls(span_nulls)
        .axis_label(axis_label)
        .stacking(
            sdk.common_builders.StackingConfig()
            .mode(fields.choice(sdk.common.StackingMode, "stacking", stacking))
            .group("A"),
        )
        .thresholds_style(
            sdk.common_builders.GraphThresholdsStyleConfig().mode(
                fields.choice(sdk.common.GraphThresholdsStyleMode, "threshold_style", style),
            ),
        )
    )
    if soft_min is not None:
        panel.axis_soft_min(soft_min)
    if soft_max is not None:
        panel.axis_soft_max(soft_max)
    if log_scale:
        panel.scale_distribution(
            sdk.common_builders.ScaleDistributionConfig().type(sdk.common.ScaleDistribution.LOG).log(10),
        )
    for index, name in enumerate(series):
        panel.override_by_name(name, [fields.color_property(palette.series_color(index))])
    return panel


@panel_type(PanelDefaults(width=24, height=8, query=_ROWS))
def table(  # noqa: PLR0913 - keyword-only, each optional
    spec: PanelSpec,  # noqa: ARG001 - all of it is applied for us
    *,
    sort_by: str = "",
    descending: bool = False,
    filterable: bool = False,
    paged: bool = False,
    cell_height: Literal["sm", "md", "lg"] = "sm",
) -> SdkPanelBuilder:
    """Rows and columns; `sort_by` is a column's shown name, `paged` shows how many rows there are and pages them."""
    every_column = {
        # An empty cell is a dash: `no_value` is a sentence, for a table that is empty.
        "noValue": EMPTY_CELL,
        # What is too long for its column takes a second line; nothing is cut off.
        "custom.wrapText": True,
        "custom.wrapHeaderText": True,
        "custom.minWidth": NARROWEST_COLUMN,
    }
    builder = (
        sdk.table.Panel()
        .show_header(show_header=True)
        .filterable(filterable)
        .override_by_regexp(
            "/.*/", [sdk.dashboard.DynamicConfigValue(name, value) for name, value in every_column.items()]
        )
        .cell_height(fields.choice(sdk.common.TableCellHeight, "cell_height", cell_height))
    )
    if sort_by:
        builder.sort_by([sdk.common_builders.TableSortByFieldState().display_name(sort_by).desc(descending)])
    built = builder.build()
    if isinstance(built.options, sdk.table_models.Options):
        # The SDK still writes the footer's old form, which Grafana 12.4 would migrate at every load.
        built.options.footer = None
        # The SDK does not know this one yet.
        built.options = {**built.options.to_json(), "enablePagination": paged}
    return builder


@panel_type(PanelDefaults(width=24, height=10, query=_LOGQL, needs_unit=False, color="none", hides_no_value=True))
def logs(  # noqa: PLR0913 - keyword-only, each optional
    spec: PanelSpec,  # noqa: ARG001 - all of it is applied for us
    *,
    newest_first: bool = True,
    wrap: bool = True,
    show_labels: bool = False,
    prettify_json: bool = False,
    dedup: Literal["none", "exact", "numbers", "signature"] = "none",
) -> SdkPanelBuilder:
    """Log lines, with details on click."""
    order = sdk.common.LogsSortOrder.DESCENDING if newest_first else sdk.common.LogsSortOrder.ASCENDING
    return (
        sdk.logs.Panel()
        .show_time(show_time=True)
        .show_labels(show_labels)
        .wrap_log_message(wrap)
        .prettify_log_message(prettify_json)
        .enable_log_details(enable_log_details=True)
        .enable_infinite_scrolling(enable_infinite_scrolling=True)
        .sort_order(order)
        .dedup_strategy(fields.choice(sdk.common.LogsDedupStrategy, "dedup", dedup))
    )


@panel_type(PanelDefaults(width=12, height=8, query=_BUCKETS, color="none"))
def heatmap(
    spec: PanelSpec,
    *,
    calculate: bool = False,
    cell_unit: str = "short",
    axis_label: str = "",
    show_legend: bool = True,
) -> SdkPanelBuilder:
    """How often which value, over time, from histogram buckets.

    `unit` is the vertical axis', `cell_unit` that of the counts. `calculate` makes the buckets from plain
    series, in the browser.
    """
    low, high = fields.scale(spec.min_val, spec.max_val)
    axis = sdk.heatmap_builders.YAxisConfig().unit(spec.unit).axis_label(axis_label)
    if low is not None:
        axis.min(low)
    if high is not None:
        axis.max(high)
    if spec.decimals is not None:
        axis.decimals(spec.decimals)
    color = (
        sdk.heatmap_builders.HeatmapColorOptions()
        .mode(sdk.heatmap_models.HeatmapColorMode.SCHEME)
        # Made for colour-blind readers: it runs from dark to light, and from blue to yellow only.
        .scheme("Cividis")
        .fill(palette.NEUTRAL)
        .scale(sdk.heatmap_models.HeatmapColorScale.EXPONENTIAL)
        .exponent(0.5)
        .steps(64)
    )
    tooltip = (
        sdk.heatmap_builders.HeatmapTooltip()
        .mode(sdk.common.TooltipDisplayMode.SINGLE)
        .y_histogram(y_histogram=True)
        .show_color_scale(show_color_scale=True)
    )
    builder = (
        sdk.heatmap.Panel()
        .calculate(calculate)
        .color(color)
        .y_axis(axis)
        .cell_values(sdk.heatmap_builders.CellValues().unit(fields.unit(cell_unit, "cell_unit")))
        .tooltip(tooltip)
        .exemplars_color(palette.ORANGE)
    )
    return builder.show_legend() if show_legend else builder.hide_legend()


@panel_type(PanelDefaults(width=24, height=4, query=None, needs_unit=False, color="none"))
def text(spec: PanelSpec, content: str) -> SdkPanelBuilder:
    """Markdown."""
    if spec.query:
        refuse("query", spec.query, "nothing: a text panel has content instead")
    if not isinstance(content, str) or not content.strip():
        refuse("content", content, "Markdown that is not blank")
    return sdk.text.Panel().mode(sdk.text_models.TextMode.MARKDOWN).content(content)


@panel_type(PanelDefaults(width=24, height=8, query=None, needs_unit=False, color="none"))
def alert_list(spec: PanelSpec, *, most: int = 20, instances: str = "") -> SdkPanelBuilder:
    """Grafana's own alerts that fire or are about to; `instances` are label matchers, `{severity="page"}`."""
    if spec.query:
        refuse("query", spec.query, "nothing: an alert list asks Grafana itself")
    # The SDK has no builder for this type.
    panel = sdk.dashboard_builders.Panel().type("alertlist")
    options = {
        "viewMode": "list",
        "groupMode": "default",
        "groupBy": [],
        "maxItems": most,
        "sortOrder": 5,  # newest first; Grafana 12.4 does not sort by importance, whatever it says
        "dashboardAlerts": False,
        "alertName": "",
        "alertInstanceLabelFilter": instances,
        "datasource": "-- Grafana --",
        "showInactiveAlerts": False,
        "stateFilter": {
            "firing": True,
            "pending": True,
            "error": True,
            "noData": True,
            "normal": False,
            "recovering": True,
        },
    }
    panel.build().options = options
    return panel


@panel_type(PanelDefaults(width=24, height=14, query=_TRACE, needs_unit=False, color="none"))
def traces(spec: PanelSpec) -> SdkPanelBuilder:
    """One trace as a waterfall."""
    _no_search(spec)
    # The SDK has no builder for this type.
    return sdk.dashboard_builders.Panel().type("traces")


@panel_type(PanelDefaults(width=12, height=12, query=_TRACE, needs_unit=False, color="none"))
def node_graph(spec: PanelSpec, *, stat_unit: str = "") -> SdkPanelBuilder:
    """Who calls whom; `stat_unit` is that of the number in each node and on each edge."""
    _no_search(spec)
    panel = sdk.nodegraph.Panel()
    if stat_unit:
        unit = fields.unit(stat_unit)
        panel.nodes(sdk.nodegraph.NodeOptions().main_stat_unit(unit))
        panel.edges(sdk.nodegraph.EdgeOptions().main_stat_unit(unit))
    return panel


def _no_search(spec: PanelSpec) -> None:
    queries = spec.query if isinstance(spec.query, Sequence) else (spec.query,)
    for query in queries:
        if isinstance(query, JaegerQuery) and query.kind == "search":
            refuse("query", query, "a trace or dependencies; a search answers with rows, for a table panel")


def _reduce(calcs: Calcs) -> sdk.common_builders.ReduceDataOptions:
    return sdk.common_builders.ReduceDataOptions().values(values=False).calcs(fields.calcs(calcs))


def _legend(legend: Legend) -> sdk.common_builders.VizLegendOptions:
    shown = legend.mode != "hidden"
    mode = legend.mode if shown else "list"
    return (
        sdk.common_builders.VizLegendOptions()
        .show_legend(shown)
        .display_mode(fields.choice(sdk.common.LegendDisplayMode, "legend", mode))
        .placement(fields.choice(sdk.common.LegendPlacement, "legend", legend.placement))
        .calcs(fields.calcs(legend.calcs) if shown and legend.calcs else [])
    )
