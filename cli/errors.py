"""Exit codes, and the errors that end a command with one of them. Imports only the standard library."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Self


class ExitCode(IntEnum):
    """What a command's exit code means; docs/reference/commands.md shows this table."""

    meaning: str

    def __new__(cls, value: int, meaning: str) -> Self:
        """Return the number, with its meaning beside it."""
        member = int.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    OK = 0, "the command did what it is for"
    FAILED = 1, "the command failed, or a check did not pass"
    USAGE = 2, "unknown command, option or value"
    DRIFTED = 7, "`drift`: the stack differs from the program or the state (Pulumi's own code for unexpected changes)"
    LOCKED = 10, "another process is changing the stack"
    SETTINGS = 11, "the settings of the stack are invalid"
    NO_ENGINE = 12, "the Docker engine does not answer"
    PASSPHRASE = 13, "wrong passphrase or key, or none"
    NOT_UP = 14, "the stack is not up"
    NOT_CONFIRMED = 15, "the confirmation is missing, or names another stack"
    MISSING_TOOL = 16, "a program or package is missing and cannot be installed"
    INTERRUPTED = 130, "interrupted by Ctrl-C"


class UserError(Exception):
    """A message for the user: what happened, what it means, what to do. No traceback."""

    code = ExitCode.FAILED


class UsageError(UserError):
    """An argument or option is not valid."""

    code = ExitCode.USAGE


class StackLockedError(UserError):
    """Another process is changing the stack."""

    code = ExitCode.LOCKED


class InvalidSettingsError(UserError):
    """The settings of the stack are not valid."""

    code = ExitCode.SETTINGS


class NoEngineError(UserError):
    """The Docker engine does not answer."""

    code = ExitCode.NO_ENGINE


class WrongPassphraseError(UserError):
    """A passphrase or key is missing, or does not decrypt what it should."""

    code = ExitCode.PASSPHRASE


class NotUpError(UserError):
    """The stack has not been brought up yet."""

    code = ExitCode.NOT_UP


class NotConfirmedError(UserError):
    """The user did not confirm a destructive command."""

    code = ExitCode.NOT_CONFIRMED


class MissingToolError(UserError):
    """A program or package is missing and could not be installed."""

    code = ExitCode.MISSING_TOOL
