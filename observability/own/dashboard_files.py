"""Dashboards as Grafana exports them, adapted to our data sources; and what they would need to be like ours."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import promql_parser

from observability.names import uids
from observability.own.grafana_files import OURS
from observability.own.model import Dashboard, Folder, Json, Source
from observability.own.reading import File, slug

_UID: Final = re.compile(r"[A-Za-z0-9_-]{1,40}")
_BUILT_IN: Final = frozenset({"-- Grafana --", "-- Mixed --", "-- Dashboard --", "grafana", "__expr__", "datasource"})
_PLACEHOLDER: Final = re.compile(r"\$\{(DS_[A-Za-z0-9_]+|VAR_[A-Za-z0-9_]+)\}")
_BY_GRAFANA: Final = ("id", "version", "iteration", "gnetId", "__inputs", "__requires", "__elements")
_CORE_PANELS: Final = frozenset(
    {
        "alertlist", "annolist", "barchart", "bargauge", "candlestick", "canvas", "dashlist", "datagrid", "debug",
        "flamegraph", "gauge", "geomap", "gettingstarted", "graph", "heatmap", "histogram", "live", "logs", "news",
        "nodeGraph", "piechart", "row", "stat", "state-timeline", "status-history", "table", "text", "timeseries",
        "traces", "trend", "welcome", "xychart",
    }
)  # fmt: skip
_OLD_PANELS: Final = frozenset(
    {"singlestat", "table-old", "grafana-singlestat-panel", "grafana-piechart-panel", "dashlist"}
)
"""Grafana itself turns these into panels of today."""
_WITHOUT_UNIT: Final = frozenset(
    {"row", "text", "alertlist", "dashlist", "logs", "nodeGraph", "traces", "news", "table"}
)
_VARIABLE: Final = re.compile(r"\$(?:\{[^}]+\}|[A-Za-z_]\w*)|\[\[\w+\]\]")
_DURATION: Final = re.compile(r"(?<=\[)\$(?:\{[^}]+\}|\w+)(?=[\]:])|(?<=:)\$(?:\{[^}]+\}|\w+)(?=\])|(?<=offset )\$\w+")
_OLDEST: Final = 16
"""The schema version that brought the grid; dashboards before have rows."""


def adapted(
    files: Iterable[tuple[File, Folder]], sources: Iterable[Source], taken: Mapping[str, str], *, strict: bool
) -> tuple[Dashboard, ...]:
    """Return every dashboard, with our data sources in place of those that it was exported with.

    Args:
        files: the exports, each with its folder.
        sources: the team's own data sources.
        taken: UIDs of dashboards that there are already, and whose they are.
        strict: whether what our contracts ask for is a problem instead of a warning.

    """
    by_type = {**dict(zip(OURS, OURS, strict=True))}
    known = {*OURS, *(source.uid for source in sources)}
    for source in sources:
        by_type.setdefault(source.type, source.uid)
    by_name = {"Prometheus": OURS[0], "Loki": OURS[1], "Jaeger": OURS[2], **{s.name: s.uid for s in sources}}
    owners = dict(taken)
    found = []
    for file, folder in files:
        model = _model(file)
        if model is None:
            continue
        before = len(file.report.problems)
        _Adapter(file, by_type, by_name, known).adapt(model)
        uid = model.get("uid") or slug(file.path.stem)
        if not isinstance(uid, str) or not _UID.fullmatch(uid):
            uid = slug(str(uid))
        if uid in owners:
            file.refuse(("uid",), f"'{uid}'; accepted: a UID that {owners[uid]} does not have")
        owners[uid] = file.name
        model["uid"] = uid
        if not isinstance(model.get("title"), str) or not model["title"].strip():
            model["title"] = file.path.stem
        for sentence in _contracts(model):
            (file.refuse if strict else file.warn)((), sentence)
        if len(file.report.problems) == before:
            text = json.dumps(model, separators=(",", ":"), ensure_ascii=False)
            found.append(Dashboard(uid, folder.uid, text, file.name))
    return tuple(found)


def _model(file: File) -> Json | None:
    """Return the dashboard's model in an export, an answer of the API, or a resource of `dashboard.grafana.app`."""
    value = file.value
    if isinstance(value, dict) and isinstance(value.get("dashboard"), dict):
        value = value["dashboard"]
    if isinstance(value, dict) and str(value.get("apiVersion", "")).startswith("dashboard.grafana.app/"):
        if "elements" in (value.get("spec") or {}):
            file.refuse((), "a dashboard of schema v2; accepted: the classic model (export it as Classic)")
            return None
        name = (value.get("metadata") or {}).get("name")
        value = {"uid": name, **(value.get("spec") or {})}
    if isinstance(value, dict) and "elements" in value and "layout" in value:
        file.refuse((), "a dashboard of schema v2; accepted: the classic model (export it as Classic)")
        return None
    if not isinstance(value, dict) or not (
        isinstance(value.get("panels"), list) or isinstance(value.get("rows"), list)
    ):
        file.refuse((), "no dashboard: it has neither panels nor rows; accepted: what Grafana exports as JSON")
        return None
    return dict(json.loads(json.dumps(value)))


