"""The Docker engine is killed (SIGKILL) and started again with the same command.

This stops every container on the machine, so the scenario runs only when it is named.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import docker.errors
import psutil

from cli.console import say
from cli.errors import UserError
from cli.waiting import until
from lab import load_generator
from lab.fault_injection import AROUND_SECONDS, RATE, Outcome, after, log_line, missed, settle
from lab.fault_injection.alarms import watched
from lab.load_generator import Backends
from lab.sandbox import Sandbox
from observability.settings import CONTAINERS, SERVICES

DOWN_SECONDS: Final = 20.0
"""Seconds until the engine is started again."""
_BACK_SECONDS: Final = 180.0
_PID: Final = Path("/var/run/docker.pid")


@dataclass(frozen=True)
class Engine:
    """The engine's process and what is needed to start it again."""

    process: psutil.Process
    command: tuple[str, ...]
    folder: str
    environment: dict[str, str]
    output: str
    supervised: bool
    """Whether a supervisor restarts it."""

    @classmethod
    def find(cls) -> Engine:
        """Return the engine of this machine; UserError if there is none."""
        try:
            process = psutil.Process(int(_PID.read_text()))
            if process.name() != "dockerd":
                raise UserError(f"process {process.pid}, which {_PID} names, is no Docker engine: {process.name()}")
            return cls(
                process,
                tuple(process.cmdline()),
                process.cwd(),
                process.environ(),
                # Output continues in the same file.
                str(Path(f"/proc/{process.pid}/fd/2").readlink()),
                "docker.service" in Path(f"/proc/{process.pid}/cgroup").read_text(),
            )
        except (OSError, ValueError, psutil.Error) as error:
            raise UserError(f"the Docker engine cannot be killed from here: {error}") from None

    def kill(self) -> None:
        """Kill it as the kernel would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(timeout=30)

    def start(self) -> None:
        """Start it again with the same command, unless a supervisor does."""
        if self.supervised:
            return
        output = self.output if Path(self.output).is_file() else os.devnull
        with Path(output).open("ab") as file:
            subprocess.Popen(  # noqa: S603 - what ran before
                self.command, cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL, stdout=file,
                stderr=file, start_new_session=True,
            )  # fmt: skip


def scenario(stack: Sandbox, _after: ExitStack) -> Outcome:
    """Kill the engine under light load, record what a person sees, start it again, and count what is lost."""
    engine = Engine.find()
    settle(stack)
    began = time.time()
    with watched(stack) as alarms, load_generator.counted(stack, RATE) as counted:
        time.sleep(AROUND_SECONDS)
        engine.kill()
        killed = time.monotonic()
        say("  the engine is dead …")
        try:
            answered = [name for name in SERVICES if stack.serves(name)]
            sentence = stack.run("up").stderr.strip()
            time.sleep(DOWN_SECONDS)
        finally:
            engine.start()
        started = time.monotonic()
        serves = until(lambda: all(stack.serves(name) for name in SERVICES), _BACK_SECONDS)
        healthy = until(lambda: _healthy(stack), _BACK_SECONDS)
        down = time.monotonic() - killed
        time.sleep(AROUND_SECONDS)
    gaps = {name: Backends.of(stack).longest_gap(name, began) for name in SERVICES}
    return Outcome(
        f"kill -9 of the Docker engine, started again after {started - killed:.0f} s",
        f"{counted}; {max(gaps.values()):.0f} s of metrics; served without it: {', '.join(answered) or 'nothing'}",
        f"serves {after(serves)}, healthy {after(serves + healthy)} after its start",
        f"`make up`: {sentence.splitlines()[0] if sentence else 'nothing'}; {alarms.summary() or 'no alert'};"
        f" log: {log_line(stack, 'collector', 'WAL|recover|queue', began) or 'nothing'}",
        missed(
            {
                "the containers recover without help": max(serves, healthy) <= _BACK_SECONDS,
                "acknowledged data is stored": counted.whole,
                "metrics are missing only while it was down": max(gaps.values()) <= down + 2 * AROUND_SECONDS,
                "`make up` says what is wrong": "Docker does not answer" in sentence,
            }
        ),
    )


def _healthy(stack: Sandbox) -> bool:
    try:
        return all(stack.healthy(name) for name in CONTAINERS)
    except (docker.errors.DockerException, OSError):
        return False
