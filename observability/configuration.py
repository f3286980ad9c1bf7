"""Reads Pulumi's configuration. No other module does: the rest of the program gets checked settings."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pulumi
from pulumi.runtime.config import CONFIG, is_config_secret

from observability import own_checks
from observability.own import OwnContentError
from observability.settings import PROJECT, Settings, SettingsError, load


def read() -> Settings:
    """Return the checked settings of the current stack.

    Raises:
        pulumi.RunError: with every problem that was found.

    """
    # When a resource fails, the engine interrupts this program; the traceback would hide the reason.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    prefix = f"{PROJECT}:"
    raw = {k.removeprefix(prefix): v for k, v in CONFIG.get().items() if k.startswith(prefix)}
    secret = frozenset(k for k in raw if is_config_secret(prefix + k))
    return checked(lambda: load(pulumi.get_stack(), raw, secret, CONFIG.get()))


def checked(settings: Callable[[], Settings]) -> Settings:
    """Return what `settings` loads, own content checked too; pulumi.RunError with every problem otherwise."""
    try:
        loaded = settings()
        for warning in own_checks.check(loaded).warnings:
            pulumi.info(warning)
    except (SettingsError, OwnContentError) as error:
        raise pulumi.RunError(str(error)) from None
    return loaded


def docker_host() -> str:
    """Return `docker:host` of the current stack, "" if it is not set."""
    return str(CONFIG.get().get("docker:host") or "")
