"""Every PromQL expression of the dashboards, once: selectors first, then what is made of them.

All of it reads recorded series (`observability.rules`); only `exemplars` names raw ones, and reads none of their
samples.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from dashboards import palette
from observability.names import series
from observability.rules import containers, exclusions, models, service_graph
from observability.rules.windows import BASE_WINDOW
from observability.settings import CONTAINERS as STACK
from observability.settings import quoted, ratio, seconds
from observability.watched import watched

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from observability.settings import Settings

SERVICE_VARIABLE: Final = "service"


def chosen(variable: str) -> str:
    """Return the regular expression, as a text of PromQL or LogQL, for what a dashboard's variable is set to.

    Names come from the senders of telemetry. Grafana escapes them for a regular expression, and in backquotes neither
    quotes nor backslashes end the text or change it.
    """
    return f"`${{{variable}:regex}}`"


SERVICE: Final = f"service=~{chosen(SERVICE_VARIABLE)}"
ENDPOINT: Final = f"endpoint=~{chosen('endpoint')}"
CONTAINER: Final = f"container=~{chosen('container')}"
OWN_CONTAINERS: Final = f'container=~"{"|".join(STACK)}"'
"""The collector measures every container of the host; these are the stack's own."""
AVAILABILITY: Final = f'slo="{series.SLO_AVAILABILITY}"'

ENDPOINTS: Final = f"query_result(count by (endpoint) ({series.REQUESTS}{{{SERVICE}}}))"
CONTAINERS: Final = f"query_result(count by (container) ({containers.MEMORY}))"
"""Values of pickers: what is there at the end of the time range. `label_values` would list what was removed, and none
in a stack's first clock hour, because Grafana rounds its time range to whole hours."""
ENDPOINT_VALUES: Final = '/endpoint="([^"]+)"/'
CONTAINER_VALUES: Final = '/container="([^"]+)"/'
SERVICE_VALUES: Final = '/service="([^"]+)"/'

_FIRST: Final = f"min_over_time(timestamp(max({series.OBJECTIVE}))[1h:1m])"
AGE: Final = f"query_result((ceil((time() - {_FIRST}) / 60) + 1 < 60) < $__range_s / 60)"
"""The minutes since the first data of a stack in its first hour, where the time range is longer; else nothing."""
AGE_VALUE: Final = r"/\} (\d+) /"

BURN_NOW: Final = "1h"
"""Window of the burn rate that stands for now: long enough not to jump, short enough to show a change."""
NEVER: Final = seconds("3650d")
"""A budget that lasts longer than this is not burning."""
NOTHING_FAILED: Final = "Nothing failed in this time range."
# 5-minute rates at 5-minute steps meet without overlap: every request counts once, whatever the rules' interval.
_RANGE: Final = f"[$__range:{BASE_WINDOW}]"

NO_DATA, TOO_EARLY, MET, BUDGET_LOW, BURNING_SLOWLY, MISSED, BURNING_FAST = range(7)
"""The states of an objective, rising with urgency: what burns comes before what is lost, and no data comes last."""


def select(metric: str, *matchers: str) -> str:
    """Return a selector."""
    return f"{metric}{{{', '.join(matchers)}}}"


def slos(settings: Settings) -> int:
    """Return how many SLOs there are: rows of a table of them."""
    return sum(len(service.slo_by_name) for service in watched(settings))


def everywhere(expr: str) -> str:
    """Return `expr` for every service: for dashboards without the service variable."""
    return expr.replace(SERVICE, 'service!=""')


# Objectives. `max by` leaves one series each and drops the name, so that tables can join them.


def of_slo(metric: str) -> str:
    """Return a recorded series by service and SLO."""
    return f"max by (service, slo) ({select(metric, SERVICE)})"


def of_value(metric: str) -> str:
    """Return a recorded series by service, SLO and value of the label that divides the SLO."""
    return f"max by (service, slo, by, value) ({select(metric, SERVICE)})"


