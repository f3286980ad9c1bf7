"""Panel types, and the one place where the settings that all types share are applied."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Concatenate, Final, Literal, ParamSpec

from dashboards import fields, palette, sdk, targets, transform
from dashboards.errors import refuse
from dashboards.layout import Box
from dashboards.model import AnyQuery, PanelSpec, Query, Thresholds, Transformation
from dashboards.targets import QueryDefaults

PROMQL: Final = QueryDefaults()

P = ParamSpec("P")
SdkPanelBuilder = sdk.Builder[sdk.dashboard.Panel]


@dataclass(frozen=True, slots=True)
class PanelDefaults:
    """Settings of a panel type that apply before it is drawn.

    Args:
        width: columns of 24, where the panel sets none.
        height: rows, where the panel sets none.
        query: what a bare string means; None for a type that has no query.
        needs_unit: whether it shows numbers.
        color: by threshold, by series, or not at all.
        hides_no_value: whether Grafana leaves out the panel's `no_value` text; a query answers with the text then.

    """

    width: int
    height: int
    query: QueryDefaults | None = PROMQL
    needs_unit: bool = True
    color: Literal["thresholds", "series", "none"] = "thresholds"
    hides_no_value: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel, described but not built yet; `DashboardBuilder.add` takes it."""

    spec: PanelSpec
    defaults: PanelDefaults
    draw: Callable[[], SdkPanelBuilder]

    @property
    def size(self) -> tuple[int, int]:
        """Width in columns, height in rows."""
        width = self.defaults.width if self.spec.width is None else self.spec.width
        height = self.defaults.height if self.spec.height is None else self.spec.height
        return width, height

    def build(self, box: Box, panel_id: int, dashboard: str = "") -> sdk.dashboard.Panel:
        """Build the SDK panel at its place in the dashboard with the UID `dashboard`.

        Raises:
            SettingError: a setting is missing or bad.

        """
        spec = self.spec
        if not isinstance(spec.title, str) or not spec.title.strip():
            refuse("title", spec.title, "text that is not blank")
        if self.defaults.needs_unit and not spec.unit:
            refuse("unit", spec.unit, "a unit id of Grafana; 'none' for plain numbers")
        panel = self.draw().build()
        panel.id_val = panel_id
        panel.plugin_version = sdk.PLUGIN_VERSION
        panel.grid_pos = sdk.dashboard.GridPos(h=box.height, w=box.width, x=box.x, y=box.y)
        panel.title = spec.title
        panel.transparent = spec.transparent
        panel.links = fields.data_links(spec.links, "links") or None
        panel.repeat = spec.repeat or None
        panel.repeat_direction = spec.repeat_direction if spec.repeat else None
        panel.time_from = spec.time_from or None
        # The title says it: beside it Grafana's own words cut it off on a phone.
        panel.hide_time_override = True if spec.time_from else None
        panel.interval = spec.interval or None
        panel.max_data_points = spec.max_data_points
        steps = [*spec.transformations]
        queries: tuple[AnyQuery, ...] = ()
        if self.defaults.query is not None:
            queries = targets.resolve(spec.query, self.defaults.query)
            if self.defaults.hides_no_value and spec.no_value:
                queries += (targets.missing(queries, spec.no_value),)
                steps.append(transform.labels_to_fields(of=targets.MISSING))
            panel.targets = [targets.target(query, dashboard) for query in queries]
            panel.datasource = targets.panel_datasource(queries)
        panel.transformations = [_transformation(step) for step in steps] or None
        if panel.options is None:
            panel.options = {}
        self._configure_fields(panel, queries)
        panel.description = _description(spec.description, self._thresholds()) or None
        return panel

    def _configure_fields(self, panel: sdk.dashboard.Panel, queries: Sequence[AnyQuery]) -> None:
        spec = self.spec
        source = panel.field_config or sdk.dashboard.FieldConfigSource()
        field = source.defaults or sdk.dashboard.FieldConfig()
        steps = fields.thresholds(self._thresholds() or Thresholds.plain())
        if spec.unit:
            field.unit = fields.unit(spec.unit)
        field.decimals = fields.decimals(spec.decimals)
        field.min_val, field.max_val = fields.scale(spec.min_val, spec.max_val)
        field.mappings = fields.mappings(spec.mappings, self._thresholds()) or None
        field.links = fields.data_links(spec.data_links, "data_links") or None
        field.no_value = spec.no_value or None
        if self.defaults.color != "none":
            # Always set: Grafana's own default turns red at 80, whatever the panel shows.
            field.thresholds = steps
            field.color = sdk.dashboard.FieldColor(_COLOR_MODES[self.defaults.color])
        source.defaults = field
        # Grafana lets the last override win: the author's come after ours.
        source.overrides = [
            *self._query_colors(queries),
            *(source.overrides or []),
            *(fields.override(value) for value in spec.overrides),
        ]
        panel.field_config = source

    def _thresholds(self) -> Thresholds | None:
        """Return the thresholds as the panel shows them; a graph has lines."""
        steps = self.spec.thresholds
        return steps.lines() if steps and self.defaults.color == "series" else steps

    def _query_colors(
        self,
        queries: Sequence[AnyQuery],
    ) -> list[sdk.dashboard.DashboardFieldConfigSourceOverrides]:
        """Fix the colours of queries that ask for one or, on graphs, are single series by their names."""
        colors: dict[str, str] = {}
        for index, query in enumerate(query for query in queries if isinstance(query, Query)):
            single = self.defaults.color == "series" and query.legend and "{{" not in query.legend
            if query.color or single:
                colors[query.ref_id] = query.color or palette.series_color(index)
        return [
            sdk.dashboard.DashboardFieldConfigSourceOverrides(
                matcher=sdk.dashboard.MatcherConfig("byFrameRefID", ref_id),
                properties=[fields.color_property(shade)],
            )
            for ref_id, shade in colors.items()
        ]