class _Adapter:
    """Puts our data sources in place of others, in one dashboard."""

    def __init__(
        self, file: File, by_type: Mapping[str, str], by_name: Mapping[str, str], known: Iterable[str]
    ) -> None:
        self._file, self._by_type, self._by_name, self._known = file, by_type, by_name, set(known)
        self._inputs: dict[str, str] = {}
        self._input_types: dict[str, str] = {}
        self._refused: set[str] = set()

    def adapt(self, model: Json) -> None:
        """Change `model` in place."""
        self._library_panels(model)
        self._read_inputs(model)
        for required in model.get("__requires") or ():
            if (
                isinstance(required, dict)
                and required.get("type") == "panel"
                and required.get("id") not in _CORE_PANELS
            ):
                self._file.warn((), f"needs the plugin {required.get('id')}, by preinstall_sync in grafana.ini")
        for key in _BY_GRAFANA:
            model.pop(key, None)
        for variable in (model.get("templating") or {}).get("list") or ():
            if isinstance(variable, dict) and variable.get("type") == "datasource":
                self._source_variable(variable)
        for key, value in list(model.items()):
            model[key] = self._walk(value)

    def _library_panels(self, model: Json) -> None:
        """Put the library panels of an export in their places: there is no library to look them up in."""
        elements = model.get("__elements") or {}
        elements = {e.get("uid"): e for e in elements} if isinstance(elements, list) else elements
        for panel in list(_panels(model)):
            reference = panel.get("libraryPanel")
            if isinstance(reference, dict):
                element = elements.get(reference.get("uid"))
                if element is None:
                    self._file.refuse((), f"library panel '{reference.get('name')}' is not in the file; export it again"
                                          " for sharing externally")  # fmt: skip
                    continue
                del panel["libraryPanel"]
                place: Json = {key: panel[key] for key in ("id", "gridPos") if key in panel}
                panel.update({**element.get("model", {}), **place})

    def _read_inputs(self, model: Json) -> None:
        for given in model.get("__inputs") or ():
            name, kind = given.get("name"), given.get("type")
            if kind == "datasource":
                plugin = str(given.get("pluginId", ""))
                self._input_types[name] = plugin
                self._inputs[name] = self._of_type(plugin, str(given.get("label") or name))
            elif kind == "constant":
                self._inputs[name] = str(given.get("value", ""))

    def _of_type(self, plugin: str, label: str) -> str:
        """Return the UID of the data source of a type; "" and a problem where there is none."""
        if plugin in self._by_type:
            return self._by_type[plugin]
        if plugin in _BUILT_IN:
            return plugin
        if plugin not in self._refused:
            self._refused.add(plugin)
            types = ", ".join(sorted(self._by_type))
            self._file.refuse(
                (), f"asks for a data source of type '{plugin}' ({label}); accepted: {types}, or one in datasources/"
            )
        return ""

    def _source_variable(self, variable: Json) -> None:
        plugin = str(variable.get("query") or "")
        uid = self._of_type(plugin, str(variable.get("name")))
        variable["current"] = {"text": uid, "value": uid, "selected": False}
        variable["options"] = []

    def _walk(self, value: Any) -> Any:  # noqa: ANN401 - JSON both ways
        if isinstance(value, str):
            return _PLACEHOLDER.sub(lambda m: self._placeholder(m[1], m[0]), value)
        if isinstance(value, list):
            return [self._walk(inner) for inner in value]
        if isinstance(value, dict):
            return {k: self._source(v) if k == "datasource" else self._walk(v) for k, v in value.items()}
        return value

    def _placeholder(self, name: str, written: str) -> str:
        if name in self._inputs:
            return self._inputs[name]
        if name.startswith("DS_") and name not in self._refused:
            plugin = next((t for t in self._by_type if t.replace("-", "_").upper() in name.upper()), "")
            if plugin:
                return self._by_type[plugin]
            self._refused.add(name)
            self._file.refuse((), f"{written} is not in __inputs; accepted: an export for sharing externally")
        return written

    def _source(self, value: Any) -> Any:  # noqa: ANN401 - JSON both ways
        """Return a panel's or a query's data source: by UID where it was a name, ours where it was another's."""
        value = self._walk(value)
        if isinstance(value, str):
            return self._by_text(value)
        if not isinstance(value, dict) or not isinstance(value.get("uid"), str):
            kind = value.get("type") if isinstance(value, dict) else None
            return {"type": kind, "uid": self._of_type(kind, kind)} if kind else value
        uid, kind = value["uid"], value.get("type")
        if uid in self._known or uid.startswith(("$", "[[")) or uid in _BUILT_IN or kind in _BUILT_IN:
            return value
        if uid in self._by_name:
            return {**value, "uid": self._by_name[uid]}
        if not isinstance(kind, str):
            return {"type": OURS[0], "uid": OURS[0]}
        return {**value, "uid": self._of_type(kind, uid)}

    def _by_text(self, text: str) -> Any:  # noqa: ANN401 - JSON
        if text.startswith(("$", "[[")) or text in _BUILT_IN:
            return text
        uid = text if text in self._known else self._by_name.get(text)
        if uid is None:
            if text.lower() not in {"default", "prometheus", ""}:
                self._file.warn((), f"asks for the data source '{text}', which there is not; it gets Prometheus")
            uid = uids.DATASOURCE_PROMETHEUS
        kind = next((t for t, u in self._by_type.items() if u == uid), uid)
        return {"type": kind, "uid": uid}