def days(metric: str) -> str:
    """Return a recorded series of seconds in days, by service and SLO."""
    return f"{of_slo(metric)} / 86400"


def of_service(metric: str, *matchers: str) -> str:
    """Return a recorded series by service."""
    return f"max by (service) ({select(metric, SERVICE, *matchers)})"


def worst_availability(count: int) -> str:
    """Return the 30-day availability, in percent, of the `count` services with the least error budget left."""
    left = of_service(series.BUDGET_REMAINING, AVAILABILITY)
    return f"100 * {of_service(series.AVAILABILITY_30D)} and on (service) bottomk({count}, {left})"


def worst_latency(count: int) -> str:
    """Return the 7-day P99 of the `count` services that are slowest, measured by their own thresholds."""
    # In its first minutes a stack has no other data than the last 5 minutes'.
    p99 = f"({of_service(series.DURATION_P99_7D)} or {of_service(series.DURATION_P99)})"
    return f"{p99} and on (service) topk({count}, {p99} / {of_service(series.THRESHOLD)})"


def extremes(count: int, metric: str, *matchers: str, lowest: bool = False) -> str:
    """Return the `count` services that are highest, or lowest, in a recorded series over the time range.

    Ranked once, at the end of the range, so that no service comes and goes from one point to the next.
    """
    end, first = ("min", "bottomk") if lowest else ("max", "topk")
    ranked = f"{end} by (service) ({end}_over_time({select(metric, SERVICE, *matchers)}[$__range] @ end()))"
    return f"{first}({count}, {ranked})"


def most_burning(count: int) -> str:
    """Return the `count` highest burn rates of now."""
    return f"topk({count}, {of_slo(series.burn_rate(BURN_NOW))})"


def least_budget(count: int) -> str:
    """Return the `count` smallest remaining budgets."""
    return f"bottomk({count}, {of_slo(series.BUDGET_REMAINING)})"


def highest(metric: str) -> str:
    """Return the highest of a recorded series of the chosen services."""
    return f"max({select(metric, SERVICE)})"


def time_to_exhaustion() -> str:
    """Return the seconds until the budget is gone if it burns on as now: 0 when it is, above NEVER when none burns."""
    left = f"clamp_min({of_slo(series.BUDGET_REMAINING)}, 0)"
    return f"{left} * {of_slo(series.WINDOW)} / clamp_min({of_slo(series.burn_rate(BURN_NOW))}, 1e-09)"


def state(settings: Settings) -> str:
    """Return one of NO_DATA to BURNING_FAST for each SLO, by the very conditions of the alerts.

    A verdict on the budget needs data for `coveragePercent` of the window; that a budget burns needs none.
    """
    missed, *others = _verdicts(settings)
    fast, slowly = ((number, f"{of_slo(record)} >= 1") for number, record in _BURNING)
    return _first([fast, missed, slowly, *others])


def judged(settings: Settings, share: str) -> str:
    """Return `share` of each SLO for which it is not too early."""
    return f"{share} and on (service, slo) {of_slo(series.COVERAGE)} >= {settings.thresholds.coverage:g}"


_BURNING: Final = ((BURNING_FAST, series.PAGE_RATIO), (BURNING_SLOWLY, series.TICKET_RATIO))


def _verdicts(settings: Settings) -> list[tuple[int, str]]:
    """Return each verdict on a budget and its condition, most urgent first. At exactly 0 the target is just met."""
    coverage, left = of_slo(series.COVERAGE), of_slo(series.BUDGET_REMAINING)
    early = f"{coverage} < {settings.thresholds.coverage:g}"
    return [
        (MISSED, f"{left} < 0 unless {early}"),
        (BUDGET_LOW, f"{left} < {settings.thresholds.budget_low:g} unless {early}"),
        (NO_DATA, f"{coverage} == 0 unless {of_slo(series.GOOD_PERIOD)}"),
        (TOO_EARLY, early),
        (MET, coverage),
    ]


