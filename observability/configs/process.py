"""What runs in a part's container: command, environment, files, health check. Plain values, no secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from observability.names.paths import TOOLS
from observability.own import secret_references

WGET: Final = ("wget", "-q", "-O", "/dev/null")
"""Fails unless the URL that follows answers."""
PROBE_SECONDS: Final = 4
"""After that a probe has failed: less than the engine's time for a health check (5 s)."""
UNREADY_CHECKS: Final = 12
"""Failed health checks in a row after which a service that was ready once is restarted: two minutes by default."""
DEAF_CHECKS: Final = 3
"""Failed health checks after that for which a service may take to end by itself."""
_SLEEP: Final = "@sleep@"
_RESTARTING: Final = f"""\
count="${{STATE:-/tmp}}/unready"
runs() {{ read -r status < "/proc/$1/stat" && case "$status" in *") Z "*) return 1;; esac; }} 2> /dev/null
"$@" &
probe=$! tenths=0
while runs "$probe"; do
  [ "$tenths" -lt {10 * PROBE_SECONDS} ] || kill -KILL "$probe"
  {_SLEEP} 0.1; tenths=$((tenths + 1))
done
if wait "$probe"; then echo 0 > "$count"; exit 0; fi
[ -e "$count" ] || exit 1
read -r failed < "$count"
failed=$((failed + 1)); echo "$failed" > "$count"
[ "$failed" -lt {UNREADY_CHECKS} ] || kill -TERM "$0"
[ "$failed" -lt {UNREADY_CHECKS + DEAF_CHECKS} ] || kill -QUIT "$0"
[ "$failed" -lt {UNREADY_CHECKS} ] || kill -CONT "$0"
exit 1
"""
"""Gives a probe its time itself: `timeout` of busybox leaves a process behind for the container's first process, which
does not collect it, so that after some hours of health checks the container may start no process any more.
"""
_BORROWED: Final = f"{TOOLS}/busybox"


def restarting(*probe: str, pid: int = 1) -> tuple[str, ...]:
    """Return a health check that ends the service when `probe` keeps failing; the engine then starts it again.

    The engine itself restarts what ends, and leaves alone what hangs. A service that was not ready since its start is
    left alone: it may have much to read. The first process of a container cannot be killed from within: it is asked to
    end, and if it is deaf to that, Go's runtime ends it and prints what it was doing (SIGQUIT). A stopped one goes on
    first. Needs a shell in the image.
    """
    return ("sh", "-c", _RESTARTING.replace(_SLEEP, "sleep"), str(pid), *probe)


def restarting_without_shell(*probe: str) -> tuple[str, ...]:
    """Return the same for an image without a shell: it borrows one, which the service has mounted at TOOLS."""
    return (_BORROWED, "sh", "-c", _RESTARTING.replace(_SLEEP, f"{_BORROWED} sleep"), "1", *probe)


SecretName = Literal[
    "admin_password",
    "secret_key",
    "metrics_password",
    "smtp_password",
    "tls_key",
    "oauth_client_secret",
    "history_password",
    "history_login",
    "otlp_token",
    "otlp_senders",
    "demo_token",
    "webhook",
    "metrics_store_password",
    "logs_store_password",
    "logs_store_login",
    "traces_store_password",
    "traces_store_login",
]
"""A secret of the stack, by its field in `components.secrets.Secrets`."""


@dataclass(frozen=True)
class ScrapeSecret:
    """A secret of a service's targets, by its name in the setting `scrapeSecrets`."""

    name: str


@dataclass(frozen=True)
class OwnText:
    """A text of the team's own content: `${secret:name}` in it is filled in when it is deployed.

    `yaml` tells that it is YAML: secrets then become values of it, whatever characters they have.
    """

    template: str
    yaml: bool = False


STAND_IN: Final = "stand-in"
"""Content of a secret file that only has to exist for a checker."""


@dataclass(frozen=True)
class HostSocket:
    """A socket of the Docker host at `host`, mounted at `inside`, readable by the group that owns it."""

    host: str
    inside: str


@dataclass(frozen=True)
class Process:
    """One part's process.

    Attributes:
        health: command that fails when the part does not serve.
        health_interval: time between two health checks.
        command: arguments for the image's entry point.
        environment: environment variables.
        files: absolute path to text of each configuration file.
        uploads: the same content in fewer files, where the process reads it so too; empty for `files` as they are.
            Pulumi's Docker provider compares every file of a container with every other on each `up`.
        checker: command that accepts or refuses `files`; empty to take them as they are.
        secrets: absolute path of each secret file to the secret that it holds.
        socket: a socket of the Docker host, None for none.
        host_paths: other paths of the Docker host, and where they are in the container, read-only.
    """

    health: tuple[str, ...]
    health_interval: str
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    uploads: Mapping[str, str] = field(default_factory=dict)
    checker: tuple[str, ...] = ()
    secrets: Mapping[str, SecretName | ScrapeSecret | OwnText] = field(default_factory=dict)
    socket: HostSocket | None = None
    host_paths: Mapping[str, str] = field(default_factory=dict)

    @property
    def borrows_tools(self) -> bool:
        """Whether the health check needs tools that the image does not have."""
        return self.health[0].startswith(f"{TOOLS}/")

    @property
    def checker_stand_ins(self) -> dict[str, str]:
        """What the checker, which sees no secret, finds at the paths that have to exist for it."""
        return {
            path: STAND_IN if isinstance(secret, ScrapeSecret) else secret_references.stand_in(secret.template)
            for path, secret in self.secrets.items()
            if isinstance(secret, ScrapeSecret | OwnText)
        }
