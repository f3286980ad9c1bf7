"""Telemetry of requests, as an instrumented application would send it, sent at a steady rate and counted at both ends.

Each request is what one of the demo's is: five spans of three services, and two log lines with its trace's ID. What is
refused, or gets no answer, is sent again, as the OpenTelemetry libraries do; only what was acknowledged counts as sent.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from queue import SimpleQueue
from typing import Any, Final

from cli import otlp
from cli.waiting import until
from lab.sandbox import Sandbox

Json = dict[str, Any]

CLIENT, GATEWAY, MODEL = SERVICES = ("stress-customer", "stress-gateway", "stress-model")
SPANS: Final = 5
LINES: Final = 2
"""Of each request."""
COUNTER: Final = "stress_requests"
_TICK_SECONDS: Final = 0.1
_SENDERS: Final = 3
"""At once for each signal, so that one slow answer holds nothing up."""
METRICS_SECONDS: Final = 5.0
"""Between two points of the counter."""
_PAUSE_SECONDS: Final = 0.5
_PATIENCE_SECONDS: Final = 120.0
"""How long a batch is tried; the OpenTelemetry libraries give up earlier."""
_WINDOW_SECONDS: Final = 0.25
_MOST_TRACES: Final = 2_000
"""In one window, more than are ever sent in one."""

_DELETED: Final = re.compile(r'sweeper_chunk_deleted_duration_seconds_count\{.*status="success".*\} (\d+)')
_CLIENT: Final = {"kind": 3}


@dataclass
class Sent:
    """What was acknowledged: the requests whose spans, and those whose lines were; `total` is the newest count told.

    It was told `points` times. `began` and `ended` are seconds since 1970. `again` counts batches that had to be sent
    more than once, `given_up` requests whose batch was never accepted.
    """

    began: float
    ended: float = 0.0
    traces: set[str] = field(default_factory=set)
    lines: int = 0
    total: int = 0
    points: int = 0
    again: int = 0
    given_up: int = 0
    late_seconds: float = 0.0
    """How far the generator itself fell behind its schedule."""


class Traffic:
    """Sends `rate` requests a second to `endpoint`, a collector's URL without a path, from `start` to `stop`."""

    def __init__(self, endpoint: str, rate: int) -> None:
        self._endpoint, self._rate = endpoint, rate
        self.sent = Sent(time.time())
        self._queues: dict[str, SimpleQueue[list[str] | None]] = {"spans": SimpleQueue(), "records": SimpleQueue()}
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._made = 0
        self._senders = [
            threading.Thread(target=self._send, args=(what,), daemon=True)
            for what in self._queues
            for _ in range(_SENDERS)
        ]
        self._clocks = [threading.Thread(target=run, daemon=True) for run in (self._make, self._count)]

    def start(self) -> None:
        """Begin."""
        self.sent.began = time.time()
        for thread in (*self._senders, *self._clocks):
            thread.start()

    def stop(self) -> Sent:
        """Make no more requests, wait until all that were made are acknowledged or given up, and return them."""
        self._over.set()
        for thread in self._clocks:
            thread.join()
        for queue in self._queues.values():
            for _ in range(_SENDERS):
                queue.put(None)
        for thread in self._senders:
            thread.join()
        self._tell()
        self.sent.ended = time.time()
        return self.sent

    def _make(self) -> None:
        began, ticks, each = time.monotonic(), 0, max(1, round(self._rate * _TICK_SECONDS))
        tick = each / self._rate
        while not self._over.is_set():
            batch = [otlp.new_trace() for _ in range(each)]
            for queue in self._queues.values():
                queue.put(batch)
            self._made += each
            ticks += 1
            ahead = began + ticks * tick - time.monotonic()
            self.sent.late_seconds = max(self.sent.late_seconds, -ahead)
            if ahead > 0:
                time.sleep(ahead)

    def _send(self, what: str) -> None:
        make: Callable[[Sequence[str]], Mapping[str, Sequence[Json]]] = spans if what == "spans" else _records
        while (batch := self._queues[what].get()) is not None:
            acknowledged, tries = self._push(what, make(batch))
            with self._lock:
                self.sent.again += tries > 1
                if not acknowledged:
                    self.sent.given_up += len(batch)
                elif what == "spans":
                    self.sent.traces.update(batch)
                else:
                    self.sent.lines += LINES * len(batch)

    def _push(self, what: str, by_service: Mapping[str, Sequence[Json]]) -> tuple[bool, int]:
        until, tries = time.monotonic() + _PATIENCE_SECONDS, 0
        while time.monotonic() < until:
            tries += 1
            try:
                otlp.push(self._endpoint, what, by_service)
            except OSError:
                time.sleep(_PAUSE_SECONDS)
            else:
                return True, tries
        return False, tries

    def _count(self) -> None:
        while not self._over.wait(METRICS_SECONDS):
            self._tell()

    def _tell(self) -> None:
        made = self._made
        acknowledged, _ = self._push("metrics", {GATEWAY: [_counter(made, self.sent.began)]})
        if acknowledged:
            self.sent.total, self.sent.points = made, self.sent.points + 1


