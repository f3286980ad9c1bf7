"""Every PromQL that the dashboards ask, once: selectors first, then what is made of them.

All of it reads recorded series (`rules`); only `exemplars` names raw ones, and reads no sample of theirs.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from dashboards import palette
from observability.names import series
from observability.rules import containers, models, service_graph
from observability.rules.windows import BASE_WINDOW
from observability.settings import CONTAINERS as STACK
from observability.settings import seconds
from observability.watched import watched

if TYPE_CHECKING:
    from observability.settings import Settings

SERVICE_VARIABLE: Final = "service"


def chosen(variable: str) -> str:
    """Return the regular expression, as a text of PromQL or LogQL, for what a dashboard's variable is set to.

    Names come from whoever sends telemetry. Grafana escapes them for a regular expression, and in backquotes neither
    quotes nor backslashes end the text or change it.
    """
    return f"`${{{variable}:regex}}`"


SERVICE: Final = f"service=~{chosen(SERVICE_VARIABLE)}"
ENDPOINT: Final = f"endpoint=~{chosen('endpoint')}"
CONTAINER: Final = f"container=~{chosen('container')}"
OWN_CONTAINERS: Final = f'container=~"{"|".join(STACK)}"'
"""The collector measures every container of the host; these are the stack's own."""
AVAILABILITY: Final = f'slo="{series.SLO_AVAILABILITY}"'

SLO_SERVICES: Final = f"label_values({series.OBJECTIVE}, service)"
SERVICES: Final = f"label_values({series.REQUESTS}, service)"
ENDPOINTS: Final = f"label_values({series.REQUESTS}{{{SERVICE}}}, endpoint)"
CONTAINERS: Final = f"label_values({containers.MEMORY_LIMIT}, container)"

BURN_NOW: Final = "1h"
"""Window of the burn rate that stands for now: long enough not to jump, short enough to show a change."""
NEVER: Final = seconds("3650d")
"""A budget that lasts longer than this is not burning."""
MANY_FAIL: Final = 0.01
"""From this share of failed calls on the service map marks who was called."""
NOTHING_FAILED: Final = "Nothing failed in this time range."
FULL_COVERAGE: Final = 0.99
"""From here on the window counts as full of data."""

# 5-minute rates at 5-minute steps meet without overlap: every request counts once, whatever the rules' interval.
_RANGE: Final = f"[$__range:{BASE_WINDOW}]"

FINE, YOUNG, TICKET, PAGE, SPENT, NO_DATA = range(6)
"""What `state` answers, rising with urgency."""


def select(metric: str, *matchers: str) -> str:
    """Return a selector."""
    return f"{metric}{{{', '.join(matchers)}}}"


def slos(settings: Settings) -> int:
    """Return how many objectives there are: rows of a table of them."""
    return sum(len(service.slo_by_name) for service in watched(settings))


def everywhere(expr: str) -> str:
    """Return `expr` for every service: for dashboards without the service variable."""
    return expr.replace(SERVICE, 'service!=""')


# Objectives. `max by` leaves one series each and drops the name, so that tables can join them.


def of_slo(metric: str) -> str:
    """Return a recorded series by service and SLO."""
    return f"max by (service, slo) ({select(metric, SERVICE)})"


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


def most_burning(count: int) -> str:
    """Return the `count` highest burn rates of now."""
    return f"topk({count}, {of_slo(series.burn_rate(BURN_NOW))})"


def least_budget(count: int) -> str:
    """Return the `count` smallest remaining budgets."""
    return f"bottomk({count}, {of_slo(series.BUDGET_REMAINING)})"


def highest_burn(window: str) -> str:
    """Return the highest burn rate of all that is selected."""
    return f"max({select(series.burn_rate(window), SERVICE)})"


def time_to_exhaustion() -> str:
    """Return the seconds until the budget is gone if it burns on as now: 0 when it is, above NEVER when none burns."""
    left = f"clamp_min({of_slo(series.BUDGET_REMAINING)}, 0)"
    return f"{left} * {of_slo(series.WINDOW)} / clamp_min({of_slo(series.burn_rate(BURN_NOW))}, 1e-09)"


