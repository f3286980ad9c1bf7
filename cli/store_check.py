"""The check of an external store of metrics: one number is written, and found there."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from cli import link_check
from cli.otlp import push
from components.grafana_api import GrafanaApi
from observability.configs.prometheus import COPY
from observability.failures import reason
from observability.names.uids import DATASOURCE_LONG_TERM, DATASOURCE_PROMETHEUS
from observability.settings import Settings, seconds

METRIC: Final = "verify_copy_run"
"""A gauge whose value is the time of the newest `verify`, in seconds: always the same series."""
_SERVICE: Final = "verify"
_POLL_SECONDS: Final = 1
_PATIENCE_SECONDS: Final = 60


def check_copy(api: GrafanaApi, settings: Settings, outputs: Mapping[str, str]) -> tuple[bool, str]:
    """Write a number by OTLP and wait until the copy of the metrics has it; return whether it has, and the answer.

    If OTLP is not published on this machine, the newest scrape is looked for instead. Without `metrics.queryUrl`,
    Prometheus' own figures about its sending are used.
    """
    began = time.monotonic()
    patience = _PATIENCE_SECONDS + 2 * seconds(settings.scrape_interval)
    if not settings.metrics.query_url:
        sent = f'time() - max(prometheus_remote_storage_queue_highest_sent_timestamp_seconds{{remote_name="{COPY}"}})'
        age = _wait(api, DATASOURCE_PROMETHEUS, sent, began + patience, lambda age: age <= patience)
        what = "nothing sent" if age is None else f"newest sample sent {age:.0f} s ago"
        return age is not None, f"{what}; not read back, because metrics.queryUrl is empty"
    if "otlpEndpoint" not in outputs or settings.otlp_outside:
        scraped = 'time() - max(timestamp(up{job="prometheus"}))'
        age = _wait(api, DATASOURCE_LONG_TERM, scraped, began + patience, lambda age: age <= patience)
        return age is not None, "no newer scrape there" if age is None else f"newest scrape there {age:.0f} s old"
    run = int(time.time())
    try:
        push(outputs["otlpEndpoint"], "metrics", {_SERVICE: [_gauge(run)]})
    except OSError as error:
        return False, f"{outputs['otlpEndpoint']}: {reason(error)}"
    found = _wait(api, DATASOURCE_LONG_TERM, f"max({METRIC})", began + patience, lambda value: value >= run)
    took = f"after {time.monotonic() - began:.1f} s"
    return found is not None, f"a number written and found, {took}" if found else f"number {run} not found {took}"


def _gauge(value: int) -> dict[str, Any]:
    point = {"timeUnixNano": str(time.time_ns()), "asDouble": value}
    return {"name": METRIC, "gauge": {"dataPoints": [point]}}


def _wait(api: GrafanaApi, uid: str, expr: str, deadline: float, accepts: Callable[[float], bool]) -> float | None:
    """Return the first value of the query that is accepted, None when there was none in time."""
    while True:
        found = link_check.value(api, uid, expr)
        if found is not None and accepts(found):
            return found
        if time.monotonic() > deadline:
            return None
        time.sleep(_POLL_SECONDS)
