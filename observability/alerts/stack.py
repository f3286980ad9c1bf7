"""The alerts about the stack itself: blind, full, rejecting, restarting; and the one that always fires.

What they cannot see. The free space is that of the file system with the collector's volume, which is that of all
volumes unless one is on another disk; that such a disk is full is known only by what its owner prints. A
container that dies before Prometheus has scraped it is a target that is down, no restart.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from dashboards import stack_queries
from observability import topology
from observability.alerts import template_helpers as helpers
from observability.alerts.model import FALLS_SILENT, FIRES, NOTHING_IS_FINE, Alert, AlertGroup, PanelRef
from observability.configs.prometheus import COPY, SAMPLE_LIMIT
from observability.configs.span_metrics import SPAN_SERIES, counted_by
from observability.names import uids
from observability.rules import containers, host
from observability.settings import seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from observability.settings import Settings

INTERVAL_SECONDS: Final = 60
SERVICES_PANEL: Final = PanelRef(uids.STACK_HEALTH, "services")
TARGETS_PANEL: Final = PanelRef(uids.STACK_HEALTH, "targets-down")
RULES_PANEL: Final = PanelRef(uids.STACK_HEALTH, "rule-failures")
REFUSED_PANEL: Final = PanelRef(uids.STACK_HEALTH, "data-refused")
MEMORY_PANEL: Final = PanelRef(uids.STACK_HEALTH, "memory")
SPACE_PANEL: Final = PanelRef(uids.STACK_HEALTH, "space")
WAITING_PANEL: Final = PanelRef(uids.STACK_HEALTH, "collector-queue")

GIBIBYTE: Final = 1024**3
STORED_SCRAPES: Final = 4
"""The newest sample may be as old as so many scrapes, whatever the setting says."""

_SINCE: Final = "10m"
_NEWEST: Final = "2m"
_NO_ROOM: Final = "(?i)no space left on device|disk is full|SIGBUS"
"""What Prometheus and the collector, Grafana's SQLite, and Jaeger, whose files are mapped, print on a full disk."""
_NO_ROOM_SINCE: Final = "5m"
_STORED: Final = tuple(
    f'prometheus_tsdb_{what}_bytes{{job="prometheus"}}'
    for what in ("storage_blocks", "wal_storage_size", "head_chunks_storage_size")
)
OVERFLOW: Final = 'traces_span_metrics_calls_total{otel_metric_overflow="true"}'
"""Spans of a service that has more kinds of them than are counted."""


_COPY: Final = f'job="prometheus", remote_name="{COPY}"'
_STARTED: Final = 'process_start_time_seconds{job="prometheus"}'


def jobs(settings: Settings) -> dict[str, str]:
    """Return Prometheus' jobs over the stack itself, and the service behind each."""
    return {name: name for name in settings.scraped} | {"span-metrics": counted_by(settings).name}


def group(settings: Settings) -> AlertGroup:
    """Return every alert about the stack; without containers, whether Grafana gets answers at all."""
    if not settings.runs_stack:
        seen = (
            alert for alert in _blind(settings) if alert.kind == "watchdog" or "vector(1)" in alert.queries.values()
        )
        found = tuple(replace(alert, panel=PanelRef(uids.HOME, "services")) for alert in seen)
        return AlertGroup("stack", uids.FOLDER_INFRASTRUCTURE, INTERVAL_SECONDS, found)
    about_containers = (*_containers(settings), *_host(settings))
    alerts = (*_blind(settings), *_full(settings), *_rejecting(settings), *_copy(settings), *about_containers)
    return AlertGroup("stack", uids.FOLDER_INFRASTRUCTURE, INTERVAL_SECONDS, alerts)