def state() -> str:
    """Return one number of FINE to NO_DATA for each SLO, by the very conditions that the alerts have."""
    coverage = of_slo(series.COVERAGE)
    nothing = f"{coverage} == 0 unless {of_slo(series.GOOD_PERIOD)}"
    found = [_level(NO_DATA, nothing), _level(SPENT, f"{of_slo(series.BUDGET_REMAINING)} <= 0")]
    found += [_level(PAGE, f"{of_slo(series.PAGE_RATIO)} >= 1"), _level(TICKET, f"{of_slo(series.TICKET_RATIO)} >= 1")]
    found += [_level(YOUNG, f"{coverage} < {FULL_COVERAGE:g}"), _level(FINE, coverage)]
    return " or ".join(found)


def in_state(level: int) -> str:
    """Return how many objectives of all services are in this state, 0 included."""
    return everywhere(f"count(({state()}) == {level}) or on () vector(0)")


def worst_state() -> str:
    """Return the most urgent state of a service's objectives, of all services."""
    return everywhere(f"max by (service) ({state()})")


def _level(number: int, condition: str) -> str:
    return f"0 * ({condition}) + {number}"


# Requests


def slo_requests() -> str:
    """Return the requests per second that availability counts, by service."""
    return of_service(series.SLO_REQUESTS, AVAILABILITY)


def slo_errors() -> str:
    """Return those of them that failed."""
    return of_service(series.SLO_ERRORS, AVAILABILITY)


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


def in_range(selector: str, *, at: str = "") -> str:
    """Return how much a recorded rate adds up to over the time range, by service and endpoint.

    What is too young to have been there at a step counts with its newest rate. `at` is a modifier such as `@ end()`,
    which a union of selectors cannot carry.
    """
    step, by = f"{seconds(BASE_WINDOW):g}", "sum by (service, endpoint)"
    at = f" {at}" if at else ""
    return f"({step} * {by} (sum_over_time(({selector}){_RANGE}{at})) or {step} * {by} ({selector}{at}))"


def failed_requests(settings: Settings, count: int) -> str:
    """Return the `count` endpoints with most failed requests in the time range; one row that says so where none failed.

    A table without rows says nothing, whatever its panel would say without data.
    """
    failed = f"topk({count}, {in_range(failing(settings, SERVICE))} > 0)"
    return f'{failed} or label_replace(vector(0) unless on () {failed}, "endpoint", "{NOTHING_FAILED}", "", "")'


def failed_share(settings: Settings) -> str:
    """Return the share of an endpoint's requests that failed in the time range, where any did."""
    return f"{in_range(failing(settings, SERVICE))} / ({in_range(select(series.REQUESTS, SERVICE))} > 0) > 0"


def alert_changes() -> str:
    """Return, in LogQL, the alerts of the chosen services that began or ended: Grafana keeps their history in Loki."""
    moved = 'labels_severity!="watchdog" | current=~"Alerting.*" or previous=~"Alerting.*"'
    line = "{{.labels_severity}}  {{.ruleTitle}}: {{.previous}} → {{.current}}"
    return f'{{from="state-history"}} | json | labels_{SERVICE} | {moved} | line_format "{line}"'


def alerts_begun() -> str:
    """Return, in LogQL, how many alerts of the chosen services began, by service and alert."""
    began = f'{{from="state-history"}} | json | labels_{SERVICE} | labels_severity!="watchdog" | current=~"Alerting.*"'
    return f'sum by (labels_service, ruleTitle) (count_over_time({began} | previous!~"Alerting.*" [$__auto]))'


def model_versions() -> str:
    """Return 1 for the version of each model that answers."""
    return f"max by (service, model, version) ({select(models.VERSION, SERVICE)})"


def new_versions() -> str:
    """Return the model versions that began to answer within the last two minutes: marks for every dashboard."""
    by = "on (service, model, version)"
    return f"{models.VERSION} unless {by} {models.VERSION} offset 2m and {by} {models.VERSION}"


