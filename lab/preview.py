"""The dashboards in a real Grafana over made-up data, on this machine's loopback address and without Docker.

For pictures of states that a running stack is rarely in (ten minutes old, in an outage, fifty services), and for tests
that measure the pages in a browser. Prometheus and Grafana are the real ones; Loki and Jaeger are stand-ins that answer
what the dashboards ask. The series are those that the rules would have recorded, by their own names and labels, so
that every number about the same SLO and window agrees with the others.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.error import URLError
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

import yaml

from dashboards.catalogue import dashboards, folders
from observability import alerts, rules
from observability.configs.datasources import datasources
from observability.names import series, uids
from observability.rules import containers, host, service_graph
from observability.settings import CONTAINERS, SERVICES, Settings, Slo, load, seconds
from observability.watched import watched

MINUTE, HOUR, DAY = 60, 3_600, 86_400
SLOT: Final = 300
AHEAD: Final = 3 * HOUR
"""How long after the start the data goes on, so that the pages keep on showing something."""
RATE: Final = 10.0
"""Requests a second of each service."""
GIBIBYTE: Final = 2**30
WORDS: Final = (
    "checkout",
    "inference-gateway",
    "search",
    "payment-api",
    "catalogue",
    "user-profile",
    "recommendations",
)
PATIENCE_SECONDS: Final = 60


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
        services = [{"name": name, "targets": [f"{name}:8000"], "owner": "shop"} for name in names]
        return load("preview", {"services": json.dumps(services), "dashboardsEditable": "false"})


SCENARIOS: Final = {
    scenario.name: scenario
    for scenario in (
        Scenario("young", age=10 * MINUTE),
        Scenario("month"),
        Scenario("outage", outage=True),
        Scenario("one", services=1),
        Scenario("ten", services=10, outage=True),
        Scenario("fifty", services=50, outage=True),
    )
}


def missing() -> str | None:
    """Return what a preview lacks on this machine, None when it can be shown."""
    for binary in ("prometheus", "promtool", "grafana"):
        if shutil.which(binary) is None:
            return f"{binary} is not on PATH"
    if not (grafana_home() / "public" / "build").is_dir():
        return f"{grafana_home()} has no pages of Grafana: set GRAFANA_HOME"
    return None


def grafana_home() -> Path:
    """Return the folder with Grafana's pages and defaults."""
    return Path(os.environ.get("GRAFANA_HOME", "/usr/share/grafana"))