def _first(levels: list[tuple[int, str]]) -> str:
    """Return the number of the first condition that holds."""
    return " or ".join(f"0 * ({condition}) + {number}" for number, condition in levels)


def _counted(numbers: str, every: Iterable[int]) -> str:
    """Return how often each number occurs, by `state`, 0 included."""
    zero = " or ".join(f'label_replace(vector(0), "state", "{number}", "", "")' for number in every)
    return f'count_values("state", {numbers}) or {zero}'


def named_state(settings: Settings) -> str:
    """Return the state of each SLO with a label `objective` that names service and SLO."""
    return f'label_join({state(settings)}, "objective", " ", "service", "slo")'


def states(settings: Settings) -> str:
    """Return how many SLOs are in each state, by `state`, 0 included: every count of one evaluation."""
    return _counted(state(settings), range(NO_DATA, BURNING_FAST + 1))


def verdict(settings: Settings) -> str:
    """Return the state of each SLO's budget, whether it burns or not: one of NO_DATA to BUDGET_LOW, or MISSED."""
    return _first(_verdicts(settings))


def verdicts(settings: Settings) -> str:
    """Return how many SLOs have each verdict, by `state`, 0 included."""
    return _counted(verdict(settings), (NO_DATA, TOO_EARLY, MET, BUDGET_LOW, MISSED))


def enough(settings: Settings, share: str, window: str, ago: str) -> str:
    """Return `share` of each SLO whose `window`, which ended `ago`, has data for `coveragePercent` of its time."""
    offset = f" offset {ago}" if ago else ""
    slots = settings.thresholds.coverage * seconds(window) / seconds(BASE_WINDOW)
    counted = f"sum by (service, slo) (count_over_time({series.SLO_REQUESTS_SLOT}[{window}]{offset}))"
    return f"({share}) and on (service, slo) {counted} >= {slots:g}"


def worst_state(settings: Settings) -> str:
    """Return the most urgent state of each service's SLOs."""
    return f"max by (service) ({state(settings)})"


def focus(settings: Settings, fallback: str) -> str:
    """Return one series whose `service` is the one that needs attention most, of the chosen ones.

    By state, then by burn rate; `fallback` while nothing is known. For links to the page of one service.
    """
    burning = f"max by (service) ({of_slo(series.burn_rate(BURN_NOW))})"
    return (
        f"query_result(topk(1, {worst_state(settings)} + clamp_max({burning}, 1000) / 10000 or {worst_state(settings)})"
        f' or on () label_replace(vector(0), "service", "{fallback}", "", ""))'
    )


# Requests


def slo_requests() -> str:
    """Return the requests per second that availability counts, by service."""
    return of_service(series.SLO_REQUESTS, AVAILABILITY)


def requests(*labels: str, status: str = "") -> str:
    """Return requests per second of the chosen services and endpoints, summed by `labels`."""
    matchers = (SERVICE, ENDPOINT, *((f"status=~{json.dumps(status)}",) if status else ()))
    return f"sum by ({', '.join(labels)}) ({select(series.REQUESTS, *matchers)})"


def failing(settings: Settings, *matchers: str) -> str:
    """Return the selector of failing requests, by what each service itself calls a failure."""
    by_errors: dict[str, list[str]] = {}
    for service in watched(settings):
        by_errors.setdefault(service.errors, []).append(service.name)
    if len(by_errors) <= 1:
        status = next(iter(by_errors), "5..")
        return select(series.REQUESTS, *matchers, f"status=~{json.dumps(status)}")
    return " or ".join(
        select(series.REQUESTS, *matchers, f'service=~"{"|".join(names)}"', f"status=~{json.dumps(errors)}")
        for errors, names in by_errors.items()
    )


