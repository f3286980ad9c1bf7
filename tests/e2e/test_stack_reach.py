"""What a stack reaches, and who reaches it: other networks, the Docker host, targets with secrets, web pages."""

from __future__ import annotations

import base64
import json
import shutil
import ssl
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from docker import DockerClient

from cli import otlp
from lab.sandbox import Sandbox
from observability.versions import image
from tests.e2e.conftest import wait_for
from tests.e2e.drill import gateway, running
from tests.pem import self_signed

NETWORK = "e2e-reach-shop"
PASSWORD, TOKEN = "pass word:of-the-exporter", "token-of-the-exporter"
METRICS = b"# TYPE reached gauge\nreached 1\n"
HOST = "host.docker.internal"


@dataclass
class Exporter:
    """Servers on the Docker host, each of which answers only who says what it asks for."""

    port: int
    tls_port: int
    certificate: str
    client_certificate: str
    client_key: str


WANTED = {
    "/metrics": "",
    "/password": f"Basic {base64.b64encode(f'prom:{PASSWORD}'.encode()).decode()}",
    "/token": f"Bearer {TOKEN}",
}
"""What a client has to say, by path."""


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        allowed = WANTED.get(self.path) in {"", self.headers.get("Authorization")}
        body = METRICS if allowed else b""
        self.send_response(200 if allowed else 401)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def exporter(engine: DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exporter]:
    folder, host = tmp_path_factory.mktemp("exporter"), gateway(engine)
    certificate, key = self_signed(HOST)
    client_certificate, client_key = self_signed("prometheus")
    (folder / "server.pem").write_text(key + certificate)
    (folder / "client.pem").write_text(client_certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    context.load_verify_locations(folder / "client.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    plain, secure = (ThreadingHTTPServer((host, 0), _Handler) for _ in range(2))
    secure.socket = context.wrap_socket(secure.socket, server_side=True)
    with running(plain), running(secure):
        yield Exporter(plain.server_port, secure.server_port, certificate, client_certificate, client_key)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Return the port of a web server with an empty page."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "index.html").write_text("<title>shop</title>")

    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = (folder / "index.html").read_bytes()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    with running(server):
        yield server.server_port


@pytest.fixture(scope="module")
def shop(engine: DockerClient) -> Iterator[str]:
    """Return the address of a container in another project's network that Prometheus is to scrape."""
    network = engine.networks.create(NETWORK)
    container = None
    try:
        container = engine.containers.run(
            image("demo").reference,
            ["python3", "-c", f"import http.server\n{_SHOP}"],
            name=f"{NETWORK}-app", network=NETWORK, hostname="shop", entrypoint=[], detach=True,
        )  # fmt: skip
        yield f"{NETWORK}-app:8000"
    finally:
        if container is not None:
            container.remove(force=True, v=True)
        network.remove()


_SHOP = """
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(b"reached 1\\n")
http.server.HTTPServer(("0.0.0.0", 8000), H).serve_forever()
"""


@pytest.fixture(scope="module")
def real(make_real: Callable[[str], Sandbox], exporter: Exporter, page: int, shop: str) -> Iterator[Sandbox]:
    stack = make_real("e2e-reach")
    scraped: dict[str, Any] = {"availability": None, "latency": None}
    target = {"targets": [f"{HOST}:{exporter.port}"], **scraped}
    login = {"username": "prom", "passwordSecret": "password"}
    tls = {"ca": exporter.certificate, "certificate": exporter.client_certificate, "keySecret": "key"}
    stack.configure(
        networks=[NETWORK],
        corsOrigins=[f"http://127.0.0.1:{page}"],
        services=[
            {"name": "in-the-network", "targets": [shop], **scraped},
            {"name": "on-the-host", **target},
            {"name": "with-a-password", "metricsPath": "/password", "basicAuth": login, **target},
            {"name": "without-one", "metricsPath": "/password", **target},
            {"name": "with-a-token", "metricsPath": "/token", "bearerTokenSecret": "token", **target},
            {
                "name": "with-a-certificate",
                "scheme": "https",
                "tls": tls,
                **target,
                "targets": [f"{HOST}:{exporter.tls_port}"],
            },
        ],
    )  # fmt: skip
    stack.pulumi("stack", "init")
    for name, value in (("password", PASSWORD), ("token", TOKEN), ("key", exporter.client_key)):
        done = stack.pulumi("config", "set", "--secret", "--path", f"scrapeSecrets.{name}", stdin=value)
        assert done.returncode == 0, done.stderr
    stack.up()
    try:
        yield stack
    finally:
        stack.sweep()


def query(real: Sandbox, promql: str) -> list[Any]:
    url = f"{real.url('prometheus')}/api/v1/query?query={urllib.parse.quote(promql)}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        rows: list[Any] = json.load(answer)["data"]["result"]
    return rows


@pytest.mark.parametrize(
    "name", ["in-the-network", "on-the-host", "with-a-password", "with-a-token", "with-a-certificate"]
)
def test_a_target_is_scraped(real: Sandbox, name: str) -> None:
    wait_for(lambda: query(real, f'reached{{job="{name}"}} == 1'))


def test_a_target_that_asks_for_a_password_answers_nobody_else(real: Sandbox) -> None:
    wait_for(lambda: query(real, 'up{job="without-one"} == 0'))
    assert query(real, 'reached{job="without-one"}') == []


def test_no_scrape_secret_is_in_plain_text(real: Sandbox, exporter: Exporter) -> None:
    shown = real.pulumi("stack", "export").stdout + json.dumps(real.container("prometheus").attrs)
    key = exporter.client_key.splitlines()[1]
    assert not [secret for secret in (PASSWORD, TOKEN, key) if secret in shown]


def lines(real: Sandbox, service: str) -> list[Any]:
    selector = urllib.parse.quote(f'{{service_name="{service}"}}')
    with urllib.request.urlopen(f"{real.url('loki')}/loki/api/v1/query_range?query={selector}&since=1h") as answer:
        rows: list[Any] = json.load(answer)["data"]["result"]
    return rows


def body(service: str) -> str:
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]}
    return json.dumps({"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": [otlp.record("here")]}]}]})