def _blind(settings: Settings) -> Iterator[Alert]:
    """Yield what keeps the other alerts from seeing, or from being heard."""
    stale = max(seconds(settings.thresholds.stale_after), STORED_SCRAPES * seconds(settings.scrape_interval))
    yield Alert(
        kind="watchdog",
        title="Watchdog: alerts get through",
        severity="watchdog",
        service="grafana",
        owner=settings.owner,
        queries={"one": "vector(1)"},
        condition="$one >= 1",
        summary="Fires always. When its messages stop, Prometheus, Grafana or the way to you is broken.",
        panel=SERVICES_PANEL,
        missing=FALLS_SILENT,
    )
    for datasource, severity in ((uids.DATASOURCE_PROMETHEUS, "page"), (uids.DATASOURCE_LOKI, "ticket")):
        yield Alert(
            kind="queries-failing",
            title=f"Grafana cannot query {datasource}",
            severity="page" if severity == "page" else "ticket",
            service=datasource,
            owner=settings.owner,
            queries={"one": "vector(1)"},
            condition="$one < 1",
            summary=f"Grafana gets no answer from {datasource}: alerts that ask it keep their last state, unseeing.",
            panel=SERVICES_PANEL,
            missing=FIRES,
            pending="1m",
            datasource=datasource,
        )
    yield Alert(
        kind="queries-failing",
        title="Grafana's data sources answer with errors",
        severity="ticket",
        service="grafana",
        owner=settings.owner,
        queries={"errors": _count('grafana_datasource_request_total{job="grafana", code=~"5.."}', _NEWEST)},
        condition=f"$errors > {settings.thresholds.query_errors}",
        summary=f"{helpers.count('errors')} queries of Grafana got a 5xx in the last {_NEWEST}, and some before.",
        panel=SERVICES_PANEL,
        # A data source that is replaced is away for a minute.
        pending="5m",
    )
    yield Alert(
        kind="metrics-not-stored",
        title="Prometheus stores nothing",
        severity="page",
        service="prometheus",
        owner=settings.owner,
        queries={"age": 'time() - max(timestamp(up{job="prometheus"}))'},
        condition=f"$age > {stale:g}",
        summary=(
            f"The newest sample that Prometheus has is {helpers.count('age')} seconds old: it answers and cannot write,"
            " as on a full disk. Alerts on metrics keep their last state, unseeing."
        ),
        panel=TARGETS_PANEL,
        # Back after minutes, its newest sample is as old until the first scrape.
        pending="1m",
    )
    yield Alert(
        kind="metrics-repaired",
        title="Prometheus dropped damaged metrics",
        severity="ticket",
        service="prometheus",
        owner=settings.owner,
        queries={
            "repairs": 'sum(prometheus_tsdb_wal_corruptions_total{job="prometheus"})',
            "age": 'time() - max(process_start_time_seconds{job="prometheus"})',
        },
        # A repair is counted once, at the start.
        condition=f"$repairs > 0 && $age < {seconds(settings.thresholds.repaired_for):g}",
        summary=(
            f"Prometheus started {helpers.count('age')} seconds ago, found its write-ahead log damaged, and dropped"
            " what stood there after the damage: up to the last two or three hours."
        ),
        panel=TARGETS_PANEL,
    )
    yield Alert(
        kind="rules-failing",
        title="Prometheus: recording rules fail",
        severity="page",
        service="prometheus",
        owner=settings.owner,
        queries={
            "failed": _count('prometheus_rule_evaluation_failures_total{job="prometheus"}'),
            "missed": _count('prometheus_rule_group_iterations_missed_total{job="prometheus"}'),
        },
        condition=f"$failed > 0 || $missed >= {settings.thresholds.missed_evaluations}",
        summary=(
            f"In the last {_SINCE} {helpers.count('failed')} evaluations of recording rules failed and"
            f" {helpers.count('missed')} did not run in time: the SLO alerts read old numbers, or none."
        ),
        panel=RULES_PANEL,
        pending="2m",
    )
    for job, service in jobs(settings).items():
        yield Alert(
            kind="target-down",
            title=f"{job}: not scraped",
            severity="ticket",
            service=service,
            owner=settings.owner,
            queries={"up": f'min(up{{job="{job}"}}) or vector(0)'},
            condition="$up < 1",
            summary=f"Prometheus gets no metrics from {job}: it does not run, or does not answer.",
            panel=TARGETS_PANEL,
            pending="2m",
        )


