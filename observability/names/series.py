"""The names of every recorded series, once: rules write them; dashboards and alerts read them.

A leaf: it imports nothing of the project. Names follow Prometheus' `level:metric:operations`. `service:*`
series carry `service`; `slo:*` series carry `service` and `slo`: SLO_AVAILABILITY, SLO_LATENCY, or the name of an
SLO of the service's own.
"""

from typing import Final

SLO_AVAILABILITY: Final = "availability"
SLO_LATENCY: Final = "latency"
SLO_CUSTOM: Final = "good"
"""Stands for the kind in the names of SLOs that are neither: `slo:good:ratio_rate30d`."""

# Per service, under the contract's label names whatever the service calls them.
REQUESTS: Final = "service:http_requests:rate5m"
"""Requests per second, by endpoint, method and status."""
IN_PROGRESS: Final = "service:http_requests_in_progress:sum"
DURATION_BUCKET: Final = "service:http_request_duration_seconds_bucket:rate5m"
"""Requests per second at or below `le` seconds."""
DURATION_SUM: Final = "service:http_request_duration_seconds_sum:rate5m"
DURATION_COUNT: Final = "service:http_request_duration_seconds_count:rate5m"
"""Both by endpoint: the first divided by the second is the average response time."""
DURATION_MEAN: Final = "service:http_request_duration_seconds:mean5m"
DURATION_P50: Final = "service:http_request_duration_seconds:p50_5m"
DURATION_P95: Final = "service:http_request_duration_seconds:p95_5m"
DURATION_P99: Final = "service:http_request_duration_seconds:p99_5m"
DURATION_P99_7D: Final = "service:http_request_duration_seconds:p99_7d"

# Objectives.
OBJECTIVE: Final = "slo:objective:ratio"
BUDGET: Final = "slo:error_budget:ratio"
"""1 - objective: the share of requests that may fail."""
WINDOW: Final = "slo:window:seconds"
THRESHOLD: Final = "slo:threshold:seconds"
"""Latency only: slower than this is an error."""

# What an SLO counts.
SLO_REQUESTS: Final = "slo:requests:rate5m"
SLO_ERRORS: Final = "slo:errors:rate5m"
SLO_MEASURED: Final = "slo:measured:bool"
"""1 while events are counted, absent while they cannot be."""
SLO_REQUESTS_TOTAL: Final = "slo:requests:total"
SLO_ERRORS_TOTAL: Final = "slo:errors:total"
SLO_GOOD_TOTAL: Final = "slo:good:total"
"""Running totals; see rules/counting.py. Only differences of their values mean anything."""
SLO_READ: Final = "slo:read:bool"
"""1 for each process that is read, by job and instance."""
SLO_RESTARTED: Final = "slo:restarted:sum"
"""Processes that began to count at 0 since the last evaluation, by job and instance: how much they have counted."""
SLO_RAW_REQUESTS_TOTAL: Final = "slo:events:total"
SLO_RAW_ERRORS_TOTAL: Final = "slo:bad_events:total"
"""The same of an SLO that counts time slices or leaves out hours of the week, before that is done."""
SLO_REQUESTS_SLOT: Final = "slo:requests:increase5m"
SLO_ERRORS_SLOT: Final = "slo:errors:increase5m"
"""How many there were since the last of these, recorded once in 5 minutes and absent in between."""
SLO_REQUESTS_MARK: Final = "slo:requests:mark5m"
SLO_ERRORS_MARK: Final = "slo:errors:mark5m"
"""The running total when the last of these was recorded."""
SLO_REQUESTS_LATE: Final = "slo:requests:late5m"
SLO_ERRORS_LATE: Final = "slo:errors:late5m"
"""How many came since the last of these."""
SLO_REQUESTS_SLOTS: Final = "slo:requests:increase5m_period"
SLO_ERRORS_SLOTS: Final = "slo:errors:increase5m_period"
"""The sum of these subtotals in the SLO's own window."""
REQUESTS_PERIOD: Final = "slo:requests:increase_period"
ERRORS_PERIOD: Final = "slo:errors:increase_period"
"""How many requests and errors the SLO's own window holds."""
SLO_PERIOD: Final = "slo:period:number"
"""Of a calendar window: the number of the month or quarter in which the last subtotal was recorded."""
SLO_SLOTS_PERIOD: Final = "slo:slots:period5m"
SLO_REQUESTS_IN_PERIOD: Final = "slo:requests:period5m"
SLO_ERRORS_IN_PERIOD: Final = "slo:errors:period5m"
"""Of a calendar window: the sum of its subtotals so far, recorded with each of them."""
COVERAGE: Final = "slo:coverage:ratio"
"""Share of the SLO's window that has data."""

