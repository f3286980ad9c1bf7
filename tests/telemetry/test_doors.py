"""Who may push, and how much: web pages of the configured origins, and bodies up to the limit."""

from __future__ import annotations

import gzip
import http.client
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import grpc
import psutil
import pytest
import zstandard

from observability.configs import reading_proxy
from observability.configs.otelcol import PUSH_BYTES
from observability.settings import load
from observability.topology import Endpoint
from tests.observability.configs.test_reading_proxy import NGINX, PORTS, free_ports, running_nginx
from tests.telemetry import grpc_otlp
from tests.telemetry.conftest import Stores, needed

PAGE = "https://shop.example.org"


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    """A collector alone, which takes what the web page at PAGE pushes."""
    needed("otelcol-contrib")
    running = Stores(tmp_path_factory.mktemp("doors"), load("dev", {"dockerSocket": "", "corsOrigins": f'["{PAGE}"]'}))
    try:
        running.start("collector")
        yield running
    finally:
        for name in list(running.processes):
            running.stop(name)


@pytest.mark.parametrize(("origin", "allowed"), [(PAGE, PAGE), ("https://evil.example.org", None)])
def test_a_web_page_may_push_where_its_origin_is_configured(
    collector: Stores, origin: str, allowed: str | None
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", collector.ports["http"], timeout=5)
    requests = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    connection.request("OPTIONS", "/v1/traces", headers=requests)
    assert connection.getresponse().getheader("Access-Control-Allow-Origin") == allowed
    connection.close()


def test_a_body_over_the_limit_is_refused_at_once(collector: Stores) -> None:
    """With 400, not 413: the receiver of 0.152 has no other answer. A sender does not try again."""
    body = b'{"resourceMetrics": [], "x": "' + b"x" * PUSH_BYTES + b'"}'
    request = urllib.request.Request(f"{collector.otlp}/v1/metrics", body, headers={"Content-Type": "application/json"})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=10)
    assert refused.value.code == 400
    assert b"body too large" in refused.value.read()
    refused.value.close()


BOMB_BYTES = 128 * 1024 * 1024
BOMB = b'{"x": "' + b" " * BOMB_BYTES
PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gzip": partial(gzip.compress, compresslevel=1),
    "zstd": zstandard.ZstdCompressor().compress,
    "deflate": partial(zlib.compress, level=1),
}


def memory(collector: Stores) -> int:
    return int(psutil.Process(collector.processes["collector"].pid).memory_info().rss)


@pytest.mark.parametrize("encoding", PACKED)
@pytest.mark.parametrize("signal", ["metrics", "logs", "traces"])
def test_a_small_body_that_unpacks_to_much_is_refused(collector: Stores, encoding: str, signal: str) -> None:
    """128 MiB in some hundred KiB."""
    body = PACKED[encoding](BOMB)
    assert len(body) < 1024 * 1024
    before = memory(collector)
    headers = {"Content-Type": "application/json", "Content-Encoding": encoding}
    request = urllib.request.Request(f"{collector.otlp}/v1/{signal}", body, headers)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=30)
    assert refused.value.code in {400, 413}
    refused.value.close()
    assert memory(collector) - before < BOMB_BYTES // 2


@pytest.mark.parametrize("encoding", ["gzip, gzip", "br", "identity", "x-snappy-framed", "lz4", "nonsense"])
def test_no_other_packing_gets_around_the_limit(collector: Stores, encoding: str) -> None:
    body = gzip.compress(gzip.compress(BOMB, 1))
    before = memory(collector)
    headers = {"Content-Type": "application/json", "Content-Encoding": encoding}
    request = urllib.request.Request(f"{collector.otlp}/v1/logs", body, headers)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=30)
    assert 400 <= refused.value.code < 500
    refused.value.close()
    assert memory(collector) - before < BOMB_BYTES // 2


def test_a_packed_message_over_grpc_is_refused(collector: Stores) -> None:
    before = memory(collector)
    with grpc.insecure_channel(
        f"127.0.0.1:{collector.ports['grpc']}",
        compression=grpc.Compression.Gzip,
        options=[("grpc.max_send_message_length", -1)],
    ) as channel:
        assert grpc_otlp.status(channel, "bomb", "x" * (64 * 1024 * 1024)) == "RESOURCE_EXHAUSTED"
        assert grpc_otlp.status(channel, "no-bomb", "x") == "OK"
    assert memory(collector) - before < BOMB_BYTES // 2


def test_grafanas_own_spans_come_by_way_of_the_reading_proxy(collector: Stores, tmp_path: Path) -> None:
    """Grafana reaches nothing else of the stack; the door of applications refuses its name."""
    if NGINX is None:
        pytest.skip("nginx is not on PATH (Debian: apt-get install nginx)")
    ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
    place = reading_proxy.Place(
        port=ports.__getitem__,
        temporary=str(tmp_path),
        spans=Endpoint(f"http://127.0.0.1:{collector.ports['own']}"),
    )

    def taken() -> float:
        return sum(
            value
            for name, value in collector.own_metrics().items()
            if name.startswith("otelcol_receiver_accepted_spans") and 'receiver="otlp/own"' in name
        )

    with running_nginx(reading_proxy.render(collector.settings, place), tmp_path, ports["health"]):
        before = taken()
        with grpc.insecure_channel(f"127.0.0.1:{ports['otlp-own']}") as channel:
            grpc_otlp.send(channel, "grafana", "HTTP GET /")
            other = channel.unary_unary("/opentelemetry.proto.collector.logs.v1.LogsService/Export")
            with pytest.raises(grpc.RpcError):
                other(b"", timeout=10)
    assert taken() == before + 1
