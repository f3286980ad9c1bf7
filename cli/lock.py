"""One process at a time changes a stack.

Pulumi has a lock of its own, but takes it late, and refuses in its own words: two first runs collide before it, where
the stack itself is created.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from cli.context import Context
from cli.errors import StackLockedError


@contextmanager
def held(context: Context) -> Iterator[None]:
    """Hold the stack's lock on this machine during the block; StackLockedError names the process that has it."""
    folder = context.environment.file_backend or context.environment.state
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    # The lock ends with the process, however that ends, so there is nothing to clean up.
    with (folder / f"{context.stack}.lock").open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise locked(context.stack, file.read().strip() or "?") from None
        file.truncate(0)
        file.write(f"{os.getpid()}")
        file.flush()
        yield


def locked(stack: str, process: object) -> StackLockedError:
    """Return the error for the process that comes second."""
    return StackLockedError(
        f"stack '{stack}' is being changed by process {process} on this machine: wait until it is done"
    )
