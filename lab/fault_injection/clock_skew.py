"""Applications with wrong clocks: one five minutes behind, one five minutes ahead, one correct.

The host's clock is not changed: the timestamps of each application are shifted. All three push the same data, a request
counter with one failure in ten, a trace and a log line, for longer than the shortest SLO window.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import Any, Final

from cli import otlp
from cli.console import say
from lab.fault_injection import Outcome, after, missed
from lab.fault_injection.alarms import watched
from lab.load_generator import Backends
from lab.sandbox import Sandbox
from observability.names import series

OFF_SECONDS: Final = 300.0
SECONDS: Final = 900.0
EVERY_SECONDS: Final = 5.0
CLOCKS: Final = {"behind": -OFF_SECONDS, "right": 0.0, "ahead": OFF_SECONDS}
MEASURED: Final = ("right", "ahead")
_GOOD, _BAD = 9, 1
"""Requests in each push."""
_SHARE: Final = _GOOD / (_GOOD + _BAD)
_TOLERANCE: Final = 0.01

Json = dict[str, Any]


def shifted(item: Json, seconds: float) -> Json:
    """Return a copy of `item` with every timestamp in it shifted."""

    def walk(value: Any) -> Any:  # noqa: ANN401 - JSON
        if isinstance(value, dict):
            return {
                key: str(int(part) + round(seconds * 1e9)) if key.endswith("TimeUnixNano") or key == "timeUnixNano"
                else walk(part)
                for key, part in value.items()
            }  # fmt: skip
        return [walk(part) for part in value] if isinstance(value, list) else value

    result: Json = walk(item)
    return result


def scenario(stack: Sandbox, _after: ExitStack) -> Outcome:
    """Push for SECONDS, then count, and compare the SLOs of all three with what was sent."""
    stack.configure(services=[{"name": name, "otlp": True} for name in CLOCKS])
    stack.up()
    endpoint, backends = stack.url("otlpHttp"), Backends.of(stack)
    began, times = time.time(), 0
    traces: dict[str, list[str]] = {name: [] for name in CLOCKS}
    with watched(stack) as alarms:
        while time.time() - began < SECONDS:
            times += 1
            for name, off in CLOCKS.items():
                trace = otlp.new_trace()
                traces[name].append(trace)
                for what, item in (
                    ("spans", otlp.span(trace, otlp.new_span(), name="GET /pay")),
                    ("records", otlp.record(f"request {times}", trace)),
                    ("metrics", _requests(times, began)),
                ):
                    otlp.push(endpoint, what, {name: [shifted(item, off)]})
            time.sleep(max(0.0, began + times * EVERY_SECONDS - time.time()))
        time.sleep(2 * EVERY_SECONDS)
        ratios = {name: _ratio(backends, name) for name in CLOCKS}
    say(f"  {times} pushes each; availability of the last 5 minutes: {ratios}")
    lost = {
        name: {
            "traces": times - backends.found(traces[name]),
            "lines": times - backends.written(name, "1h", at=time.time() + 2 * OFF_SECONDS),
            "points": times - int(backends.value(_points(name), at=time.time() + 2 * OFF_SECONDS)),
        }
        for name in CLOCKS
    }
    recorded_seconds = {name: backends.value(_recorded_seconds(name)) for name in CLOCKS}
    gone_alerts = {title: alarm for title, alarm in alarms.pages.items() if "gone" in title}
    return Outcome(
        f"applications {OFF_SECONDS:.0f} s behind and ahead, for {SECONDS:.0f} s",
        "; ".join(
            f"{name}: {', '.join(f'{n} of {times} {what}' for what, n in of.items())}" for name, of in lost.items()
        ),
        ", ".join(
            f"{name}: availability {ratios[name]:.3f}, recorded for {after(recorded_seconds[name])}" for name in CLOCKS
        ),
        alarms.summary() or "no alert",
        missed(
            {
                "everything pushed is stored": not any(n for of in lost.values() for n in of.values()),
                **{
                    f"the SLO with the clock {name} is correct": abs(ratios[name] - _SHARE) < _TOLERANCE
                    for name in MEASURED
                },
                # A range query ends now and looks back 5 minutes: older samples are stored, and no alert sees them.
                "an alert says that the one behind sends nothing": [t for t in gone_alerts if t.startswith("behind")],
                "no alert says that the correct one is gone": not [t for t in gone_alerts if t.startswith("right")],
                "an alert that the one ahead is gone lasts no longer than the offset": all(
                    alarm.ended - alarm.began <= OFF_SECONDS
                    for t, alarm in gone_alerts.items()
                    if t.startswith("ahead")
                ),
            }
        ),
    )


def _requests(times: int, began: float) -> Json:
    """Return the histogram that OpenTelemetry's instrumentation exports for the requests so far."""
    points = [
        {
            "timeUnixNano": str(time.time_ns()),
            "startTimeUnixNano": str(int(began * 1e9)),
            "count": str(count * times),
            "sum": count * times * 0.1,
            "explicitBounds": [0.1, 0.25, 0.5, 1],
            "bucketCounts": [str(count * times), "0", "0", "0", "0"],
            "attributes": [
                {"key": "http.route", "value": {"stringValue": "/pay"}},
                {"key": "http.request.method", "value": {"stringValue": "POST"}},
                {"key": "http.response.status_code", "value": {"intValue": status}},
            ],
        }
        for status, count in ((200, _GOOD), (500, _BAD))
    ]
    histogram = {"aggregationTemporality": 2, "dataPoints": points}
    return {"name": "http.server.request.duration", "unit": "s", "histogram": histogram}


def _ratio(backends: Backends, name: str) -> float:
    return backends.value(f'slo:availability:ratio_rate5m{{service="{name}"}}')


def _recorded_seconds(name: str) -> str:
    """Return the query for how many seconds the SLO was recorded: one evaluation a minute."""
    return f'60 * count_over_time({series.SLO_REQUESTS}{{service="{name}", slo="{series.SLO_AVAILABILITY}"}}[1h])'


def _points(name: str) -> str:
    counter = "http_server_request_duration_seconds_count"
    return f'max(count_over_time({counter}{{service_name="{name}"}}[1h]))'
