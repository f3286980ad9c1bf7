"""Probes with the real blackbox exporter and Prometheus, on loopback: what succeeds, what fails, what expires."""

from __future__ import annotations

import http.server
import json
import shutil
import socket
import ssl
import struct
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from observability import rules, topology
from observability.alerts import groups
from observability.configs import blackbox, prometheus
from observability.names.paths import CONFIG
from observability.settings import Settings, load
from tests.pem import self_signed
from tests.telemetry.conftest import answers, free_port, get, needed, wait_for

STARTED_SECONDS: Final = 30
PROBED_SECONDS: Final = 60
CERTIFICATE_DAYS: Final = 9


class _Shop(http.server.BaseHTTPRequestHandler):
    """A shop that greets, asks for a password, redirects, and fails."""

    def do_GET(self) -> None:
        status = {"/": 200, "/private": 401, "/moved": 301, "/broken": 500}[self.path]
        if self.headers.get("Authorization") == "Bearer the token of the shop":
            status = 200
        body = b"welcome to the shop" if status == 200 else b""
        self.send_response(status)
        if status == 301:
            self.send_header("Location", "/broken")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@contextmanager
def web(context: ssl.SSLContext | None = None) -> Iterator[int]:
    """Serve the shop on loopback; yield its port."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Shop)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def name_server() -> Iterator[int]:
    """Answer each question for shop.test with 10.1.2.3 and any other with no record; yield its port."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))
    server.settimeout(0.2)
    stopping = threading.Event()

    def serve() -> None:
        while not stopping.is_set():
            try:
                asked, client = server.recvfrom(512)
            except TimeoutError:
                continue
            end = asked.index(b"\0", 12) + 5
            known = b"\x04shop\x04test\0" in asked[12:end].lower()
            head = asked[:2] + struct.pack(">HHHHH", 0x8180, 1, int(known), 0, 0)
            record = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + bytes([10, 1, 2, 3]) if known else b""
            server.sendto(head + asked[12:end] + record, client)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield server.getsockname()[1]
    finally:
        stopping.set()
        thread.join()
        server.close()


