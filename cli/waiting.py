"""Waits for a condition, and measures how long it took."""

from __future__ import annotations

import time
from collections.abc import Callable


def until(done: Callable[[], object], within: float, *, every: float = 0.1) -> float:
    """Return the seconds until `done` returned a true value, infinity if it did not `within` that many."""
    began = time.monotonic()
    while not done():
        if time.monotonic() - began > within:
            return float("inf")
        time.sleep(every)
    return time.monotonic() - began
