"""What `up` refuses before anything runs: ports of other programs, and images without a digest in production."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import pytest

from cli import policies, stack_config, up
from cli.context import Context
from cli.errors import UserError
from observability import versions
from observability.names import labels
from observability.settings import Settings
from tests.cli import fakes


@pytest.fixture
def port() -> Iterator[int]:
    """Another program listens where the collector is to accept OTLP."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def context(used: int, **published: int) -> Context:
    """Return a stack that wants the port `used`, and whose services publish these ports already."""
    result = []
    for service, port in published.items():
        ports = {"1/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(port)}], "2/tcp": None}
        own = {labels.SPEC: "{}", labels.SERVICE: service}
        result.append(SimpleNamespace(labels=own, attrs={"NetworkSettings": {"Ports": ports}}))
    settings = SimpleNamespace(
        access_host="127.0.0.1",
        published=("grafana", "otlpHttp"),
        port=lambda name: used if name == "otlpHttp" else 1,
    )
    docker = fakes.engine("dev", containers=SimpleNamespace(list=lambda **_: result))
    return fakes.context("dev", settings=cast("Settings", settings), docker=docker)


def test_a_port_of_another_program_is_refused_by_name(port: int) -> None:
    with pytest.raises(UserError, match=rf"port {port} \(otlpHttp\)\. .*Nothing was changed"):
        up.check_ports(context(port, jaeger=port + 1))


def test_a_port_may_pass_from_one_service_of_the_stack_to_another(port: int) -> None:
    up.check_ports(context(port, jaeger=port))


@pytest.fixture
def digests(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    def pin(digest: str) -> None:
        pinned = {name: replace(image, digest=digest) for name, image in versions.images().items()}
        monkeypatch.setattr(versions, "images", lambda: pinned)

    return pin


def test_production_without_digests_is_refused_before_anything_runs(digests: Callable[[str], None]) -> None:
    digests("")
    production = stack_config.settings("dev").model_copy(update={"production": True})
    with pytest.raises(UserError, match=r"no digest for .*grafana.*make digests"):
        policies.check_digests(production)
    policies.check_digests(stack_config.settings("dev"))


def test_production_with_digests_runs(digests: Callable[[str], None]) -> None:
    digests("sha256:" + "0" * 64)
    policies.check_digests(stack_config.settings("dev").model_copy(update={"production": True}))
