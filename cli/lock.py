"""One at a time: who changes a stack takes a turn first, so that two at once never meet in its state.

Pulumi has a lock of its own, but takes it late, and refuses in its own words: two first runs meet before it, where the
stack itself is made.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from cli import context
from cli.bootstrap import UserError


@contextmanager
def taken() -> Iterator[None]:
    """Hold the chosen stack's turn on this machine for the block; UserError names who holds it."""
    folder = context.file_backend() or context.STATE
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Of the process: it ends with it, however that ends, so there is nothing to clean up.
    with (folder / f"{context.stack()}.turn").open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise UserError(being_changed(file.read().strip() or "?")) from None
        file.truncate(0)
        file.write(f"{os.getpid()}")
        file.flush()
        yield


def being_changed(process: object) -> str:
    """Return the sentence for whoever comes second."""
    return f"stack '{context.stack()}' is being changed by process {process} on this machine: wait until it is done"