@contextmanager
def running(command: list[str], ready: str, log: Path) -> Iterator[None]:
    """Run a process until it is no longer needed."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        wait_for(lambda: answers(ready), STARTED_SECONDS)
        yield
    finally:
        process.terminate()
        process.wait(30)


def probes(ports: dict[str, int], certificate: str) -> list[dict[str, Any]]:
    """Return a probe of each type that succeeds, and one that fails; the name tells which."""
    plain, secure = f"http://127.0.0.1:{ports['web']}", f"https://127.0.0.1:{ports['tls']}"
    dns: dict[str, Any] = {"type": "dns", "server": f"127.0.0.1:{ports['dns']}"}
    tcp: dict[str, Any] = {"type": "tcp", "target": f"127.0.0.1:{ports['tls']}"}
    every: list[dict[str, Any]] = [
        {"name": "good-http", "target": f"{plain}/", "contains": "welcome"},
        {"name": "bad-http", "target": f"{plain}/broken"},
        {"name": "bad-text", "target": f"{plain}/", "contains": "goodbye"},
        {"name": "good-status", "target": f"{plain}/private", "status": [401]},
        {"name": "good-redirect", "target": f"{plain}/moved", "status": [301]},
        {"name": "bad-redirect", "target": f"{plain}/moved"},
        {"name": "good-token", "target": f"{plain}/private", "bearerTokenSecret": "shop"},
        {"name": "good-tls", "target": f"{secure}/", "tls": {"ca": certificate}, "certificateDays": 14},
        {"name": "bad-tls", "target": f"{secure}/"},
        {"name": "good-tcp", **tcp},
        {"name": "good-tcp-tls", **tcp, "tls": {"ca": certificate}, "certificateDays": 2},
        {"name": "bad-tcp", "type": "tcp", "target": f"127.0.0.1:{ports['nobody']}"},
        {"name": "good-dns", **dns, "target": "shop.test", "answer": "10[.]1[.]2[.]3"},
        {"name": "bad-dns-answer", **dns, "target": "shop.test", "answer": "10[.]9"},
        {"name": "bad-dns", **dns, "target": "nobody.test"},
        {"name": "good-icmp", "type": "icmp", "target": "127.0.0.1"},
    ]
    return [{"interval": "10s", "timeout": "9s", **probe} for probe in every]


def settings_of(ports: dict[str, int], certificate: str) -> Settings:
    raw = {
        "probes": json.dumps(probes(ports, certificate)),
        "scrapeInterval": "5s",
        "ruleInterval": "5s",
        "scrapeSecrets": json.dumps({"shop": "the token of the shop"}),
    }
    return load("test", raw, frozenset({"scrapeSecrets"}))


class Running:
    """The blackbox exporter and Prometheus."""

    def __init__(self, settings: Settings, port: int) -> None:
        self.settings, self.port = settings, port

    def query(self, expr: str) -> dict[str, float]:
        """Return what Prometheus says now, by the label `service`."""
        rows = get(f"http://127.0.0.1:{self.port}/api/v1/query", query=expr)["data"]["result"]
        return {row["metric"].get("service", ""): float(row["value"][1]) for row in rows}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    needed("blackbox_exporter", "prometheus")
    folder = tmp_path_factory.mktemp("probes")
    certificate, key = self_signed("127.0.0.1", days=CERTIFICATE_DAYS + 1)
    (folder / "shop.crt").write_text(certificate)
    (folder / "shop.key").write_text(key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "shop.crt", folder / "shop.key")
    with ExitStack() as stack:
        ports = {
            "web": stack.enter_context(web()),
            "tls": stack.enter_context(web(context)),
            "dns": stack.enter_context(name_server()),
            "nobody": free_port(),
        }
        settings = settings_of(ports, certificate)
        exporter = _exporter(settings, folder, stack)
        document = yaml.safe_load(prometheus.render(settings))
        names = {probe.name for probe in settings.probes}
        document["scrape_configs"] = [job for job in document["scrape_configs"] if job["job_name"] in names]
        document.pop("storage")
        document["rule_files"] = [f"{folder}/rules/*.yml"]
        config = json.dumps(document).replace(topology.BLACKBOX.address("http"), f"127.0.0.1:{exporter}")
        (folder / "prometheus.yml").write_text(config)
        (folder / "rules").mkdir()
        for file, text in rules.render(settings).items():
            if file.startswith("slo-"):
                (folder / "rules" / file).write_text(text)
        port = free_port()
        command = [
            "prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{port}",
        ]  # fmt: skip
        stack.enter_context(running(command, f"http://127.0.0.1:{port}/-/ready", folder / "prometheus.log"))
        yield Running(settings, port)


def _exporter(settings: Settings, folder: Path, stack: ExitStack) -> int:
    """Start the exporter with the rendered files at another place; return its port."""
    process = blackbox.process(settings)
    for path, text in process.files.items():
        moved = text.replace(CONFIG, str(folder)).replace("/run/observability", str(folder))
        (folder / Path(path).name).write_text(moved)
    for path in process.secrets:
        (folder / Path(path).name).write_text("the token of the shop")
    program, *check = (part.replace(CONFIG, str(folder)) for part in process.checker)
    done = subprocess.run([shutil.which(Path(program).name) or "", *check], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    port = free_port()
    command = ["blackbox_exporter", f"--config.file={folder}/blackbox.yml", f"--web.listen-address=127.0.0.1:{port}"]
    stack.enter_context(running(command, f"http://127.0.0.1:{port}/-/healthy", folder / "blackbox.log"))
    return port


def test_each_probe_finds_what_is_there(stack: Running) -> None:
    names = [probe.name for probe in stack.settings.probes]
    found = wait_for(
        lambda: found if len(found := stack.query("probe_success")) == len(names) else None, PROBED_SECONDS
    )
    if not found["good-icmp"]:  # on this machine a ping needs privileges
        found.pop("good-icmp")
    assert found == {name: float(name.startswith("good-")) for name in found}


def test_certificates_are_seen_before_they_expire(stack: Running) -> None:
    expiring = {a.service: a for g in groups(stack.settings) for a in g.alerts if a.kind == "certificate-expiring"}
    assert set(expiring) == {"good-tls", "bad-tls", "good-tcp-tls"}
    left = {name: stack.query(alert.queries["days"]) for name, alert in expiring.items()}
    days = float(next(iter(left["good-tls"].values())))
    assert CERTIFICATE_DAYS - 1 < days < CERTIFICATE_DAYS
    assert expiring["good-tls"].condition == "$days < 14", "which holds"
    assert expiring["good-tcp-tls"].condition == "$days < 2", "which does not"


def test_the_objective_counts_each_probe(stack: Running) -> None:
    def ratios() -> dict[str, float] | None:
        found = stack.query('slo:error:ratio_rate5m{slo="probe"}')
        return found if found.get("bad-http") and "good-http" in found else None

    found = wait_for(ratios, PROBED_SECONDS)
    assert found["good-http"] == 0
    assert found["bad-http"] == pytest.approx(1)