def error_share(settings: Settings) -> str:
    """Return the share of requests that fail, by service; a gap where there are none, 0 where none fail."""
    every = requests("service")
    failed = f"sum by (service) ({failing(settings, SERVICE, ENDPOINT)})"
    return f"({failed} or 0 * {every}) / ({every} > 0)"


def mean_duration() -> str:
    """Return the average response time of the chosen services and endpoints, by service."""
    total, count = (
        f"sum by (service) ({select(name, SERVICE, ENDPOINT)})" for name in (series.DURATION_SUM, series.DURATION_COUNT)
    )
    return f"{total} / ({count} > 0)"


def busiest_endpoints(count: int) -> str:
    """Return requests per second of the `count` endpoints that have most in the whole time range.

    Ranked once, at the end of the range, so that no endpoint comes and goes from one point to the next.
    """
    ranked = in_range(select(series.REQUESTS, SERVICE, ENDPOINT), at="@ end()")
    return f"{requests('service', 'endpoint')} and on (service, endpoint) topk({count}, {ranked} > 0)"


def most_frequent_errors(count: int) -> str:
    """Return server errors per second of the `count` services and status codes that have most in the time range."""
    selector = select(series.REQUESTS, SERVICE, ENDPOINT, 'status=~"5.."')
    ranked = f"sum by (service, status) (sum_over_time({selector}[$__range] @ end()))"
    return f"{requests('service', 'status', status='5..')} and on (service, status) topk({count}, {ranked} > 0)"


def in_range(selector: str, *, at: str = "") -> str:
    """Return how much a recorded rate adds up to over the time range, by service and endpoint.

    What is too young to have been there at a step counts with its newest rate. `at` is a modifier such as `@ end()`,
    which a union of selectors cannot carry.
    """
    step, by = f"{seconds(BASE_WINDOW):g}", "sum by (service, endpoint)"
    at = f" {at}" if at else ""
    return f"({step} * {by} (sum_over_time(({selector}){_RANGE}{at})) or {step} * {by} ({selector}{at}))"


def failed_requests(settings: Settings, count: int) -> str:
    """Return the `count` endpoints with most failed requests in the time range; one row of text where none failed.

    A table without rows shows no text at all.
    """
    # Rates add up to fractions of a request: what is less than one is none.
    failed = f"topk({count}, round({in_range(failing(settings, SERVICE))}) > 0)"
    return f'{failed} or label_replace(vector(0) unless on () {failed}, "endpoint", "{NOTHING_FAILED}", "", "")'


def failed_share(settings: Settings) -> str:
    """Return the share of an endpoint's requests that failed in the time range, where any did."""
    return f"{in_range(failing(settings, SERVICE))} / ({in_range(select(series.REQUESTS, SERVICE))} > 0) > 0"


def alert_changes() -> str:
    """Return, in LogQL, the alerts of the chosen services that started or ended: Loki has Grafana's history of them."""
    changed = 'labels_severity!="watchdog" | current=~"Alerting.*" or previous=~"Alerting.*"'
    line = "{{.labels_severity}}  {{.ruleTitle}}: {{.previous}} → {{.current}}"
    return f'{{from="state-history"}} | json | labels_{SERVICE} | {changed} | line_format "{line}"'


def alerts_started() -> str:
    """Return, in LogQL, how many alerts of the chosen services started, by service and alert."""
    firing = f'{{from="state-history"}} | json | labels_{SERVICE} | labels_severity!="watchdog" | current=~"Alerting.*"'
    return f'sum by (labels_service, ruleTitle) (count_over_time({firing} | previous!~"Alerting.*" [$__auto]))'


def model_versions() -> str:
    """Return 1 for the version of each model that serves."""
    return f"max by (service, model, version) ({select(models.VERSION, SERVICE)})"


def new_versions() -> str:
    """Return the model versions that began to serve within the last two minutes: annotations for every dashboard."""
    by = "on (service, model, version)"
    return f"{models.VERSION} unless {by} {models.VERSION} offset 2m and {by} {models.VERSION}"


