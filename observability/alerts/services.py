"""The alerts of one watched service: an error budget burns or is nearly spent, or the service sends no data.

All pairs of windows of a severity are one alert, which fires while any of them holds, so one outage is one page.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final, Literal

from dashboards import queries
from observability.alerts import template_helpers as helpers
from observability.alerts.model import NOTHING_IS_FINE, Alert, AlertGroup, PanelRef
from observability.names import series, uids
from observability.rules.exclusions import now_excluded
from observability.rules.windows import BASE_WINDOW, BurnAlert, burn_alerts, canonical
from observability.settings import AvailabilitySlo, CustomSlo, LatencySlo, ratio, seconds
from observability.watched import STACK

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from observability.settings import Settings, Slo, WatchedService

STEP_SECONDS: Final = 10
"""Grafana's evaluation intervals are multiples of this."""
TICKET_SECONDS: Final = 60
BUDGET_PANEL: Final = "budget-left"
BURN_PANEL: Final = "burn-rate"
REQUESTS_PANEL: Final = "requests"
VALUES_PANEL: Final = "values"

_KINDS: Final[dict[Literal["page", "ticket"], tuple[str, str]]] = {
    "page": ("slo-burning-fast", "error budget burns fast"),
    "ticket": ("slo-burning-slowly", "error budget burns slowly"),
}


def of_service(service: WatchedService, settings: Settings) -> Iterator[AlertGroup]:
    """Yield the alerts of one service: pages are evaluated often, tickets less often."""
    for name, severity, every in (
        (f"slo-{service.name}", "page", evaluation_seconds(settings)),
        (f"slo-{service.name}-tickets", "ticket", TICKET_SECONDS),
    ):
        if alerts := tuple(alert for alert in _alerts(service, settings) if alert.severity == severity):
            yield AlertGroup(name, uids.FOLDER_ML_PLATFORM, every, alerts)