def _full(settings: Settings) -> Iterator[Alert]:
    """Yield what runs out of room."""
    days, share = settings.thresholds.forecast_days, settings.thresholds.metrics_size_percent / 100
    yield Alert(
        kind="disk-nearly-full",
        title="The Docker host's disk is nearly full",
        severity="page",
        service=_on_disk(settings),
        owner=settings.owner,
        queries={"free": f"min({host.DISK_FREE})"},
        condition=f"$free < {int(settings.thresholds.disk_free_gib * GIBIBYTE)}",
        summary=(
            f"{helpers.size('free')} are free where the volumes are"
            f" (limit {settings.thresholds.disk_free_gib:g} GiB). Prometheus loses data on a full disk."
        ),
        panel=SPACE_PANEL,
        pending="5m",
    )
    for name in settings.scraped:
        if name == "loki":  # whose own lines are refused then, and that is an alert
            continue
        # Grafana prints a query that failed: this one has the words in it.
        selector = f'{{service_name="{name}"}} != "count_over_time" |~ "{_NO_ROOM}"'
        lines = f"sum(count_over_time({selector} [{_NO_ROOM_SINCE}]))"
        yield Alert(
            kind="disk-full",
            title=f"{name}: no room on its disk",
            severity="page",
            service=name,
            owner=settings.owner,
            queries={"lines": f"{lines} or vector(0)"},
            condition="$lines > 0",
            summary=f"{name} printed {helpers.count('lines')} times in {_NO_ROOM_SINCE} that its disk is full.",
            panel=SPACE_PANEL,
            datasource=uids.DATASOURCE_LOKI,
        )
    yield Alert(
        kind="disk-filling",
        title="The Docker host's disk is filling",
        severity="ticket",
        service=_on_disk(settings),
        owner=settings.owner,
        queries={"free": f"min({host.DISK_FREE})", "ahead": f"min({host.disk_free_in(days * 86_400)})"},
        condition=f"$ahead <= {settings.thresholds.forecast_free_gib * GIBIBYTE:.0f}",
        summary=(
            f"{helpers.size('free')} are free where the volumes are. At the rate of the last {host.FORECAST_WINDOW}"
            f" the disk will be full within {days} days."
        ),
        panel=SPACE_PANEL,
        pending="1h",
    )
    yield Alert(
        kind="metrics-size-limit",
        title="Prometheus: metrics reach their size limit",
        severity="ticket",
        service="prometheus",
        owner=settings.owner,
        queries={
            "used": " + ".join(f"sum({size})" for size in _STORED),
            "ahead": " + ".join(_ahead(size, days) for size in _STORED),
            "limit": 'max(prometheus_tsdb_retention_limit_bytes{job="prometheus"})',
        },
        condition=f"$limit > 0 && ($used > {share:g} * $limit || $ahead > $limit)",
        summary=(
            f"Metrics take {helpers.size('used')} of {helpers.size('limit')}"
            f" (prometheusRetentionSize); in {days} days it will be {helpers.size('ahead')}."
            f" At the limit the oldest days go, before prometheusRetention ({settings.prometheus_retention}) is over."
        ),
        panel=SPACE_PANEL,
        pending="2h",
    )


def _rejecting(settings: Settings) -> Iterator[Alert]:
    """Yield who throws data away."""
    if settings.keeps_logs:
        yield _loki_rejecting(settings)
    if settings.logs_in_bucket:
        yield _loki_not_storing(settings)
    refusing = "Jaeger" if settings.keeps_traces else "the store elsewhere"
    yield Alert(
        kind="jaeger-dropping",
        title="Spans are lost on their way to Jaeger",
        severity="ticket",
        service="jaeger" if settings.keeps_traces else "collector",
        owner=settings.owner,
        queries={"spans": _lost("spans")},
        condition="$spans > 0",
        summary=f"{helpers.count('spans')} spans were given up in the last {_SINCE}: {refusing} refuses them for good.",
        panel=REFUSED_PANEL,
    )
    yield Alert(
        kind="data-lost",
        title="The collector gives up points or lines",
        severity="ticket",
        service="collector",
        owner=settings.owner,
        queries={"points": _lost("points"), "lines": _lost("lines")},
        condition="$points + $lines > 0",
        summary=(
            f"In the last {_SINCE} the collector gave up {helpers.count('points')} points and"
            f" {helpers.count('lines')} lines: Prometheus or Loki refuses them for good, or the queue is full."
        ),
        panel=REFUSED_PANEL,
    )
    yield Alert(
        kind="sender-refused",
        title="A service sends what cannot be stored",
        severity="ticket",
        service="collector",
        owner=settings.owner,
        queries={"items": _count_by(stack_queries.REFUSED, "service_name", "signal", "reason")},
        condition="$items > 0",
        summary=(
            f"{helpers.label('service_name')} sent {helpers.count('items')} {helpers.label('signal')} in the last"
            f" {_SINCE} that are dropped: {helpers.label('reason')}. Everybody else's data is stored."
        ),
        panel=REFUSED_PANEL,
        missing=NOTHING_IS_FINE,
    )
    yield Alert(
        kind="sender-over-limit",
        title="A service has too many kinds of spans",
        severity="ticket",
        service=counted_by(settings).name,
        owner=settings.owner,
        queries={"calls": f"sum by (service_name) (rate({OVERFLOW}[5m]))"},
        condition="$calls > 0",
        summary=(
            f"{helpers.label('service_name')} sends more than {SPAN_SERIES} kinds of spans (name, status, route)."
            " The newer ones are counted as one. Often an ID is part of the span's name."
        ),
        panel=REFUSED_PANEL,
        missing=NOTHING_IS_FINE,
        pending="5m",
    )
    yield Alert(
        kind="sender-over-limit",
        title="A target has too many series",
        severity="ticket",
        service="prometheus",
        owner=settings.owner,
        queries={"series": "max by (job) (scrape_samples_scraped)"},
        condition=f"$series > {settings.thresholds.series_percent / 100 * SAMPLE_LIMIT:.0f}",
        summary=(
            f"A target of {helpers.label('job')} shows {helpers.count('series')} series. Above {SAMPLE_LIMIT} its"
            " scrape fails as a whole. Often an ID is the value of a label."
        ),
        panel=TARGETS_PANEL,
        missing=NOTHING_IS_FINE,
        pending="5m",
    )

    for backend in (part.name for part in topology.WRITTEN_BY_COLLECTOR):
        size, capacity = (
            f'max(otelcol_exporter_queue_{what}{{job="collector", exporter=~".*/{backend}"}})'
            for what in ("size", "capacity")
        )
        yield Alert(
            kind="collector-waiting",
            title=f"The collector holds back what is for {backend}",
            severity="ticket",
            service="collector",
            owner=settings.owner,
            queries={"waiting": size, "room": capacity},
            condition=f"$waiting > {settings.thresholds.queue_percent / 100:g} * $room",
            summary=(
                f"{helpers.size('waiting')} wait on the collector's disk for {backend}, of {helpers.size('room')}."
                " Nothing is lost yet; at the limit senders are refused."
            ),
            panel=WAITING_PANEL,
            pending="5m",
        )


