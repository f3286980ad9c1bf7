"""`make stress RATE=1000 FOR=5m`: a stack of its own under load, killed part by part, with figures.

What was acknowledged to the sender is looked for in the backends, one by one: exit code 1 when any of it is missing.
"""

from __future__ import annotations

import os
import random
import signal
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import docker
from docker.models.containers import Container

from cli import otlp
from cli.console import say, table
from cli.context import Context
from cli.errors import UsageError, UserError
from cli.waiting import until
from demo.load import DAY, rate
from lab import load_generator
from lab.load_generator import LINES, SPANS, Backends, Counted, Sent, Traffic
from lab.sandbox import Sandbox, missing
from observability.settings import CONTAINERS, SERVICES, Settings, seconds

MOST_RATE, MOST_SECONDS = 2_000, 3_600
KILL_RATE: Final = 200
"""While containers are killed: each request is looked for by its ID afterwards."""
AROUND_SECONDS: Final = 15.0
"""Of traffic before a kill, and after the return."""
TRACES_KEPT: Final = "3m"
"""While it is shown that traces are deleted."""
_OLD: Final = 100
_CHECKPOINTS_SECONDS: Final = 25.0
"""Two, each 10 s, and some."""
_SAMPLE: Final = 300
_AGED, _FRESH = "stress-aged", "stress-fresh"
_ARRIVE_SECONDS: Final = 300.0
_BACK_SECONDS: Final = 120.0
_EVERY_SECONDS: Final = 5.0
_MEBIBYTE: Final = 1024 * 1024


@dataclass
class Use:
    """What a container used: cores on average, MiB at most, beside its limits."""

    cores: float = 0.0
    memory: float = 0.0
    limit_cores: float = 0.0
    limit_memory: float = 0.0
    _first: tuple[float, float] | None = field(default=None, repr=False)

    def sample(self, container: Container) -> None:
        """Take one reading from the engine."""
        stats: dict[str, Any] = container.stats(stream=False, one_shot=True)  # type: ignore[assignment]
        used = stats["memory_stats"]
        if not used.get("usage"):  # it does not run
            return
        cache = used["stats"].get("total_inactive_file", used["stats"].get("inactive_file", 0))
        self.memory = max(self.memory, (used["usage"] - cache) / _MEBIBYTE)
        now, busy = time.monotonic(), stats["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9
        if self._first is None:
            host = container.attrs["HostConfig"]
            self.limit_cores, self.limit_memory = host["NanoCpus"] / 1e9, host["Memory"] / _MEBIBYTE
            self._first = (now, busy)
        elif now > self._first[0]:
            self.cores = (busy - self._first[1]) / (now - self._first[0])


def run(context: Context, rate_: int, duration: str) -> int:
    """Print a table for each part; bounded by RATE, FOR and the number of containers."""
    length = check(rate_, duration)
    del context  # it has a stack of its own
    if reason := missing():
        raise UserError(f"nothing to put under stress: {reason}")
    if os.geteuid():
        raise UserError("containers are killed as the kernel would kill them: run as root")
    with tempfile.TemporaryDirectory(prefix="stress-") as folder:
        stack = Sandbox.make(Path(folder) / "stack", "stress", engine=docker.from_env(), base="staging")
        stack.configure(portOffset=stack.offset, jaegerRetention="24h")
        try:
            stack.up()
            _idle(stack)
            kept = [_load(stack, rate_, length), _kills(stack), _retention(stack)]
            stack.expect_no_changes()
        finally:
            stack.sweep()
    return 0 if all(kept) else 1


def check(rate_: int, duration: str) -> float:
    """Return the duration in seconds; UsageError for a rate or duration that cannot be."""
    if not 0 < rate_ <= MOST_RATE:
        raise UsageError(f"RATE: '{rate_}'; accepted: requests per second, 1 to {MOST_RATE}")
    try:
        length = seconds(duration)
    except ValueError:
        length = 0
    if not 0 < length <= MOST_SECONDS:
        raise UsageError(f"FOR: '{duration}'; accepted: a duration like 30s or 5m, at most 1h")
    return length


@contextmanager
def measured(stack: Sandbox) -> Iterator[dict[str, Use]]:
    """Measure what each container uses until the end."""
    uses = {name: Use() for name in CONTAINERS}
    over = threading.Event()

    def watch() -> None:
        while True:
            last = over.is_set()
            for name, use in uses.items():
                use.sample(stack.container(name))
            if last:
                return
            over.wait(_EVERY_SECONDS)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield uses
    finally:
        over.set()
        watcher.join()


def _uses(title: str, uses: dict[str, Use]) -> None:
    rows = [
        (name, f"{u.cores:.3f}", f"{u.limit_cores:g}", f"{u.memory:.0f} MiB", f"{u.limit_memory:.0f} MiB")
        for name, u in uses.items()
    ]
    total = Use(sum(u.cores for u in uses.values()), sum(u.memory for u in uses.values()))
    rows.append(("all", f"{total.cores:.3f}", "", f"{total.memory:.0f} MiB", ""))
    table(title, ("container", "cores", "limit", "memory, most", "limit"), rows)


def _idle(stack: Sandbox) -> None:
    say("a minute to settle, a minute of nothing …")
    time.sleep(60)
    with measured(stack) as uses:
        time.sleep(60)
    _uses("idle, over a minute", uses)


def _load(stack: Sandbox, rate_: int, length: float) -> bool:
    """Send, count at both ends, and show what was used and what is on disk."""
    before = disk(stack)
    sending = Traffic(stack.url("otlpHttp"), rate_)
    say(f"{rate_} requests a second for {length:.0f} s: {SPANS} spans and {LINES} lines each …")
    with measured(stack) as uses:
        sending.start()
        _tell_for(length, stack, sending.sent)
        sent = sending.stop()
    say("counting …")
    backends = Backends.of(stack)
    some = random.sample(sorted(sent.traces), min(_SAMPLE, len(sent.traces)))  # all are counted once, at the end
    waited = _arrive(
        lambda: (
            backends.lines(sent) >= sent.lines
            and backends.total(sent) >= sent.total
            and backends.found(some) == len(some)
        )
    )
    traces = backends.traces(sent)
    made = sent.total
    table(
        f"{rate_} requests a second for {length:.0f} s",
        ("signal", "acknowledged", "arrived", "lost"),
        [
            ("requests made, given up", f"{made:,}, {sent.given_up:,}", "", ""),
            (f"traces of {SPANS} spans", f"{len(sent.traces):,}", f"{len(traces):,}", f"{len(sent.traces - traces):,}"),
            _count("log lines", sent.lines, backends.lines(sent)),
            _count("the counter", sent.total, backends.total(sent)),
        ],
    )
    say(
        f"{made / (sent.ended - sent.began):.0f} requests a second; {sent.again} batches had to be sent again; the"
        f" generator was behind by at most {sent.late_seconds:.1f} s; all arrived {waited:.0f} s after the last"
    )
    _uses("under load", uses)
    _day(before, disk(stack), made)
    return sent.traces <= traces and backends.lines(sent) >= sent.lines and backends.total(sent) >= sent.total


def _tell_for(length: float, stack: Sandbox, sent: Sent) -> None:
    until = time.monotonic() + length
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(30, left))
        say(f"  {len(sent.traces):,} traces acknowledged, {sent.again} batches sent again; {_health(stack)}")


