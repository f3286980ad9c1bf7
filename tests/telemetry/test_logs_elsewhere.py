"""Logs kept elsewhere: a real collector and reading proxy, before a Loki of many tenants with TLS and a password."""

from __future__ import annotations

import base64
import json
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from cli import otlp
from observability.configs import external_stores, reading_proxy
from observability.settings import Settings, load
from tests.observability.configs.test_reading_proxy import (
    NGINX,
    PORTS,
    basic,
    free_ports,
    running_nginx,
    write_login,
)
from tests.observability.configs.test_reading_proxy import PASSWORD as HISTORY_PASSWORD
from tests.observability.configs.test_webhook_relay import name_server
from tests.pem import self_signed
from tests.telemetry.conftest import Stores, needed, wait_for

TENANT, OTHER = "shop-prod", "rival"
PASSWORD = "correct-horse-battery"
AUTHORIZATION = f"Basic {base64.b64encode(f'shop:{PASSWORD}'.encode()).decode()}"
LINES = 40
FOUND_SECONDS = 90


@dataclass
class Gateway:
    """What stands before a Loki that others run: TLS, a password, and a path of its own."""

    loki: str
    port: int = 0
    headers: list[dict[str, str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"


@contextmanager
def gateway(loki: str, certificate: Path) -> Iterator[Gateway]:
    running = Gateway(loki)

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)) or None
            running.headers.append(dict(self.headers))
            status, answer = 401, b"who are you?"
            if self.headers.get("Authorization") == AUTHORIZATION:
                names = ("Content-Type", "Content-Encoding", "X-Scope-OrgID", "X-Loki-Response-Encoding-Flags")
                passed = {name: self.headers[name] for name in names if name in self.headers}
                path = self.path.removeprefix("/here")
                request = urllib.request.Request(f"{loki}{path}", body, passed, method=self.command)
                try:
                    with urllib.request.urlopen(request, timeout=20) as found:
                        status, answer = found.status, found.read()
                except urllib.error.HTTPError as error:
                    status, answer = error.code, error.read()
                except OSError:
                    status, answer = 503, b"away"
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST = do_DELETE = _answer  # noqa: N815 - the base class calls them so

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    running.port = server.server_port
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Far(Stores):
    """A collector that sends elsewhere, and the Loki there."""

    def _write(self, name: str, text: str, replaced: dict[str, str]) -> Path:
        if name == "loki.yaml":  # an external one: of many tenants
            text = text.replace("auth_enabled: false", "auth_enabled: true")
        if name == "collector.yaml":
            replaced = {old: new for old, new in replaced.items() if "loki" not in old}
            for path, content in self.secrets.items():
                replaced |= {path: str(self.folder / Path(path).name)}
                (self.folder / Path(path).name).write_text(content)
        return super()._write(name, text, replaced)

    secrets: dict[str, str]