def _on_disk(settings: Settings) -> str:
    """Return the service that an alert about the volumes' disk names: the store that grows most."""
    return "jaeger" if settings.keeps_traces else "prometheus"


def _loki_rejecting(settings: Settings) -> Alert:
    """Return what tells that Loki refuses lines."""
    pushes = 'loki_request_duration_seconds_count{job="loki", route=~".*push.*|otlp.*", status_code=~"4..|5.."}'
    return Alert(
        kind="loki-rejecting",
        title="Loki rejects log lines",
        severity="ticket",
        service="loki",
        owner=settings.owner,
        queries={"lines": _count('loki_discarded_samples_total{job="loki"}'), "pushes": _count(pushes)},
        condition="$lines + $pushes > 0",
        summary=(
            f"In the last {_SINCE} Loki discarded {helpers.count('lines')} lines and refused"
            f" {helpers.count('pushes')} pushes."
        ),
        panel=REFUSED_PANEL,
    )


def _loki_not_storing(settings: Settings) -> Alert:
    """Return what tells that Loki's object store does not take what it has."""
    return Alert(
        kind="loki-not-storing",
        title="Loki cannot write to its object store",
        severity="ticket",
        service="loki",
        owner=settings.owner,
        queries={"failed": _count('loki_ingester_chunks_flush_failures_total{job="loki"}')},
        condition="$failed > 0",
        summary=(
            f"In the last {_SINCE} Loki failed {helpers.count('failed')} times to write to its object store. Lines wait"
            " in its memory and on its volume."
        ),
        panel=REFUSED_PANEL,
    )


def _copy(settings: Settings) -> Iterator[Alert]:
    """Yield what keeps a copy of the metrics elsewhere from being whole; none where there is no copy."""
    if not settings.metrics_copied:
        return
    # After a start nothing older than that is ever sent.
    sent = f"prometheus_remote_storage_queue_highest_sent_timestamp_seconds{{{_COPY}}} or {_STARTED}"
    yield Alert(
        kind="metrics-copy-behind",
        title="The copy of the metrics is behind",
        severity="ticket",
        service="prometheus",
        owner=settings.owner,
        queries={"age": f"time() - max({sent})"},
        condition=f"$age > {seconds(settings.thresholds.copy_behind):g}",
        summary=(
            f"The newest sample that the other store took is {helpers.count('age')} seconds old. Everything is here;"
            " what waits for more than two hours is missing there."
        ),
        panel=REFUSED_PANEL,
        pending="1m",
    )
    refused = (f"prometheus_remote_storage_{what}_failed_total{{{_COPY}}}" for what in ("samples", "histograms"))
    yield Alert(
        kind="metrics-copy-refused",
        title="The copy of the metrics is refused",
        severity="ticket",
        service="prometheus",
        owner=settings.owner,
        queries={"samples": " + ".join(_count(counter) for counter in refused)},
        condition="$samples > 0",
        summary=(
            f"In the last {_SINCE} the other store refused {helpers.count('samples')} samples for good. They are here,"
            " and missing there."
        ),
        panel=REFUSED_PANEL,
    )