def excluded(settings: Settings) -> str:
    """Return 1 while an exclusion lasts, with its reason and services: annotations for every dashboard."""
    return " or ".join(
        f'label_replace(label_replace({found}, "reason", "{exclusion.reason}", "", ""), "excluded",'
        f' "{", ".join((*exclusion.services, *exclusion.slos)) or "all services"}", "", "")'
        for exclusion in settings.exclusions
        if (found := f"({exclusions.now_excluded([exclusion])}) * 0 + 1")
    )


def exemplars(settings: Settings, carried: str = SERVICE_VARIABLE) -> str:
    """Return the selectors whose exemplars Grafana fetches; "" when nothing is watched.

    Args:
        settings: of the stack.
        carried: variable with the name that the chosen service's telemetry carries.

    Recorded series carry no exemplars. Prometheus' exemplar query takes only the selectors out of an expression, so
    these name the raw histograms, and `@ 0` (1970) makes their range query find nothing and read nothing.
    """
    alternatives = []
    kinds = (
        (False, False, SERVICE),
        (False, True, f"job=~{chosen(SERVICE_VARIABLE)}"),  # the label service is the name that it carries
        (True, None, f"service_name=~{chosen(carried)}"),
    )
    for otlp, renamed, selected in kinds:
        buckets = sorted(
            {
                f"{own.metrics.duration}_bucket"
                for own in watched(settings)
                if own.otlp is otlp and renamed in (None, own.telemetry_name != own.name)
            }
        )
        if buckets:
            alternatives.append(f'{{__name__=~"{"|".join(buckets)}", {selected}}} @ 0')
    return " or ".join(alternatives)


def telemetry_name(others: Mapping[str, str]) -> str:
    """Return the variable query for the name that the chosen service's telemetry carries.

    Args:
        others: that name by the service's, where the two differ; else it is the service's own.

    """
    chosen_one = f'label_replace(vector(1), "service", "${SERVICE_VARIABLE}", "", "")'
    renamed = " or ".join(
        f'label_replace(label_replace(vector(1), "service", {quoted(service)}, "", ""), "carried", {carried}, "", "")'
        for service, carried in ((service, quoted(name.replace("$", "$$"))) for service, name in others.items())
    )
    own = f'label_replace({chosen_one}, "carried", "$1", "service", "(.*)")'
    return f"query_result((({renamed}) and on (service) {chosen_one}) or on (service) {own})"


# Calls


def callers_and_called(settings: Settings, variable: str) -> str:
    """Return the nodes of the map of the service that `variable` holds: it, who calls it, and what it calls.

    One a row: `id`, `title`, its health, and the calls per second it gets from the others on the map. Without any call
    there is one node that says so: Grafana shows an error in place of a map without nodes.
    """
    calls, failed = _beside(variable, service_graph.CALLS), _beside(variable, service_graph.FAILED)
    health = _named(
        _health(settings, f"sum by (server) ({calls})", f"sum by (server) ({failed})"), id="server", title="server"
    )
    calling = _named(f"0 * sum by (client) ({calls})", id="client", title="client")
    none = _labelled("vector(0)", id="none", title="No calls seen", subtitle="in its traces", color=palette.GREY)
    return (
        f"(sum by (id, title, subtitle, color) ({health}) or on (id)"
        f" {_labelled(f'sum by (id, title) ({calling})', color=palette.GREY)}) or on () {none}"
    )


def calls(settings: Settings, variable: str) -> str:
    """Return the edges of the same map, one a row: `id`, `source`, `target`, and calls per second."""
    health = _health(settings, _beside(variable, service_graph.CALLS), _beside(variable, service_graph.FAILED))
    joined = f'label_join({health}, "id", " to ", "client", "server")'
    return f"sum by (id, source, target, color) ({_named(joined, source='client', target='server')})"


_KNOWN: Final = 'client!~"|unknown", server!~"|unknown"'
"""A side whose spans did not arrive is called `unknown`: it is no service."""


