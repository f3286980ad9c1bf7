"""Names come from the senders of telemetry: no name of a service changes a page's queries."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import promql_parser
import pytest

from dashboards.catalogue import built
from dashboards.model import Link
from observability.configs.correlations import CORRELATIONS
from observability.settings import Settings

Json = dict[str, Any]
NAMES = (
    'a"b',
    "it's", "back\\slash", "\\", '"', 'ends with \\"', "x{y}", "a|b", "(", "[", "*", "$1", "${x}", "a,b", "a&b=c#d",
    "ünïcode", "\u202eevil", "50%", "a b", "{{x}}", '"} or vector(1) or {x="',
)  # fmt: skip
_VARIABLE = re.compile(r"\$\{(\w+):regex\}")
_BUILT_IN = {"__range": "6h", "__rate_interval": "1m", "__interval": "30s", "__auto": "1m", "__range_s": "60"}


def escaped(value: str) -> str:
    """Return what Grafana's format `regex` makes of a value (@grafana/data, escapeRegex)."""
    return re.sub(r"[-/\\^$*+?.()|\[\]{}]", r"\\\g<0>", value)


def parsed(expr: str) -> Any:  # noqa: ANN401 - the parser's nodes share no type
    """Parse PromQL. In backquotes a backslash is one, as in Go; this parser takes it for an escape."""
    return promql_parser.parse(re.sub("`([^`]*)`", lambda m: json.dumps(m[1], ensure_ascii=False), expr))


def targets(settings: Settings) -> Iterator[tuple[str, Json]]:
    for file in built(settings):
        model = json.loads(file.json)
        panels = [inner for panel in model["panels"] for inner in (panel, *panel.get("panels", ()))]
        for panel in panels:
            yield from ((file.uid, target) for target in panel.get("targets", ()))
        for variable in model["templating"]["list"]:
            if variable["type"] == "query":
                yield file.uid, {"expr": variable["definition"], "variable": True}


@pytest.mark.parametrize("name", NAMES)
def test_no_name_breaks_a_query_or_selects_another(name: str, settings_of: Callable[[str], Settings]) -> None:
    seen = 0
    for uid, target in targets(settings_of("dev")):
        expr = str(target.get("expr", ""))
        if "${" not in expr or (target.get("datasource") or {}).get("type") == "loki" or target.get("variable"):
            continue
        filled = _VARIABLE.sub(lambda _: escaped(name), expr)
        filled = re.sub(r"\$\{?(\w+)\}?", lambda m: _BUILT_IN.get(m[1], m[0]), filled)
        tree = parsed(filled)
        pattern = f"`{escaped(name)}`"
        assert pattern in filled, uid
        assert re.fullmatch(escaped(name), name)
        assert tree is not None
        seen += 1
    assert seen > 20


def test_every_variable_of_a_query_is_escaped(settings_of: Callable[[str], Settings]) -> None:
    """Of Loki too, whose queries nothing here can parse."""
    for uid, target in targets(settings_of("dev")):
        expr = str(target.get("expr", ""))
        used = set(re.findall(r"\$\{?(\w+)(?=[^:\w]|$)", _VARIABLE.sub("", expr)))
        assert used <= {*_BUILT_IN, "search", "1", "2"}, (uid, expr)
        for result in _VARIABLE.finditer(expr):
            assert (expr[result.start() - 1], expr[result.end()]) == ("`", "`"), (uid, expr)


@pytest.mark.parametrize("name", ['a"b', "back\\slash", "it's", 'ends with \\"'])
def test_a_correlation_asks_for_the_name_that_the_line_or_span_has(name: str) -> None:
    by_name = {spec.name: spec for spec in CORRELATIONS}
    logs = by_name["logs-to-metrics"]
    (step,) = logs.transformations
    result = re.search(str(step["expression"]), json.dumps({"service_name": name, "x": "y"}))
    assert result is not None
    expr = str(logs.query["expr"]).replace("${service}", result[1])
    assert json.dumps(name) in expr
    parsed(expr)
    traces = str(by_name["traces-to-metrics"].query["expr"]).replace("${serviceName}", name)
    assert f"`{name}`" in traces
    parsed(traces)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("$service", "${service:percentencode}"),
        ("${__field.labels.service}", "${__field.labels.service:percentencode}"),
        ("${__value.raw}", "${__value.raw:percentencode}"),
        ("a&b", quote("a&b")),
    ],
)
def test_a_link_carries_the_whole_name(value: str, expected: str) -> None:
    assert Link.to_dashboard("x", "uid", {"service": value}).url.endswith(f"&var-service={expected}")
