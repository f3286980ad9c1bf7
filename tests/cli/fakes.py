"""A context whose Pulumi and Docker are recorded or scripted, for the commands' tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from docker import DockerClient

from cli.console import Console
from cli.context import Context
from cli.engine import Engine
from cli.environment import Environment
from cli.pulumi import Pulumi
from observability.settings import Settings


@dataclass(frozen=True)
class FakePulumi(Pulumi):
    """Records every call of the CLI; `answers` maps a first argument to an exit code and what is printed."""

    answers: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    on_output: Callable[..., str] = field(default=lambda *_, **__: "")
    made: list[tuple[str, ...]] = field(default_factory=list)

    def run(self, *arguments: str, check: bool = False) -> int:
        del check
        self.made.append(arguments)
        return 0

    def capture(self, *arguments: str) -> tuple[int, str]:
        self.made.append(arguments)
        return self.answers[arguments[0]]

    def output(
        self,
        *arguments: str,
        stdin: str | None = None,
        folder: Path = Path(),
        environment: Mapping[str, str] | None = None,
    ) -> str:
        del folder, environment
        self.made.append(arguments)
        return self.on_output(*arguments, stdin=stdin)


def engine(stack: str = "dev", **client: Any) -> Engine:  # noqa: ANN401 - stand-ins
    """Return an engine whose client has these attributes."""
    return Engine(cast("DockerClient", SimpleNamespace(**client)), stack)


def context(
    stack: str,
    *,
    variables: Mapping[str, str] | None = None,
    settings: Settings | None = None,
    docker: Engine | None = None,
    **pulumi: Any,  # noqa: ANN401 - fields of FakePulumi
) -> Context:
    """Return a context of a stack that touches neither Pulumi nor Docker."""
    environment = Environment(dict(variables or {}))
    return Context(
        stack,
        environment,
        FakePulumi(stack, environment, Console(), **pulumi),
        connect=lambda _: docker or engine(stack),
        load_settings=lambda name: settings or Settings(stack=name),
    )


def calls(of: Context) -> list[tuple[str, ...]]:
    """Return the calls of the Pulumi CLI."""
    return cast("FakePulumi", of.pulumi).made
