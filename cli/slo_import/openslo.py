"""OpenSLO v1, and of v1alpha what Sloth reads: SLOs, and the SLIs and data sources that they refer to."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from promql_parser import AggregateExpr, VectorSelector

from cli.slo_import import queries
from cli.slo_import.found import CannotExpressError, Found, name_of, percent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cli.slo_import.located import Located

_PROMETHEUS: Final = ("prometheus", "promql", "mimir", "thanos", "cortex", "victoriametrics")
_UNITS: Final = {"h": "h", "d": "d", "w": "w"}
_CALENDAR: Final = {"1M": "month", "1Q": "quarter", "3M": "quarter"}
_OPERATORS: Final = {"lte": "<=", "gte": ">=", "lt": "<", "gt": ">"}
_SLICES: Final = {"1": "1m", "1m": "1m", "60s": "1m", "5": "5m", "5m": "5m"}
_V1ALPHA_UNITS: Final = {"day": "d", "week": "w", "hour": "h"}
Objects = dict[tuple[str, str], "Located"]
"""Documents by kind and name."""


def is_openslo(document: Located) -> bool:
    """Return whether a document is one of OpenSLO's."""
    return document.get("apiVersion").text.startswith("openslo/")


def objects(documents: Sequence[Located]) -> Objects:
    """Return what SLOs can refer to."""
    return {(d.get("kind").text, d.at("metadata", "name").text): d for d in documents if is_openslo(d)}


def slos(document: Located, known: Mapping[tuple[str, str], Located]) -> Iterator[Found]:
    """Yield an SLO for each objective of a document; none of what is no SLO."""
    if document.get("kind").text != "SLO":
        return
    spec, name = document.get("spec"), document.at("metadata", "name").text
    objectives = spec.get("objectives").items()
    if not objectives:
        found = Found(document.file, spec.line, name_of(spec.get("service").text), name_of(name))
        found.refuse(spec.line, "no objectives in it")
        yield found
    composite = [o for o in objectives if o.get("indicator", "indicatorRef")]
    for number, objective in enumerate(objectives, start=1):
        own = name if len(objectives) == 1 else f"{name}-{number}"
        found = Found(document.file, objective.line, name_of(spec.get("service").text), name_of(own))
        told = (spec.get("description").text, objective.get("displayName").text)
        found.description = "; ".join(" ".join(text.split()) for text in told if text)
        try:
            if document.get("apiVersion").text not in {"openslo/v1", "openslo/v1alpha"}:
                version = document.get("apiVersion")
                raise CannotExpressError(version, f"apiVersion {version.text}; only openslo/v1 is known")  # noqa: TRY301
            _fill(found, spec, objective, known)
            if composite:
                found.lose(objective, "a composite SLO: each of its objectives is an SLO of its own")
        except CannotExpressError as error:
            found.refuse(error.line, error.reason)
        if policies := spec.get("alertPolicies"):
            found.leave(policies, "alertPolicies: burn alerts here follow from window and objective; see burnAlerts")
        yield found


def _fill(found: Found, spec: Located, objective: Located, known: Mapping[tuple[str, str], Located]) -> None:
    target, percentage = objective.get("target"), objective.get("targetPercent")
    if not target and not percentage:
        raise CannotExpressError(objective, "neither target nor targetPercent")
    found.slo = {"name": found.name, "objective": percentage.value if percentage else percent(float(target.text))}
    found.slo["window"] = _window(found, spec.get("timeWindow", "timeWindows"))
    indicator = _indicator(spec, objective, known)
    method = spec.get("budgetingMethod")
    slices = method.text.lower()
    if threshold := indicator.get("thresholdMetric"):
        found.slo |= {"gauge": _threshold(threshold, objective, known)}
    else:
        ratio = objective.get("ratioMetrics") or indicator.get("ratioMetric")
        if not ratio:
            raise CannotExpressError(spec, "an indicator without ratioMetric or thresholdMetric")
        found.slo |= _ratio(found, ratio, known)
    if slices == "timeslices":
        found.slo["timeSlice"] = _slice(objective)
    elif slices == "ratiotimeslices":
        found.slo |= _average(found, method)
    texts = [str(found.slo.get(key, "")) for key in ("good", "bad", "total", "gauge")]
    found.selector = queries.selector(texts, found.service)


def _indicator(spec: Located, objective: Located, known: Mapping[tuple[str, str], Located]) -> Located:
    for holder in (objective, spec):
        if inline := holder.get("indicator"):
            return inline.get("spec")
        if reference := holder.get("indicatorRef"):
            found = known.get(("SLI", reference.text))
            if found is None:
                raise CannotExpressError(
                    reference, f"indicatorRef: no SLI {reference.text} in the files that were given"
                )
            return found.get("spec")
    return spec.get("indicator")


def _query(metric: Located, known: Mapping[tuple[str, str], Located]) -> Located:
    """Return the query of a metric, if Prometheus answers it."""
    source = metric.get("metricSource") or metric
    kind = source.get("type", "source").text
    reference = source.get("metricSourceRef")
    if not kind and reference:
        kind = (known[("DataSource", reference.text)].at("spec", "type").text
                if ("DataSource", reference.text) in known else "")  # fmt: skip
        if not kind:
            raise CannotExpressError(reference, f"metricSourceRef: no DataSource {reference.text} in the files given")
    if kind.lower() not in _PROMETHEUS:
        raise CannotExpressError(source, f"metricSource.type: {kind or 'none'}; only Prometheus is read here")
    query = source.get("spec").get("query", "promql", "expr") or source.get("query")
    if not query.text:
        raise CannotExpressError(source, "no query of metricSource.spec.query")
    return query