def _panels(model: Mapping[str, Any]) -> Iterator[Json]:
    """Yield every panel, those in rows too."""
    for panel in model.get("panels") or ():
        if isinstance(panel, dict):
            yield panel
            yield from _panels(panel)
    for row in model.get("rows") or ():
        if isinstance(row, dict):
            yield from _panels(row)


def _contracts(model: Mapping[str, Any]) -> Iterator[str]:
    """Yield what our own dashboards keep and this one does not."""
    if not model.get("panels") and model.get("rows"):
        version = model.get("schemaVersion", "?")
        yield f"schema version {version} is older than {_OLDEST}: Grafana turns its rows into a grid when it is opened"
    for panel in _panels(model):
        if panel.get("type") != "row":
            yield from _panel_contracts(panel)


def _panel_contracts(panel: Mapping[str, Any]) -> Iterator[str]:
    kind, title = panel.get("type"), str(panel.get("title") or panel.get("id") or "?")[:60]
    if not panel.get("title"):
        yield f"panel {title}: has no title"
    if kind not in _WITHOUT_UNIT and panel.get("targets"):
        if not panel.get("description"):
            yield f"panel '{title}': has no description"
        if not _has_unit(panel):
            yield f"panel '{title}': has no unit"
    if kind not in _CORE_PANELS | _OLD_PANELS:
        yield f"panel '{title}': the plugin {kind} is no part of Grafana"
    for target in panel.get("targets") or ():
        if isinstance(target, dict) and _asks_prometheus(panel, target) and (text := target.get("expr")):
            yield from _promql(title, str(text))


def _has_unit(panel: Mapping[str, Any]) -> bool:
    unit = ((panel.get("fieldConfig") or {}).get("defaults") or {}).get("unit")
    axes = [axis for axis in panel.get("yaxes") or () if isinstance(axis, dict)]
    return bool(unit or panel.get("format") or any(axis.get("format") for axis in axes))


def _asks_prometheus(panel: Mapping[str, Any], target: Mapping[str, Any]) -> bool:
    source = target.get("datasource") or panel.get("datasource")
    kind = source.get("type") if isinstance(source, dict) else source
    return kind == OURS[0]


def _promql(title: str, text: str) -> Iterator[str]:
    plain = _VARIABLE.sub("1", _DURATION.sub("5m", text))
    try:
        promql_parser.parse(plain)
    except Exception as error:  # noqa: BLE001 - the parser's errors have no common base
        yield f"panel '{title}': no PromQL as it stands: {str(error).strip().splitlines()[0][:120]}"
