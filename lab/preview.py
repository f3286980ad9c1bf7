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
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.error import URLError
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

import yaml

from dashboards.catalogue import dashboards, folders
from lab.preview_data import DAY, HOUR, History, Scenario
from observability import alerts
from observability.configs.datasources import datasources
from observability.names import uids
from observability.settings import SERVICES, Settings

PATIENCE_SECONDS: Final = 300
ALERTED: Final = (
    (37, "error budget burns fast: Pending → Alerting"),
    (39, "error budget burns fast: Normal → Pending"),
)
"""How many minutes ago which alert changed, newest first."""


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


# Stand-ins


class _Loki(BaseHTTPRequestHandler):
    """Answer queries for lines with lines, for counts with counts; the history of alerts with two entries."""

    services: tuple[str, ...] = ()
    began: int = 0
    """The first second with data."""

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        parameters = {key: values[0] for key, values in parse_qs(address.query).items()}
        self._answer(self._data(address.path, parameters))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        parameters = {key: values[0] for key, values in parse_qs(body).items()}
        self._answer(self._data(urlsplit(self.path).path, parameters))

    def _data(self, path: str, parameters: dict[str, str]) -> object:
        if path.endswith("/values"):
            return {"status": "success", "data": [*self.services, *SERVICES]}
        query = parameters.get("query", "")
        now = time.time_ns()
        if "/label" in path or path.endswith("/series"):
            return {"status": "success", "data": {"resultType": "vector", "result": []}}
        if instead := re.search(r'vector\(0\).*"body", ("(?:[^"\\]|\\.)*")', query):
            # What a panel of lines says in place of them.
            none = 'from="state-history"' in query and not self._alerts(now)
            row = {"metric": {"body": json.loads(instead[1]), "level": "info"}, "value": [now / 1e9, "0"]}
            return {"status": "success", "data": {"resultType": "vector", "result": [row] if none else []}}
        if "count_over_time" in query:
            first = max(int(parameters.get("start", 0)) / 1e9, self.began)
            shown = (first, int(parameters.get("end", now)) / 1e9)
            return {"status": "success", "data": _counts(query, path.endswith("/query"), now, self.services, shown)}
        level, text = (
            ("error", "connection to db-1 lost after 5000 ms") if "detected_level" in query else ("info", "answered")
        )
        lines = [[str(now - n * 7_000_000_000), f"{text} request_id=r-{n}"] for n in range(20)]
        if "state-history" in query and "from=" in query:
            lines = [[str(at), line] for at, line in self._alerts(now) if at >= int(parameters.get("start", 0))]
            if not lines:
                return {"status": "success", "data": {"resultType": "streams", "result": [], "stats": {}}}
        stream = {"stream": {"service_name": self.services[0], "detected_level": level}, "values": lines}
        return {"status": "success", "data": {"resultType": "streams", "result": [stream], "stats": {}}}

    def _alerts(self, now: int) -> list[tuple[int, str]]:
        """Return when which alert changed, as its line says it; nothing that was before the stack."""
        text = f"page  {self.services[0]} availability"
        changes = [(now - ago * 60_000_000_000, f"{text}: {change}") for ago, change in ALERTED]
        return [(at, line) for at, line in changes if at >= self.began * 10**9]

    def _answer(self, content: object) -> None:
        payload = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Print nothing."""


def _counts(
    query: str,
    instant: bool,  # noqa: FBT001
    now: int,
    services: tuple[str, ...],
    shown: tuple[float, float],
) -> dict[str, Any]:
    labels = [{"service_name": name} for name in services[:8]]
    if "detected_level)" in query:
        # Loki leaves out a label that is empty.
        none = {"detected_level": "unknown"} if "label_format detected_level" in query else {}
        labels = [*({"detected_level": level} for level in ("info", "warn", "error")), none]
        if "error|critical" in query:
            labels = [{"detected_level": level} for level in ("error", "critical")]
    if "ruleTitle" in query:
        labels = [{"labels_service": services[0], "ruleTitle": f"{services[0]} availability: error budget burns fast"}]
    if "same)" in query:
        labels = [{"service_name": services[0], "same": f"connection to db-# lost after # ms {n}"} for n in range(15)]
    if "objective)" in query:
        at = (now // 10**9 - 2 * DAY) // (6 * HOUR) * 6 * HOUR
        alerted = {"service": services[0], "slo": "availability", "objective": f"{services[0]} availability"}
        seen = [{"metric": alerted, "values": [[at, "1"]]}] if at >= shown[0] else []
        return {"resultType": "matrix", "result": seen}
    if ranked := re.search(r"topk\((\d+)", query):
        labels = labels[: int(ranked[1])]
    if instant:
        result = [{"metric": metric, "value": [now / 1e9, str(40 - n)]} for n, metric in enumerate(labels)]
        return {"resultType": "vector", "result": result}
    moments = [now // 10**9 // 60 * 60 - n * 60 for n in range(60)][::-1]
    if "ruleTitle" in query:
        moments = moments[20:22]
    moments = [at for at in moments if shown[0] <= at <= shown[1]]
    result = [
        {"metric": m, "values": [[at, str(5 + (at // 60 + n) % 7)] for at in moments]}
        for n, m in enumerate(labels)
        if moments
    ]
    return {"resultType": "matrix", "result": result}


class _Jaeger(_Loki):
    """Answer a search with traces of three services."""

    def _data(self, path: str, parameters: dict[str, str]) -> object:
        if path.endswith("/services"):
            return {"data": list(self.services)}
        if not path.endswith("/traces"):
            return {"data": []}
        now = time.time_ns() // 1_000
        service = parameters.get("service", self.services[0])
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
                    "traceID": f"{n * 0x9E3779B97F4A7C15 % 2**64:016x}{n:016x}",
                    "spans": [
                        {
                            **span,
                            "traceID": f"{n * 0x9E3779B97F4A7C15 % 2**64:016x}{n:016x}",
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
        history = History(scenario, int(time.time()))
        ports = {
            uids.DATASOURCE_PROMETHEUS: stack.enter_context(_prometheus(folder, history)),
            uids.DATASOURCE_LOKI: stack.enter_context(_stand_in(_Loki, names, history.start)),
            uids.DATASOURCE_JAEGER: stack.enter_context(_stand_in(_Jaeger, names, history.start)),
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
        if scenario.outage:
            _wait_for_alerts(f"http://127.0.0.1:{port}/api/prometheus/grafana/api/v1/alerts")
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
            # The made-up series have a sample a minute.
            "jsonData": {"httpMethod": "POST", "timeInterval": "1m"} if spec.default else {},
        }
        for spec in datasources(settings)
    ]
    providers = []
    for uid, title in folders().items():
        files = folder / "dashboards" / uid
        files.mkdir(parents=True)
        for dashboard in dashboards(settings):
            if dashboard.folder == uid:
                # A page that loads anew while it is measured is never at rest.
                still = {**json.loads(dashboard.json), "refresh": ""}
                (files / f"{dashboard.uid}.json").write_text(json.dumps(still), encoding="utf-8")
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
                "interval": "1m",
                "rules": rules_,
            }


@contextmanager
def _prometheus(folder: Path, history: History) -> Iterator[int]:
    data, port = folder / "data", _free_port()
    for number, text in enumerate(history.blocks()):
        file = folder / f"{number}.txt"
        with file.open("w", encoding="utf-8") as written:
            written.writelines(text)
        made = [
            "promtool",
            "tsdb",
            "create-blocks-from",
            "--max-block-duration=31d",
            "openmetrics",
            "-q",
            str(file),
            str(data),
        ]
        subprocess.run(made, check=True, capture_output=True)  # noqa: S603 - our own files
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
def _stand_in(handler: type[_Loki], services: Iterable[str], began: int) -> Iterator[int]:
    named = type(handler.__name__, (handler,), {"services": tuple(services), "began": began})
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
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)  # noqa: S603 - ours
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


def _wait_for_alerts(address: str) -> None:
    """Wait until Grafana has evaluated its rules: before, an outage has no alerts."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        with urlopen(address, timeout=30) as answer:  # noqa: S310 - our own address
            if any(alert["state"].startswith("Alerting") for alert in json.load(answer)["data"]["alerts"]):
                return
        time.sleep(2)
    msg = f"no alert fires at {address} after {PATIENCE_SECONDS} s"
    raise RuntimeError(msg)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