def _beside(variable: str, metric: str) -> str:
    """Return a series of calls from or to the service that a variable holds."""
    sides = (select(metric, f"{side}=~{chosen(variable)}", _KNOWN) for side in ("client", "server"))
    return f"({' or '.join(sides)})"


def _health(settings: Settings, calls: str, failed: str) -> str:
    """Return calls per second with a colour, and a text where many of them fail."""
    many = ratio(settings.thresholds.calls_failing_percent)
    bad = f"({calls} and {failed} / {calls} > {many:g})"
    good = f"({calls} unless {failed} / {calls} > {many:g})"
    failing = _labelled(bad, color=palette.VERMILLION, subtitle="failing")
    return f"{failing} or {_labelled(good, color=palette.GREEN)}"


def _labelled(expr: str, **labels: str) -> str:
    for name, value in labels.items():
        expr = f'label_replace({expr}, "{name}", "{value}", "", "")'
    return expr


def _named(expr: str, **labels: str) -> str:
    for new, old in labels.items():
        expr = f'label_replace({expr}, "{new}", "$1", "{old}", "(.*)")'
    return expr


# One service


def no_trace(column: str, text: str) -> str:
    """Return one row with `text` in `column` when no span of the service arrived within the time range.

    Jaeger answers with a table without rows then, which shows no text at all.
    """
    arrived = f"present_over_time({select(service_graph.SPANS, SERVICE)}[$__range])"
    return f'label_replace(vector(0) unless on () {arrived}, "{column}", "{text}", "", "")'


def by_status() -> str:
    """Return requests per second, by status."""
    return f"sum by (status) ({select(series.REQUESTS, SERVICE)})"


def error_rate(settings: Settings) -> str:
    """Return the share of requests that fail; 0, not absent, while none does."""
    total = f"sum({select(series.REQUESTS, SERVICE)})"
    return f"(sum({failing(settings, SERVICE)}) or 0 * {total}) / ({total} > 0)"


def median_and_worst() -> str:
    """Return P50 and P99 of the response time, by `quantile`."""
    named = (
        _labelled(select(metric, SERVICE), quantile=name)
        for name, metric in (("P50", series.DURATION_P50), ("P99", series.DURATION_P99))
    )
    return f"max by (quantile) ({' or '.join(named)})"


def in_progress() -> str:
    """Return how many requests are being worked on."""
    return f"max({select(series.IN_PROGRESS, SERVICE)})"


# Containers


def of_containers(metric: str) -> str:
    """Return a recorded series of the chosen service's containers."""
    return f"max by (container) ({select(metric, SERVICE)})"


def of_container(metric: str) -> str:
    """Return a recorded series of the chosen containers."""
    return f"max by (container) ({select(metric, CONTAINER)})"


def highest_containers(metric: str, count: int) -> str:
    """Return a recorded series of the `count` chosen containers that are highest in it over the time range."""
    return f"{of_container(metric)} and on (container) {_highest(metric, count)}"


def limits_of_highest(metric: str, limit: str, count: int) -> str:
    """Return the limit of the containers that `highest_containers` finds."""
    return f"{of_container(limit)} and on (container) {_highest(metric, count)}"


def megabytes(metric: str, count: int) -> str:
    """Return a recorded series of bytes in MB, of the `count` chosen containers that are highest in it."""
    return f"({highest_containers(metric, count)}) / 1e6"


def _highest(metric: str, count: int) -> str:
    ranked = f"max by (container) (max_over_time({select(metric, CONTAINER)}[$__range] @ end()))"
    return f"topk({count}, {ranked})"


def share_of_limit(metric: str, limit: str) -> str:
    """Return how much of its limit each of the stack's own containers uses, 1 being all of it."""
    used, most = (f"max by (container) ({select(name, OWN_CONTAINERS)})" for name in (metric, limit))
    return f"{used} / {most}"
