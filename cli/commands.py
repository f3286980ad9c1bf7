"""The commands by name. Each returns an exit code; what cannot go on says so in one sentence."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module

from cli.bootstrap import UserError

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
    "reference",
    "digests",
    "sbom",
    "password",
    "recover-password",
    "screenshots",
)


MODULES = {
    "recover-password": "cli.recover_password",
    "import": "cli.import_content",
    **{name: f"lab.{name}" for name in ("bench", "digests", "faults", "screenshots", "stress")},
    "settings": "lab.settings_table",
    "reference": "lab.reference",
}
"""Where a command is that is not the module of its name in this package."""


def main(arguments: list[str]) -> int:
    """Run the command that `arguments` name."""
    if not arguments or arguments[0] not in _COMMANDS:
        print(f"usage: make {'|'.join(_COMMANDS)} [STACK=dev]", file=sys.stderr)
        return 2
    command: Callable[[list[str]], int] = import_module(MODULES.get(arguments[0], f"cli.{arguments[0]}")).main
    try:
        return command(arguments[1:])
    except UserError as stop:
        print(f"{stop}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
