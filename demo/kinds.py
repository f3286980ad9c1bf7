"""The faults that there are."""

from __future__ import annotations

from typing import Literal

Kind = Literal["errors", "latency", "saturation", "crash"]