def _health(stack: Sandbox) -> str:
    bad = [s for s in CONTAINERS if not stack.healthy(s)]
    return f"not healthy: {', '.join(bad)}" if bad else "all healthy"


def _count(what: str, sent: int, arrived: int) -> tuple[str, str, str, str]:
    return (what, f"{sent:,}", f"{arrived:,}", f"{max(sent - arrived, 0):,}")


def disk(stack: Sandbox) -> dict[str, float]:
    """Return the MiB that each service's data takes on the Docker host's disk."""
    prefix = f"observability-{stack.name}-"
    volumes = {v["Name"]: v["UsageData"]["Size"] / _MEBIBYTE for v in stack.docker.df()["Volumes"]}
    return {name: volumes[f"{prefix}{name}-data"] for name in SERVICES if f"{prefix}{name}-data" in volumes}


def _day(before: dict[str, float], after: dict[str, float], requests: int) -> None:
    """Show what a day of the demo takes, by what these requests took."""
    day = statistics.fmean(rate(at, Settings(stack="dev").demo_rate) for at in range(0, DAY, 60)) * DAY
    rows = [
        (name, f"{after[name] - before[name]:.0f} MiB", f"{(after[name] - before[name]) / requests * day:.0f} MiB")
        for name in ("jaeger", "loki", "collector")
    ]
    table(
        "on disk",
        ("data of", f"these {requests:,} requests", f"a day of the demo, {day:,.0f} requests"),
        rows,
    )


@dataclass(frozen=True)
class Killed:
    """What a kill did: seconds until the service served and was healthy, and without its metrics, and what was lost."""

    serves: float
    healthy: float
    gap: float
    counted: Counted

    @property
    def bound(self) -> float:
        """The longest `gap` that is no loss: the time to come back, and a scrape on either side."""
        return self.serves + 2 * seconds(Settings(stack="staging").scrape_interval)

    @property
    def back(self) -> bool:
        """Whether it came back in time."""
        return self.gap <= self.bound < float("inf")

    @property
    def kept(self) -> bool:
        """Whether it came back and lost nothing."""
        return self.back and self.counted.whole


