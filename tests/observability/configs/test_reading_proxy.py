"""The reading proxy, by a real nginx before a backend that answers everything: only reading requests reach it."""

from __future__ import annotations

import base64
import os
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from observability import topology
from observability.configs import alert_history, reading_proxy
from observability.configs.datasources import datasources
from observability.settings import Settings, load
from observability.topology import Endpoint
from tests.telemetry import grpc_otlp

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
PORTS = (*reading_proxy.READS, "alert-history", "otlp-own", "remote-write", "webhook", "health")
PASSWORD = "of-the-history"

ALLOWED = [
    ("prometheus", "GET", "/api/v1/query?query=up"),
    ("prometheus", "POST", "/api/v1/query_range"),
    ("prometheus", "POST", "/api/v1/query_exemplars"),
    ("prometheus", "POST", "/api/v1/series"),
    ("prometheus", "GET", "/api/v1/labels"),
    ("prometheus", "GET", "/api/v1/label/service/values"),
    ("prometheus", "GET", "/api/v1/metadata"),
    ("prometheus", "GET", "/api/v1/rules"),
    ("prometheus", "GET", "/api/v1/status/buildinfo"),
    ("loki", "GET", "/loki/api/v1/query_range?query=%7Bservice_name%3D%22a%22%7D"),
    ("loki", "POST", "/loki/api/v1/query"),
    ("loki", "GET", "/loki/api/v1/labels"),
    ("loki", "GET", "/loki/api/v1/label/service_name/values"),
    ("loki", "GET", "/loki/api/v1/series"),
    ("loki", "GET", "/loki/api/v1/index/stats"),
    ("loki", "GET", "/loki/api/v1/index/volume"),
    ("loki", "GET", "/loki/api/v1/detected_labels"),
    ("jaeger", "GET", "/api/services"),
    ("jaeger", "GET", "/api/services/checkout/operations"),
    ("jaeger", "GET", "/api/traces?service=a"),
    ("jaeger", "GET", "/api/traces/0123456789abcdef0123456789abcdef"),
    ("jaeger", "GET", "/api/dependencies?endTs=1"),
    ("jaeger", "GET", "/api/v3/services"),
    ("jaeger", "GET", "/api/v3/traces/0123456789abcdef0123456789abcdef"),
]
HISTORY = [
    ("POST", "/loki/api/v1/push", 200),
    ("GET", "/loki/api/v1/query_range", 200),
    ("GET", "/loki/api/v1/labels", 200),
    ("POST", "/loki/api/v1/delete", 403),
    ("GET", "/config", 403),
    ("DELETE", "/loki/api/v1/push", 403),
]
"""What Grafana's history of alerts may ask for, with its password, and what it may not."""
REFUSED = [
    # The exploits: delete lines, push a line that causes a page, stop the ingester.
    ("loki", "POST", "/loki/api/v1/delete?query=%7Ba%3D%22b%22%7D"),
    ("loki", "DELETE", "/loki/api/v1/delete"),
    ("loki", "GET", "/loki/api/v1/delete"),
    ("loki", "POST", "/loki/api/v1/push"),
    ("loki", "POST", "/otlp/v1/logs"),
    ("loki", "POST", "/api/prom/push"),
    ("loki", "GET", "/ingester/shutdown"),
    ("loki", "POST", "/ingester/prepare_shutdown"),
    ("loki", "POST", "/flush"),
    ("loki", "GET", "/config"),
    ("loki", "GET", "/ring"),
    ("loki", "POST", "/log_level?log_level=debug"),
    ("loki", "POST", "/loki/api/v1/rules/a"),
    ("loki", "GET", "/metrics"),
    ("loki", "GET", "/debug/pprof/profile"),
    # Around the list: other spellings, other methods.
    ("loki", "GET", "/loki/api/v1/query/../../../../ingester/shutdown"),
    ("loki", "GET", "/loki/api/v1/query%2f..%2f..%2f..%2f..%2fingester/shutdown"),
    ("loki", "GET", "/loki/api/v1/label/..%2f..%2f..%2f..%2fingester%2fshutdown/values"),
    ("loki", "GET", "//ingester//shutdown"),
    ("loki", "GET", "/loki/api/v1/query/extra"),
    ("loki", "GET", "/x/loki/api/v1/query"),
    ("loki", "DELETE", "/loki/api/v1/query"),
    ("loki", "PUT", "/loki/api/v1/series"),
    ("prometheus", "POST", "/api/v1/otlp/v1/metrics"),
    ("prometheus", "POST", "/api/v1/write"),
    ("prometheus", "POST", "/api/v1/read"),
    ("prometheus", "POST", "/api/v1/admin/tsdb/delete_series?match[]=up"),
    ("prometheus", "GET", "/api/v1/status/config"),
    ("prometheus", "GET", "/api/v1/status/flags"),
    ("prometheus", "GET", "/api/v1/targets"),
    ("prometheus", "POST", "/-/reload"),
    ("prometheus", "POST", "/-/quit"),
    ("prometheus", "GET", "/metrics"),
    ("prometheus", "GET", "/federate?match[]=up"),
    ("prometheus", "DELETE", "/api/v1/series"),
    ("jaeger", "POST", "/api/traces"),
    ("jaeger", "POST", "/api/archive/0123456789abcdef0123456789abcdef"),
    ("jaeger", "POST", "/api/transform"),
    ("jaeger", "POST", "/v1/traces"),
    ("jaeger", "GET", "/analytics/v1/x"),
    ("jaeger", "POST", "/api/services"),
    ("jaeger", "DELETE", "/api/services"),
]


