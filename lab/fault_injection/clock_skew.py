"""Applications whose clocks are wrong: five minutes behind, five minutes ahead, beside one that is right.

The host's clock stays: each application's own times are moved. All three push the same, a request counter with one
failure in ten, a trace and a line, for longer than the shortest window of the SLOs.
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
SEEN: Final = ("right", "ahead")
_GOOD, _BAD = 9, 1
"""Requests each time."""
_SHARE: Final = _GOOD / (_GOOD + _BAD)
_TOLERANCE: Final = 0.01

Json = dict[str, Any]


def moved(item: Json, seconds: float) -> Json:
    """Return `item`, and all in it, with every time of it moved."""

    def walk(value: Any) -> Any:  # noqa: ANN401 - JSON
        if isinstance(value, dict):
            return {
                key: str(int(part) + round(seconds * 1e9)) if key.endswith("TimeUnixNano") or key == "timeUnixNano"
                else walk(part)
                for key, part in value.items()
            }  # fmt: skip
        return [walk(part) for part in value] if isinstance(value, list) else value

    found: Json = walk(item)
    return found


def scenario(stack: Sandbox, _after: ExitStack) -> Outcome:
    """Push for SECONDS, then count, and hold the SLOs of all three against what was sent."""
    stack.configure(services=[{"name": name, "otlp": True} for name in CLOCKS])
    stack.up()
    endpoint, where = stack.url("otlpHttp"), Backends.of(stack)
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
                    otlp.push(endpoint, what, {name: [moved(item, off)]})
            time.sleep(max(0.0, began + times * EVERY_SECONDS - time.time()))
        time.sleep(2 * EVERY_SECONDS)
        ratios = {name: _ratio(where, name) for name in CLOCKS}
    say(f"  {times} pushes each; availability of the last 5 minutes: {ratios}")
    lost = {
        name: {
            "traces": times - where.found(traces[name]),
            "lines": times - where.written(name, "1h", at=time.time() + 2 * OFF_SECONDS),
            "points": times - int(where.value(_points(name), at=time.time() + 2 * OFF_SECONDS)),
        }
        for name in CLOCKS
    }
    known = {name: where.value(_known(name)) for name in CLOCKS}
    gone = {title: alarm for title, alarm in alarms.pages.items() if "gone" in title}
    return Outcome(
        f"applications {OFF_SECONDS:.0f} s behind and ahead, for {SECONDS:.0f} s",
        "; ".join(
            f"{name}: {', '.join(f'{n} of {times} {what}' for what, n in of.items())}" for name, of in lost.items()
        ),
        ", ".join(f"{name}: availability {ratios[name]:.3f}, known for {after(known[name])}" for name in CLOCKS),
        alarms.told() or "no alert",
        missed(
            {
                "everything pushed is kept": not any(n for of in lost.values() for n in of.values()),
                **{f"the SLO of the one {name} is right": abs(ratios[name] - _SHARE) < _TOLERANCE for name in SEEN},
                # A range ends now, and Prometheus looks back 5 minutes: what is older is kept, and seen by no alert.
                "somebody is told that nothing is seen of the one behind": [t for t in gone if t.startswith("behind")],
                "who is right is not called gone": not [t for t in gone if t.startswith("right")],
                "who is ahead is not called gone for longer than that": all(
                    alarm.ended - alarm.began <= OFF_SECONDS for t, alarm in gone.items() if t.startswith("ahead")
                ),
            }
        ),
    )


def _requests(times: int, began: float) -> Json:
    """What OpenTelemetry's instrumentation exports of the requests so far."""
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


def _ratio(where: Backends, name: str) -> float:
    return where.value(f'slo:availability:ratio_rate5m{{service="{name}"}}')


def _known(name: str) -> str:
    """For how many seconds the SLO was recorded: one evaluation a minute."""
    return f'60 * count_over_time({series.SLO_REQUESTS}{{service="{name}", slo="{series.SLO_AVAILABILITY}"}}[1h])'


def _points(name: str) -> str:
    counter = "http_server_request_duration_seconds_count"
    return f'max(count_over_time({counter}{{service_name="{name}"}}[1h]))'
