"""Who may push, and how much: web pages of the configured origins, and bodies up to the limit."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from observability.configs.otelcol import PUSH_BYTES
from observability.settings import load
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