def _kills(stack: Sandbox) -> bool:
    """Kill each service once under load; show what was lost, in counts and in seconds."""
    killed = {service: kill(stack, service, KILL_RATE) for service in SERVICES}
    rows = [
        (
            service,
            f"{k.serves:.1f} s",
            f"{k.healthy:.1f} s",
            f"{k.counted}",
            f"{k.counted.sent.again}, {k.counted.sent.given_up} given up",
            f"{k.gap:.0f} s of at most {k.bound:.0f}" + ("" if k.gap <= k.bound else ": MISSED"),
        )
        for service, k in killed.items()
    ]
    columns = ("killed", "serves again after", "healthy after", "lost", "sent again", "longest without its metrics")
    table(f"kill -9 under {KILL_RATE} requests a second: acknowledged and lost", columns, rows)
    return all(k.kept for k in killed.values())


def kill(stack: Sandbox, service: str, rate_: int) -> Killed:
    """Kill a service under load as the kernel would, and wait until it is back."""
    say(f"kill -9 of {service} …")
    began = time.time()

    def again() -> bool:
        return bool(stack.container(service).attrs["RestartCount"] > before["RestartCount"])

    with load_generator.counted(stack, rate_) as counted:
        time.sleep(AROUND_SECONDS)
        before = stack.container(service).attrs
        os.kill(before["State"]["Pid"], signal.SIGKILL)
        killed = time.monotonic()
        serves = until(lambda: again() and stack.serves(service), _BACK_SECONDS)
        late = time.monotonic() - killed
        healthy = late + until(lambda: again() and stack.healthy(service), _BACK_SECONDS)
        time.sleep(AROUND_SECONDS)
    return Killed(serves, healthy, Backends.of(stack).longest_gap(service, began), counted)


def _arrive(arrived: Callable[[], object]) -> float:
    return until(arrived, _ARRIVE_SECONDS, every=1)


def _restart(stack: Sandbox) -> None:
    stack.container("loki").restart(timeout=60)
    _arrive(lambda: stack.serves("loki"))


def _retention(stack: Sandbox) -> bool:
    """Show that what is too old goes: traces by the store's own clock, lines that are pushed as a day old."""
    stack.configure(jaegerRetention=TRACES_KEPT, lokiRetention="24h")
    for setting, sooner in {
        '"retention_enabled": True,': '"compaction_interval": "10s", "retention_delete_delay": "10s",',
        '"flush_on_shutdown": True': ', "checkpoint_duration": "10s"',
    }.items():
        stack.edit("observability/configs/loki.py", setting, setting + sooner)
    stack.up()
    endpoint, backends = stack.url("otlpHttp"), Backends.of(stack)
    began = time.time()
    old = str(time.time_ns() - int(26 * 3600 * 1e9))
    batch = [otlp.new_trace() for _ in range(_OLD)]
    sent = Sent(began, began + 1, set(batch))
    otlp.push(endpoint, "spans", load_generator.spans(batch))
    aged = [otlp.record(f"a day old, {n}") | {"timeUnixNano": old} for n in range(_OLD)]
    otlp.push(endpoint, "records", {_AGED: aged, _FRESH: [otlp.record(f"new, {n}") for n in range(_OLD)]})
    _arrive(lambda: len(backends.traces(sent)) == _OLD and backends.written(_FRESH) == _OLD)
    backends.flush()  # lines this old are read from chunks alone, which are what is deleted
    _arrive(lambda: backends.written(_AGED) == _OLD)
    kept = (len(backends.traces(sent)), backends.written(_AGED), backends.written(_FRESH))
    time.sleep(_CHECKPOINTS_SECONDS)  # or they came back with the write-ahead log
    _restart(stack)  # their index goes to where the compactor sees it
    gone_lines = _arrive(backends.chunks_deleted)
    _restart(stack)  # and what it remembers of them goes
    _arrive(lambda: not backends.traces(sent))
    gone_traces = time.time() - began
    left = (len(backends.traces(sent)), backends.written(_AGED), backends.written(_FRESH))
    table(
        "what is older than it may be",
        ("what", "there", "left", "gone after"),
        [
            (f"traces kept {TRACES_KEPT}", f"{kept[0]}", f"{left[0]}", f"{gone_traces:.0f} s"),
            ("lines 26 h old, kept 24 h", f"{kept[1]}", f"{left[1]}", f"{gone_lines:.0f} s of compaction every 10 s"),
            ("lines of now, kept 24 h", f"{kept[2]}", f"{left[2]}", ""),
        ],
    )
    return kept == (_OLD, _OLD, _OLD) and left == (0, 0, _OLD)
