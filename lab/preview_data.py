"""Made-up history of a stack for `lab.preview`: the series that the rules would have recorded, by their own names.

Every number about the same SLO and window comes from the same counts, as it does from the rules, so that pages which
contradict themselves do so by their own fault.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Final

import yaml

from observability import rules
from observability.names import series
from observability.rules import containers, host, service_graph
from observability.rules.windows import BURN_ALERTS, BurnAlert
from observability.settings import CONTAINERS, SERVICES, Settings, Slo, load, seconds
from observability.watched import watched

MINUTE, HOUR, DAY = 60, 3_600, 86_400
SLOT: Final = 300
HALF_HOUR: Final = 1_800
AHEAD: Final = 2 * HOUR
"""How long after the start the data goes on, so that the pages keep on showing something."""
RATE: Final = 10.0
"""Requests a second of each service."""
ENDPOINTS: Final = {"/cart": 0.2, "/items/{id}": 0.5, "/login": 0.3}
"""The endpoints of each service, and the share of its bad requests that are theirs."""
MEBIBYTE, GIBIBYTE = 2**20, 2**30
AT_ONCE: Final = 5
"""Services in one text for promtool."""
WORDS: Final = (
    *("checkout", "inference-gateway", "search", "payment-api"),
    *("catalogue", "user-profile", "recommendations"),
)


PROBES: Final = (
    {"name": "shop-page", "target": "https://shop.example.org/"},
    {"name": "name-server", "type": "dns", "target": "shop.example.org", "server": "192.0.2.53:53"},
)
KINDS: Final[dict[str, object]] = {
    "availability": {"objective": 99.9, "each": {"label": "endpoint", "atMost": 3}},
    "slos": [
        {
            "name": "payments",
            "objective": 99.9,
            "good": 'http_requests_total{endpoint="/pay", status!~"5.."}',
            "total": 'http_requests_total{endpoint="/pay"}',
        },
        {"name": "minutes", "objective": 99.5, "window": "month", "timeSlice": {"atLeast": 95}}
        | {"bad": 'http_requests_total{status=~"5.."}', "total": "http_requests_total"},
    ],
}
"""SLOs of the first service besides the usual ones: of each endpoint, of one endpoint, of good minutes."""


@dataclass(frozen=True)
class Scenario:
    """What the dashboards are shown with.

    Args:
        name: of folders and files.
        services: how many services are configured.
        age: seconds since the stack began to measure.
        outage: whether some services fail now, since forty minutes.

    """

    name: str
    services: int = 3
    age: int = 30 * DAY
    outage: bool = False

    @cached_property
    def settings(self) -> Settings:
        """The configuration of the stack."""
        names = [
            f"{WORDS[n % len(WORDS)]}{f'-{n // len(WORDS) + 1}' if n >= len(WORDS) else ''}"
            for n in range(self.services)
        ]
        services: list[dict[str, object]] = [
            {"name": name, "targets": [f"{name}:8000"], "owner": "shop"} for name in names
        ]
        services[0] |= KINDS
        given = {"services": services, "probes": PROBES, "exclusions": [_exclusion()], "hostNetwork": True}
        return load(
            "preview", {**{key: json.dumps(value) for key, value in given.items()}, "dashboardsEditable": "false"}
        )


def _exclusion() -> dict[str, object]:
    """Return ten minutes of the last hour that count for nothing of the first service."""
    began = datetime.now(tz=UTC) - timedelta(minutes=50)
    start, end = (at.strftime("%Y-%m-%dT%H:%MZ") for at in (began, began + timedelta(minutes=10)))
    return {"start": start, "end": end, "reason": "Database upgrade", "services": [WORDS[0]]}


SCENARIOS: Final = {
    scenario.name: scenario
    for scenario in (
        Scenario("young", age=10 * MINUTE),
        Scenario("month"),
        Scenario("outage", outage=True),
        Scenario("one", services=1),
        Scenario("ten", services=10, outage=True),
        Scenario("fifty", services=50, outage=True),
        Scenario("hundred", services=100),
    )
}


@dataclass(frozen=True)
class _Health:
    """How one service does."""

    usually_bad: float
    outages: tuple[range, ...]
    bad: float

    def share(self, at: int, window: float) -> float:
        """Return the share of bad requests in the `window` seconds before `at`."""
        lost = sum(max(0.0, min(at, outage.stop) - max(at - window, outage.start)) for outage in self.outages)
        return self.usually_bad + (self.bad - self.usually_bad) * lost / window


@dataclass(frozen=True)
class History:
    """Everything that Prometheus would have of a scenario that is seen at `now`."""

    scenario: Scenario
    now: int

    @property
    def start(self) -> int:
        """The first second with data."""
        return self.now - self.scenario.age

    def blocks(self) -> Iterator[Iterator[str]]:
        """Yield OpenMetrics texts, none of which has too much for one block."""
        yield _text(_stack(self))
        names = [service.name for service in watched(self.scenario.settings)]
        for first in range(0, len(names), 5):
            yield self._services(names[first : first + 5])

    def moments(self, record: str = "") -> list[int]:
        """Return the moments of a record: by the minute in the last hours, by 5 minutes in the last day.

        What the report adds up goes back 30 days, in half hours that stand for six slots each.
        """
        day, fine = self.now - DAY, self.now - 2 * HOUR
        times = [*range(day // SLOT * SLOT, fine, SLOT), *range(fine // MINUTE * MINUTE, self.now + AHEAD, MINUTE)]
        if record in _COUNTED:
            times = list(range(day // SLOT * SLOT, self.now + AHEAD, SLOT))
        if record in _COUNTED | _KEPT_LONG:
            month = (self.now - 30 * DAY) // HALF_HOUR * HALF_HOUR
            times = [*range(month, day // HALF_HOUR * HALF_HOUR, HALF_HOUR), *times]
        return [at for at in times if at >= self.start]

    @cached_property
    def _healths(self) -> dict[str, _Health]:
        """How each service does."""
        configured = [service.name for service in self.scenario.settings.services]
        past = self.now - 2 * DAY
        result: dict[str, _Health] = {}
        for service in watched(self.scenario.settings):
            number = configured.index(service.name) if service.name in configured else 1
            outages = [range(past, past + HOUR)] if number % 3 == 0 else []
            if self.scenario.outage and number % 4 == 0 and service.name in configured:
                outages.append(range(self.now - 40 * MINUTE, self.now + AHEAD))
            result[service.name] = _Health(0.0004 * (1 + number % 3), tuple(outages), 0.3)
        return result

    def _services(self, names: list[str]) -> Iterator[str]:
        rendered = rules.render(self.scenario.settings)
        slos = {service.name: service.slo_by_name for service in watched(self.scenario.settings)}
        lines: dict[str, list[str]] = {}
        for name in names:
            (group,) = yaml.safe_load(rendered[f"slo-{name}.yml"])["groups"]
            for rule in group["rules"]:
                record, labels = rule["record"], rule["labels"]
                slo = slos[name].get(labels.get("slo", ""))
                for more in _spread(record):
                    text = _labels({**labels, **more})
                    value = self._of_slo(record, name, slo, more) if slo else self._of_service(record, name, more)
                    lines.setdefault(record, []).extend(
                        f"{record}{{{text}}} {value(at):.9g} {at}\n" for at in self.moments(record)
                    )
        return _text(lines)

    def _of_slo(self, record: str, service: str, slo: Slo, labels: dict[str, str]) -> Callable[[int], float]:
        """Return what the rules would have recorded of an SLO at a moment, every number from the same counts."""
        health, period, budget = self._healths[service], seconds(slo.length), 1 - slo.objective / 100
        tickets, pages = ([a for a in BURN_ALERTS if a.severity == severity] for severity in ("ticket", "page"))
        named = re.search(r"(\d+[mhd])$", record)
        longest = seconds(named[1]) if named else period
        part = ENDPOINTS.get(labels.get("value", ""), 1.0)

        def age(at: int) -> int:
            return max(at - self.start, MINUTE)

        def slot(at: int) -> float:
            """Return how long the slot that ends at this moment is; the first one of a stack is shorter."""
            return min(HALF_HOUR if at < self.now - DAY else SLOT, age(at))

        def since(at: int) -> int:
            """Return the seconds since the sample before, as `moments` has them."""
            return MINUTE if at > self.now - 2 * HOUR else HALF_HOUR if at < self.now - DAY else SLOT

        def bad(at: int, window: float = longest) -> float:
            return health.share(at, min(window, age(at)))

        fixed = {
            series.OBJECTIVE: 1 - budget,
            series.BUDGET: budget,
            series.WINDOW: period,
            series.THRESHOLD: seconds(getattr(slo, "threshold", "0s")),
            series.SLO_REQUESTS: RATE,
            series.VALUE_KNOWN: 1,
            series.VALUES_LEFT_OUT: 2,
        }
        moving: dict[str, Callable[[int], float]] = {
            series.PAGE_RATIO: lambda at: self._burning(health, at, pages, budget),
            series.TICKET_RATIO: lambda at: self._burning(health, at, tickets, budget),
            series.COVERAGE: lambda at: min(1.0, age(at) / period),
            series.BUDGET_REMAINING: lambda at: 1 - bad(at, period) / budget,
            series.BURN_RATE_PERIOD: lambda at: bad(at, period) / budget,
            series.GOOD_PERIOD: lambda at: 1 - bad(at, period),
            series.REQUESTS_PERIOD: lambda at: RATE * min(period, age(at)),
            series.ERRORS_PERIOD: lambda at: RATE * min(period, age(at)) * bad(at, period),
            series.SLO_ERRORS: lambda at: RATE * bad(at, SLOT),
            series.SLO_REQUESTS_SLOT: lambda at: RATE * slot(at),
            series.SLO_ERRORS_SLOT: lambda at: RATE * slot(at) * bad(at, slot(at)),
            series.SLO_REQUESTS_LATE: lambda at: RATE * min(at % SLOT, age(at)),
            series.SLO_ERRORS_LATE: lambda at: RATE * min(at % SLOT, age(at)) * bad(at, max(at % SLOT, 1)),
            series.VALUE_REQUESTS_PERIOD: lambda at: RATE / len(ENDPOINTS) * min(period, age(at)),
            series.VALUE_ERRORS_PERIOD: lambda at: RATE * part * min(period, age(at)) * bad(at, period),
            series.VALUE_BUDGET_REMAINING: lambda at: 1 - len(ENDPOINTS) * part * bad(at, period) / budget,
            series.VALUE_PAGE_RATIO: lambda at: len(ENDPOINTS) * part * self._burning(health, at, pages, budget),
            series.AVAILABILITY_30D: lambda at: 1 - bad(at, 30 * DAY),
            series.FAILING_SECONDS: lambda at: since(at) * (bad(at, since(at)) > budget),
        }
        if record in fixed:
            return lambda _: fixed[record]
        if record in moving:
            return moving[record]
        if record.startswith("slo:error_budget:burn_rate"):
            return lambda at: bad(at) / budget
        if record.startswith("slo:error_budget:consumed"):
            return lambda at: bad(at) / budget * min(longest, age(at)) / min(period, age(at))
        return bad if record.startswith("slo:error:") else lambda at: 1 - bad(at)

    def _burning(self, health: _Health, at: int, pairs: list[BurnAlert], budget: float) -> float:
        """Return how far above its limit the worst pair of windows is, as the rules record it; from 1 on it alerts."""
        age = max(at - self.start, MINUTE)

        def rate(window: str) -> float:
            return health.share(at, min(seconds(window), age)) / budget

        return max(min(rate(pair.long), rate(pair.short)) / pair.factor for pair in pairs)

    def _of_service(self, record: str, service: str, labels: dict[str, str]) -> Callable[[int], float]:
        """Return what the rules would have recorded of a service at a moment, endpoint by endpoint."""
        health = self._healths[service]
        quantile = {series.DURATION_P50: 0.4, series.DURATION_P95: 1.0, series.DURATION_P99: 1.4}.get(record, 1.0)

        def value(at: int) -> float:
            bad = health.share(at, SLOT)
            wave = 1 + 0.2 * ((at // MINUTE * 7 + len(service)) % 10) / 10
            slow = 0.08 * wave + bad
            if "status" in labels:
                return RATE / 3 * wave * (bad if labels["status"] == "500" else 1 - bad)
            if "le" in labels:
                return RATE * {"0.05": 0.4, "0.1": 0.8}.get(labels["le"], 1.0)
            if record.endswith(("_sum:rate5m", "_count:rate5m")):
                return RATE / 3 * (1 if "_count" in record else slow)
            return 3.0 if record == series.IN_PROGRESS else slow * quantile

        return value


@dataclass(frozen=True)
class _Samples:
    """Lines of OpenMetrics by metric."""

    history: History
    lines: dict[str, list[str]] = field(default_factory=dict)

    def gauge(self, record: str, value: float, labels: dict[str, str], wave: float = 0.0) -> None:
        """Add a series that stays at `value`, or moves up from it by a share of at most `wave`."""
        text = _labels(labels)
        events = self.lines.setdefault(record, [])
        for at in self.history.moments():
            moved = value * (1 + wave * ((at // MINUTE * 13 + len(text)) % 20) / 20)
            events.append(f"{record}{{{text}}} {moved:.9g} {at}\n")

    def counter(self, record: str, rate: float, labels: dict[str, str]) -> None:
        """Add a counter that grows by `rate` a second."""
        text, start = _labels(labels), self.history.start
        events = self.lines.setdefault(record, [])
        events += [f"{record}{{{text}}} {rate * (at - start):.9g} {at}\n" for at in self.history.moments()]


def _stack(history: History) -> dict[str, list[str]]:
    """Return the series about the stack itself, its host, its containers, and the calls between services."""
    samples = _Samples(history)
    services = [service.name for service in history.scenario.settings.services]
    down = "jaeger" if history.scenario.outage else "-"
    for job in (*SERVICES, *services):
        samples.gauge("up", 0 if job == down else 1, {"job": job, "instance": job})
    for job in SERVICES:
        samples.gauge("process_start_time_seconds", history.start, {"job": job})
    _containers(samples, services)
    _host(samples)
    _calls(samples, services)
    _prometheus(samples, services)
    _stores(samples, down)
    _probes(samples)
    return samples.lines


def _containers(samples: _Samples, services: list[str]) -> None:
    for number, name in enumerate((*CONTAINERS, *services)):
        labels = {"container": name, "service": name}
        samples.gauge(containers.CPU, 0.02 + 0.01 * (number % 5), labels, 0.5)
        samples.gauge(containers.MEMORY, (60 + 40 * (number % 6)) * MEBIBYTE, labels, 0.1)
        samples.gauge(containers.NETWORK_RECEIVED, 2e4 * (1 + number % 4), labels, 0.6)
        samples.gauge(containers.NETWORK_SENT, 3e4 * (1 + number % 3), labels, 0.6)
        if name in CONTAINERS or number % 2:
            samples.gauge(containers.MEMORY_LIMIT, 512 * MEBIBYTE, labels)
            samples.gauge(containers.CPU_LIMIT, 1, labels)


def _host(samples: _Samples) -> None:
    disk, history = {"device": "/dev/vda1"}, samples.history
    samples.gauge(host.DISK_USED, 0.71, disk)
    for state, share in (("user", 0.3), ("system", 0.08), ("wait", 0.03), ("idle", 0.59)):
        samples.gauge(host.CPU, share, {"state": state})
    for record, value in (
        (host.CPU_USED, 0.38),
        (host.CPUS, 8),
        (host.LOAD, 3.2),
        (host.MEMORY, 32 * GIBIBYTE),
        (host.MEMORY_AVAILABLE, 14 * GIBIBYTE),
        (host.MEMORY_USED, 18 / 32),
    ):
        samples.gauge(record, value, {})
    samples.gauge(host.DISK_BUSY, 0.12, disk, 0.5)
    for record, device, directions in (
        (host.DISK_IO, "/dev/vda1", ("read", "write")),
        (host.NETWORK_IO, "eth0", ("receive", "transmit")),
    ):
        for number, direction in enumerate(directions, 1):
            samples.gauge(record, 2e6 * number, {"device": device, "direction": direction}, 0.5)
    samples.gauge(host.NETWORK_FAULTS, 0, {"device": "eth0"})
    filled = GIBIBYTE * 0.3 / DAY
    samples.lines[host.DISK_FREE] = [
        f"{host.DISK_FREE}{{{_labels(disk)}}} {29 * GIBIBYTE - (at - history.start) * filled:.0f} {at}\n"
        for at in history.moments()
    ]


def _calls(samples: _Samples, services: list[str]) -> None:
    called = dict(enumerate(services[1:12], 1))
    failing = min(called, default=0) + 2
    for number, service in called.items():
        between = {"client": services[(number - 1) // 2], "server": service}
        samples.gauge(service_graph.CALLS, RATE, between, 0.1)
        samples.gauge(service_graph.FAILED, RATE * 0.3 if number == failing else 0, between)
    for service in services:
        samples.gauge(service_graph.SPANS, 100, {"service": service})
    samples.gauge("model:version:max", 1, {"service": services[0], "model": "ranker", "version": "2026-11-01"})


def _prometheus(samples: _Samples, services: list[str]) -> None:
    job = {"job": "prometheus"}
    for record, value in (
        ("prometheus_tsdb_storage_blocks_bytes", 2.1e9),
        ("prometheus_tsdb_wal_storage_size_bytes", 1.2e8),
        ("prometheus_tsdb_head_chunks_storage_size_bytes", 3e7),
        ("prometheus_tsdb_retention_limit_bytes", 8.0 * GIBIBYTE),
        ("prometheus_tsdb_retention_limit_seconds", 35.0 * DAY),
    ):
        samples.gauge(record, value, job)
    samples.counter("prometheus_tsdb_head_samples_appended_total", 900, job)
    samples.counter("prometheus_http_requests_total", 3, {"handler": "/api/v1/query", **job})
    for group in (*(f"slo-{name}" for name in services[:8]), "containers", "host"):
        labels = {"rule_group": f"/etc/rules.yml;{group}"}
        samples.gauge("prometheus_rule_group_last_duration_seconds", 0.01 + len(group) / 1e3, labels, 0.3)
        samples.gauge("prometheus_rule_group_interval_seconds", 60, labels)


def _stores(samples: _Samples, down: str) -> None:
    searches, reads = {"job": "jaeger", "operation": "find_traces"}, {"job": "loki", "route": "loki_api_v1_query_range"}
    samples.counter("loki_distributor_bytes_received_total", 4e3, {"job": "loki"})
    samples.counter("loki_request_duration_seconds_count", 0.5, reads)
    samples.counter("jaeger_storage_requests", 0.1, searches)
    samples.counter("otelcol_receiver_accepted_spans", 40, {"job": "jaeger"})
    queries = {"job": "prometheus", "handler": "/api/v1/query"}
    for le, share in (("0.1", 0.8), ("1.0", 0.97), ("+Inf", 1.0)):
        samples.counter("prometheus_http_request_duration_seconds_bucket", 3 * share, {"le": le, **queries})
        samples.counter("loki_request_duration_seconds_bucket", share / 2, {"le": le, **reads})
        samples.counter("jaeger_storage_latency_bucket", share / 10, {"le": le, **searches})
    for what in ("lsm", "vlog"):
        samples.gauge(f"jaeger_storage_badger_size_bytes_{what}", 4e8, {"job": "jaeger"})
    for exporter in ("otlp_http/prometheus", "otlp_http/loki", "otlp_grpc/jaeger"):
        waiting = 3e7 if exporter.endswith(down) else 1e3
        samples.gauge("otelcol_exporter_queue_size", waiting, {"job": "collector", "exporter": exporter}, 0.2)
    samples.gauge("otelcol_process_uptime", 1e5, {"job": "collector"})


def _probes(samples: _Samples) -> None:
    for probe in samples.history.scenario.settings.probes:
        labels = {"job": probe.name, "service": probe.name, "instance": probe.target}
        samples.gauge("up", 1, labels)
        samples.gauge("probe_success", 1, labels)
        samples.gauge("probe_duration_seconds", 0.12, labels, 0.4)
        if probe.uses_tls:
            samples.gauge("probe_ssl_earliest_cert_expiry", samples.history.now + 40 * DAY, labels)
            for phase, took in (
                ("resolve", 0.01),
                ("connect", 0.02),
                ("tls", 0.04),
                ("processing", 0.04),
                ("transfer", 0.01),
            ):
                samples.gauge("probe_http_duration_seconds", took, {**labels, "phase": phase}, 0.4)


_COUNTED: Final = {series.SLO_REQUESTS_SLOT, series.SLO_ERRORS_SLOT}
_KEPT_LONG: Final = {series.error_ratio("5m"), series.BUDGET, series.REQUESTS_PERIOD, series.FAILING_SECONDS}


def _spread(record: str) -> tuple[dict[str, str], ...]:
    """Return what tells the series of a record apart, where the rules write more than one."""
    if record == series.REQUESTS:
        return tuple({"endpoint": e, "method": "GET", "status": s} for e in ENDPOINTS for s in ("200", "500"))
    if record == series.DURATION_BUCKET:
        return tuple({"le": le} for le in ("0.05", "0.1", "0.3", "1.0", "+Inf"))
    if record in (series.DURATION_SUM, series.DURATION_COUNT):
        return tuple({"endpoint": endpoint} for endpoint in ENDPOINTS)
    if record.startswith("slo:value_"):
        return tuple({"value": endpoint} for endpoint in ENDPOINTS)
    return ({},)


def _labels(labels: dict[str, str]) -> str:
    return ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))


def _text(lines: dict[str, list[str]]) -> Iterator[str]:
    for name, samples in lines.items():
        yield f"# TYPE {name} unknown\n"
        yield from samples
    yield "# EOF\n"
