"""What a fire drill needs besides the stack: a service to break, a past for it, and a receiver of messages."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import tarfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import BaseServer, StreamRequestHandler, ThreadingTCPServer
from typing import Any

from docker import DockerClient

from cli import otlp
from lab.sandbox import Sandbox
from observability.names import series
from observability.versions import image

HOUR = 3600
DAY = 24 * HOUR
SLOT = 300
"""Seconds between two subtotals that long windows are summed from."""
SCRAPE = 5
RATE = 20
"""Requests per second."""
BUCKETS = (0.1, 0.3, 1.0)
PROMETHEUS_USER = 65534


def gateway(engine: DockerClient) -> str:
    """Return the address of this machine that only containers reach."""
    address: str = engine.networks.get("bridge").attrs["IPAM"]["Config"][0]["Gateway"]
    return address


@contextlib.contextmanager
def running(server: BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


# The service


@dataclass
class Shop:
    """A service by the metric contract that has been running for an hour, with customers; `broken` fails them all."""

    name: str
    host: str
    otlp: str
    broken: bool = False
    counts: dict[str, int] = field(default_factory=lambda: {"200": RATE * HOUR, "500": 0})
    port: int = 0

    @contextlib.contextmanager
    def open(self) -> Iterator[None]:
        server = ThreadingHTTPServer((self.host, 0), _handler(self))
        self.port = server.server_address[1]
        closed = threading.Event()
        customers = threading.Thread(target=self._buy, args=(closed,))
        with running(server):
            customers.start()
            try:
                yield
            finally:
                closed.set()
                customers.join()

    def _buy(self, closed: threading.Event) -> None:
        connection = HTTPConnection(self.host, self.port)
        start, requests = time.monotonic(), 0
        while not closed.wait(max(0.0, start + requests / RATE - time.monotonic())):
            connection.request("GET", "/pay")
            answer = connection.getresponse()
            answer.read()
            if requests % RATE == 0:
                self._tell(answer.status)
            requests += 1
        connection.close()

    def _tell(self, status: int) -> None:
        """Send what a service sends besides metrics, once a second: a log line and a span of one request."""
        trace, own, failed = otlp.new_trace(), otlp.new_span(), status == 500
        span = otlp.span(trace, own, name="GET /pay", failed=failed)
        span["attributes"] = [{"key": "http.response.status_code", "value": {"intValue": status}}]
        text = json.dumps({"level": "error" if failed else "info", "msg": "GET /pay", "status": status})
        line = otlp.record(text, trace, own, level="ERROR" if failed else "INFO")
        with contextlib.suppress(OSError):  # the stack may not be up
            otlp.push(self.otlp, "spans", {self.name: [span]})
            otlp.push(self.otlp, "records", {self.name: [line]})

    def metrics(self) -> str:
        total = sum(self.counts.values())
        labels = f'service="{self.name}",endpoint="/pay"'
        lines = [
            f'http_requests_total{{{labels},method="GET",status="{status}"}} {count}'
            for status, count in self.counts.items()
        ]
        lines += [f'http_request_duration_seconds_bucket{{{labels},le="{le}"}} {total}' for le in (*BUCKETS, "+Inf")]
        lines += [f"http_request_duration_seconds_count{{{labels}}} {total}"]
        lines += [f"http_request_duration_seconds_sum{{{labels}}} {total * 0.02}"]
        lines += [f'http_requests_in_progress{{service="{self.name}"}} 0']
        return "".join(f"{line}\n" for line in lines)


def _handler(shop: Shop) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(200, shop.metrics())
                return
            status = 500 if shop.broken else 200
            shop.counts[str(status)] += 1
            self._answer(status, "")

        def _answer(self, status: int, text: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    return Handler


# Its past


def give_a_past(real: Sandbox, shop: Shop, *, until: float, rule_interval: int, folder: Path) -> None:
    """Put healthy traffic into Prometheus, before `until`, when it was scraped for the first time.

    What is recorded goes back as far as each window reads it: 6 hours of rates, 3 days of subtotals. In a younger stack
    the longer windows would fire as soon as the short ones.
    """
    counter = f'instance="{shop.host}:{shop.port}",job="{shop.name}",service="{shop.name}",endpoint="/pay",method="GET"'
    own = f'service="{shop.name}",slo="availability"'
    steps = [until - SCRAPE * n for n in range(HOUR // SCRAPE, 0, -1)]
    evaluations = [until - rule_interval * n for n in range(6 * HOUR // rule_interval, 0, -1)]
    slots = [until // SLOT * SLOT - SLOT * n for n in range(3 * DAY // SLOT, -1, -1)]
    lines = ["# TYPE http_requests counter"]
    for status, rate in (("200", RATE), ("500", 0)):
        values = ((at, RATE * HOUR * (rate > 0) - rate * (until - at)) for at in steps)
        lines += [f'http_requests_total{{{counter},status="{status}"}} {v:.0f} {at:.3f}' for at, v in values]
    for name, value, times in (
        (series.SLO_REQUESTS, RATE, evaluations),
        (series.SLO_ERRORS, 0, evaluations),
        (series.SLO_REQUESTS_SLOT, RATE * SLOT, slots),
        (series.SLO_ERRORS_SLOT, 0, slots),
    ):
        lines += [f"# TYPE {name} gauge", *(f"{name}{{{own}}} {value} {at:.3f}" for at in times)]
    (folder / "past.om").write_text("\n".join([*lines, "# EOF\n"]))
    blocks = folder / "blocks"
    subprocess.run(
        ["promtool", "tsdb", "create-blocks-from", "openmetrics", folder / "past.om", blocks],
        check=True, capture_output=True,
    )  # fmt: skip
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for path in sorted(blocks.rglob("*")):
            tar.add(path, path.relative_to(blocks), recursive=False, filter=_of_prometheus)
    # Prometheus' own root is read-only, so Docker will not copy into it; it looks for new blocks every minute.
    helper = real.docker.containers.create(
        image("prometheus").reference,
        volumes={f"observability-{real.name}-prometheus-data": {"bind": "/prometheus"}},
    )
    try:
        helper.put_archive("/prometheus", archive.getvalue())
    finally:
        helper.remove()


def _of_prometheus(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = PROMETHEUS_USER
    return entry


# Who is told


@dataclass
class Inbox:
    """A receiver of webhooks, Slack's and PagerDuty's among them, and a mail server, on ports of their own."""

    host: str
    hooks: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    slacks: list[dict[str, Any]] = field(default_factory=list)
    pagers: list[dict[str, Any]] = field(default_factory=list)
    mails: list[tuple[float, EmailMessage]] = field(default_factory=list)
    webhook_port: int = 0
    smtp_port: int = 0

    @contextlib.contextmanager
    def open(self) -> Iterator[None]:
        webhook = ThreadingHTTPServer((self.host, 0), _webhook(self))
        smtp = _MailServer((self.host, 0), _smtp(self))
        self.webhook_port, self.smtp_port = webhook.server_address[1], smtp.server_address[1]
        with running(webhook), running(smtp):
            yield

    def hook(self, status: str, severity: str, service: str) -> tuple[float, dict[str, Any]] | None:
        """Return the first notification of this kind and when it came."""
        return next(
            (
                (at, body)
                for at, body in list(self.hooks)
                if body["status"] == status
                and (body["commonLabels"].get("severity"), body["commonLabels"].get("service")) == (severity, service)
            ),
            None,
        )

    def mail(self, subject: str) -> tuple[float, EmailMessage] | None:
        """Return the first mail whose subject begins so and when it came."""
        return next((m for m in list(self.mails) if str(m[1]["Subject"]).startswith(subject)), None)


def _webhook(inbox: Inbox) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path.startswith("/slack"):
                inbox.slacks.append(body)
            elif self.path.startswith("/pagerduty"):
                inbox.pagers.append(body)
            else:
                inbox.hooks.append((time.time(), body))
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    return Handler


class _MailServer(ThreadingTCPServer):
    daemon_threads = True


def _smtp(inbox: Inbox) -> type[StreamRequestHandler]:
    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            self._say("220 drill")
            while line := self.rfile.readline():
                command = line.strip().upper()
                if command == b"DATA":
                    self._say("354 go on")
                    text = b""
                    while (part := self.rfile.readline()) != b".\r\n":
                        text += part.removeprefix(b".") if part.startswith(b"..") else part
                    inbox.mails.append((time.time(), message_from_bytes(text, policy=policy.default)))
                self._say("221 bye" if command == b"QUIT" else "250 ok")
                if command == b"QUIT":
                    return

        def _say(self, text: str) -> None:
            self.wfile.write(f"{text}\r\n".encode())

    return Handler
