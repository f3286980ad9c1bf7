"""PromQL about the stack itself: what its services report of themselves in metrics of their own.

The names are those of the pinned images; tests/dashboards/own_metrics.json is what these really expose.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dashboards.queries import OWN_CONTAINERS, select
from observability.rules import containers, host
from observability.settings import SERVICES, seconds

if TYPE_CHECKING:
    from observability.settings import Settings

OWN: Final = f'job=~"{"|".join(SERVICES)}"'
PROMETHEUS: Final = 'job="prometheus"'
LOKI: Final = 'job="loki"'
JAEGER: Final = 'job="jaeger"'
COLLECTOR: Final = 'job="collector"'
QUERYING: Final = {
    "prometheus": 'handler=~"/api/v1/(query|query_range|series|labels|label/:name/values)"',
    "loki": 'route=~"loki_api_v1_(query|query_range|labels|label_name_values|series|index_.*)"',
}
"""Which of their requests read data."""

_DAY: Final = 86_400


def rate(metric: str, *matchers: str) -> str:
    """Return how fast a counter grows, per second."""
    return f"rate({select(metric, *matchers)}[$__rate_interval])"


def added(metric: str, *matchers: str) -> str:
    """Return by how much a counter grew in the whole time range; 0 where it does not exist."""
    return f"(sum(increase({select(metric, *matchers)}[$__range])) or on () vector(0))"


# Availability


def up() -> str:
    """Return 1 or 0 for each of the stack's services."""
    return f"min by (job) ({select('up', OWN)})"


def silent_targets() -> str:
    """Return how many targets cannot be scraped."""
    return "count(up == 0) or on () vector(0)"


def failed_evaluations() -> str:
    """Return how many rule evaluations failed, or were skipped, in the time range."""
    failed, missed = "prometheus_rule_evaluation_failures_total", "prometheus_rule_group_iterations_missed_total"
    return f"round({added(failed, PROMETHEUS)} + {added(missed, PROMETHEUS)})"


def rejected(settings: Settings) -> dict[str, str]:
    """Return what each part refused to take in the time range, by what it is."""
    samples = (
        "prometheus_target_scrapes_sample_out_of_order_total",
        "prometheus_target_scrapes_sample_out_of_bounds_total",
        "prometheus_target_scrapes_sample_duplicate_timestamp_total",
        "prometheus_target_scrapes_exceeded_sample_limit_total",
    )
    dropped = {
        what: " + ".join([_increased(REFUSED, f'signal="{what}"'), *(_increased(s) for s in selectors)])
        for what, selectors in lost().items()
    }
    discarded = added("loki_discarded_samples_total", LOKI)
    return {
        "samples": " + ".join([*(added(metric, PROMETHEUS) for metric in samples), dropped["points"]]),
        "log lines": f"{discarded} + {dropped['lines']}" if settings.keeps_logs else dropped["lines"],
        "spans": dropped["spans"],
    }


REFUSED: Final = "collector_refused_items_total"
"""What the collector dropped, by `service_name`, `signal` (points, lines, spans) and `reason`."""


LOST: Final = {
    "points": (
        "otelcol_exporter_send_failed_metric_points",
        "otelcol_exporter_enqueue_failed_metric_points",
        "otelcol_deltatocumulative_datapoints",
    ),
    "lines": ("otelcol_exporter_send_failed_log_records", "otelcol_exporter_enqueue_failed_log_records"),
    "spans": ("otelcol_exporter_send_failed_spans", "otelcol_exporter_enqueue_failed_spans"),
}
"""Counters of what the collector gave up for good, by signal. What is refused for a moment is sent again."""


def lost() -> dict[str, tuple[str, ...]]:
    """Return the selectors of what the collector gave up for good, by signal."""
    return {
        signal: tuple(
            select(name, COLLECTOR, *(['error!=""'] if name == "otelcol_deltatocumulative_datapoints" else []))
            for name in names
        )
        for signal, names in LOST.items()
    }


def _increased(selector: str, *matchers: str) -> str:
    """Return by how much a counter grew, its birth included: the first failure makes the series."""
    chosen = select(selector, *matchers) if matchers else selector
    born = f"(sum({chosen} unless {chosen} offset $__range) or on () vector(0))"
    return f"(sum(increase({chosen}[$__range])) or on () vector(0)) + {born}"


# Ingestion and queries


def samples_in() -> str:
    """Return samples per second that Prometheus takes in."""
    return f"sum({rate('prometheus_tsdb_head_samples_appended_total', PROMETHEUS)})"


def logs_in() -> str:
    """Return bytes of log lines per second that Loki takes in."""
    return f"sum({rate('loki_distributor_bytes_received_total', LOKI)}) or on () vector(0)"


def spans_in() -> str:
    """Return spans per second that Jaeger takes in."""
    return f"sum({rate('otelcol_receiver_accepted_spans', JAEGER)})"


def sent(what: str, backend: str) -> str:
    """Return how much per second a backend has taken from the collector; `what` as its exporters count it."""
    taken = rate(f"otelcol_exporter_sent_{what}", COLLECTOR, f'exporter=~".*/{backend}"')
    return f"sum({taken}) or on () vector(0)"


def waiting() -> str:
    """Return the bytes that wait in the collector, by `backend`."""
    queues = select("otelcol_exporter_queue_size", COLLECTOR)
    return f'sum by (backend) (label_replace({queues}, "backend", "$1", "exporter", ".*/(.+)"))'


def reads() -> dict[str, str]:
    """Return reads of data per second, by service."""
    return {
        "prometheus": f"sum({rate('prometheus_http_requests_total', PROMETHEUS, QUERYING['prometheus'])})",
        "loki": f"sum({rate('loki_request_duration_seconds_count', LOKI, QUERYING['loki'])}) or on () vector(0)",
        "jaeger": f"sum({rate('jaeger_storage_requests', JAEGER, _JAEGER_READS)}) or on () vector(0)",
    }


