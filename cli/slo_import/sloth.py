"""Sloth: `version: prometheus/v1`, its Kubernetes resource PrometheusServiceLevel, and its AlertWindows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from cli.slo_import import queries
from cli.slo_import.found import CannotExpressError, Found, name_of
from observability.rules.windows import BurnAlert, burn_alerts
from observability.settings import CustomSlo, milliseconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cli.slo_import.located import Located

PERIOD: Final = "30d"
"""Sloth's window, unless it is started with another."""
Windows = dict[str, list[dict[str, Any]]]
"""Burn alerts by the window that they are for."""


def is_slo(document: Located) -> bool:
    """Return whether a document holds SLOs of Sloth's."""
    return document.get("version").text.startswith("prometheus/") or (
        document.get("apiVersion").text.startswith("sloth.slok.dev/")
        and document.get("kind").text == "PrometheusServiceLevel"
    )


def is_windows(document: Located) -> bool:
    """Return whether a document is one of Sloth's AlertWindows."""
    return document.get("apiVersion").text.startswith("sloth.slok.dev/") and document.get("kind").text == "AlertWindows"


def windows(document: Located) -> tuple[str, list[dict[str, Any]]]:
    """Return the window of an AlertWindows, and its alerts."""
    spec = document.get("spec")
    period = spec.get("sloPeriod").text
    found = []
    for severity in ("page", "ticket"):
        for speed in ("quick", "slow"):
            one = spec.at(severity, speed)
            long, share = one.get("longWindow").text, float(one.get("errorBudgetPercent").text) / 100
            factor = round(share * milliseconds(period) / milliseconds(long), 4)
            found.append({"severity": severity, "factor": factor, "long": long, "short": one.get("shortWindow").text})
    return period, found


def slos(document: Located, period: str, alerts: Windows) -> Iterator[Found]:
    """Yield the SLOs of a document, over `period`, with the alerts that are given for it."""
    version = document.get("version")
    if version and version.text != "prometheus/v1":
        found = Found(document.file, version.line, "", version.text)
        found.refuse(version.line, f"version {version.text}; only prometheus/v1 is known")
        yield found
        return
    spec = document if version else document.get("spec")
    service = spec.get("service").text
    owner = _label(spec, "owner")
    if not spec.get("slos").items():
        found = Found(document.file, document.line, service, "")
        found.refuse(document.line, "no slos in it")
        yield found
    for one in spec.get("slos").items():
        found = Found(document.file, one.line, name_of(service), name_of(one.get("name").text), owner=owner)
        found.description = " ".join(one.get("description").text.split())
        try:
            _fill(found, one, period, alerts)
        except CannotExpressError as error:
            found.refuse(error.line, error.reason)
        _left_out(found, spec, one)
        yield found


def _fill(found: Found, one: Located, period: str, alerts: Windows) -> None:
    objective = one.get("objective")
    found.slo = {"name": found.name, "objective": objective.value, "window": period}
    found.slo |= _indicator(found, one.get("sli"))
    _alerting(found, one, alerts.get(period))
    texts = [str(found.slo.get(key, "")) for key in ("bad", "total", "gauge")]
    found.selector = queries.selector(texts, found.service)


def _indicator(found: Found, sli: Located) -> dict[str, str]:
    if plugin := sli.get("plugin"):
        raise CannotExpressError(
            plugin, f"sli.plugin: the queries are made by Sloth's Go plugin {plugin.get('id').text}; write them out"
        )
    if raw := sli.get("raw"):
        query = raw.get("error_ratio_query", "errorRatioQuery")
        text = queries.templated(query)
        if gauge := queries.averaged(text, query):
            return {"gauge": gauge.gauge}
        found.lose(query, "sli.raw: a ratio has no events; each minute weighs the same, however much happened in it")
        return {"gauge": f"1 - ({' '.join(text.split())})"}
    events = sli.get("events")
    if not events:
        raise CannotExpressError(sli, "sli without events, raw or plugin")
    errors, total = events.get("error_query", "errorQuery"), events.get("total_query", "totalQuery")
    bad, every = queries.templated(errors), queries.templated(total)
    if gauge := queries.sampled(bad, every, errors):
        return {"gauge": gauge.gauge}
    return {"bad": queries.events(bad, errors), "total": queries.events(every, total)}


def _alerting(found: Found, one: Located, tiers: list[dict[str, Any]] | None) -> None:
    """Leave out the tiers that are off, and take over other windows."""
    alerting = one.get("alerting")
    off = {
        severity
        for severity in ("page", "ticket")
        if alerting.get(f"{severity}_alert", f"{severity}Alert").get("disable").value is True
    }
    if len(off) == 2:  # noqa: PLR2004 - both
        found.slo["alerting"] = False
        return
    if tiers is None and off:
        tiers = [_written(tier) for tier in burn_alerts(CustomSlo.model_validate(found.slo))]
    if tiers is not None:
        found.slo["burnAlerts"] = [tier for tier in tiers if tier["severity"] not in off]
    for where in (alerting, one.at("alerting", "page_alert"), one.at("alerting", "pageAlert")):
        runbook = where.get("annotations").get("runbook", "runbook_url")
        if runbook.text.startswith("http"):
            found.slo["runbook"] = runbook.text


def _written(tier: BurnAlert) -> dict[str, Any]:
    return {"severity": tier.severity, "factor": tier.factor, "long": tier.long, "short": tier.short}


def _left_out(found: Found, spec: Located, one: Located) -> None:
    for where in (spec.get("slo_plugins", "sloPlugins"), one.get("plugins")):
        names = [chained.get("id").text for chained in where.get("chain").items()]
        if "sloth.dev/contrib/denominator_corrected_rules/v1" in names:
            found.leave(where, "plugin denominator_corrected_rules: ours are weighted by events anyway")
            names.remove("sloth.dev/contrib/denominator_corrected_rules/v1")
        if names:
            found.leave(where, f"plugins change Sloth's own rules: {', '.join(dict.fromkeys(names))}")
    for holder in (spec, one):
        labels = holder.get("labels")
        if others := [key for key in labels.keys() if key != "owner"]:  # noqa: SIM118 - a method of ours
            found.leave(labels, f"labels {', '.join(others)}: alerts here are routed by severity, service and owner")
    alerting = one.get("alerting")
    if alerting.get("name"):
        found.leave(alerting, "alerting: names, labels and annotations; alerts here have their own")


def _label(spec: Located, name: str) -> str:
    labels: Mapping[str, Any] = spec.get("labels").value or {}
    return labels[name].text if name in labels else ""
