"""OTLP for senders outside of the Docker host: with TLS, and a token or a client certificate, over HTTP and gRPC."""

from __future__ import annotations

import http.client
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from observability import topology
from observability.configs import otlp_outside
from observability.settings import Settings, load
from tests.pem import self_signed
from tests.telemetry import grpc_otlp
from tests.telemetry.conftest import Stores, free_port, needed

TOKEN = "a-token-of-thirty-two-characters"


class Outside(Stores):
    """A collector alone, with the door for senders outside."""

    def __init__(self, folder: Path, settings: Settings, key: str) -> None:
        super().__init__(folder, settings)
        self.ports |= {"grpc-outside": free_port(), "http-outside": free_port()}
        texts = {
            otlp_outside.CERTIFICATE_FILE: settings.tls_certificate,
            otlp_outside.KEY_FILE: key,
            otlp_outside.CLIENT_CA_FILE: settings.otlp_client_ca,
            otlp_outside.TOKEN_FILE: TOKEN,
        }
        self.replaced = {}
        for path, text in texts.items():
            (folder / Path(path).name).write_text(text)
            self.replaced[path] = str(folder / Path(path).name)
        for protocol in ("grpc", "http"):
            number = topology.COLLECTOR.port(f"otlp-{protocol}-outside")
            self.replaced[f"0.0.0.0:{number}"] = f"127.0.0.1:{self.ports[f'{protocol}-outside']}"

    def _write(self, name: str, text: str, replaced: dict[str, str]) -> Path:
        return super()._write(name, text, replaced | {k: v for k, v in self.replaced.items() if k in text})


SERVER, SERVER_KEY = self_signed("localhost", "127.0.0.1")
CLIENT, CLIENT_KEY = self_signed("sender")
STRANGER, STRANGER_KEY = self_signed("stranger")


@pytest.fixture(scope="module", params=["token", "certificate", "both"])
def door(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Outside]]:
    needed("otelcol-contrib")
    folder = tmp_path_factory.mktemp("outside")
    given = {
        "dockerSocket": "", "addresses": '{"otlpHttp": "0.0.0.0", "otlpGrpc": "0.0.0.0"}', "publishReason": "a test",
        "tlsCertificate": SERVER, "tlsKey": SERVER_KEY,
        **({"otlpToken": TOKEN} if request.param != "certificate" else {}),
        **({"otlpClientCaCertificate": CLIENT} if request.param != "token" else {}),
    }  # fmt: skip
    running = Outside(folder, load("dev", given, frozenset({"tlsKey", "otlpToken"})), SERVER_KEY)
    for name, text in {"client": CLIENT, "client.key": CLIENT_KEY, "stranger": STRANGER,
                       "stranger.key": STRANGER_KEY}.items():  # fmt: skip
        (folder / name).write_text(text)
    try:
        running.start("collector")
        yield request.param, running
    finally:
        for name in list(running.processes):
            running.stop(name)


def over_http(running: Outside, token: str, certificate: str) -> bool:
    """Send spans over HTTP and say whether they are accepted."""
    context = ssl.create_default_context(cadata=SERVER)
    if certificate:
        context.load_cert_chain(running.folder / certificate, running.folder / f"{certificate}.key")
    headers = {"Content-Type": "application/json", **({"Authorization": token} if token else {})}
    url = f"https://localhost:{running.ports['http-outside']}/v1/traces"
    try:
        with urllib.request.urlopen(
            urllib.request.Request(url, b'{"resourceSpans": []}', headers), timeout=10, context=context
        ) as answer:
            return bool(answer.status == 200)
    except urllib.error.HTTPError as error:
        with error:
            return error.code != 401  # any other answer is neither
    except OSError:
        return False


def over_grpc(running: Outside, token: str, certificate: str) -> bool:
    """Send a span over gRPC and say whether it is accepted."""
    pair = (CLIENT, CLIENT_KEY) if certificate == "client" else (STRANGER, STRANGER_KEY)
    key, chain = (pair[1].encode(), pair[0].encode()) if certificate else (None, None)
    credentials = grpc.ssl_channel_credentials(SERVER.encode(), key, chain)
    with grpc.secure_channel(f"localhost:{running.ports['grpc-outside']}", credentials) as channel:
        status = grpc_otlp.status(channel, "outside", "x", {"authorization": token} if token else {})
    assert status in {"OK", "UNAUTHENTICATED", "UNAVAILABLE"}
    return status == "OK"


@pytest.mark.parametrize("token", ["", f"Bearer {TOKEN}", "Bearer wrong", f"Basic {TOKEN}", TOKEN])
@pytest.mark.parametrize("certificate", ["", "client", "stranger"])
def test_only_who_is_known_may_push(door: tuple[str, Outside], token: str, certificate: str) -> None:
    asked, running = door
    known = (asked == "certificate" or token == f"Bearer {TOKEN}") and (asked == "token" or certificate == "client")
    assert over_http(running, token, certificate) is known
    assert over_grpc(running, token, certificate) is known


def test_nobody_is_answered_without_tls(door: tuple[str, Outside]) -> None:
    _, running = door
    connection = http.client.HTTPConnection("127.0.0.1", running.ports["http-outside"], timeout=5)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"}
    connection.request("POST", "/v1/traces", b'{"resourceSpans": []}', headers)
    assert connection.getresponse().status == 400
    connection.close()
    with grpc.insecure_channel(f"127.0.0.1:{running.ports['grpc-outside']}") as channel:
        assert grpc_otlp.status(channel, "outside", "x", {"authorization": f"Bearer {TOKEN}"}) != "OK"


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_tls_is_refused(door: tuple[str, Outside], version: ssl.TLSVersion) -> None:
    _, running = door
    context = ssl.create_default_context(cadata=SERVER)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    with pytest.raises(OSError, match=r"(?i)ssl|tls|protocol|reset"):
        urllib.request.urlopen(f"https://localhost:{running.ports['http-outside']}/", timeout=5, context=context)
