"""Pyrra: its Kubernetes resource ServiceLevelObjective."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from cli.slo_import import queries
from cli.slo_import.found import CannotExpressError, Found, name_of
from observability.settings import milliseconds
from observability.settings.promql import is_selector

if TYPE_CHECKING:
    from cli.slo_import.located import Located

_TEAM: Final = ("pyrra.dev/team", "team", "owner")
_JOB: Final = re.compile(r'job="([^"]+)"')


def is_slo(document: Located) -> bool:
    """Return whether a document is an SLO of Pyrra's."""
    return (
        document.get("apiVersion").text.startswith("pyrra.dev/")
        and document.get("kind").text == "ServiceLevelObjective"
    )


def slo(document: Located) -> Found:
    """Return the SLO of a document."""
    name, spec = document.at("metadata", "name").text, document.get("spec")
    found = Found(document.file, document.line, name_of(name), name_of(name))
    found.description = " ".join(spec.get("description").text.split())
    labels = document.at("metadata", "labels")
    found.owner = next((labels.get(key).text for key in _TEAM if labels.get(key)), "")
    try:
        window = spec.get("window")
        found.slo = {"name": found.name, "objective": _number(spec.get("target")), "window": _days(window)}
        found.slo |= _indicator(found, spec.get("indicator"))
        _alerting(found, spec.get("alerting"))
        texts = [str(found.slo.get(key, "")) for key in ("good", "bad", "total", "gauge")]
        jobs = {job for text in texts for job in _JOB.findall(text)}
        if len(jobs) == 1:
            found.service = name_of(next(iter(jobs)))
        found.selector = queries.selector(texts, found.service)
    except CannotExpressError as error:
        found.refuse(error.line, error.reason)
    return found


def _indicator(found: Found, indicator: Located) -> dict[str, Any]:
    grouping = next((one.get("grouping") for key in indicator.keys() if (one := indicator.get(key))), indicator)  # noqa: SIM118
    counted = _counted(indicator)
    labels = [item.text for item in grouping.items()]
    divided = not counted.get("gauge") and all(is_selector(text) for text in counted.values())
    if len(labels) == 1 and divided:
        return {**counted, "each": {"label": labels[0]}}
    if labels:
        found.lose(grouping, f"grouping by {', '.join(labels)}: one SLO for all of them")
    return counted


def _counted(indicator: Located) -> dict[str, str]:
    if ratio := indicator.get("ratio"):
        bad, total = ratio.at("errors", "metric"), ratio.at("total", "metric")
        return {"bad": queries.counter(bad), "total": queries.counter(total)}
    if latency := indicator.get("latency"):
        good, total = latency.at("success", "metric"), latency.at("total", "metric")
        return {"good": queries.counter(good), "total": queries.counter(total)}
    if native := indicator.get("latencyNative"):
        return _native(native)
    if gauge := indicator.get("bool_gauge", "boolGauge"):
        metric = gauge.get("metric")
        queries.parsed(metric.text, metric)
        return {"gauge": " ".join(metric.text.split())}
    raise CannotExpressError(indicator, "indicator without ratio, latency, latencyNative or bool_gauge")


def _native(native: Located) -> dict[str, str]:
    metric, latency = native.at("total", "metric"), native.get("latency")
    queries.parsed(metric.text, metric)
    try:
        bound = milliseconds(latency.text) / 1000
    except ValueError:
        raise CannotExpressError(latency, f"latency: '{latency.text}' is no duration") from None
    rate = f"sum(rate({metric.text}[{queries.RANGE}]))"
    count = f"histogram_count({rate})"
    return {"good": f"histogram_fraction(0, {bound:g}, {rate}) * {count}", "total": count}


def _alerting(found: Found, alerting: Located) -> None:
    if alerting.get("disabled").value is True or alerting.get("burnrates").value is False:
        found.slo["alerting"] = False
    for key in ("name", "absentName", "severities"):
        if one := alerting.get(key):
            found.leave(one, f"alerting.{key}: alerts here have names and severities of their own")
    if (absent := alerting.get("absent")).value is False:
        found.leave(
            absent, "alerting.absent: a service is told to be gone by its targets; absenceAlerts turns that off"
        )


def _number(where: Located) -> float:
    try:
        return float(where.text)
    except ValueError:
        raise CannotExpressError(where, f"target: '{where.text}' is no number") from None


def _days(where: Located) -> str:
    try:
        size = milliseconds(where.text)
    except ValueError:
        raise CannotExpressError(where, f"window: '{where.text}' is no duration") from None
    hours = size // 3_600_000
    return f"{hours // 24}d" if hours % 24 == 0 else f"{hours}h"
