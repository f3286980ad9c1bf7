"""The check that each probe runs. Its result is shown too, but a failing target is not the stack's failure."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from cli import link_check
from observability.names.uids import DATASOURCE_PROMETHEUS
from observability.settings import Probe, seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.grafana_api import GrafanaApi
    from observability.settings import Settings

_POLL_SECONDS: Final = 2
_INTERVALS: Final = 3
"""Intervals after which a probe that was just added has run."""


def checks(api: GrafanaApi, settings: Settings) -> Iterator[tuple[str, str, bool, str]]:
    """Yield part, name, whether the probe runs, and its result."""
    longest = max((seconds(probe.interval) for probe in settings.probes), default=0.0)
    deadline = time.monotonic() + _INTERVALS * longest
    for probe in settings.probes:
        while (success := _value(api, probe, "probe_success")) is None and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        yield "probe", probe.name, success is not None, _answer(api, probe, success)


def _answer(api: GrafanaApi, probe: Probe, success: float | None) -> str:
    if success is None:
        return f"{probe.target} is not probed"
    took = _value(api, probe, "probe_duration_seconds") or 0.0
    return f"{probe.target} {'answers' if success else 'FAILS'}, after {1000 * took:.0f} ms"


def _value(api: GrafanaApi, probe: Probe, metric: str) -> float | None:
    return link_check.value(api, DATASOURCE_PROMETHEUS, f'max({metric}{{service="{probe.name}"}})')
