"""The real thing: a copy of the project, a stack of its own, a real engine. Skips, with a reason, where it is not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import docker
import pytest
from docker import DockerClient

from cli import engine as docker_engine
from lab.sandbox import Sandbox, missing
from observability.settings import CONTAINERS


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = [i for i in items if "/e2e/" in str(i.path)]
    if not here:
        return
    for item in here:
        item.add_marker(pytest.mark.e2e)
    reason = missing()
    if reason is not None:
        for item in here:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def engine() -> DockerClient:
    return docker.from_env()


@pytest.fixture(scope="session")
def make_real(tmp_path_factory: pytest.TempPathFactory, engine: DockerClient) -> Iterator[Callable[..., Sandbox]]:
    """Make a stack from a fresh copy of the project, by its name."""
    made: list[Sandbox] = []

    def make(name: str, base: str = "dev") -> Sandbox:
        folder = tmp_path_factory.mktemp(name) / "project"
        made.append(Sandbox.make(folder, name, engine=engine, base=base))
        return made[-1]

    yield make
    for stack in made:
        stack.sweep()


@pytest.fixture(scope="module")
def real(make_real: Callable[[str], Sandbox], request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """A stack that is up, one for each test module."""
    name = request.module.__name__.rsplit("_", 1)[-1]
    stack = make_real(f"e2e-{name}")
    stack.up()
    yield stack
    stack.sweep()


def wait_for(what: Callable[[], Any], seconds: float = 60) -> Any:  # noqa: ANN401
    """Return the first true answer of `what`, AssertionError when there is none in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = what()
        if answer:
            return answer
        time.sleep(0.5)
    raise AssertionError(f"nothing after {seconds} s")


def wait_healthy(stack: Sandbox, *services: str) -> None:
    """Wait until Docker calls the services (all, where none is named) healthy."""
    named = services or CONTAINERS
    wait_for(lambda: all(docker_engine.health(stack.container(name)) == "healthy" for name in named))