def _containers(settings: Settings) -> Iterator[Alert]:
    """Yield what ails a container."""
    for name in settings.scraped:
        # By the age, which a restart sets back: the start's time itself moves with the kernel's clock.
        age = f'(time() - process_start_time_seconds{{job="{name}"}})[30m:{settings.scrape_interval}]'
        started = f"resets({age})"
        if name in containers.COLLECTORS:  # an OpenTelemetry collector tells how long it has been running
            started = f'resets({{__name__=~"otelcol_process_uptime(_seconds)?(_total)?", job="{name}"}}[30m])'
        yield Alert(
            kind="container-restarting",
            title=f"{name}: container keeps restarting",
            severity="ticket",
            service=name,
            owner=settings.owner,
            queries={"restarts": f"max({started})"},
            condition=f"$restarts >= {settings.thresholds.restarts}",
            summary=f"{name} started {helpers.count('restarts')} times in the last 30 minutes.",
            panel=SERVICES_PANEL,
        )
    for name in settings.containers:
        used, limit = (
            f'max({metric}{{container="{name}"}})' for metric in (containers.MEMORY, containers.MEMORY_LIMIT)
        )
        yield Alert(
            kind="container-memory",
            title=f"{name}: container is near its memory limit",
            severity="ticket",
            service=name,
            owner=settings.owner,
            queries={"used": used, "limit": limit},
            condition=f"$used > {settings.thresholds.memory_percent / 100:g} * $limit",
            summary=(
                f"{name} uses {helpers.size('used')} of its"
                f" {helpers.size('limit')} of memory. At the limit the engine kills it."
            ),
            panel=MEMORY_PANEL,
            pending="5m",
        )


def _host(settings: Settings) -> Iterator[Alert]:
    """Yield what the whole Docker host lacks: disk space is among what is full."""
    thresholds = settings.thresholds
    yield Alert(
        kind="host-memory",
        title="The Docker host's memory is nearly used up",
        severity="ticket",
        service="collector",
        owner=settings.owner,
        queries={
            "used": f"max({host.MEMORY_USED})",
            "left": f"min({host.MEMORY_AVAILABLE})",
            "all": f"max({host.MEMORY})",
        },
        condition=f"$used > {thresholds.host_memory_percent / 100:g}",
        summary=(
            f"{helpers.share('used')} of the host's {helpers.size('all')} are in use, {helpers.size('left')} are left."
            " When nothing is left the kernel kills processes, those of this stack among them."
        ),
        panel=PanelRef(uids.HOSTS, "memory"),
        pending="10m",
    )
    yield Alert(
        kind="host-cpu",
        title="The Docker host's processors are busy",
        severity="ticket",
        service="collector",
        owner=settings.owner,
        queries={"used": f"max({host.CPU_USED})", "load": f"max({host.LOAD})", "cpus": f"max({host.CPUS})"},
        condition=f"$used > {thresholds.host_cpu_percent / 100:g} && $load > $cpus",
        summary=(
            f"{helpers.share('used')} of the host's {helpers.count('cpus')} processors are in use, and"
            f" {helpers.times('load')} processes run or wait on average: everything on the host gets slower."
        ),
        panel=PanelRef(uids.HOSTS, "cpu"),
        pending="15m",
    )


def _ahead(size: str, days: int) -> str:
    """Return what a size will be in `days`; what it is now before there is data enough for a forecast."""
    predicted = f"predict_linear({size}[1d], {days * 86_400})"
    return f"sum(({predicted} and {size} offset {host.FORECAST_WINDOW}) or {size})"


def _count(counter: str, since: str = _SINCE) -> str:
    """Return by how much a counter grew, its birth included: what goes wrong for the first time is born with it."""
    born = f"(sum({counter} unless {counter} offset {since}) or vector(0))"
    return f"((sum(increase({counter}[{since}])) or vector(0)) + {born})"


def _count_by(counter: str, *by: str) -> str:
    """Return by how much a counter grew, by labels; it has samples only while it grows."""
    grown = f'label_replace(increase({counter}[{_SINCE}]), "part", "grown", "", "")'
    born = f'label_replace({counter} unless last_over_time({counter}[1d] offset {_SINCE}), "part", "born", "", "")'
    return f"sum by ({', '.join(by)}) ({grown} or {born})"


def _lost(what: str) -> str:
    return " + ".join(_count(selector) for selector in stack_queries.lost()[what])
