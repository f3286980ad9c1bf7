"""Pulumi's SDK without its debug messages."""

from __future__ import annotations

import os
from typing import Final

import pulumi

DEBUG: Final = "OBSERVABILITY_SDK_DEBUG"
"""Environment variable: with any value, the SDK's debug messages reach `pulumi up --debug`."""


def leave_out_debug_messages() -> None:
    """Keep the SDK from sending debug messages, unless the environment variable DEBUG is set.

    The SDK sends each message to the engine and waits for the answer, even if none is shown: about 500 in a run of 120
    resources, a seventh of the time of an `up` without changes (docs/measurements.md).
    """
    if not os.environ.get(DEBUG):
        pulumi.log.debug = lambda *_args, **_kwargs: None
