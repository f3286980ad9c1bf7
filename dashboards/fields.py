"""Fields of panels: units, thresholds, mappings, links, overrides.

Checked here, and turned into the SDK's classes.
"""

import difflib
import math
from collections.abc import Iterable, Sequence
from enum import StrEnum
from itertools import pairwise
from typing import Final, TypeVar

from dashboards import palette, sdk
from dashboards.errors import refuse
from dashboards.model import Link, MappingKey, Mappings, Override, Thresholds, ValueText

UNITS: Final = frozenset(
    value for name, value in vars(sdk.units).items() if isinstance(value, str) and not name.startswith("__")
)
"""Every unit id of Grafana 12.4."""

FILLED: Final = "color-background"
"""The kind of cell that its colour fills."""
CUSTOM_UNITS: Final = ("suffix:", "prefix:", "time:")
MAX_DECIMALS: Final = 20
_NAMED_CALCS: Final = frozenset(
    {
        *("sum", "max", "min", "logmin", "mean", "variance", "stdDev", "last", "median", "first", "count"),
        *(
            "countAll",
            "range",
            "diff",
            "diffperc",
            "delta",
            "step",
            "firstNotNull",
            "lastNotNull",
            "changeCount",
        ),
        *("distinctCount", "allIsZero", "allIsNull", "allValues", "uniqueValues"),
    }
)
CALCS: Final = _NAMED_CALCS | {f"p{percent}" for percent in range(1, 100)}
"""Grafana's reducers, from many values to one."""

_COMMON_UNITS: Final = "none, short, percent (0-100), percentunit (0-1), s, ms, bytes, reqps, ops"
_COLOR_NAMES: Final = {
    palette.GREEN: "green",
    palette.YELLOW: "yellow",
    palette.VERMILLION: "vermillion",
    palette.SKY_BLUE: "sky blue",
    palette.ORANGE: "orange",
    palette.BLUE: "blue",
    palette.PURPLE: "purple",
    palette.GREY: "grey",
    palette.VIOLET: "violet",
    palette.FILLS[palette.GREEN]: "green",
    palette.FILLS[palette.VERMILLION]: "vermillion",
    palette.FILLS[palette.GREY]: "grey",
    palette.TRANSPARENT: "no colour",
}
_SPECIAL: Final = {match.value: match for match in sdk.dashboard.SpecialValueMatch}
_EMPTY: Final = sdk.dashboard.SpecialValueMatch.NULL_AND_NAN.value
_MATCHERS: Final = {"name": "byName", "regexp": "byRegexp", "query": "byFrameRefID"}
_CELL_DETAILS: Final[dict[str, dict[str, object]]] = {
    FILLED: {"mode": "basic"},
    "gauge": {"mode": "basic", "valueDisplayMode": "text"},
}

E = TypeVar("E", bound=StrEnum)


class DataLink(sdk.dashboard.DashboardLink):
    """Link on a panel or a value; the SDK types these as dashboard links, which Grafana writes otherwise."""

    def to_json(self) -> dict[str, object]:
        """Payload with the three fields such a link has."""
        return {"title": self.title, "url": self.url, "targetBlank": self.target_blank}


def choice(kind: type[E], setting: str, value: str) -> E:
    """Member of an SDK enumeration.

    Raises:
        SettingError: there is none of that value.

    """
    try:
        return kind(value)
    except ValueError:
        refuse(setting, value, ", ".join(kind))


def unit(value: str, setting: str = "unit") -> str:
    """`value`, if Grafana knows that unit.

    Raises:
        SettingError: it does not; Grafana itself would print the text after each number.

    """
    if isinstance(value, str):
        if value in UNITS:
            return value
        if value.startswith(CUSTOM_UNITS) and value.partition(":")[2].strip():
            return value
    close = difflib.get_close_matches(str(value), UNITS, n=3)
    hint = f" (close: {', '.join(close)})" if close else ""
    return refuse(
        setting,
        value,
        f"a unit id of Grafana such as {_COMMON_UNITS}; 'suffix:<text>', 'prefix:<text>' or 'time:<format>'{hint}",
    )


def color(value: str, setting: str = "color") -> str:
    """`value`, if it is one of the palette's.

    Raises:
        SettingError: it is not.

    """
    if value not in palette.ACCEPTED:
        refuse(setting, value, f"a colour of dashboards.palette: {', '.join(sorted(palette.ACCEPTED))}")
    return value


