"""The relay of notifications, by a real nginx before a webhook that keeps what it gets."""

from __future__ import annotations

import socket
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from pydantic import SecretStr

from observability.configs import reading_proxy, webhook_relay
from observability.settings import Settings, SettingsError, load
from tests.observability.configs.test_reading_proxy import NGINX, PORTS, free_ports, running_nginx
from tests.pem import self_signed

NAME = "hooks.example.org"
BODY = b'{"status": "firing"}'


@dataclass
class Webhook:
    """What was sent to the webhook, and what it answers."""

    port: int = 0
    seen: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    answer: int = 200
    location: str = ""


@contextmanager
def webhook(certificate: tuple[Path, Path] | None = None) -> Iterator[Webhook]:
    """Serve a webhook, over TLS if there is a certificate."""
    hook = Webhook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hook.seen.append((self.command, self.path, dict(self.headers), body))
            self.send_response(hook.answer)
            if hook.location:
                self.send_header("Location", hook.location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    hook.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield hook
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def name_server() -> Iterator[int]:
    """Answer every question for a name with 127.0.0.1, at the port that is returned."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(0.2)
        ended = threading.Event()

        def answer() -> None:
            while not ended.is_set():
                try:
                    question, sender = server.recvfrom(512)
                except TimeoutError:
                    continue
                end = question.index(b"\0", 12) + 5
                asked = question[12:end]
                found = asked[-4:-2] == b"\0\1"  # an IPv4 address
                record = b"\xc0\x0c\0\1\0\1\0\0\0\x05\0\4\x7f\0\0\1" if found else b""
                counts = b"\0\1" + (b"\0\1" if found else b"\0\0") + b"\0\0\0\0"
                server.sendto(question[:2] + b"\x81\x80" + counts + asked + record, sender)

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            ended.set()
            thread.join()


@dataclass(frozen=True)
class Relay:
    """A running relay; `log` is what nginx wrote."""

    url: str
    log: Path
    errors: Path

    def send(self, path: str = "", method: str = "POST", **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Send a notification as Grafana does."""
        request = urllib.request.Request(
            f"{self.url}{path}", BODY, {"Content-Type": "application/json", "User-Agent": "Grafana", **headers},
            method=method,
        )  # fmt: skip
        opener = urllib.request.build_opener(_Stay)
        try:
            with opener.open(request, timeout=15) as answer:
                return answer.status, dict(answer.headers), answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, dict(error.headers), error.read()


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


@contextmanager
def relay(url: str, folder: Path, authorities: str = "") -> Iterator[Relay]:
    """Run the reading proxy's nginx with the relay to `url`; `authorities` are the CAs that it trusts."""
    if NGINX is None:
        pytest.skip("nginx is not on PATH (Debian: apt-get install nginx)")
    settings = load("dev", {"alertWebhookUrl": url})
    secret = webhook_relay.secret(settings)
    assert secret is not None
    (folder / "webhook.conf").write_text(secret)
    (folder / "ca.crt").write_text(authorities)
    ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
    with name_server() as resolver:
        place = reading_proxy.Place(
            port=ports.__getitem__,
            resolver=f"127.0.0.1:{resolver}",
            webhook=str(folder / "webhook.conf"),
            temporary=str(folder),
        )
        text = reading_proxy.render(settings, place).replace(webhook_relay.AUTHORITIES, str(folder / "ca.crt"))
        text = text.replace("/dev/stdout", str(folder / "access.log"))
        with running_nginx(text, folder, ports["health"]) as errors:
            yield Relay(f"http://127.0.0.1:{ports['webhook']}", folder / "access.log", errors)


@pytest.mark.parametrize(
    ("path", "sent", "authorization"),
    [
        ("/T0/B1?a=1&b=$c;d#fragment", "/T0/B1?a=1&b=$c;d", None),
        ("", "/", None),
        ("/%2e%2e/%C3%A4", "/%2e%2e/%C3%A4", None),
    ],
)
def test_a_notification_arrives_as_it_was_sent(tmp_path: Path, path: str, sent: str, authorization: str | None) -> None:
    with webhook() as hook, relay(f"http://{NAME}:{hook.port}{path}", tmp_path) as door:
        assert door.send()[0] == 200
        ((method, where, headers, body),) = hook.seen
    assert (method, where, body) == ("POST", sent, BODY)
    assert (headers["Host"], headers["User-Agent"]) == (f"{NAME}:{hook.port}", "Grafana")
    assert headers["Content-Type"] == "application/json"
    assert headers.get("Authorization") == authorization


def test_the_credential_of_the_address_is_sent(tmp_path: Path) -> None:
    with webhook() as hook, relay(f"http://me:p%40ss@{NAME}:{hook.port}/x", tmp_path) as door:
        assert door.send()[0] == 200
    assert hook.seen[0][2]["Authorization"] == "Basic bWU6cEBzcw=="


def test_it_leads_nowhere_else(tmp_path: Path) -> None:
    with webhook() as hook, webhook() as other, relay(f"http://{NAME}:{hook.port}/x", tmp_path) as door:
        assert door.send("/elsewhere")[0] == 403
        assert door.send("//evil.example/")[0] in {403, 200}
        assert door.send("", "GET")[0] == 403
        assert door.send("", "PUT")[0] == 403
        assert door.send("/?url=http://evil.example/", Host=f"127.0.0.1:{other.port}")[0] == 200
        with socket.create_connection(("127.0.0.1", int(door.url.rpartition(":")[2])), timeout=5) as raw:
            raw.sendall(f"POST http://127.0.0.1:{other.port}/ HTTP/1.0\r\nContent-Length: 0\r\n\r\n".encode())
            raw.recv(100)
        assert {where for _, where, _, _ in hook.seen} == {"/x"}
        assert other.seen == []


def test_what_the_webhook_answers_is_what_grafana_sees(tmp_path: Path) -> None:
    with webhook() as hook, relay(f"http://{NAME}:{hook.port}/hidden", tmp_path) as door:
        for hook.answer in (204, 404, 429, 503):
            assert door.send()[0] == hook.answer
        hook.answer, hook.location = 308, "/moved"
        assert door.send()[1]["Location"] == f"http://{NAME}:{hook.port}/moved"
        seen = len(hook.seen)
    assert seen == 5, "each is sent once: it is Grafana that tries again"


def test_failures_are_logged_without_the_address(tmp_path: Path) -> None:
    port = free_ports(1)[0]
    with relay(f"http://me:hidden@{NAME}:{port}/hidden", tmp_path) as door:
        assert door.send()[0] == 502
    assert "notification: answered 502" in door.log.read_text()
    assert not [text for text in (door.log.read_text(), door.errors.read_text()) if "hidden" in text or NAME in text]


@pytest.mark.parametrize(
    ("made_out_to", "trusted", "status"), [(NAME, True, 200), (NAME, False, 502), ("other.example.org", True, 502)]
)
def test_a_certificate_is_verified(tmp_path: Path, made_out_to: str, trusted: bool, status: int) -> None:  # noqa: FBT001
    certificate, key = self_signed(made_out_to)
    (tmp_path / "tls.crt").write_text(certificate)
    (tmp_path / "tls.key").write_text(key)
    authorities = certificate if trusted else self_signed(NAME)[0]
    served = (tmp_path / "tls.crt", tmp_path / "tls.key")
    with webhook(served) as hook, relay(f"https://{NAME}:{hook.port}/x", tmp_path, authorities) as door:
        assert door.send()[0] == status
    assert len(hook.seen) == (status == 200)


def test_without_a_webhook_there_is_no_relay(settings: Settings) -> None:
    without = settings.model_copy(update={"alert_webhook_url": None, "demo": False})
    assert webhook_relay.secret(without) is None
    assert "webhook" not in reading_proxy.render(without)
    assert set(reading_proxy.process(without).secrets.values()) == {"history_login"}


def test_the_configuration_tells_no_address() -> None:
    settings = load("dev", {"alertWebhookUrl": "https://me:pw@hooks.example.org/T0"})
    process = reading_proxy.process(settings)
    assert "hooks.example.org" not in str(process.files)
    assert process.secrets[webhook_relay.SECRET_FILE] == "webhook"
    assert settings.webhook == SecretStr("https://me:pw@hooks.example.org/T0")


@pytest.mark.parametrize("host", ["10.0.0.1", "[::1]"])
def test_https_needs_a_name(host: str) -> None:
    with pytest.raises(SettingsError, match="https with a host name"):
        load("dev", {"alertWebhookUrl": f"https://{host}/x"})
    assert load("dev", {"alertWebhookUrl": f"http://{host}/x"}).webhook is not None
