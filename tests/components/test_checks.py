"""The checks before and after a service starts: what keeps a service from being replaced, and what calls it ready."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from components.checks import CheckFailedError, PreflightProvider, ReadinessProvider


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield int(listener.getsockname()[1])


def preflight(**changed: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"service": "loki", "host": "127.0.0.1", "ports": [], "exit_code": 0, "checker_output": ""} | changed


def test_preflight_opens_when_nothing_is_wrong() -> None:
    assert PreflightProvider().create(preflight(ports=[9])).id == "loki"


def test_preflight_names_the_port_that_is_taken(taken_port: int) -> None:
    with pytest.raises(CheckFailedError, match=f"loki.* port {taken_port} on 127.0.0.1"):
        PreflightProvider().create(preflight(ports=[taken_port]))


def test_preflight_does_not_mind_the_ports_the_service_holds_itself(taken_port: int) -> None:
    old = preflight(ports=[taken_port])
    new = preflight(ports=[taken_port, 9], checker_output="fine")
    assert PreflightProvider().update("loki", old, new).outs == new
    with pytest.raises(CheckFailedError):
        PreflightProvider().update("loki", preflight(ports=[9]), new)


def test_preflight_repeats_what_the_checker_said() -> None:
    with pytest.raises(CheckFailedError, match="line 3: field nonsense not found"):
        PreflightProvider().create(preflight(exit_code=1, checker_output="line 3: field nonsense not found"))


def readiness(url: str, **changed: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"service": "loki", "url": url, "container": "c1", "container_name": "obs-loki", "timeout": 5} | changed


def test_readiness_waits_for_200() -> None:
    answers = [503, 503, 200]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(answers.pop(0))
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        ReadinessProvider().create(readiness(f"http://127.0.0.1:{server.server_port}/ready"))
        server.shutdown()
        thread.join()
    assert answers == []


def test_readiness_says_what_it_heard_last() -> None:
    with pytest.raises(CheckFailedError, match=r"was not ready after 0 s.*docker logs obs-loki") as caught:
        ReadinessProvider().create(readiness("http://127.0.0.1:9/ready", timeout=0.3))
    assert "refused" in str(caught.value)


def test_another_container_asks_again_and_replaces_nothing() -> None:
    difference = ReadinessProvider().diff("loki", readiness("u"), readiness("u", container="c2"))
    assert difference.changes
    assert difference.replaces == []
    assert not ReadinessProvider().diff("loki", readiness("u"), readiness("u")).changes
