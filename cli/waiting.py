"""Waiting for something to be so, and for how long it took."""

from __future__ import annotations

import time
from collections.abc import Callable


def until(done: Callable[[], object], within: float, *, every: float = 0.1) -> float:
    """Return after how many seconds `done` gave something true, infinity when it did not `within` so many."""
    began = time.monotonic()
    while not done():
        if time.monotonic() - began > within:
            return float("inf")
        time.sleep(every)
    return time.monotonic() - began