def spans(batch: Sequence[str]) -> Mapping[str, Sequence[Json]]:
    """Return the spans of requests with these trace IDs, by service."""
    client: list[Json] = []
    gateway: list[Json] = []
    model: list[Json] = []
    for trace in batch:
        ids = [otlp.new_span() for _ in range(SPANS)]
        client_span, gateway_span, call_span, answered, read = ids
        client.append(otlp.span(trace, client_span, name="POST") | _CLIENT)
        gateway.append(otlp.span(trace, gateway_span, client_span, name="POST /v1/models/digits/predict"))
        gateway.append(otlp.span(trace, call_span, gateway_span, name="POST") | _CLIENT)
        model.append(otlp.span(trace, answered, call_span, name="POST /v1/predict"))
        model.append(otlp.span(trace, read, answered, name="predict batch") | {"kind": 1})
    return {CLIENT: client, GATEWAY: gateway, MODEL: model}


def _records(batch: Sequence[str]) -> Mapping[str, Sequence[Json]]:
    def line(trace: str, logger: str, text: str, **more: object) -> Json:
        fields = {"level": "info", "msg": text, "logger": logger, **more, "trace_id": trace, "request_id": trace[::-1]}
        return otlp.record(json.dumps(fields), trace, trace[:16])

    return {
        GATEWAY: [line(t, "gateway", "predicted", model="digits", version="1", count=2) for t in batch],
        MODEL: [line(t, "model", "batch answered", requests=3, milliseconds=6.4) for t in batch],
    }


def _counter(value: int, began: float) -> Json:
    point = {
        "timeUnixNano": str(time.time_ns()),
        "startTimeUnixNano": str(int(began * 1e9)),
        "asInt": str(value),
    }
    return {"name": COUNTER, "sum": {"isMonotonic": True, "aggregationTemporality": 2, "dataPoints": [point]}}


@dataclass(frozen=True)
class Backends:
    """The published addresses of what is counted in, without a trailing slash."""

    jaeger: str
    loki: str
    prometheus: str
    loki_itself: str
    """Past the reading proxy, for what changes something."""

    @classmethod
    def of(cls, stack: Sandbox) -> Backends:
        """Return those of a stack."""
        return cls(stack.url("jaeger"), stack.url("loki"), stack.url("prometheus"), stack.direct("loki"))

    def traces(self, sent: Sent, *, limit: int = _MOST_TRACES) -> set[str]:
        """Return which of the traces sent Jaeger has, each with all its spans."""
        spans_by_trace: dict[str, set[str]] = {}
        start = sent.began - _WINDOW_SECONDS
        while start < sent.ended:
            parameters = {
                "service": GATEWAY,
                "start": int(start * 1e6),
                "end": int((start + _WINDOW_SECONDS) * 1e6),
                "limit": limit,
            }
            for trace in _get(f"{self.jaeger}/api/traces", **parameters)["data"]:
                spans = {span["spanID"] for span in trace["spans"]}
                spans_by_trace.setdefault(trace["traceID"].zfill(2 * 16), set()).update(spans)
            start += _WINDOW_SECONDS
        return {trace for trace, spans in spans_by_trace.items() if len(spans) == SPANS} & sent.traces

    def lines(self, sent: Sent) -> int:
        """Return how many lines Loki has."""
        return self.written(f"{GATEWAY}|{MODEL}", _range(sent))

    def found(self, traces: Sequence[str]) -> int:
        """Return how many of these traces Jaeger has, whenever they are said to have been."""
        return sum(1 for trace in traces if self._has(trace))

    def _has(self, trace: str) -> bool:
        try:
            return bool(_get(f"{self.jaeger}/api/traces/{trace}")["data"])
        except urllib.error.HTTPError:  # 404: it has not
            return False

    def written(self, services: str, window: str = "72h", *, at: float | None = None) -> int:
        """Return how many lines of the services, a regular expression, Loki has of a time until now, or `at`."""
        expr = f'sum(count_over_time({{service_name=~"{services}"}}[{window}]))'
        return int(_value(_get(f"{self.loki}/loki/api/v1/query", query=expr, **_at(at))))

    def flush(self) -> None:
        """Have Loki write what it holds in memory as chunks."""
        request = urllib.request.Request(f"{self.loki_itself}/flush", method="POST")  # noqa: S310 - ours
        with urllib.request.urlopen(request, timeout=60):  # noqa: S310 - ours
            pass

    def chunks_deleted(self) -> int:
        """Return how many chunks Loki says that it has deleted since it started."""
        with urllib.request.urlopen(f"{self.loki_itself}/metrics", timeout=60) as answer:  # noqa: S310 - ours
            counts = _DELETED.findall(answer.read().decode())
        return sum(int(count) for count in counts)

    def total(self, sent: Sent) -> int:
        """Return the newest count that Prometheus has."""
        return int(self.value(f"max(max_over_time({COUNTER}_total[{_range(sent)}]))"))

    def points(self, sent: Sent) -> int:
        """Return how many times Prometheus was told the count."""
        return int(self.value(f"max(count_over_time({COUNTER}_total[{_range(sent)}]))"))

    def value(self, expr: str, *, at: float | None = None) -> float:
        """Return Prometheus' answer to a query that gives one number, 0 where it gives none; `at` seconds of 1970."""
        return _value(_get(f"{self.prometheus}/api/v1/query", query=expr, **_at(at)))

    def scrapes(self, at: float) -> dict[tuple[str, float], int]:
        """Return how many samples came with each scrape of the hour before `at`, by target and seconds since 1970."""
        expr = f"scrape_samples_scraped[1h] @ {at:.0f}"
        rows = _get(f"{self.prometheus}/api/v1/query", query=expr)["data"]["result"]
        return {(row["metric"]["instance"], when): int(count) for row in rows for when, count in row["values"]}

    def lost(self, sent: Sent) -> dict[str, int]:
        """Return how much of each signal is not here; all of what a store has that does not answer."""

        def left(count: int, arrived: Callable[[Sent], int]) -> int:
            with contextlib.suppress(OSError):
                return max(count - arrived(sent), 0)
            return count

        finders = (lambda s: len(self.traces(s)), self.lines, self.total, self.points)
        signals = _signals(sent).items()
        return {what: left(count, find) for (what, count), find in zip(signals, finders, strict=True)}

    def takes(self, service: str, since: float) -> bool:
        """Tell whether a store has something of this traffic that was made after `since`, seconds since 1970."""
        with contextlib.suppress(OSError):
            if service == "jaeger":
                parameters = {"service": GATEWAY, "start": int(since * 1e6), "end": int(time.time() * 1e6), "limit": 1}
                return bool(_get(f"{self.jaeger}/api/traces", **parameters)["data"])
            if service == "loki":
                return self.written(GATEWAY, f"{max(int(time.time() - since), 1)}s") > 0
            return self.value(f"max(timestamp({COUNTER}_total))") > since
        return False

    def longest_gap(self, job: str, since: float) -> float:
        """Return the longest time in seconds, since then, without a good scrape of a job."""
        expr = f'up{{job="{job}"}}[{int(time.time() - since)}s]'
        (row,) = _get(f"{self.prometheus}/api/v1/query", query=expr)["data"]["result"]
        good = [float(at) for at, value in row["values"] if value == "1"]
        return max((later - earlier for earlier, later in pairwise(good)), default=0.0)