def test_an_application_in_the_network_pushes(real: Sandbox) -> None:
    send = (
        "import sys, urllib.request as r; r.urlopen(r.Request(sys.argv[1], sys.argv[2].encode(),"
        " {'Content-Type': 'application/json'}), timeout=10)"
    )
    url = f"http://observability-{real.name}-collector:4318/v1/logs"
    real.docker.containers.run(
        image("demo").reference, ["python3", "-c", send, url, body("in-the-network")],
        network=NETWORK, entrypoint=[], remove=True,
    )  # fmt: skip
    wait_for(lambda: lines(real, "in-the-network"))


_PUSH = """async ([url, body]) => {
  try {
    const answer = await fetch(url, {method: "POST", headers: {"Content-Type": "application/json"}, body});
    return String(answer.status);
  } catch (error) { return String(error); }
}"""


@pytest.mark.skipif(shutil.which("chromium") is None, reason="no Chromium on PATH (Debian: apt-get install chromium)")
def test_a_web_page_pushes_from_its_configured_origin_alone(real: Sandbox, page: int) -> None:
    from cli.browser import open_browser  # noqa: PLC0415 - needs the package playwright

    url, answers = f"{real.url('otlpHttp')}/v1/logs", {}
    with open_browser() as browser:
        for host in ("127.0.0.1", "localhost"):
            tab = browser.new_page()
            tab.goto(f"http://{host}:{page}/")
            answers[host] = tab.evaluate(_PUSH, [url, body(f"page-at-{host}")])
    assert answers["127.0.0.1"] == "200"
    assert answers["localhost"].startswith("TypeError"), answers
    wait_for(lambda: lines(real, "page-at-127.0.0.1"))
    assert lines(real, "page-at-localhost") == []