def evaluation_seconds(settings: Settings) -> int:
    """Return half the recording rules' interval, in Grafana's steps of 10 seconds.

    A page may be late by two evaluations of the recording rules. One can pass before the burn rate is recorded; the
    scrape before it, and Grafana's evaluation after it, have to fit into the other.
    """
    return max(int(seconds(settings.rule_interval) / 2) // STEP_SECONDS * STEP_SECONDS, STEP_SECONDS)


def _alerts(service: WatchedService, settings: Settings) -> Iterator[Alert]:
    for name, slo in service.slo_by_name.items():
        if slo.alerting:
            excluded = any(x.applies(service.name, name) for x in settings.exclusions)
            alerts = _SloAlerts(service, name, slo, settings, excluded=excluded)
            yield from (alerts.burning(severity) for severity in _KINDS if alerts.tiers(severity))
            if slo.each is not None:
                yield from (alerts.value_burning(s, slo.each.label) for s in _KINDS if alerts.tiers(s))
            yield alerts.nearly_gone()
            yield alerts.unmeasured()
    # The stack's own services are targets of the stack's own alert.
    if service not in STACK and service.absence_alerts:
        yield from _absence(service, service.owner or settings.owner, _quiet(service, settings))


class _SloAlerts:
    """The alerts of one SLO."""

    def __init__(
        self, service: WatchedService, name: str, slo: Slo, settings: Settings, *, excluded: bool = False
    ) -> None:
        self.service, self.name, self.slo, self.owner = service.name, name, slo, slo.owner or settings.owner
        self.limits = settings.thresholds
        self.excluded = excluded
        self.labels = {"service": service.name, "slo": name}

    def burning(self, severity: Literal["page", "ticket"]) -> Alert:
        """Return the alert on any pair of windows of this severity."""
        pairs = {f"over_{a.long}": a for a in self.tiers(severity)}
        record = {"page": series.PAGE_RATIO, "ticket": series.TICKET_RATIO}[severity]
        kind, what = _KINDS[severity]
        rates = ", ".join(
            f"{helpers.times(name)} over {a.long} and {a.short} (limit {a.factor:g})" for name, a in pairs.items()
        )
        return self._alert(
            kind=kind,
            title=f"{self.service} {self.name}: {what}",
            severity=severity,
            queries={
                "near": queries.select(record, _equals(self.labels)),
                **{name: _both(self.labels, a.long, a.short) for name, a in pairs.items()},
                "failing": self._read(queries.of_slo(series.error_ratio(BASE_WINDOW))),
                "left": self._read(queries.of_slo(series.BUDGET_REMAINING)),
            },
            condition="$near >= 1",
            summary=(
                f"{helpers.share('failing')} of the last 5 minutes' {self._events} {self._bad}."
                f" Times faster than the error budget allows: {rates}."
                f" {helpers.left('left', f'the {canonical(self.slo.window)} budget')}."
            ),
            panel=BURN_PANEL,
        )

    def value_burning(self, severity: Literal["page", "ticket"], label: str) -> Alert:
        """Return the alert on any pair of windows of each value of a label, with one instance for each value."""
        record = {"page": series.VALUE_PAGE_RATIO, "ticket": series.VALUE_TICKET_RATIO}[severity]
        kind, what = _KINDS[severity]
        return Alert(
            kind=kind,
            title=f"{self.service} {self.name}, one {label}: {what}",
            severity=severity,
            service=self.service,
            owner=self.owner,
            slo=self.name,
            queries={
                "near": queries.select(record, _equals(self.labels)),
                "left": queries.select(series.VALUE_BUDGET_REMAINING, _equals(self.labels)),
            },
            condition="$near >= 1",
            summary=(
                f"{label} {helpers.label('value')} alone: {helpers.times('near')} times the burn rate that alerts."
                f" {helpers.left('left', f'its {canonical(self.slo.window)} budget')}."
            ),
            panel=PanelRef(uids.SERVICE_DETAIL, VALUES_PANEL, {"service": self.service}),
            missing=NOTHING_IS_FINE,
            runbook=self.slo.runbook,
        )

    def nearly_gone(self) -> Alert:
        """Return the alert on the rest of the budget."""
        return self._alert(
            kind="slo-budget-nearly-gone",
            title=f"{self.service} {self.name}: error budget nearly gone",
            severity="ticket",
            queries={
                "left": self._read(queries.of_slo(series.BUDGET_REMAINING)),
                "coverage": self._read(queries.of_slo(series.COVERAGE)),
            },
            condition=f"$left < {self.limits.budget_low:g} && $coverage >= {self.limits.coverage:g}",
            summary=(
                f"{helpers.left('left', f'the {canonical(self.slo.window)} error budget')}"
                f" (limit {self.limits.budget_low_percent:g}%; promised: {self.slo.objective:g} % good). The window has"
                f" data for {helpers.share('coverage')} of its time."
            ),
            panel=BUDGET_PANEL,
        )

    def tiers(self, severity: Literal["page", "ticket"]) -> list[BurnAlert]:
        """Return the burn rates that alert with this severity."""
        return [alert for alert in burn_alerts(self.slo) if alert.severity == severity]

    def unmeasured(self) -> Alert:
        """Return the alert on an SLO that counts nothing while there are requests, or counts them without a status."""
        requests = queries.select(series.REQUESTS, _equals({"service": self.service}))
        counted = f"sum({queries.select(series.SLO_REQUESTS, _equals(self.labels))}) or vector(0)"
        blind, why = f"sum({requests}) - ({counted})", "the histogram has no bucket at its threshold, or another name"
        if isinstance(self.slo, AvailabilitySlo):
            without = queries.select(series.REQUESTS, _equals({"service": self.service, "status": ""}))
            blind, why = f"sum({without})", "they have no label for the status, so that none of them can fail"
        elif not isinstance(self.slo, LatencySlo):
            blind = f"(sum({requests}) > 0) * (({counted}) == bool 0)"
            why = "nothing matches what it counts"
        if self.slo.time_slice is not None or self.excluded:  # what is counted is not what there is
            blind = f"sum({requests}) unless on () {queries.select(series.SLO_MEASURED, _equals(self.labels))}"
        return self._alert(
            kind="slo-unmeasured",
            title=f"{self.service} {self.name}: requests are not measured",
            severity="ticket",
            queries={"all": f"sum({requests}) or vector(0)", "blind": f"{blind} or vector(0)"},
            condition=f"$all > 0 && $blind > {ratio(self.limits.unmeasured_percent):g} * $all",
            summary=(
                f"{helpers.times('blind')} of {helpers.times('all')} requests per second are not measured by this SLO:"
                f" {why}. It looks better than the service is."
            ),
            panel=REQUESTS_PANEL,
            pending="15m",
        )

    @property
    def _events(self) -> str:
        """The counted events in words."""
        gauge = self.slo.gauge if isinstance(self.slo, CustomSlo) else None
        if gauge is None:
            return "requests"
        return "probes" if gauge.startswith("probe_success") else "samples"

    @property
    def _bad(self) -> str:
        if isinstance(self.slo, LatencySlo):
            return f"took longer than {self.slo.threshold}"
        return "failed" if isinstance(self.slo, AvailabilitySlo) else "were not good"

    def _read(self, query: str) -> str:
        """Return a panel's query, for this SLO only."""
        return query.replace(queries.SERVICE, _equals(self.labels))

    def _alert(  # noqa: PLR0913 - what the three differ in
        self,
        *,
        kind: str,
        title: str,
        severity: Literal["page", "ticket"],
        queries: Mapping[str, str],
        condition: str,
        summary: str,
        panel: str,
        pending: str = "0s",
    ) -> Alert:
        return Alert(
            kind=kind,
            title=title,
            severity=severity,
            service=self.service,
            owner=self.owner,
            slo=self.name,
            queries=queries,
            condition=condition,
            summary=summary,
            panel=PanelRef(uids.SLO_OVERVIEW, panel, {"service": self.service}),
            runbook=self.slo.runbook,
            pending=pending,
        )


def _quiet(service: WatchedService, settings: Settings) -> str:
    """Return the PromQL that is 1 while the whole service is excluded, else 0; "" without exclusions."""
    excluded = now_excluded([x for x in settings.exclusions if not x.slos and x.applies(service.name)])
    return f"(0 * ({excluded}) + 1 or vector(0))" if excluded else ""


def _absence(service: WatchedService, owner: str, quiet: str) -> Iterator[Alert]:
    """Yield the alerts on missing data, which error ratios cannot show.

    A scraped service is gone if no target answers. A service that pushes is gone if neither request counters nor its
    resource (`target_info`) arrive. A service that answers, but whose selector matches no series, would otherwise look
    like one without traffic forever. A service without an SLO on requests need not count any.
    """
    name = service.name
    panel = PanelRef(uids.SLO_OVERVIEW, REQUESTS_PANEL, {"service": name})
    counted = f"count({queries.select(series.REQUESTS, _equals({'service': name}))}) or vector(0)"
    scraped = service.scraped
    if not scraped and not service.counts_requests:  # no series of it is known
        return
    targets = queries.select("up", _equals({"job": name}))
    resource = queries.select("target_info", f"job=~{json.dumps(f'(.+/)?{re.escape(name)}')}")
    pushing = f"({counted}) + (count({resource}) or vector(0))"
    yield Alert(
        kind="service-gone",
        title=f"{name}: gone",
        severity="page",
        service=name,
        owner=owner,
        queries={"there": _or_quiet(f"sum({targets}) or vector(0)" if scraped else pushing, quiet)},
        condition="$there < 1",
        summary=(
            f"Prometheus reaches none of {name}'s targets."
            if scraped
            else f"{name} pushes nothing any more: neither request counters nor its target_info."
        ),
        panel=panel,
        pending="2m",
    )
    if not scraped:
        return
    if service.counts_requests:
        yield _uncounted(service, owner, panel, _or_quiet(counted, quiet), targets)
    yield Alert(
        kind="target-down",
        title=f"{name}: a target is down",
        severity="ticket",
        service=name,
        owner=owner,
        queries={
            "down": _unless_quiet(f"count({targets} == 0) or vector(0)", quiet),
            "there": f"sum({targets}) or vector(0)",
        },
        condition="$down >= 1 && $there >= 1",
        summary=(f"{helpers.count('down')} of {name}'s targets do not answer; {helpers.count('there')} still do."),
        panel=panel,
        pending="5m",
    )


def _or_quiet(there: str, quiet: str) -> str:
    """Return the PromQL of the service's presence, at least 1 while it is excluded."""
    return f"({there}) + {quiet}" if quiet else there


def _unless_quiet(count: str, quiet: str) -> str:
    return f"({count}) * (1 - {quiet})" if quiet else count


def _uncounted(service: WatchedService, owner: str, panel: PanelRef, counted: str, targets: str) -> Alert:
    name = service.name
    return Alert(
        kind="service-uncounted",
        title=f"{name}: answers, but no requests are counted",
        severity="ticket",
        service=name,
        owner=owner,
        queries={"series": counted, "there": f"sum({targets}) or vector(0)"},
        condition="$series < 1 && $there >= 1",
        summary=(
            f"{helpers.count('there')} of {name}'s targets answer, yet no series matches"
            f" {_escaped(service.matchers)}: its SLOs see no traffic and look perfect."
        ),
        panel=panel,
        pending="15m",
    )


def _both(labels: Mapping[str, str], long: str, short: str) -> str:
    """Return the PromQL of the lower of two burn rates, which reaches a limit when both do."""
    names = f"{series.burn_rate(long)}|{series.burn_rate(short)}"
    return f'min by (service, slo) ({{__name__=~"{names}", {_equals(labels)}}})'


def _equals(labels: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={json.dumps(value)}" for name, value in labels.items())


def _escaped(text: str) -> str:
    """Return `text` escaped for a Go template."""
    return text.replace("{{", '{{ "{{" }}')
