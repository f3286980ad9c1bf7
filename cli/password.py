"""`make password`: the administrator's password, to the terminal only because somebody asked for it."""

from __future__ import annotations

import sys

from cli import pulumi


def main(_arguments: list[str]) -> int:
    """Print Grafana's administrator password."""
    pulumi.select()
    sys.stdout.write(pulumi.outputs()["grafanaAdminPassword"] + "\n")
    return 0