def read_time() -> dict[str, str]:
    """Return the P95 of the time to answer a read, by service."""
    buckets = {
        "prometheus": rate("prometheus_http_request_duration_seconds_bucket", PROMETHEUS, QUERYING["prometheus"]),
        "loki": rate("loki_request_duration_seconds_bucket", LOKI, QUERYING["loki"]),
        "jaeger": rate("jaeger_storage_latency_bucket", JAEGER, _JAEGER_READS),
    }
    # A quantile of nothing is NaN; NaN >= 0 is not, so it is a gap.
    return {name: f"histogram_quantile(0.95, sum by (le) ({expr})) >= 0" for name, expr in buckets.items()}


_JAEGER_READS: Final = 'operation!~".*write.*"'


# Rules


def rule_time(count: int) -> str:
    """Return how long the evaluation of a group of rules takes, for the `count` slowest of the time range."""
    duration = "prometheus_rule_group_last_duration_seconds"
    ranked = f"topk({count}, max_over_time({duration}[$__range:5m] @ end()))"
    return f'label_replace({duration} and on (rule_group) {ranked}, "group", "$1", "rule_group", ".*;(.+)")'


def rule_share() -> str:
    """Return how much of its interval the slowest group of rules takes, 1 being all of it."""
    duration, interval = "prometheus_rule_group_last_duration_seconds", "prometheus_rule_group_interval_seconds"
    return f"max({duration} / on (rule_group) {interval})"


# Space


def metrics_on_disk() -> str:
    """Return the bytes that Prometheus's data takes: blocks, what is not in a block yet, and its log."""
    return " + ".join(f"sum({select(metric, PROMETHEUS)})" for metric in _ON_DISK)


_ON_DISK: Final = (
    "prometheus_tsdb_storage_blocks_bytes",
    "prometheus_tsdb_wal_storage_size_bytes",
    "prometheus_tsdb_head_chunks_storage_size_bytes",
)


def traces_on_disk() -> str:
    """Return the bytes that Jaeger's store takes."""
    return " + ".join(
        f"sum({select(metric, JAEGER)})"
        for metric in ("jaeger_storage_badger_size_bytes_lsm", "jaeger_storage_badger_size_bytes_vlog")
    )


def disk_used() -> str:
    """Return how full the fullest disk with volumes is, 1 being full, as `df` counts it."""
    return f"max({host.DISK_USED})"


def space(settings: Settings) -> dict[str, str]:
    """Return the columns of the table of space, each by `part`."""
    kept = {
        METRICS: f"max({select('prometheus_tsdb_retention_limit_seconds', PROMETHEUS)}) / {_DAY}",
        **({LOGS: f"vector({seconds(settings.loki_retention) / _DAY:g})"} if settings.keeps_logs else {}),
        **({TRACES: f"vector({seconds(settings.jaeger_retention) / _DAY:g})"} if settings.keeps_traces else {}),
    }
    limit = f"max({select('prometheus_tsdb_retention_limit_bytes', PROMETHEUS)})"
    return {
        "Used": _parts({METRICS: f"({metrics_on_disk()}) / ({limit} > 0)", HOST: disk_used()}),
        "Full in": _parts({METRICS: days_left(), HOST: host_days_left()}),
        "Size": _parts({METRICS: metrics_on_disk(), **({TRACES: traces_on_disk()} if settings.keeps_traces else {})}),
        "Kept for": _parts(kept),
    }


HOST: Final = "Docker host's disk"
METRICS: Final = "metrics"
LOGS: Final = "logs"
TRACES: Final = "traces"


def days_left() -> str:
    """Return the days until Prometheus reaches its size limit, growing as in the last day.

    Nothing before `host.FORECAST_WINDOW` of data, and nothing while it does not grow.
    """
    blocks = select("prometheus_tsdb_storage_blocks_bytes", PROMETHEUS)
    room = f"(max({select('prometheus_tsdb_retention_limit_bytes', PROMETHEUS)}) > 0) - ({metrics_on_disk()})"
    growth = f"max(deriv({blocks}[1d]) and {blocks} offset {host.FORECAST_WINDOW}) > 0"
    return f"clamp_min({room}, 0) / ({growth}) / {_DAY}"


def host_days_left() -> str:
    """Return the days until the disk is full, filling as in the last hours; nothing before there is data enough."""
    return f"min({host.disk_full_in()}) / {_DAY}"


def _parts(by_part: dict[str, str]) -> str:
    return " or ".join(f'label_replace({expr}, "part", "{part}", "", "")' for part, expr in by_part.items())


# Cost


def cost(settings: Settings) -> dict[str, str]:
    """Return the columns of the table of what each part takes, each by `container`."""
    cpu, memory = containers.CPU, containers.MEMORY
    return {
        "Memory": f"{_of(memory)} / {_of(containers.MEMORY_LIMIT)}",
        "CPU": f"{_of(cpu)} / {_of(containers.CPU_LIMIT)}",
        "Restarts": " or ".join(
            f"label_replace(max(changes({select('process_start_time_seconds', _job(name))}[$__range])), "
            f'"container", "{name}", "", "")'
            for name in settings.scraped
            if name not in containers.COLLECTORS
        )
        + "".join(
            f" or label_replace(max(resets({select('otelcol_process_uptime', _job(name))}[$__range])), "
            f'"container", "{name}", "", "")'
            for name in containers.COLLECTORS
            if name in settings.scraped
        ),
    }


def _of(metric: str) -> str:
    return f"max by (container) ({select(metric, OWN_CONTAINERS)})"


def _job(name: str) -> str:
    return f'job="{name}"'
