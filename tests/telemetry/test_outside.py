"""OTLP for senders outside of the Docker host: with TLS, and a token or a client certificate, over HTTP and gRPC."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import grpc
import pytest

from cli import otlp
from observability import topology
from observability.configs import otlp_outside
from observability.settings import Settings, load
from tests.pem import self_signed
from tests.telemetry import grpc_otlp
from tests.telemetry.conftest import Stores, free_port, needed, wait_for

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
            otlp_outside.SENDERS_FILE: otlp_outside.passwords(settings) or "",
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


SENDERS = {"shop": ["checkout", "cart"], "gateway": []}
TOKENS = {"shop": "the-shops-token-0123", "gateway": "the-gateways-token=="}
NOT_THEIRS = "name of a service that is not this sender's"
PLACES = {
    "metrics": ("resourceMetrics", "scopeMetrics", "metrics"),
    "logs": ("resourceLogs", "scopeLogs", "logRecords"),
    "traces": ("resourceSpans", "scopeSpans", "spans"),
}


@pytest.fixture(scope="module")
def senders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    """The door at which each sender has a token of its own, and the stores behind it."""
    needed("otelcol-contrib", "prometheus", "loki")
    given = {
        "dockerSocket": "", "addresses": '{"otlpHttp": "0.0.0.0", "otlpGrpc": "0.0.0.0"}', "publishReason": "a test",
        "tlsCertificate": SERVER, "tlsKey": SERVER_KEY,
        "otlpSenders": json.dumps(SENDERS), "otlpTokens": json.dumps(TOKENS),
    }  # fmt: skip
    folder = tmp_path_factory.mktemp("senders")
    running = Outside(folder, load("dev", given, frozenset({"tlsKey", "otlpTokens"})), SERVER_KEY)
    try:
        for name in ("prometheus", "loki", "collector"):
            running.start(name)
        yield running
    finally:
        for name in list(running.processes):
            running.stop(name)


def basic(name: str, token: str) -> str:
    return f"Basic {base64.b64encode(f'{name}:{token}'.encode()).decode()}"


def sent(running: Outside, login: str, signal: str, services: list[str], text: str) -> int:
    """Send one item for each service, all in one request, and return the answer's status."""
    now = str(time.time_ns())
    point = {"name": text, "gauge": {"dataPoints": [{"timeUnixNano": now, "asDouble": 1}]}}
    item = {"metrics": point, "logs": otlp.record(text),
            "traces": otlp.span(otlp.new_trace(), otlp.new_span(), name=text)}[signal]  # fmt: skip
    outer, inner, items = PLACES[signal]
    named = [{"attributes": [{"key": "service.name", "value": {"stringValue": service}}]} for service in services]
    body = json.dumps({outer: [{"resource": resource, inner: [{items: [item]}]} for resource in named]}).encode()
    url = f"https://localhost:{running.ports['http-outside']}/v1/{signal}"
    headers = {"Content-Type": "application/json", "Authorization": login}
    request = urllib.request.Request(url, body, headers)
    try:
        with urllib.request.urlopen(request, timeout=10, context=ssl.create_default_context(cadata=SERVER)) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def refused(running: Outside, service: str, signal: str) -> float:
    selector = f'service_name="{service}", signal="{signal}", reason="{NOT_THEIRS}"'
    return running.number(f"collector_refused_items_total{{{selector}}}")


def test_a_sender_speaks_for_its_own_services_alone(senders: Outside) -> None:
    shop = basic("shop", TOKENS["shop"])
    for signal in PLACES:
        assert sent(senders, shop, signal, ["checkout", "payments", "cart"], "by_the_shop") == 200
    wait_for(lambda: senders.number('by_the_shop{service_name="checkout"}'))
    wait_for(lambda: senders.number('by_the_shop{service_name="cart"}'))
    wait_for(lambda: senders.lines('{service_name="cart"} |= "by_the_shop"'))
    for signal in ("points", "lines", "spans"):
        wait_for(partial(refused, senders, "payments", signal))
        assert refused(senders, "payments", signal) == 1
        assert refused(senders, "checkout", signal) == 0
    assert senders.query('by_the_shop{service_name="payments"}') == {}
    assert senders.lines('{service_name="payments"}') == []


@pytest.mark.parametrize(
    "service", ["", "checkout", "shop", "gateway|checkout", "gateway.x", "gateway\nshop", "Gateway"]
)
def test_a_sender_without_a_list_speaks_for_itself(senders: Outside, service: str) -> None:
    """Not in a name that a pattern would take for its own, and not without one."""
    text = f"by_the_gateway_{sum(map(ord, service))}"
    assert sent(senders, basic("gateway", TOKENS["gateway"]), "metrics", [service, "gateway"], text) == 200
    wait_for(lambda: senders.number(f'{text}{{service_name="gateway"}}'))
    assert len(senders.query(text)) == 1


@pytest.mark.parametrize(
    "login",
    ["", f"Bearer {TOKENS['shop']}", basic("shop", TOKENS["gateway"]), basic("shop", ""), basic("nobody", ""),
     basic("shop:gateway", TOKENS["shop"]), basic("", TOKENS["shop"]), basic("shop\n", TOKENS["shop"])],
)  # fmt: skip
def test_nobody_sends_with_the_token_of_another(senders: Outside, login: str) -> None:
    assert sent(senders, login, "metrics", ["checkout"], "by_nobody") == 401


def test_a_sender_over_grpc_speaks_for_its_own_services_alone(senders: Outside) -> None:
    before = refused(senders, "ledger", "spans")
    with grpc.secure_channel(
        f"localhost:{senders.ports['grpc-outside']}", grpc.ssl_channel_credentials(SERVER.encode())
    ) as channel:
        headers = {"authorization": basic("shop", TOKENS["shop"])}
        assert grpc_otlp.status(channel, "ledger", "x", headers) == "OK"
        assert grpc_otlp.status(channel, "ledger", "x", {"authorization": basic("shop", "wrong")}) == "UNAUTHENTICATED"
    wait_for(lambda: refused(senders, "ledger", "spans") == before + 1)


def test_a_sender_on_the_host_has_any_name(senders: Outside) -> None:
    """The door on loopback asks senders for no credentials."""
    otlp.push(senders.otlp, "metrics", {"on-the-host": [{"name": "on_the_host", "gauge": {
        "dataPoints": [{"timeUnixNano": str(time.time_ns()), "asDouble": 1}]}}]})  # fmt: skip
    wait_for(lambda: senders.number('on_the_host{service_name="on-the-host"}'))