def panel_type(
    defaults: PanelDefaults,
) -> Callable[
    [Callable[Concatenate[PanelSpec, P], SdkPanelBuilder]],
    Callable[Concatenate[PanelSpec, P], Panel],
]:
    """Make a panel type of a function.

    The function takes the `PanelSpec`, then keywords of its own, and returns an SDK builder with only what is
    particular to the type; everything in `PanelSpec` is applied for it. It runs at build time and may raise
    `SettingError` (see `dashboards.errors.refuse`).

        @panel_type(PanelDefaults(width=12, height=8))
        def histogram(spec: PanelSpec, *, buckets: int = 30) -> SdkPanelBuilder:
            return sdk_histogram.Panel().bucket_count(buckets)

        db.add(histogram(PanelSpec(title="Latency", query="...", unit="s"), buckets=20))
    """

    def register(
        draw: Callable[Concatenate[PanelSpec, P], SdkPanelBuilder],
    ) -> Callable[Concatenate[PanelSpec, P], Panel]:
        def make(spec: PanelSpec, /, *args: P.args, **kwargs: P.kwargs) -> Panel:
            return Panel(spec, defaults, lambda: draw(spec, *args, **kwargs))

        make.__name__ = draw.__name__
        make.__doc__ = draw.__doc__
        return make

    return register


_COLOR_MODES: Final = {
    "thresholds": sdk.dashboard.FieldColorModeId.THRESHOLDS,
    # By name: a service keeps its colour from panel to panel, and Grafana leaves out hues too dark to see.
    "series": sdk.dashboard.FieldColorModeId.PALETTE_CLASSIC_BY_NAME,
}


def _description(text: str, steps: Thresholds | None) -> str:
    meanings = fields.thresholds_in_words(steps) if text and steps else ""
    return f"{text}\n\n{meanings}" if meanings else text


def _transformation(step: Transformation) -> sdk.dashboard.DataTransformerConfig:
    if not step.get("id"):
        refuse("transformations", step, "steps with an id and options")
    return sdk.dashboard.DataTransformerConfig(
        id_val=step["id"],
        disabled=step.get("disabled"),
        options=dict(step.get("options", {})),
        filter_val=sdk.dashboard.MatcherConfig("byRefId", step["ref_id"]) if "ref_id" in step else None,
    )
