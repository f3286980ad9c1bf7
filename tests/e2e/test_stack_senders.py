"""Senders outside the Docker host, each with a token of its own: what one of them sends is of its own services."""

from __future__ import annotations

import base64
import json
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from docker import DockerClient

from lab.sandbox import Sandbox
from tests import readme
from tests.e2e.conftest import wait_for, wait_healthy
from tests.e2e.drill import gateway
from tests.pem import self_signed


@dataclass(frozen=True)
class Door:
    """The stack, and OTLP over HTTP as a sender outside finds it."""

    stack: Sandbox
    url: str
    certificate: str
    token: str

    def send(self, service: str, text: str, password: str) -> int:
        """Send a log line of `service` as the sender `checkout`; return the status."""
        record = {"timeUnixNano": str(time.time_ns()), "body": {"stringValue": text}}
        resource = {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]}
        body = {"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": [record]}]}]}
        basic = base64.b64encode(f"checkout:{password}".encode()).decode()
        request = urllib.request.Request(
            f"{self.url}/v1/logs",
            json.dumps(body).encode(),
            {"Content-Type": "application/json", "Authorization": f"Basic {basic}"},
        )
        context = ssl.create_default_context(cadata=self.certificate)
        try:
            with urllib.request.urlopen(request, timeout=10, context=context) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code

    def lines(self, text: str) -> list[Any]:
        """Return the streams of the stored lines that hold `text`."""
        query = urllib.parse.quote(f'{{service_name=~".+"}} |= "{text}"')
        path = f"/api/datasources/proxy/uid/loki/loki/api/v1/query_range?query={query}&limit=100"
        found: list[Any] = self.stack.grafana().request("GET", path)["data"]["result"]
        return found


@pytest.fixture(scope="module")
def door(make_real: Callable[..., Sandbox], engine: DockerClient) -> Iterator[Door]:
    stack = make_real("e2e-senders")
    assert stack.pulumi("stack", "init").returncode == 0
    address = gateway(engine)
    certificate, key = self_signed(address, "127.0.0.1")
    stack.configure(
        tlsCertificate=certificate,
        tlsCaCertificate=certificate,
        addresses={"otlpHttp": address},
        publishReason="a test of senders outside the host",
        otlpSenders={"checkout": []},
    )
    stack.set_secret("tlsKey", key)
    readme.works(stack, 'pulumi config set --secret --path otlpTokens.checkout "$(openssl rand -hex 24)"')
    token = stack.pulumi("config", "get", "--path", "otlpTokens.checkout").stdout.strip()
    assert len(token) == 48
    stack.up()
    port = urllib.parse.urlsplit(stack.url("otlpHttp")).port
    yield Door(stack, f"https://{address}:{port}", certificate, token)
    stack.sweep()


def test_a_sender_speaks_for_its_own_service_alone(door: Door) -> None:
    wait_healthy(door.stack)
    own, others = (f"{name} {time.time_ns()}" for name in ("own", "others"))
    assert door.send("checkout", own, door.token) == 200
    assert door.send("payments", others, door.token) == 200, "dropped and counted, as every item that cannot be stored"
    (stream,) = wait_for(lambda: door.lines(own), 60)
    assert stream["stream"]["service_name"] == "checkout"
    assert door.lines(others) == []


def test_another_token_is_refused(door: Door) -> None:
    assert door.send("checkout", "x", door.token[:-1]) == 401
    assert door.send("checkout", "x", "") == 401


def test_the_token_is_nowhere_to_be_read(door: Door) -> None:
    places = {
        "inspect": json.dumps(door.stack.container("collector").attrs),
        "state": door.stack.pulumi("stack", "export").stdout,
        "output": door.stack.container("collector").logs().decode(errors="replace"),
    }
    assert [place for place, text in places.items() if door.token in text] == []


def test_a_second_run_changes_nothing(door: Door) -> None:
    door.stack.expect_no_changes()