def calcs(values: Sequence[str]) -> list[str]:
    """Reducers, at least one.

    Raises:
        SettingError: none, or one that Grafana does not have.

    """
    if isinstance(values, str) or not values or not CALCS.issuperset(values):
        refuse("calcs", values, "one or more of Grafana's reducers such as lastNotNull, mean, max, p95")
    return list(values)


def decimals(value: int | None) -> int | None:
    """Digits after the point.

    Raises:
        SettingError: fewer than 0 or more than 20.

    """
    if value is not None and not 0 <= value <= MAX_DECIMALS:
        refuse("decimals", value, f"0 to {MAX_DECIMALS}, or None")
    return value


def scale(low: float | None, high: float | None) -> tuple[float | None, float | None]:
    """Both ends of a scale.

    Raises:
        SettingError: not finite, or not rising.

    """
    for setting, value in (("min_val", low), ("max_val", high)):
        if value is not None and not math.isfinite(value):
            refuse(setting, value, "a finite number, or None")
    if low is not None and high is not None and low >= high:
        refuse("max_val", high, f"more than min_val ({low})")
    return low, high


def thresholds(value: Thresholds) -> sdk.dashboard.ThresholdsConfig:
    """Return SDK thresholds.

    Raises:
        SettingError: no steps, a first one with a value, values that do not rise, a foreign colour.

    """
    values = [step[0] for step in value.steps]
    rest = [number for number in values[1:] if number is not None and math.isfinite(number)]
    rising = all(low < high for low, high in pairwise(rest))
    if not values or values[0] is not None or len(rest) != len(values) - 1 or not rising:
        refuse("thresholds", values, "a first step from None, then finite values that rise")
    mode = sdk.dashboard.ThresholdsMode.PERCENTAGE if value.percent else sdk.dashboard.ThresholdsMode.ABSOLUTE
    steps = [sdk.dashboard.Threshold(number, color(shade, "thresholds")) for number, shade, _ in value.steps]
    return sdk.dashboard.ThresholdsConfig(mode, steps)


def thresholds_in_words(value: Thresholds) -> str:
    """Say what each colour means, as a Markdown list; "" if no step tells."""
    lines = []
    following = [number for number, _, _ in value.steps[1:]]
    for index, (number, shade, meaning) in enumerate(value.steps):
        if not meaning:
            continue
        place = f"from {number:g}" if number is not None else ""
        if number is None and following:
            place = f"below {following[index]:g}"
        suffix = " % of the scale" if value.percent and place else ""
        lines.append(f"- {_COLOR_NAMES[shade]}: {meaning}" + (f" ({place}{suffix})" if place else ""))
    return "\n".join(lines)


def mappings(value: Mappings, steps: Thresholds | None = None) -> list[sdk.dashboard.ValueMapping]:
    """SDK mappings, in the order given; those of `steps` that show their text come last.

    Raises:
        SettingError: an empty or falling range, a foreign colour, text for thresholds in percent.

    """
    built: list[sdk.dashboard.ValueMapping] = []
    for index, (key, shown) in enumerate(value.items()):
        result = _result(ValueText(shown) if isinstance(shown, str) else shown, index)
        if isinstance(key, tuple):
            low, high = key
            if low is not None and high is not None and low > high:
                refuse("mappings", key, "a range that rises")
            built.append(_range(low, high, result))
        elif len(key) > 1 and key.startswith("/") and key.endswith("/"):
            built.append(sdk.dashboard.RegexMap(sdk.dashboard.DashboardRegexMapOptions(key, result)))
        elif key in _SPECIAL:
            options = sdk.dashboard.DashboardSpecialValueMapOptions(_SPECIAL[key], result)
            built.append(sdk.dashboard.SpecialValueMap(options))
        else:
            built.append(sdk.dashboard.ValueMap({key: result}))
    return built + (_step_texts(steps, len(built)) if steps and steps.show_text else [])


