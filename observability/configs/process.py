"""The process in a part's container: command, environment, files and health check. Plain values, no secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from observability.names.paths import TOOLS
from observability.own import secret_references
from observability.periods import Periods
from observability.topology import Network

WGET: Final = ("wget", "-q", "-O", "/dev/null")
"""A probe that fails unless the URL that follows answers."""
PROBE_SECONDS: Final = 4
"""Time limit of a probe, below the engine's limit for a health check (5 s)."""
UNREADY_CHECKS: Final = 12
"""Failed health checks in a row after which a service that was ready before is restarted: two minutes by default."""
TERMINATION_CHECKS: Final = 3
"""Further failed health checks during which the service may still end by itself."""
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
[ "$failed" -lt {UNREADY_CHECKS + TERMINATION_CHECKS} ] || kill -QUIT "$0"
[ "$failed" -lt {UNREADY_CHECKS} ] || kill -CONT "$0"
exit 1
"""
"""The shell script of the health check.

It limits the probe's time itself. busybox' `timeout` would leave a zombie process at each check, because the first
process of the container does not reap it, until the container reaches its limit of processes.
"""
_BORROWED: Final = f"{TOOLS}/busybox"


def restarting(*probe: str, pid: int = 1) -> tuple[str, ...]:
    """Return a health check that ends the service when `probe` keeps failing, so that the engine starts it again.

    Docker restarts a process that exits, but not one that hangs. A service that has not been ready since its start is
    not ended, because it may have much to read. A container's first process cannot be killed from inside: it gets
    SIGTERM, later SIGQUIT, with which Go's runtime exits and prints all stacks, and SIGCONT in case it was stopped.
    The image needs a shell.
    """
    return ("sh", "-c", _RESTARTING.replace(_SLEEP, "sleep"), str(pid), *probe)


def restarting_without_shell(*probe: str) -> tuple[str, ...]:
    """Return the same for an image without a shell, by the one in the volume that is mounted at TOOLS."""
    return (_BORROWED, "sh", "-c", _RESTARTING.replace(_SLEEP, f"{_BORROWED} sleep"), "1", *probe)


SecretName = Literal[
    "admin_password",
    "secret_key",
    "metrics_password",
    "history_password",
    "history_login",
    "otlp_senders",
    "demo_token",
    "webhook",
    "logs_store_login",
    "logs_object_store",
    "traces_store_login",
]
"""A secret that is generated or computed, by its field in `components.secrets.Secrets`."""


@dataclass(frozen=True)
class SettingSecret:
    """A secret setting, by its attribute of `Settings`; its file is left out if it is not configured."""

    attribute: str


@dataclass(frozen=True)
class ScrapeSecret:
    """A secret of a service's targets, by its name in the setting `scrapeSecrets`."""

    name: str


@dataclass(frozen=True)
class OwnText:
    """A text of the team's own content, in which `up` replaces `${secret:name}` by secrets.

    Attributes:
        template: the text with its references.
        yaml: whether it is YAML; a secret then becomes a YAML value, whatever characters it has.
    """

    template: str
    yaml: bool = False


Secret = SecretName | SettingSecret | ScrapeSecret | OwnText
"""The content of a secret file."""

STAND_IN: Final = "stand-in"
"""Content of a secret file that only has to exist for a checker."""


@dataclass(frozen=True)
class HostSocket:
    """A socket of the Docker host at `host`, mounted at `inside` for the group that owns it."""

    host: str
    inside: str


@dataclass(frozen=True)
class Process:
    """The process of a part.

    Attributes:
        health: command that fails if the part does not serve.
        health_interval: time between two health checks.
        command: arguments for the image's entry point.
        environment: environment variables.
        files: absolute path to text of each configuration file.
        uploads: the same content in fewer files, empty for `files` as they are. Pulumi's Docker provider compares
            every file of a container with every other one on each `up`, so many files are slow.
        checker: command that accepts or refuses `files`; empty for no check.
        secrets: absolute path of each secret file to its secret.
        socket: socket of the Docker host, None for none.
        host_paths: other paths of the Docker host to read-only paths in the container.
        networks: networks of the stack besides those of the part.
        periods: where it keeps the lines of which day, None for its volume alone.
    """

    health: tuple[str, ...]
    health_interval: str
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    uploads: Mapping[str, str] = field(default_factory=dict)
    checker: tuple[str, ...] = ()
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    socket: HostSocket | None = None
    host_paths: Mapping[str, str] = field(default_factory=dict)
    networks: tuple[Network, ...] = ()
    periods: Periods | None = None

    @property
    def borrows_tools(self) -> bool:
        """Whether the health check needs tools that the image does not have."""
        return self.health[0].startswith(f"{TOOLS}/")

    @property
    def checker_stand_ins(self) -> dict[str, str]:
        """The files that the checker, which gets no secrets, finds in place of secret files that have to exist."""
        return {
            path: STAND_IN if isinstance(secret, ScrapeSecret) else secret_references.stand_in(secret.template)
            for path, secret in self.secrets.items()
            if isinstance(secret, ScrapeSecret | OwnText)
        }