# Data


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
        yield self._stack()
        names = [service.name for service in watched(self.scenario.settings)]
        for first in range(0, len(names), 5):
            yield self._services(names[first : first + 5])

    def _moments(self, *, span: int, step: int) -> Iterator[int]:
        first = max(self.start, self.now - span) // step * step
        return iter(range(max(first, self.start), self.now + AHEAD, step))

    def _recent(self) -> list[int]:
        """Return the moments of what is drawn: by the minute in the last hours, by 5 minutes in the last day."""
        fine = 2 * HOUR
        old = range(max(self.start, self.now - DAY) // SLOT * SLOT, self.now - fine, SLOT)
        new = range(max(self.start, self.now - fine) // MINUTE * MINUTE, self.now + AHEAD, MINUTE)
        return [at for at in (*old, *new) if at >= self.start]

    def _health(self, service: str) -> _Health:
        names = [s.name for s in self.scenario.settings.services]
        number = names.index(service) if service in names else 1
        past = self.now - 2 * DAY
        outages = [range(past, past + HOUR)] if number % 3 == 0 else []
        if self.scenario.outage and number % 4 == 0 and service in names:
            outages.append(range(self.now - 40 * MINUTE, self.now + AHEAD))
        return _Health(0.0004 * (1 + number % 3), tuple(outages), 0.3)

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
                    moments = self._moments(span=30 * DAY, step=SLOT) if record in _KEPT_LONG else self._recent()
                    if record in (series.SLO_REQUESTS_SLOT, series.SLO_ERRORS_SLOT):
                        moments = self._moments(span=30 * DAY, step=SLOT)
                    text = _labels({**labels, **more})
                    for at in moments:
                        value = self._of_slo(record, name, slo, at) if slo else self._of_service(record, name, more, at)
                        lines.setdefault(record, []).append(f"{record}{{{text}}} {value:.9g} {at}\n")
        return _text(lines)

    def _of_slo(self, record: str, service: str, slo: Slo, at: int) -> float:
        """Return what the rules would have recorded of an SLO, every number from the same counts."""
        health, period = self._health(service), seconds(slo.window)
        budget = 1 - slo.objective / 100
        age = max(at - self.start, MINUTE)
        named = re.search(r"(\d+[mhd])$", record)
        window = min(seconds(named[1]) if named else period, age)
        bad, bad_of_period = health.share(at, window), health.share(at, min(period, age))
        exact = {
            series.OBJECTIVE: 1 - budget,
            series.BUDGET: budget,
            series.WINDOW: period,
            series.THRESHOLD: seconds(getattr(slo, "threshold", "0s")),
            series.COVERAGE: min(1.0, age / period),
            series.BUDGET_REMAINING: 1 - bad_of_period / budget,
            series.BURN_RATE_PERIOD: bad_of_period / budget,
            series.GOOD_PERIOD: 1 - bad_of_period,
            series.REQUESTS_PERIOD: RATE * min(period, age),
            series.ERRORS_PERIOD: RATE * min(period, age) * bad_of_period,
            series.SLO_REQUESTS: RATE,
            series.SLO_ERRORS: RATE * health.share(at, SLOT),
            series.SLO_REQUESTS_SLOT: RATE * SLOT,
            series.SLO_ERRORS_SLOT: RATE * SLOT * health.share(at, SLOT),
            series.AVAILABILITY_30D: 1 - health.share(at, min(30 * DAY, age)),
        }
        levels = {
            "slo:error_budget:burn_rate": bad / budget,
            "slo:error_budget:consumed": bad / budget * window / period,
            "slo:error:": bad,
        }
        other = next((value for level, value in levels.items() if record.startswith(level)), 1 - bad)
        return exact.get(record, 0.0 if ":l" in record and "5m" in record and "ratio" not in record else other)

    def _of_service(self, record: str, service: str, labels: dict[str, str], at: int) -> float:
        """Return what the rules would have recorded of a service, endpoint by endpoint."""
        bad = self._health(service).share(at, SLOT)
        wave = 1 + 0.2 * ((at // MINUTE * 7 + len(service)) % 10) / 10
        slow = 0.08 * wave + bad
        if "status" in labels:
            return RATE / 3 * wave * (bad if labels["status"] == "500" else 1 - bad)
        if "le" in labels:
            return RATE * {"0.05": 0.4, "0.1": 0.8}.get(labels["le"], 1.0)
        if record.endswith(("_sum:rate5m", "_count:rate5m")):
            return RATE / 3 * (1 if "_count" in record else slow)
        quantile = {series.DURATION_P50: 0.4, series.DURATION_P95: 1.0, series.DURATION_P99: 1.4}.get(record, 1.0)
        return 3.0 if record == series.IN_PROGRESS else slow * quantile

    def _stack(self) -> Iterator[str]:
        """Yield the series about the stack itself, its host, its containers, and calls between services."""
        lines: dict[str, list[str]] = {}
        down = "jaeger" if self.scenario.outage else ""
        services = [service.name for service in self.scenario.settings.services]

        def gauge(record: str, value: float, wave: float = 0.0, **labels: str) -> None:
            text = _labels(labels)
            for at in self._recent():
                moved = value * (1 + wave * ((at // MINUTE * 13 + len(text)) % 20) / 20)
                lines.setdefault(record, []).append(f"{record}{{{text}}} {moved:.9g} {at}\n")

        def counter(record: str, rate: float, **labels: str) -> None:
            text = _labels(labels)
            for at in self._recent():
                lines.setdefault(record, []).append(f"{record}{{{text}}} {rate * (at - self.start):.9g} {at}\n")

        for job in SERVICES:
            gauge("up", 0 if job == down else 1, job=job, instance=job)
            gauge("process_start_time_seconds", self.start, job=job)
        for service in services:
            gauge("up", 1, job=service, instance=service)
        for number, name in enumerate((*CONTAINERS, *services)):
            labels = {"container": name, "service": name}
            gauge(containers.CPU, 0.02 + 0.01 * (number % 5), 0.5, **labels)
            gauge(containers.MEMORY, (60 + 40 * (number % 6)) * 2**20, 0.1, **labels)
            gauge(containers.NETWORK_RECEIVED, 2e4 * (1 + number % 4), 0.6, **labels)
            gauge(containers.NETWORK_SENT, 3e4 * (1 + number % 3), 0.6, **labels)
            if number % 4 != 3:  # noqa: PLR2004 - one in four has none
                gauge(containers.MEMORY_LIMIT, 512 * 2**20, **labels)
                gauge(containers.CPU_LIMIT, 1, **labels)
        gauge(host.DISK_USED, 0.71, device="/dev/vda1")
        for at in self._recent():
            free = 29 * GIBIBYTE - (at - self.start) / DAY * GIBIBYTE * 0.3
            lines.setdefault(host.DISK_FREE, []).append(f'{host.DISK_FREE}{{device="/dev/vda1"}} {free:.0f} {at}\n')
        for number, service in enumerate(services[1:12], 1):
            calls = {"client": services[(number - 1) // 2], "server": service}
            gauge(service_graph.CALLS, RATE, 0.1, **calls)
            gauge(service_graph.FAILED, RATE * (0.3 if number == 3 else 0), **calls)  # noqa: PLR2004 - one of them fails
        for service in services:
            gauge(service_graph.SPANS, 100, service=service)
        gauge("model:version:max", 1, service=services[0], model="ranker", version="2026-11-01")
        job = {"job": "prometheus"}
        gauge("prometheus_tsdb_storage_blocks_bytes", 2.1e9, **job)
        gauge("prometheus_tsdb_wal_storage_size_bytes", 1.2e8, **job)
        gauge("prometheus_tsdb_head_chunks_storage_size_bytes", 3e7, **job)
        gauge("prometheus_tsdb_retention_limit_bytes", 8 * GIBIBYTE, **job)
        gauge("prometheus_tsdb_retention_limit_seconds", 35 * DAY, **job)
        counter("prometheus_tsdb_head_samples_appended_total", 900, **job)
        counter("prometheus_http_requests_total", 3, handler="/api/v1/query", **job)
        for group in (*(f"slo-{name}" for name in services[:8]), "containers", "host"):
            labels = {"rule_group": f"/etc/rules.yml;{group}"}
            gauge("prometheus_rule_group_last_duration_seconds", 0.01 + len(group) / 1e3, 0.3, **labels)
            gauge("prometheus_rule_group_interval_seconds", 60, **labels)
        counter("loki_distributor_bytes_received_total", 4e3, job="loki")
        counter("loki_request_duration_seconds_count", 0.5, job="loki", route="loki_api_v1_query_range")
        counter("jaeger_storage_requests", 0.1, job="jaeger", operation="find_traces")
        counter("otelcol_receiver_accepted_spans", 40, job="jaeger")
        for le, share in (("0.1", 0.8), ("1.0", 0.97), ("+Inf", 1.0)):
            counter("prometheus_http_request_duration_seconds_bucket", 3 * share, handler="/api/v1/query", le=le, **job)
            counter(
                "loki_request_duration_seconds_bucket", share / 2, job="loki", route="loki_api_v1_query_range", le=le
            )
            counter("jaeger_storage_latency_bucket", share / 10, job="jaeger", operation="find_traces", le=le)
        for what in ("lsm", "vlog"):
            gauge(f"jaeger_storage_badger_size_bytes_{what}", 4e8, job="jaeger")
        for backend in ("otlp_http/prometheus", "otlp_http/loki", "otlp_grpc/jaeger"):
            waits = 3e7 if backend.endswith(down or "-") else 1e3
            gauge("otelcol_exporter_queue_size", waits, 0.2, job="collector", exporter=backend)
        gauge("otelcol_process_uptime", 1e5, job="collector")
        return _text(lines)


_KEPT_LONG: Final = {series.error_ratio("5m"), series.BUDGET, series.REQUESTS_PERIOD}


def _spread(record: str) -> tuple[dict[str, str], ...]:
    """Return what tells the series of a record apart, where the rules write more than one."""
    if record == series.REQUESTS:
        return tuple(
            {"endpoint": e, "method": "GET", "status": s}
            for e in ("/cart", "/items/{id}", "/login")
            for s in ("200", "500")
        )
    if record == series.DURATION_BUCKET:
        return tuple({"le": le} for le in ("0.05", "0.1", "0.3", "1.0", "+Inf"))
    if record in (series.DURATION_SUM, series.DURATION_COUNT):
        return tuple({"endpoint": endpoint} for endpoint in ("/cart", "/items/{id}", "/login"))
    return ({},)


def _labels(labels: dict[str, str]) -> str:
    return ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))


def _text(lines: dict[str, list[str]]) -> Iterator[str]:
    for name, samples in lines.items():
        yield f"# TYPE {name} unknown\n"
        yield from samples
    yield "# EOF\n"


# Stand-ins


class _Loki(BaseHTTPRequestHandler):
    """Answer queries for lines with lines, for counts with counts; the history of alerts with two entries."""

    services: tuple[str, ...] = ()

    def do_GET(self) -> None:  # noqa: N802 - http.server's name
        address = urlsplit(self.path)
        asked = {key: values[0] for key, values in parse_qs(address.query).items()}
        self._answer(self._data(address.path, asked))

    def do_POST(self) -> None:  # noqa: N802 - http.server's name
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        asked = {key: values[0] for key, values in parse_qs(body).items()}
        self._answer(self._data(urlsplit(self.path).path, asked))

    def _data(self, path: str, asked: dict[str, str]) -> object:
        if path.endswith("/values"):
            return {"status": "success", "data": [*self.services, *SERVICES]}
        query = asked.get("query", "")
        now = time.time_ns()
        if "vector(0)" in query or "/label" in path or path.endswith("/series"):
            return {"status": "success", "data": {"resultType": "vector", "result": []}}
        if "count_over_time" in query:
            return {"status": "success", "data": _counts(query, path.endswith("/query"), now, self.services)}
        level, text = (
            ("error", "connection to db-1 lost after 5000 ms") if "detected_level" in query else ("info", "answered")
        )
        if "state-history" in query and "from=" in query:
            level, text = "info", "page  checkout availability: error budget burns fast: Normal → Alerting"
        lines = [[str(now - n * 7_000_000_000), f"{text} request_id=r-{n}"] for n in range(20)]
        stream = {"stream": {"service_name": self.services[0], "detected_level": level}, "values": lines}
        return {"status": "success", "data": {"resultType": "streams", "result": [stream], "stats": {}}}

    def _answer(self, content: object) -> None:
        payload = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Print nothing."""


def _counts(query: str, instant: bool, now: int, services: tuple[str, ...]) -> dict[str, Any]:  # noqa: FBT001
    labels = [{"service_name": name} for name in services[:8]]
    if "detected_level)" in query:
        labels = [{"detected_level": level} for level in ("info", "warn", "error")]
    if "ruleTitle" in query:
        labels = [{"labels_service": services[0], "ruleTitle": f"{services[0]} availability: error budget burns fast"}]
    if "same)" in query:
        labels = [{"service_name": services[0], "same": f"connection to db-# lost after # ms {n}"} for n in range(15)]
    if "objective)" in query:
        at = (now // 10**9 - 2 * DAY) // (6 * HOUR) * 6 * HOUR
        alerted = {"service": services[0], "slo": "availability", "objective": f"{services[0]} availability"}
        return {"resultType": "matrix", "result": [{"metric": alerted, "values": [[at, "1"]]}]}
    if instant:
        result = [{"metric": metric, "value": [now / 1e9, str(40 - n)]} for n, metric in enumerate(labels)]
        return {"resultType": "vector", "result": result}
    moments = [now // 10**9 // 60 * 60 - n * 60 for n in range(60)][::-1]
    if "ruleTitle" in query:
        moments = moments[20:22]
    result = [
        {"metric": m, "values": [[at, str(5 + (at // 60 + n) % 7)] for at in moments]} for n, m in enumerate(labels)
    ]
    return {"resultType": "matrix", "result": result}


class _Jaeger(_Loki):
    """Answer a search with traces of three services."""

    def _data(self, path: str, asked: dict[str, str]) -> object:
        if path.endswith("/services"):
            return {"data": list(self.services)}
        if not path.endswith("/traces"):
            return {"data": []}
        now = time.time_ns() // 1_000
        service = asked.get("service", self.services[0])
        processes = {"p1": {"serviceName": service, "tags": []}}
        span = {
            "operationName": "GET /items/{id}",
            "references": [],
            "tags": [],
            "logs": [],
            "processID": "p1",
            "flags": 1,
        }
        return {
            "data": [
                {
                    "traceID": f"{n:032x}",
                    "spans": [
                        {
                            **span,
                            "traceID": f"{n:032x}",
                            "spanID": f"{n:016x}",
                            "startTime": now - n * 10**7,
                            "duration": 10**5 // n,
                        }
                    ],
                    "processes": processes,
                }
                for n in range(1, 21)
            ]
        }


# Processes


@dataclass(frozen=True)
class Preview:
    """A Grafana that shows a scenario at `url`, to everybody as an administrator."""

    url: str
    scenario: Scenario

    def address(self, uid: str, *, more: str = "") -> str:
        """Return the address of a dashboard."""
        return f"{self.url}/d/{uid}?{more}"


@contextmanager
def shown(scenario: Scenario, *, theme: str = "dark") -> Iterator[Preview]:
    """Show a scenario for as long as the context lasts."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="preview-")))
        names = tuple(service.name for service in scenario.settings.services)
        ports = {
            uids.DATASOURCE_PROMETHEUS: stack.enter_context(_prometheus(folder, History(scenario, int(time.time())))),
            uids.DATASOURCE_LOKI: stack.enter_context(_stand_in(_Loki, names)),
            uids.DATASOURCE_JAEGER: stack.enter_context(_stand_in(_Jaeger, names)),
        }
        port = _free_port()
        _provision(folder, replace(scenario), ports)
        environment = {
            **os.environ,
            "GF_SERVER_HTTP_ADDR": "127.0.0.1",
            "GF_SERVER_HTTP_PORT": str(port),
            "GF_PATHS_DATA": str(folder / "grafana"),
            "GF_PATHS_LOGS": str(folder / "grafana"),
            "GF_PATHS_PROVISIONING": str(folder / "provisioning"),
            "GF_AUTH_ANONYMOUS_ENABLED": "true",
            "GF_AUTH_ANONYMOUS_ORG_ROLE": "Admin",
            "GF_USERS_DEFAULT_THEME": theme,
            "GF_ANALYTICS_REPORTING_ENABLED": "false",
            "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
            "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
            "GF_NEWS_NEWS_FEED_ENABLED": "false",
            "GF_PLUGINS_PREINSTALL_DISABLED": "true",
            "GF_LOG_LEVEL": "warn",
        }
        command = ["grafana", "server", f"--homepath={grafana_home()}"]
        stack.enter_context(
            _process(command, folder / "grafana.log", f"http://127.0.0.1:{port}/api/health", environment)
        )
        yield Preview(f"http://127.0.0.1:{port}", scenario)


def _provision(folder: Path, scenario: Scenario, ports: dict[str, int]) -> None:
    """Write data sources, dashboards and alert rules as Grafana reads them at its start."""
    settings, place = scenario.settings, folder / "provisioning"
    sources = [
        {
            "uid": spec.uid,
            "name": spec.title,
            "type": spec.uid,
            "access": "proxy",
            "url": f"http://127.0.0.1:{ports[spec.uid]}",
            "isDefault": spec.default,
            "jsonData": {"httpMethod": "POST", "timeInterval": "15s"} if spec.default else {},
        }
        for spec in datasources(settings)
    ]
    providers = []
    for uid, title in folders().items():
        files = folder / "dashboards" / uid
        files.mkdir(parents=True)
        for dashboard in dashboards(settings):
            if dashboard.folder == uid:
                (files / f"{dashboard.uid}.json").write_text(dashboard.json, encoding="utf-8")
        providers.append(
            {"name": uid, "folder": title, "folderUid": uid, "type": "file", "options": {"path": str(files)}}
        )
    content: dict[str, dict[str, object]] = {
        "datasources": {"apiVersion": 1, "datasources": sources},
        "dashboards": {"apiVersion": 1, "providers": providers},
        "alerting": {"apiVersion": 1, "groups": list(_alert_groups(settings))},
    }
    for name, written in content.items():
        (place / name).mkdir(parents=True)
        (place / name / "all.yaml").write_text(yaml.safe_dump(written), encoding="utf-8")


def _alert_groups(settings: Settings) -> Iterator[dict[str, object]]:
    for group in alerts.groups(settings):
        rules_ = [
            {
                "uid": alert.uid,
                "title": alert.title,
                "condition": "condition",
                "for": alert.pending,
                "noDataState": "OK",
                "execErrState": "OK",
                "labels": alert.labels,
                "annotations": {"summary": re.sub(r"\{\{.*?\}\}", "…", alert.summary)},
                "data": [
                    *(
                        {
                            "refId": name,
                            "datasourceUid": alert.datasource,
                            "relativeTimeRange": {"from": 600, "to": 0},
                            "model": {"refId": name, "expr": expr, "instant": True},
                        }
                        for name, expr in alert.queries.items()
                    ),
                    {
                        "refId": "condition",
                        "datasourceUid": "__expr__",
                        "model": {"refId": "condition", "type": "math", "expression": alert.condition},
                    },
                ],
            }
            for alert in group.alerts
            if alert.datasource == uids.DATASOURCE_PROMETHEUS
        ]
        if rules_:
            yield {
                "orgId": 1,
                "name": group.name,
                "folder": folders()[group.folder],
                "interval": "10s",
                "rules": rules_,
            }


@contextmanager
def _prometheus(folder: Path, history: History) -> Iterator[int]:
    data, port = folder / "data", _free_port()
    for number, text in enumerate(history.blocks()):
        file = folder / f"{number}.txt"
        with file.open("w", encoding="utf-8") as written:
            written.writelines(text)
        made = ["promtool", "tsdb", "create-blocks-from", "--max-block-duration=31d", "openmetrics", "-q", str(file), str(data)]
        subprocess.run(made, check=True, capture_output=True)
        file.unlink()
    config = folder / "prometheus.yml"
    config.write_text("global: {scrape_interval: 15s}\n", encoding="utf-8")
    command = [
        "prometheus",
        f"--config.file={config}",
        f"--storage.tsdb.path={data}",
        "--storage.tsdb.retention.time=60d",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with _process(command, folder / "prometheus.log", f"http://127.0.0.1:{port}/-/ready", dict(os.environ)):
        yield port


@contextmanager
def _stand_in(handler: type[_Loki], services: Iterable[str]) -> Iterator[int]:
    named = type(handler.__name__, (handler,), {"services": tuple(services)})
    server = ThreadingHTTPServer(("127.0.0.1", 0), named)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def _process(command: list[str], log: Path, ready: str, environment: dict[str, str]) -> Iterator[None]:
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)
        try:
            _wait(process, ready, log)
            yield
        finally:
            process.terminate()
            process.wait(timeout=30)


def _wait(process: subprocess.Popen[bytes], ready: str, log: Path) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        try:
            with urlopen(ready, timeout=5) as answer:  # noqa: S310 - our own address
                if answer.status == 200:  # noqa: PLR2004 - OK
                    return
        except (URLError, OSError):
            time.sleep(0.2)
    last = "\n".join(log.read_text(encoding="utf-8").splitlines()[-5:])
    msg = f"{process.args!r} does not answer at {ready}: {last}"
    raise RuntimeError(msg)


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
