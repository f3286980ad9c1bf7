"""Pulumi's SDK, without work that it repeats on every run and whose result is never shown."""

from __future__ import annotations

import os
from typing import Final

import pulumi

DEBUG: Final = "OBSERVABILITY_SDK_DEBUG"
"""Environment variable: with any value, the SDK's debug messages reach `pulumi up --debug`."""


def leave_out_debug_messages() -> None:
    """Keep the SDK from sending its debug messages, unless DEBUG is set.

    It sends each of them to the engine and waits for the answer, also when nothing shows them: some 500 in a run of 120
    resources, a seventh of the time of an `up` that changes nothing (docs/measurements.md).
    """
    if not os.environ.get(DEBUG):
        pulumi.log.debug = lambda *_args, **_kwargs: None