@dataclass
class Counted:
    """What was acknowledged while something happened, and how much of it is not in the stores: a count by signal.

    `waited` is how many seconds after the last request all of it was there, infinity when it never was.
    """

    sent: Sent
    lost: Mapping[str, int] = field(default_factory=dict)
    waited: float = float("inf")

    @property
    def whole(self) -> bool:
        """Whether nothing is lost."""
        return not any(self.lost.values())

    def __str__(self) -> str:
        """Return both numbers of each signal that lost something, or of all."""
        lost = {what: count for what, count in self.lost.items() if count}
        if lost:
            return ", ".join(f"{count:,} of {_signals(self.sent)[what]:,} {what}" for what, count in lost.items())
        return "nothing of " + ", ".join(f"{count:,} {what}" for what, count in _signals(self.sent).items())


@contextlib.contextmanager
def counted(stack: Sandbox, rate: int, *, patience: float = 300.0) -> Iterator[Counted]:
    """Send `rate` requests a second during the block, then look for each in the stores: what it yields is filled then.

    What is not there `patience` seconds after the last one is lost.
    """
    sending = Traffic(stack.url("otlpHttp"), rate)
    counts = Counted(sending.sent)
    sending.start()
    try:
        yield counts
    finally:
        sending.stop()
    where = Backends.of(stack)

    def arrived() -> bool:
        counts.lost = where.lost(counts.sent)
        return counts.whole

    counts.lost = _signals(counts.sent)
    counts.waited = until(arrived, patience, every=1)


def _signals(sent: Sent) -> dict[str, int]:
    return {"traces": len(sent.traces), "lines": sent.lines, "requests counted": sent.total, "points": sent.points}


def _range(sent: Sent) -> str:
    return f"{int(time.time() - sent.began) + 60}s"


def _at(at: float | None) -> dict[str, float]:
    return {} if at is None else {"time": at}


def _value(answer: Json) -> float:
    rows = answer["data"]["result"]
    return float(rows[0]["value"][1]) if rows else 0.0


def _get(url: str, **parameters: object) -> Json:
    try:
        with urllib.request.urlopen(f"{url}?{urllib.parse.urlencode(parameters)}", timeout=60) as answer:  # noqa: S310 - ours
            content: Json = json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            error.msg += f": {error.read(500).decode(errors='replace')}"  # what the store says is wrong
        raise
    return content
