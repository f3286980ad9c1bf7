"""The commands by name. Each returns an exit code; what cannot go on says so in one sentence."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module

from ops.bootstrap import CannotGoOn

_COMMANDS = (
    "up",
    "preview",
    "diff",
    "promote",
    "pull",
    "import",
    "plan",
    "render",
    "drift",
    "verify",
    "fault",
    "drill",
    "watch",
    "down",
    "destroy",
    "backup",
    "restore",
    "upgrade",
    "test",
    "bench",
    "stress",
    "faults",
    "settings",
    "digests",
    "password",
    "recover-password",
    "screenshots",
)


MODULES = {"recover-password": "recover_password", "import": "adopt"}
"""Of commands whose names Python cannot say; every other's module has its name."""


def main(arguments: list[str]) -> int:
    """Run the command that `arguments` name."""
    if not arguments or arguments[0] not in _COMMANDS:
        print(f"usage: make {'|'.join(_COMMANDS)} [STACK=dev]", file=sys.stderr)
        return 2
    command: Callable[[list[str]], int] = import_module(f"ops.{MODULES.get(arguments[0], arguments[0])}").main
    try:
        return command(arguments[1:])
    except CannotGoOn as stop:
        print(f"{stop}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
