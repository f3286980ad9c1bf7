"""The Docker engine itself killed (SIGKILL), and started again as it had been started.

Takes every container of the machine along, also those of others: played only when it is named.
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
from lab.fault_injection import AROUND_SECONDS, RATE, Outcome, after, missed, said, settle
from lab.fault_injection.alarms import watched
from lab.load_generator import Backends
from lab.sandbox import Sandbox
from observability.settings import CONTAINERS, SERVICES

DOWN_SECONDS: Final = 20.0
"""Until somebody, or something, starts it again."""
_BACK_SECONDS: Final = 180.0
_PID: Final = Path("/var/run/docker.pid")


@dataclass(frozen=True)
class Engine:
    """The engine's process, and all that it takes to start it again."""

    process: psutil.Process
    command: tuple[str, ...]
    folder: str
    environment: dict[str, str]
    output: str
    supervised: bool
    """Whether something else starts it again when it dies."""

    @classmethod
    def find(cls) -> Engine:
        """Return the one of this machine; UserError without it."""
        try:
            process = psutil.Process(int(_PID.read_text()))
            if process.name() != "dockerd":
                raise UserError(f"process {process.pid}, which {_PID} names, is no Docker engine: {process.name()}")
            return cls(
                process,
                tuple(process.cmdline()),
                process.cwd(),
                process.environ(),
                # What it prints goes on where it went.
                str(Path(f"/proc/{process.pid}/fd/2").readlink()),
                "docker.service" in Path(f"/proc/{process.pid}/cgroup").read_text(),
            )
        except (OSError, ValueError, psutil.Error) as error:
            raise UserError(f"the Docker engine is not one that can be killed from here: {error}") from None

    def kill(self) -> None:
        """Kill it as the kernel would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(timeout=30)

    def start(self) -> None:
        """Start it again as it had been started; what supervises it has done so already."""
        if self.supervised:
            return
        output = self.output if Path(self.output).is_file() else os.devnull
        with Path(output).open("ab") as file:
            subprocess.Popen(  # noqa: S603 - what ran before
                self.command, cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL, stdout=file,
                stderr=file, start_new_session=True,
            )  # fmt: skip


def scenario(stack: Sandbox, _after: ExitStack) -> Outcome:
    """Kill the engine under light load, look what a person sees, start it again, and count."""
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
        f"`make up`: {sentence.splitlines()[0] if sentence else 'nothing'}; {alarms.told() or 'no alert'};"
        f" log: {said(stack, 'collector', 'WAL|recover|queue', began) or 'nothing'}",
        missed(
            {
                "the containers come back by themselves": max(serves, healthy) <= _BACK_SECONDS,
                "what was acknowledged is there": counted.whole,
                "metrics are missing for no longer than it was away": max(gaps.values()) <= down + 2 * AROUND_SECONDS,
                "`make up` says what is wrong": "Docker does not answer" in sentence,
            }
        ),
    )


def _healthy(stack: Sandbox) -> bool:
    try:
        return all(stack.healthy(name) for name in CONTAINERS)
    except (docker.errors.DockerException, OSError):
        return False