def exemplars(settings: Settings) -> str:
    """Return the selectors whose exemplars Grafana fetches; "" when nothing is watched.

    Recorded series carry no exemplars. Prometheus' exemplar query takes only the selectors out of an expression, so
    these name the raw histograms, and `@ 0` (1970) makes their range query find nothing and read nothing.
    """
    asked = []
    for otlp, selected in ((False, SERVICE), (True, f"service_name=~{chosen(SERVICE_VARIABLE)}")):
        buckets = sorted({f"{own.metrics.duration}_bucket" for own in watched(settings) if own.otlp is otlp})
        if buckets:
            asked.append(f'{{__name__=~"{"|".join(buckets)}", {selected}}} @ 0')
    return " or ".join(asked)


# Calls


def callers_and_called() -> str:
    """Return the nodes of the service map, one a row: `id`, `title`, how it fares, and the calls per second it gets."""
    called = f"sum by (server) ({service_graph.CALLS})"
    fares = _named(_fares(called, f"sum by (server) ({service_graph.FAILED})"), id="server", title="server")
    calling = _named(f"0 * sum by (client) ({service_graph.CALLS})", id="client", title="client")
    return (
        f"sum by (id, title, subtitle, color) ({fares}) or on (id)"
        f" {_labelled(f'sum by (id, title) ({calling})', color=palette.GREY)}"
    )


def calls() -> str:
    """Return the edges of the service map, one a row: `id`, `source`, `target`, and calls per second."""
    fares = _fares(service_graph.CALLS, service_graph.FAILED)
    joined = f'label_join({fares}, "id", " to ", "client", "server")'
    return f"sum by (id, source, target, color) ({_named(joined, source='client', target='server')})"


def _fares(calls: str, failed: str) -> str:
    """Return calls per second with a colour, and words where many of them fail."""
    bad = f"({calls} and {failed} / {calls} > {MANY_FAIL})"
    good = f"({calls} unless {failed} / {calls} > {MANY_FAIL})"
    marked = _labelled(bad, color=palette.VERMILLION, subtitle="calls to it fail")
    return f"{marked} or {_labelled(good, color=palette.GREEN)}"


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
    """Return one row that says `text` in `column` when no span of the service came in within the time range.

    Jaeger's answer is a table without rows then, which says nothing, whatever its panel would say without data.
    """
    came = f"present_over_time({select(service_graph.SPANS, SERVICE)}[$__range])"
    return f'label_replace(vector(0) unless on () {came}, "{column}", "{text}", "", "")'


def by_status() -> str:
    """Return requests per second, by status."""
    return f"sum by (status) ({select(series.REQUESTS, SERVICE)})"


def share_failing(settings: Settings) -> str:
    """Return the share of requests that fail; 0, not nothing, while none does."""
    total = f"sum({select(series.REQUESTS, SERVICE)})"
    return f"(sum({failing(settings, SERVICE)}) or 0 * {total}) / ({total} > 0)"


def median_and_worst() -> str:
    """Return the time within which half, and 99 of 100, of the requests were answered, by `quantile`."""
    named = (
        _labelled(select(metric, SERVICE), quantile=name)
        for name, metric in (("P50", series.DURATION_P50), ("P99", series.DURATION_P99))
    )
    return f"max by (quantile) ({' or '.join(named)})"


def in_progress() -> str:
    """Return how many requests wait for an answer now."""
    return f"max({select(series.IN_PROGRESS, SERVICE)})"


# Containers


def of_containers(metric: str) -> str:
    """Return a recorded series of the chosen service's containers."""
    return f"max by (container) ({select(metric, SERVICE)})"


def of_container(metric: str) -> str:
    """Return a recorded series by container."""
    return f"max by (container) ({select(metric, CONTAINER)})"


def megabytes(metric: str) -> str:
    """Return a recorded series of bytes in MB, by container."""
    return f"{of_container(metric)} / 1e6"


def share_of_limit(metric: str, limit: str) -> str:
    """Return how much of its limit each of the stack's own containers uses, 1 being all of it."""
    used, most = (f"max by (container) ({select(name, OWN_CONTAINERS)})" for name in (metric, limit))
    return f"{used} / {most}"