def data_links(values: Iterable[Link], setting: str) -> list[sdk.dashboard.DashboardLink]:
    """SDK links for panels and values.

    Raises:
        SettingError: one without title or URL.

    """
    links: list[sdk.dashboard.DashboardLink] = []
    for link in values:
        if not link.title.strip() or not link.url.strip():
            refuse(setting, link, "links with a title and a URL")
        links.append(DataLink(title=link.title, url=link.url, target_blank=link.new_tab))
    return links


def fixed_color(shade: str) -> sdk.dashboard.FieldColor:
    """One colour for a field."""
    return sdk.dashboard.FieldColor(sdk.dashboard.FieldColorModeId.FIXED, fixed_color=color(shade))


def color_property(shade: str) -> sdk.dashboard.DynamicConfigValue:
    """One colour for a field, as an override's property."""
    return sdk.dashboard.DynamicConfigValue("color", fixed_color(shade))


def override(value: Override) -> sdk.dashboard.DashboardFieldConfigSourceOverrides:
    """SDK override.

    Raises:
        SettingError: it names nothing, changes nothing, or one of its settings is bad.

    """
    if not value.name.strip():
        refuse("overrides", value, "a name")
    if value.by not in _MATCHERS:
        refuse("overrides", value.by, ", ".join(_MATCHERS))
    properties = [sdk.dashboard.DynamicConfigValue(name, setting) for name, setting in _properties(value).items()]
    if not properties:
        refuse("overrides", value, "at least one setting besides the name")
    return sdk.dashboard.DashboardFieldConfigSourceOverrides(
        matcher=sdk.dashboard.MatcherConfig(_MATCHERS[value.by], value.name),
        properties=properties,
    )


def _properties(value: Override) -> dict[str, object]:
    low, high = scale(value.min_val, value.max_val)
    steps, shown = value.thresholds, value.mappings
    if value.cell == FILLED:
        steps, shown = steps.filled() if steps else None, _filled(shown, empty=steps is not None)
    properties: dict[str, object] = {
        "unit": unit(value.unit, "overrides.unit") if value.unit else None,
        "displayName": value.display_name or None,
        "decimals": decimals(value.decimals),
        "min": low,
        "max": high,
        "color": fixed_color(value.color) if value.color else None,
        "links": data_links(value.links, "overrides.links") or None,
        "thresholds": thresholds(steps) if steps else None,
        "mappings": mappings(shown, steps) or None,
        "custom.cellOptions": ({"type": value.cell, **_CELL_DETAILS.get(value.cell, {})} if value.cell else None),
        "custom.width": value.width,
        "custom.hideFrom": {"legend": True, "tooltip": True, "viz": True} if value.hidden else None,
        **value.custom,
    }
    return {name: setting for name, setting in properties.items() if setting is not None}


def _filled(shown: Mappings, *, empty: bool) -> Mappings:
    """Return the mappings in shades for filled cells, and one for empty ones: Grafana fills them as the lowest step."""
    result: dict[MappingKey, str | ValueText] = {
        key: text if isinstance(text, str) else ValueText(text.text, palette.filled(text.color))
        for key, text in shown.items()
    }
    return {**result, **({_EMPTY: ValueText("—", palette.TRANSPARENT)} if empty else {})}


def _result(shown: ValueText, index: int) -> sdk.dashboard.ValueMappingResult:
    shade = color(shown.color, "mappings") if shown.color else None
    return sdk.dashboard.ValueMappingResult(text=shown.text, color=shade, index=index)


def _range(
    low: float | None,
    high: float | None,
    result: sdk.dashboard.ValueMappingResult,
) -> sdk.dashboard.RangeMap:
    return sdk.dashboard.RangeMap(sdk.dashboard.DashboardRangeMapOptions(low, high, result))


def _step_texts(steps: Thresholds, index: int) -> list[sdk.dashboard.ValueMapping]:
    if steps.percent:
        refuse("thresholds", steps, "show_text with absolute values only")
    ends = [*(number for number, _, _ in steps.steps[1:]), None]
    # Grafana's ranges include both ends and the first that matches wins: highest first gives a value that
    # lies on a border to the upper step, as its colour does.
    texts = [
        (low, high, meaning, shade) for (low, shade, meaning), high in zip(steps.steps, ends, strict=True) if meaning
    ]
    return [
        _range(low, high, _result(ValueText(meaning, shade), index + place))
        for place, (low, high, meaning, shade) in enumerate(reversed(texts))
    ]