# What is left. `period` is the SLO's own window, so these names do not depend on it.
GOOD_PERIOD: Final = "slo:good:ratio_period"
BUDGET_REMAINING: Final = "slo:error_budget:remaining_ratio"
BURN_RATE_PERIOD: Final = "slo:error_budget:burn_rate_period"

FAILING_SECONDS: Final = "slo:failing:seconds"
"""Seconds since the last evaluation, where more failed in them than the objective allows, else 0."""
INCIDENT_SINCE: Final = "slo:incident_running:start_seconds"
"""When the incident that runs began, in seconds since 1970; 0 where none runs."""
INCIDENT_START: Final = "slo:incident:start_seconds"
"""When an incident began, while it runs, in seconds since 1970. One series of each incident, by `began`."""
INCIDENT_ERRORS: Final = "slo:incident:errors"
"""How many requests were bad since an incident began, by `began`."""
INCIDENT_SECONDS: Final = "slo:incident:failing_seconds"
"""For how many seconds of an incident more failed than the objective allows, by `began`."""
INCIDENT_WORST: Final = "slo:incident:worst_ratio_rate5m"
"""The highest share of bad requests in 5 minutes of an incident, by `began`."""
INCIDENT_ALERT: Final = "slo:incident:alert"
"""The most urgent alert of an incident, by `began`: 2 for a page, 1 for a ticket, 0 for none."""
PAGE_RATIO: Final = "slo:page:ratio"
TICKET_RATIO: Final = "slo:ticket:ratio"
"""How near the burn alerts are: at 1 they fire. See rules/slo.py."""

# Of each value of a label, where an SLO is divided by one: by `value`.
VALUE_KNOWN: Final = "slo:value_known:bool"
"""1 for the values that have an SLO of their own and a series."""
VALUES_LEFT_OUT: Final = "slo:values_left_out:count"
"""How many values have a series, but no SLO of their own, because there are too many."""
VALUE_REQUESTS_TOTAL: Final = "slo:value_requests:total"
VALUE_ERRORS_TOTAL: Final = "slo:value_errors:total"
VALUE_GOOD_TOTAL: Final = "slo:value_good:total"
VALUE_REQUESTS_PERIOD: Final = "slo:value_requests:increase_period"
VALUE_ERRORS_PERIOD: Final = "slo:value_errors:increase_period"
VALUE_BUDGET_REMAINING: Final = "slo:value_error_budget:remaining_ratio"
VALUE_PAGE_RATIO: Final = "slo:value_page:ratio"
VALUE_TICKET_RATIO: Final = "slo:value_ticket:ratio"

AVAILABILITY_30D: Final = "slo:availability:ratio_rate30d"
AVAILABILITY_5M: Final = "slo:availability:ratio_rate5m"
LATENCY_5M: Final = "slo:latency:ratio_rate5m"

# What Jaeger counts of the spans that it stores.
SPAN_CALLS: Final = "traces_span_metrics_calls_total"
SPAN_DURATION_BUCKET: Final = "traces_span_metrics_duration_milliseconds_bucket"


def error_ratio(window: str) -> str:
    """Return the name of the share of bad requests in `window`."""
    return f"slo:error:ratio_rate{_suffix(window)}"


def good_ratio(slo: str, window: str) -> str:
    """Return the name of the share of good requests in `window`, for one kind of SLO."""
    return f"slo:{slo}:ratio_rate{_suffix(window)}"


def burn_rate(window: str) -> str:
    """Return the name of the burn rate over `window`: 1 spends the budget exactly in the SLO's window."""
    return f"slo:error_budget:burn_rate{window}"


def budget_consumed(window: str) -> str:
    """Return the name of the share of the whole window's budget that was spent in the last `window`."""
    return f"slo:error_budget:consumed_ratio{window}"


def _suffix(window: str) -> str:
    return window if window[:1].isdigit() else f"_{window}"