@dataclass
class Elsewhere:
    """Everything that runs."""

    stores: Far
    gateway: Gateway
    ports: dict[str, int]

    def ask(self, path: str, body: bytes | None = None, port: str = "loki", **headers: str) -> tuple[int, bytes]:
        """Ask the reading proxy, as Grafana does."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.ports[port]}{path}", body, headers)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def lines(self, service: str, **headers: str) -> set[str]:
        query = f"/loki/api/v1/query_range?query=%7Bservice_name%3D%22{service}%22%7D&since=1h&limit=1000"
        status, answer = self.ask(query, None, "loki", **headers)
        if status != 200:
            return set()
        return {value[1] for row in json.loads(answer)["data"]["result"] for value in row["values"]}


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Elsewhere]:
    needed("otelcol-contrib", "loki")
    if NGINX is None:
        pytest.skip("nginx is not on PATH (Debian: apt-get install nginx)")
    folder = tmp_path_factory.mktemp("elsewhere")
    certificate, key = self_signed("localhost", "127.0.0.1")
    (folder / "gateway.pem").write_text(key + certificate)
    stores = Far(folder, settings_of("https://localhost:1", certificate))
    ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
    with gateway(f"http://127.0.0.1:{stores.ports['loki']}", folder / "gateway.pem") as far, name_server() as names:
        stores.settings = settings_of(far.url, certificate)
        stores.secrets = {external_stores.LOGS.password_file: PASSWORD, external_stores.LOGS.ca_file: certificate}
        place = reading_proxy.Place(
            port=ports.__getitem__, resolver=f"127.0.0.1:{names}", temporary=str(folder), folder=str(folder / "root")
        )
        _files(folder / "root", stores.settings, certificate)
        write_login(folder / "root")
        try:
            for name in ("loki", "collector"):
                stores.start(name)
            with running_nginx(reading_proxy.render(stores.settings, place), folder, ports["health"]):
                yield Elsewhere(stores, far, ports)
        finally:
            for name in list(stores.processes):
                stores.stop(name)


def settings_of(url: str, certificate: str) -> Settings:
    logs = {"writeUrl": f"{url}/otlp", "queryUrl": f"{url}/here", "tenant": TENANT, "user": "shop"}
    texts = {"logs": json.dumps(logs | {"caCertificate": certificate}), "logsPassword": PASSWORD, "dockerSocket": ""}
    return load("dev", texts, frozenset({"logsPassword"}))


def _files(root: Path, settings: Settings, certificate: str) -> None:
    login = external_stores.login("logs", settings)
    assert login is not None
    for path, text in ((external_stores.LOGS.login_file, login), (external_stores.LOGS.ca_file, certificate)):
        file = Path(f"{root}{path}")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def _push(elsewhere: Elsewhere, first: int, service: str) -> int:
    """Send LINES lines, each acknowledged by the collector; return the number of the next one."""
    for number in range(first, first + LINES):
        otlp.push(elsewhere.stores.otlp, "records", {service: [otlp.record(f"line {number}")]})
    return first + LINES


def test_nothing_acknowledged_is_lost_while_the_store_is_killed(elsewhere: Elsewhere) -> None:
    following = _push(elsewhere, 0, "shop")
    wait_for(lambda: len(elsewhere.lines("shop")) == following, FOUND_SECONDS)
    loki = elsewhere.stores.processes.pop("loki")
    loki.kill()
    loki.wait()
    following = _push(elsewhere, following, "shop")
    assert elsewhere.lines("shop") == set()  # away
    elsewhere.stores.start("loki")
    wait_for(lambda: len(elsewhere.lines("shop")) == following, FOUND_SECONDS)
    assert elsewhere.lines("shop") == {f"line {number}" for number in range(following)}


def test_the_collector_itself_is_killed_while_the_store_is_away(elsewhere: Elsewhere) -> None:
    elsewhere.stores.stop("loki")
    following = _push(elsewhere, 0, "killed")
    collector = elsewhere.stores.processes.pop("collector")
    collector.kill()
    collector.wait()
    for name in ("loki", "collector"):
        elsewhere.stores.start(name)
    wait_for(lambda: len(elsewhere.lines("killed")) == following, FOUND_SECONDS)


@pytest.mark.parametrize("header", ["X-Scope-OrgID", "x-scope-orgid"])
def test_no_viewer_reads_another_tenant(elsewhere: Elsewhere, header: str) -> None:
    secret = json.dumps(
        {"streams": [{"stream": {"service_name": "rival"}, "values": [[str(time.time_ns()), "secret"]]}]}
    )
    loki = f"http://127.0.0.1:{elsewhere.stores.ports['loki']}/loki/api/v1/push"
    headers = {"Content-Type": "application/json", "X-Scope-OrgID": OTHER}
    urllib.request.urlopen(urllib.request.Request(loki, secret.encode(), headers), timeout=10).close()
    before = len(elsewhere.gateway.headers)
    for _ in range(3):
        assert elsewhere.lines("rival", **{header: OTHER}) == set()
    asked = elsewhere.gateway.headers[before:]
    assert [headers["X-Scope-OrgID"] for headers in asked] == [TENANT] * 3


def test_nothing_that_says_who_somebody_is_reaches_the_store(elsewhere: Elsewhere) -> None:
    made_up = {"Authorization": "Basic bWU6bWU=", "Cookie": "a=b", "X-Forwarded-User": "root", "Origin": "https://evil"}
    before = len(elsewhere.gateway.headers)
    assert elsewhere.ask("/loki/api/v1/labels", None, "loki", **made_up)[0] == 200
    (asked,) = elsewhere.gateway.headers[before:]
    assert asked["Authorization"] == AUTHORIZATION
    assert not {"Cookie", "X-Forwarded-User", "Origin"} & {name.title() for name in asked}
    assert asked["Host"] == f"localhost:{elsewhere.gateway.port}"


@pytest.mark.parametrize(
    ("path", "body"),
    [("/loki/api/v1/push", b"{}"), ("/otlp/v1/logs", b"{}"), ("/loki/api/v1/delete", b""), ("/flush", b""),
     ("/config", None)],
)  # fmt: skip
def test_a_viewer_cannot_write(elsewhere: Elsewhere, path: str, body: bytes | None) -> None:
    before = len(elsewhere.gateway.headers)
    assert elsewhere.ask(path, body)[0] == 403
    assert elsewhere.gateway.headers[before:] == []


def test_the_history_of_alerts_goes_there(elsewhere: Elsewhere) -> None:
    stream = {"stream": {"from": "state-history"}, "values": [[str(time.time_ns()), '{"current": "Alerting"}']]}
    body = json.dumps({"streams": [stream]}).encode()
    login: Any = {"Authorization": basic(HISTORY_PASSWORD)}
    kind: Any = {"Content-Type": "application/json", **login}
    assert elsewhere.ask("/loki/api/v1/push", body, "alert-history", **kind)[0] == 204
    query = "/loki/api/v1/query_range?query=%7Bfrom%3D%22state-history%22%7D&since=1h"

    def found() -> Any:  # noqa: ANN401 - JSON
        return json.loads(elsewhere.ask(query, port="alert-history", **login)[1])["data"]["result"]

    wait_for(found, FOUND_SECONDS)
    assert elsewhere.ask("/loki/api/v1/delete", b"", "alert-history", **login)[0] == 403
    assert elsewhere.ask("/loki/api/v1/query?query=1", port="alert-history", **login)[0] == 403


def test_grafanas_wish_for_categories_of_labels_is_passed_on(elsewhere: Elsewhere) -> None:
    _push(elsewhere, 0, "flagged")
    wait_for(lambda: elsewhere.lines("flagged"), FOUND_SECONDS)
    query = "/loki/api/v1/query_range?query=%7Bservice_name%3D%22flagged%22%7D&since=1h&limit=1"
    _, answer = elsewhere.ask(query, None, "loki", **{"X-Loki-Response-Encoding-Flags": "categorize-labels"})
    assert json.loads(answer)["data"]["encodingFlags"] == ["categorize-labels"]
