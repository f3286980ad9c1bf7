"""The context that every command gets: one stack, with access to Pulumi, Docker and the terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from cli.console import Console
from cli.environment import Environment
from cli.errors import NotConfirmedError
from cli.pulumi import Pulumi

if TYPE_CHECKING:
    from cli.engine import Engine
    from components.grafana_api import GrafanaApi
    from observability.settings import Settings


def _connect(context: Context) -> Engine:
    from cli import engine  # noqa: PLC0415 - Docker's client costs 0.2 s, which `plan` need not pay

    return engine.connect(context.stack)


def _settings(stack: str) -> Settings:
    from cli import stack_config  # noqa: PLC0415 - as above

    return stack_config.settings(stack)


@dataclass(frozen=True)
class Context:
    """A stack and its surroundings. Tests replace the two factories."""

    stack: str
    environment: Environment = field(default_factory=Environment)
    pulumi: Pulumi = field(default=None)  # type: ignore[assignment] # made below, for this stack
    console: Console = field(default_factory=Console)
    connect: Callable[[Context], Engine] = field(default=_connect, repr=False)
    load_settings: Callable[[str], Settings] = field(default=_settings, repr=False)

    def __post_init__(self) -> None:
        """Use the CLI for this stack unless one was passed."""
        if self.pulumi is None:
            object.__setattr__(self, "pulumi", Pulumi(self.stack, self.environment, self.console))

    @cached_property
    def engine(self) -> Engine:
        """Return the stack's Docker engine; NoEngineError when it does not answer."""
        return self.connect(self)

    @cached_property
    def settings(self) -> Settings:
        """Return the checked settings; InvalidSettingsError with every problem."""
        return self.load_settings(self.stack)

    def grafana(self) -> GrafanaApi:
        """Return Grafana's API as the program uses it; NotUpError when the stack is not up."""
        from components.grafana_api import program  # noqa: PLC0415 - as above

        return program(self.pulumi.outputs())

    def confirm(self, warning: str, unchanged: str, *, given: str | None) -> None:
        """Ask for the stack's name unless `given` (YES) has it; NotConfirmedError for any other answer.

        Args:
            warning: what will happen, as a sentence.
            unchanged: what stays as it was after a refusal, as the end of a sentence.
            given: the confirmation from the command line or the environment.
        """
        name = self.stack
        if given is None:
            if not sys.stdin.isatty():
                msg = f"{warning} Run this command in a terminal, or with YES={name}. {unchanged.capitalize()}."
                raise NotConfirmedError(msg)
            self.console.say(warning)
            given = input(f"Type '{name}' to continue: ")
        if given != name:
            msg = f"'{given}' is not '{name}': {unchanged}"
            raise NotConfirmedError(msg)
