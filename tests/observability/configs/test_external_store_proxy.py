"""The reading proxy before stores elsewhere, by a real nginx: the same requests as before the stack's own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from observability.configs import external_stores, reading_proxy
from observability.settings import load
from tests.observability.configs.test_reading_proxy import (
    ALLOWED,
    HISTORY,
    NGINX,
    PASSWORD,
    PORTS,
    REFUSED,
    Proxy,
    answering,
    basic,
    free_ports,
    running_nginx,
    write_login,
)
from tests.observability.configs.test_webhook_relay import name_server

FAR = ("loki", "jaeger")


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    if NGINX is None:
        pytest.skip("nginx is not on PATH (Debian: apt-get install nginx)")
    folder = tmp_path_factory.mktemp("far")
    ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
    with answering() as backend, name_server() as resolver:
        url = f"http://localhost:{backend.port}"
        settings = load(
            "dev",
            {
                "logs": json.dumps({"writeUrl": f"{url}/otlp", "queryUrl": f"{url}/logs"}),
                "traces": json.dumps({"writeUrl": url, "queryUrl": f"{url}/traces", "tenant": "shop"}),
                "tracesPassword": "a-token.of-the_store",
            },
            frozenset({"tracesPassword"}),
        )
        login = Path(f"{folder}{external_stores.TRACES.login_file}")
        login.parent.mkdir(parents=True)
        login.write_text(external_stores.login("traces", settings) or "")
        write_login(folder)
        place = reading_proxy.Place(
            port=ports.__getitem__, resolver=f"127.0.0.1:{resolver}", temporary=str(folder), folder=str(folder)
        )
        with running_nginx(reading_proxy.render(settings, place), folder, ports["health"]):
            yield Proxy(backend, ports)


@pytest.mark.parametrize(("port", "method", "path"), [case for case in ALLOWED if case[0] in FAR])
def test_reading_requests_reach_the_store_below_its_own_path(far: Proxy, port: str, method: str, path: str) -> None:
    far.backend.seen.clear()
    assert far.ask(port, method, path, Origin="https://evil.example.org")[0] == 200
    prefix = "/logs" if port == "loki" else "/traces"
    assert far.backend.seen == [(method, f"{prefix}{path}", None)]


@pytest.mark.parametrize(("port", "method", "path"), [case for case in REFUSED if case[0] in FAR])
def test_no_other_request_reaches_the_store(far: Proxy, port: str, method: str, path: str) -> None:
    far.backend.seen.clear()
    assert far.ask(port, method, path)[0] == 403
    assert far.backend.seen == []


@pytest.mark.parametrize(("method", "path", "status"), HISTORY)
def test_the_history_of_alerts_has_a_port_for_what_grafana_needs(
    far: Proxy, method: str, path: str, status: int
) -> None:
    assert far.ask("alert-history", method, path, Authorization=basic(PASSWORD))[0] == status
    assert far.ask("alert-history", method, path)[0] in {401, 403}