@dataclass
class Backend:
    """A server that answers everything, and reflects every origin; `seen` are the requests that reached it."""

    port: int = 0
    seen: list[tuple[str, str, str | None]] = field(default_factory=list)


@dataclass(frozen=True)
class Proxy:
    """A running proxy."""

    backend: Backend
    ports: dict[str, int]

    def ask(self, port: str, method: str, path: str, **headers: str) -> tuple[int, dict[str, str]]:
        """Return the answer's status and headers."""
        body = b"{}" if method in {"POST", "PUT"} else None
        url = f"http://127.0.0.1:{self.ports[port]}{path}"
        request = urllib.request.Request(url, body, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, dict(answer.headers)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, dict(error.headers)


@contextmanager
def answering() -> Iterator[Backend]:
    backend = Backend()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            backend.seen.append((self.command, self.path, self.headers.get("Origin")))
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(200)
            self.send_header("Access-Control-Allow-Origin", self.headers.get("Origin") or "*")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    for method in ("GET", "POST", "PUT", "DELETE"):
        setattr(Handler, f"do_{method}", Handler._answer)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    backend.port = server.server_port
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield backend
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def write_login(folder: Path) -> None:
    """Write what Grafana says to use the history of alerts, below `folder`."""
    file = Path(f"{folder}{alert_history.LOGIN_FILE}")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(alert_history.login(PASSWORD))


def basic(password: str, user: str = alert_history.USER) -> str:
    """Return the header of basic authentication."""
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    if NGINX is None:
        pytest.skip("nginx is not on PATH (Debian: apt-get install nginx)")
    folder = tmp_path_factory.mktemp("nginx")
    ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
    with answering() as backend:
        place = reading_proxy.Place(
            lambda _part: Endpoint(f"http://127.0.0.1:{backend.port}"),
            ports.__getitem__,
            "127.0.0.1",
            str(folder),
            folder=str(folder),
            spans=Endpoint(f"http://127.0.0.1:{backend.port}"),
        )
        write_login(folder)
        text = reading_proxy.render(load("dev", {"remoteWriteReceiver": "true"}), place)
        with running_nginx(text, folder, ports["health"]):
            yield Proxy(backend, ports)


@contextmanager
def running_nginx(text: str, folder: Path, health: int) -> Iterator[Path]:
    """Run nginx with this configuration, and return the file of its error log."""
    assert NGINX is not None
    file, errors = folder / "nginx.conf", folder / "errors.log"
    file.write_text(text)
    with errors.open("wb") as log, subprocess.Popen([NGINX, "-e", "stderr", "-c", str(file)], stderr=log) as process:
        try:
            _wait_for(health, process, errors)
            yield errors
        finally:
            process.terminate()
            process.communicate()


def _wait_for(port: int, process: subprocess.Popen[bytes], errors: Path) -> None:
    for _ in range(100):
        assert process.poll() is None, errors.read_text()
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("nginx does not answer")


@pytest.mark.parametrize(("port", "method", "path"), ALLOWED)
def test_reading_requests_reach_the_backend(proxy: Proxy, port: str, method: str, path: str) -> None:
    proxy.backend.seen.clear()
    assert proxy.ask(port, method, path)[0] == 200
    assert [(verb, where) for verb, where, _ in proxy.backend.seen] == [(method, path)]


@pytest.mark.parametrize(("port", "method", "path"), REFUSED)
def test_no_other_request_reaches_a_backend(proxy: Proxy, port: str, method: str, path: str) -> None:
    proxy.backend.seen.clear()
    assert proxy.ask(port, method, path)[0] == 403
    assert proxy.backend.seen == []


@pytest.mark.parametrize("port", reading_proxy.READS)
def test_no_origin_is_passed_on_or_reflected(proxy: Proxy, port: str) -> None:
    proxy.backend.seen.clear()
    path = next(path for name, method, path in ALLOWED if name == port and method == "GET")
    status, headers = proxy.ask(port, "GET", path, Origin="https://evil.example")
    assert status == 200
    assert not [name for name in headers if name.lower().startswith("access-control-")]
    assert [origin for _, _, origin in proxy.backend.seen] == [None]


def test_remote_write_has_a_port_of_its_own(proxy: Proxy) -> None:
    packed = {"Content-Encoding": "snappy"}
    assert proxy.ask("remote-write", "POST", "/api/v1/write", **packed)[0] == 200
    assert proxy.ask("remote-write", "GET", "/api/v1/query?query=up")[0] == 403


def test_remote_write_takes_no_notification_of_grafana(proxy: Proxy) -> None:
    """An Editor gives a webhook any address, body and header, but none of `restrictedHeaders` of grafana/alerting."""
    proxy.backend.seen.clear()
    assert proxy.ask("remote-write", "POST", "/api/v1/write", **{"Content-Type": "application/x-protobuf"})[0] == 403
    assert proxy.backend.seen == []


@pytest.mark.parametrize(("method", "path", "status"), HISTORY)
def test_the_history_of_alerts_is_open_to_grafana_alone(proxy: Proxy, method: str, path: str, status: int) -> None:
    assert proxy.ask("alert-history", method, path, Authorization=basic(PASSWORD))[0] == status
    proxy.backend.seen.clear()
    for header in ({}, {"Authorization": basic("guessed")}, {"Authorization": basic(PASSWORD, "editor")}):
        assert proxy.ask("alert-history", method, path, **header)[0] in {401, 403}
    assert proxy.backend.seen == []


@pytest.mark.parametrize("path", ["/", "/v1/traces", grpc_otlp.EXPORT])
def test_the_door_for_spans_speaks_no_http_1(proxy: Proxy, path: str) -> None:
    proxy.backend.seen.clear()
    with pytest.raises((urllib.error.URLError, HTTPException, OSError, AssertionError)):
        assert proxy.ask("otlp-own", "POST", path)[0] < 400
    assert proxy.backend.seen == []


def test_every_data_source_leads_to_the_proxy(settings: Settings) -> None:
    for source in datasources(settings):
        assert source.url == f"http://{topology.READING_PROXY.address(source.uid)}"


def test_remote_write_is_closed_unless_it_is_configured(settings: Settings) -> None:
    assert "api/v1/write" not in reading_proxy.render(settings)