def _ratio(found: Found, ratio: Located, known: Mapping[tuple[str, str], Located]) -> dict[str, Any]:
    if raw := ratio.get("raw"):
        query = _query(raw, known)
        text = queries.templated(query)
        found.lose(
            query, "ratioMetric.raw: a ratio has no events; each minute weighs the same, whatever happened in it"
        )
        failure = ratio.get("rawType").text == "failure"
        return {"gauge": f"1 - ({text})" if failure else f"({text}) + 0"}
    counted = ratio.get("counter")
    result = {}
    for key in ("good", "bad", "total"):
        if metric := ratio.get(key):
            result[key] = _counts(found, _query(metric, known), is_counter=counted.value is True)
    if "total" not in result or len(result) != 2:  # noqa: PLR2004 - total and one other
        raise CannotExpressError(ratio, "ratioMetric without total, or without good or bad")
    return result


def _counts(found: Found, query: Located, *, is_counter: bool) -> str:
    """Return what counts the events of a query: a counter, the sum of one, or what gives events per second."""
    text = queries.templated(query)
    parsed = queries.parsed(text, query)
    inner = parsed.expr if isinstance(parsed, AggregateExpr) and str(parsed.op) == "sum" else parsed
    if isinstance(inner, VectorSelector):
        if is_counter:
            return f"sum(rate({inner}[{queries.RANGE}]))"
        found.lose(query, "counter: false: each evaluation's value is taken as events per second")
        return f"sum({inner})"
    return queries.events(text, query)


def _threshold(metric: Located, objective: Located, known: Mapping[tuple[str, str], Located]) -> str:
    query, operator, value = _query(metric, known), objective.get("op"), objective.get("value")
    if operator.text not in _OPERATORS or value.value is None:
        raise CannotExpressError(objective, "thresholdMetric without op or value")
    text = queries.templated(query)
    return f"({' '.join(text.split())}) {_OPERATORS[operator.text]} bool {float(value.text):g}"


def _slice(objective: Located) -> dict[str, Any]:
    target, length = objective.get("timeSliceTarget"), objective.get("timeSliceWindow")
    if not target:
        raise CannotExpressError(objective, "timeSliceTarget is missing")
    if length.text not in _SLICES:
        raise CannotExpressError(length, f"timeSliceWindow: {length.text or 'none'}; only 1m and 5m can be counted")
    return {"atLeast": percent(float(target.text)), "length": _SLICES[length.text]}


def _average(found: Found, method: Located) -> dict[str, Any]:
    """Return the gauge of an average of ratios, instead of the events."""
    found.lose(method, "RatioTimeslices: each minute's ratio is that of the last 5 minutes")
    if "gauge" in found.slo:
        return {}
    total, good, bad = (found.slo.pop(key, None) for key in ("total", "good", "bad"))
    return {"gauge": f"({good}) / ({total})" if good else f"1 - ({bad}) / ({total})"}


def _window(found: Found, windows: Located) -> str:
    if not windows.items():
        return "30d"
    one = windows.items()[0]
    if one.get("count"):
        unit = _V1ALPHA_UNITS.get(one.get("unit").text.lower())
        if unit is None:
            raise CannotExpressError(one, f"unit: {one.get('unit').text}; accepted: Hour, Day or Week")
        return f"{one.get('count').text}{unit}"
    duration = one.get("duration")
    rolling = one.get("isRolling").value is True or not (one.get("calendar") or one.get("isRolling").value is False)
    match = re.fullmatch(r"([1-9][0-9]*)([mhdwMQY])", duration.text)
    if match is None:
        raise CannotExpressError(duration, f"duration: '{duration.text}' is none of OpenSLO's, like 4w or 1M")
    if match[2] == "m":
        raise CannotExpressError(duration, f"duration: {duration.text} is minutes; a month is 1M")
    if not rolling and duration.text in _CALENDAR:
        _note_zone(found, one.at("calendar", "timeZone"))
        return _CALENDAR[duration.text]
    return _rolling(found, duration, match, rolling=rolling)


def _note_zone(found: Found, zone: Located) -> None:
    if zone.text not in {"", "UTC", "Etc/UTC"}:
        found.lose(zone, f"timeZone: {zone.text}; months begin in UTC")


def _rolling(found: Found, duration: Located, match: re.Match[str], *, rolling: bool) -> str:
    """Return a rolling window of about the same length."""
    days = {"M": 30, "Q": 91, "Y": 365}.get(match[2])
    if not rolling:
        found.lose(duration, f"a calendar window of {duration.text}: it rolls; only 1M and 1Q begin anew")
    if days is not None:
        if rolling:
            found.lose(duration, f"a rolling window of {duration.text} is {days * int(match[1])} days")
        return f"{days * int(match[1])}d"
    return f"{match[1]}{_UNITS[match[2]]}"
