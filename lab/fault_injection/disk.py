"""A service's data disk fills up and is freed again.

The disk is a file system in a sparse file. Docker gets it as the service's data volume before `up` creates one (the
program uses an existing data volume). One `fallocate` fills it without using space on the real disk.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cli.console import say
from cli.waiting import until
from components.grafana_api import GrafanaError
from lab import load_generator
from lab.fault_injection import AROUND_SECONDS, RATE, Outcome, Scenario, after, log_line, missed, restarts, settle
from lab.fault_injection.alarms import watched
from lab.load_generator import Backends
from lab.sandbox import Sandbox
from observability import topology

DISK_BYTES: Final = 4 * 1024**3
"""More than the free space below which the stack's alert fires."""
FULL_SECONDS: Final = 300.0
"""How long the disk stays full. An alert has to fire within this time."""
BACK_SECONDS: Final = 300.0
OWNERS: Final = {part.name: part.user for part in topology.STORES}
"""The user (uid:gid) that owns each service's data."""
_FILLING: Final = "filled-by-make-faults"
_CHUNK: Final = b"\0" * 4096
_POINTS_AROUND: Final = 3
"""Additional points that may be lost between two samples."""
_FULL: Final = r"(?i)no space left|disk is full|disk full|ENOSPC|SIGBUS|throttl"


@dataclass(frozen=True)
class SmallDisk:
    """A file system of DISK_BYTES at `path`."""

    path: Path

    @classmethod
    def make(cls, folder: Path, owner: str, after_: ExitStack) -> SmallDisk:
        """Create and mount one owned by `owner` (uid:gid); it is removed after the stack."""
        image, path = folder / "disk.img", folder / "disk"
        path.mkdir()
        with image.open("wb") as file:
            file.truncate(DISK_BYTES)
        _run("mkfs.ext4", "-q", "-m", "0", "-E", f"root_owner={owner}", str(image))
        _run("mount", "-o", "loop", str(image), str(path))
        after_.callback(_run, "umount", str(path))
        (path / "lost+found").rmdir()  # an image's own files and owner are copied to an empty volume only
        return cls(path)

    def fill(self) -> None:
        """Use all free space."""
        with (self.path / _FILLING).open("ab", buffering=0) as file, contextlib.suppress(OSError):
            statistics = os.statvfs(self.path)
            if free := statistics.f_bavail * statistics.f_frsize:
                with contextlib.suppress(OSError):
                    os.posix_fallocate(file.fileno(), file.tell(), free)
            while True:
                file.write(_CHUNK)

    def clear(self) -> None:
        """Free the space again."""
        (self.path / _FILLING).unlink()


def of(service: str) -> Scenario:
    """Return the scenario of this service's disk."""

    def scenario(stack: Sandbox, after_: ExitStack) -> Outcome:
        disk = SmallDisk.make(stack.folder.parent, OWNERS[service], after_)
        stack.docker.volumes.create(
            f"observability-{stack.name}-{service}-data",
            driver="local",
            driver_opts={"type": "none", "o": "bind", "device": str(disk.path)},
        )
        return _fill(stack, service, disk)

    return scenario


def _fill(stack: Sandbox, service: str, disk: SmallDisk) -> Outcome:
    settle(stack)
    began, before, stored = time.time(), restarts(stack)[service], 0
    with watched(stack) as alarms, load_generator.counted(stack, RATE) as counted:
        time.sleep(AROUND_SECONDS)
        disk.fill()
        full = alarms.now()
        say(f"  {service}'s disk is full …")
        while alarms.now() - full < FULL_SECONDS:
            time.sleep(AROUND_SECONDS)
            stored += stores(stack, service, time.time() - AROUND_SECONDS / 2)
            disk.fill()  # use the space that the service has freed itself
        fired = alarms.summary(full)
        disk.clear()
        freed = time.time()
        say(f"  space is free again; alerts until now: {fired or 'no alert'}")
        well = until(lambda: stack.serves(service) and stores(stack, service, freed), BACK_SECONDS, every=1)
        time.sleep(AROUND_SECONDS)
    died = restarts(stack)[service] - before
    gap = Backends.of(stack).longest_gap(service, began)
    return Outcome(
        f"{service}'s disk full for {FULL_SECONDS:.0f} s",
        f"{counted}; {gap:.0f} s of its own metrics",
        f"{after(well)} after space was free, without help" + (f", {died} restarts" if died else ""),
        f"{fired or 'no alert'}; log: {log_line(stack, service, _FULL, began) or 'nothing'};"
        f" stored in the meantime: {'some' if stored else 'nothing'}",
        missed(
            {
                "it recovers without help": well <= BACK_SECONDS,
                **_kept(service, counted.lost),
                "an alert fires while it is full": fired,
            }
        ),
    )


def _kept(service: str, lost: Mapping[str, int]) -> dict[str, bool]:
    """Return the requirement for acknowledged data.

    Prometheus cannot keep the whole of it: it answers 200 to OTLP whether or not it could write, in 3.16.0
    (`ConsumeMetrics` of its write_otlp_handler.go returns before its `Commit`). So the collector drops these metrics.
    """
    if service != "prometheus":
        return {"acknowledged data is stored": not any(lost.values())}
    pushed = FULL_SECONDS / load_generator.METRICS_SECONDS + _POINTS_AROUND
    others = {what: count for what, count in lost.items() if what != "points"}
    return {
        "acknowledged data is stored, except metrics pushed while the disk was full": not any(others.values())
        and lost.get("points", 0) <= pushed
    }


def stores(stack: Sandbox, service: str, since: float) -> bool:
    """Return whether a service has stored something since a Unix time."""
    if service != "grafana":
        return Backends.of(stack).takes(service, since)
    try:
        stack.grafana().request("POST", "/api/annotations", {"text": "is there room?", "tags": ["faults"]})
    except GrafanaError:
        return False
    return True


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - ours
