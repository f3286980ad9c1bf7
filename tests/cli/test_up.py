"""Ports: what other programs hold is refused by name, what the stack's own containers hold may change hands."""

from __future__ import annotations

import socket
from types import SimpleNamespace
from typing import Any, cast

import pytest
from docker import DockerClient

from cli import stack_config, up
from cli.bootstrap import UserError
from observability.names import labels


def client(**published: int) -> DockerClient:
    """Return an engine that runs these services of the stack `dev`, each with its port on the host."""
    found = []
    for service, port in published.items():
        ports = {"1/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(port)}], "2/tcp": None}
        own = {labels.SPEC: "{}", labels.SERVICE: service}
        found.append(SimpleNamespace(labels=own, attrs={"NetworkSettings": {"Ports": ports}}))
    return cast("DockerClient", SimpleNamespace(containers=SimpleNamespace(list=lambda **_: found)))


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Any:  # noqa: ANN401 - a generator of an int
    """Somebody listens where the collector is to take OTLP."""
    monkeypatch.setenv("STACK", "dev")
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        settings = SimpleNamespace(
            access_host="127.0.0.1",
            published=("grafana", "otlpHttp"),
            port=lambda name: taken if name == "otlpHttp" else 1,
        )
        monkeypatch.setattr(stack_config, "current", lambda: settings)
        yield taken


def test_a_port_of_another_program_is_refused_by_name(port: int) -> None:
    with pytest.raises(UserError, match=rf"port {port} \(otlpHttp\)\. .*Nothing was changed"):
        up.ports(client(jaeger=port + 1))


def test_a_port_may_pass_from_one_service_of_the_stack_to_another(port: int) -> None:
    up.ports(client(jaeger=port))
