"""`make stress RATE=1000 FOR=5m`: a stack of its own under load, killed part by part, with figures.

What was acknowledged to the sender is looked for in the backends, one by one: exit code 1 when any of it is missing.
"""

from __future__ import annotations

import os
import signal
import statistics
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import docker
from docker.models.containers import Container

from demo.load import DAY, rate
from ops import engine as docker_engine
from ops import otlp, traffic
from ops.bootstrap import CannotGoOn
from ops.console import say, table
from ops.sandbox import Sandbox, missing
from ops.traffic import LINES, SPANS, Backends, Sent, Traffic
from settings import CONTAINERS, SERVICES, Settings, seconds

RATE: Final = 1_000
DURATION: Final = "5m"
MOST_RATE, MOST_SECONDS = 2_000, 3_600
KILL_RATE: Final = 200
"""While containers are killed: each request is looked for by its ID afterwards."""
AROUND_SECONDS: Final = 15.0
"""Of traffic before a kill, and after the return."""
TRACES_KEPT: Final = "3m"
"""While it is shown that traces are deleted."""
_OLD: Final = 100
_AGED, _FRESH = "stress-aged", "stress-fresh"
_ARRIVE_SECONDS: Final = 300.0
_BACK_SECONDS: Final = 120.0
_EVERY_SECONDS: Final = 5.0
_MEBIBYTE: Final = 1024 * 1024
_READY: Final = {
    "grafana": ("grafana", "api/health"),
    "prometheus": ("prometheus", "-/ready"),
    "loki": ("loki", "ready"),
    "jaeger": ("jaeger", ""),
    "collector": ("collector", ""),
}
"""Where each service says that it serves: its key in DEFAULT_PORTS, and the path."""


@dataclass
class Use:
    """What a container used: cores on average, MiB at most, beside its limits."""

    cores: float = 0.0
    memory: float = 0.0
    limit_cores: float = 0.0
    limit_memory: float = 0.0
    _first: tuple[float, float] | None = field(default=None, repr=False)

    def look(self, container: Container) -> None:
        """Take one reading from the engine."""
        said: dict[str, Any] = container.stats(stream=False, one_shot=True)  # type: ignore[assignment]
        used = said["memory_stats"]
        if not used.get("usage"):  # it does not run
            return
        cache = used["stats"].get("total_inactive_file", used["stats"].get("inactive_file", 0))
        self.memory = max(self.memory, (used["usage"] - cache) / _MEBIBYTE)
        now, busy = time.monotonic(), said["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9
        if self._first is None:
            host = container.attrs["HostConfig"]
            self.limit_cores, self.limit_memory = host["NanoCpus"] / 1e9, host["Memory"] / _MEBIBYTE
            self._first = (now, busy)
        elif now > self._first[0]:
            self.cores = (busy - self._first[1]) / (now - self._first[0])


def main(arguments: list[str]) -> int:
    """Print a table for each part; bounded by RATE, FOR and the number of containers."""
    rate_, length = _asked(*(*arguments, "", "")[:2])
    if reason := missing():
        raise CannotGoOn(f"nothing to put under stress: {reason}")
    if os.geteuid():
        raise CannotGoOn("containers are killed as the kernel would kill them: run as root")
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


def _asked(rate_: str, duration: str) -> tuple[int, float]:
    if rate_ and not (rate_.isdecimal() and 0 < int(rate_) <= MOST_RATE):
        raise CannotGoOn(f"RATE: '{rate_}'; accepted: requests per second, 1 to {MOST_RATE}")
    try:
        length = seconds(duration or DURATION)
    except ValueError:
        length = 0
    if not 0 < length <= MOST_SECONDS:
        raise CannotGoOn(f"FOR: '{duration}'; accepted: a duration like 30s or 5m, at most 1h")
    return int(rate_ or RATE), length


def backends(stack: Sandbox) -> Backends:
    """Return where the stack's stores are asked."""
    return Backends(stack.url("jaeger"), stack.url("loki"), stack.url("prometheus"))


@contextmanager
def measured(stack: Sandbox) -> Iterator[dict[str, Use]]:
    """Measure what each container uses until the end."""
    uses = {name: Use() for name in CONTAINERS}
    over = threading.Event()

    def watch() -> None:
        while True:
            last = over.is_set()
            for name, use in uses.items():
                use.look(stack.container(name))
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
    where = backends(stack)
    waited = _arrive(lambda: where.lines(sent) >= sent.lines and where.total(sent) >= sent.total)
    traces = where.traces(sent)
    made = sent.total
    table(
        f"{rate_} requests a second for {length:.0f} s",
        ("signal", "acknowledged", "arrived", "lost"),
        [
            ("requests made, given up", f"{made:,}, {sent.given_up:,}", "", ""),
            (f"traces of {SPANS} spans", f"{len(sent.traces):,}", f"{len(traces):,}", f"{len(sent.traces - traces):,}"),
            _count("log lines", sent.lines, where.lines(sent)),
            _count("the counter", sent.total, where.total(sent)),
        ],
    )
    say(
        f"{made / (sent.ended - sent.began):.0f} requests a second; {sent.again} batches had to be sent again; the"
        f" generator was behind by at most {sent.late_seconds:.1f} s; all arrived {waited:.0f} s after the last"
    )
    _uses("under load", uses)
    _day(before, disk(stack), made)
    return sent.traces <= traces and where.lines(sent) >= sent.lines and where.total(sent) >= sent.total


def _tell_for(length: float, stack: Sandbox, sent: Sent) -> None:
    until = time.monotonic() + length
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(30, left))
        say(f"  {len(sent.traces):,} traces acknowledged, {sent.again} batches sent again; {_health(stack)}")


def _health(stack: Sandbox) -> str:
    bad = [s for s in CONTAINERS if docker_engine.health(stack.container(s)) != "healthy"]
    return f"not healthy: {', '.join(bad)}" if bad else "all healthy"


def _count(what: str, sent: int, arrived: int) -> tuple[str, str, str, str]:
    return (what, f"{sent:,}", f"{arrived:,}", f"{max(sent - arrived, 0):,}")


def _arrive(arrived: Callable[[], bool]) -> float:
    began = time.monotonic()
    while not arrived() and time.monotonic() - began < _ARRIVE_SECONDS:
        time.sleep(1)
    return time.monotonic() - began


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


def _kills(stack: Sandbox) -> bool:
    """Kill each service once under load; show what was lost, in counts and in seconds."""
    rows, whole = [], True
    for service in SERVICES:
        row, kept = kill(stack, service, KILL_RATE)
        rows.append(row)
        whole &= kept
    columns = ("killed", "serves again after", "healthy after", "traces", "log lines", "counter", "sent again",
               "longest without its metrics")  # fmt: skip
    table(f"kill -9 under {KILL_RATE} requests a second: acknowledged and lost", columns, rows)
    return whole


def kill(stack: Sandbox, service: str, rate_: int) -> tuple[tuple[str, ...], bool]:
    """Kill a service under load; return its row of the report, and whether all that was acknowledged is there."""
    say(f"kill -9 of {service} …")
    sending = Traffic(stack.url("otlpHttp"), rate_)
    sending.start()
    time.sleep(AROUND_SECONDS)
    killed, asked = time.time(), stack.container(service)
    os.kill(asked.attrs["State"]["Pid"], signal.SIGKILL)
    began = time.monotonic()
    port, path = _READY[service]
    before = asked.attrs["RestartCount"]
    serves = _until(
        lambda: stack.container(service).attrs["RestartCount"] > before and _answers(f"{stack.url(port)}/{path}"), began
    )
    healthy = _until(lambda: _back(stack.container(service), before), began)
    time.sleep(AROUND_SECONDS)
    sent = sending.stop()
    where = backends(stack)
    _arrive(lambda: where.lines(sent) >= sent.lines and where.total(sent) >= sent.total)
    _arrive(lambda: sent.traces <= where.traces(sent))
    traces, lines, total = where.traces(sent), where.lines(sent), where.total(sent)
    lost = (len(sent.traces - traces), max(sent.lines - lines, 0), max(sent.total - total, 0))
    gap = where.longest_gap(service, killed - AROUND_SECONDS)
    bound = serves + 2 * seconds(Settings(stack="staging").scrape_interval)
    row = (
        service,
        f"{serves:.1f} s",
        f"{healthy:.1f} s",
        f"{len(sent.traces):,}, {lost[0]} lost",
        f"{sent.lines:,}, {lost[1]} lost",
        f"{sent.total:,}, {lost[2]} lost",
        f"{sent.again}, {sent.given_up} given up",
        f"{gap:.0f} s of at most {bound:.0f}" + ("" if gap <= bound else ": MISSED"),
    )
    return row, not any(lost) and gap <= bound


def _retention(stack: Sandbox) -> bool:
    """Show that what is too old goes: traces by the store's own clock, lines that are pushed as a day old."""
    stack.configure(jaegerRetention=TRACES_KEPT, lokiRetention="24h")
    stack.edit(
        "configs/loki.py",
        '"retention_enabled": True,',
        '"retention_enabled": True, "compaction_interval": "10s", "retention_delete_delay": "10s",',
    )
    stack.up()
    endpoint, where = stack.url("otlpHttp"), backends(stack)
    began = time.time()
    old = str(time.time_ns() - int(26 * 3600 * 1e9))
    batch = [otlp.new_trace() for _ in range(_OLD)]
    sent = Sent(began, began + 1, set(batch))
    otlp.push(endpoint, "spans", traffic.spans(batch))
    aged = [otlp.record(f"a day old, {n}") | {"timeUnixNano": old} for n in range(_OLD)]
    otlp.push(endpoint, "records", {_AGED: aged, _FRESH: [otlp.record(f"new, {n}") for n in range(_OLD)]})
    _arrive(lambda: len(where.traces(sent)) == _OLD and where.written(_AGED) == where.written(_FRESH) == _OLD)
    kept = (len(where.traces(sent)), where.written(_AGED), where.written(_FRESH))
    stack.container("loki").restart(timeout=60)  # what is in memory becomes chunks, which are what is deleted
    _arrive(lambda: _answers(f"{stack.url('loki')}/ready"))
    gone_lines = _arrive(lambda: not where.written(_AGED))
    _arrive(lambda: not where.traces(sent))
    gone_traces = time.time() - began
    left = (len(where.traces(sent)), where.written(_AGED), where.written(_FRESH))
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


def _back(container: Container, restarts: int) -> bool:
    return container.attrs["RestartCount"] > restarts and docker_engine.health(container) == "healthy"


def _until(done: Callable[[], bool], began: float) -> float:
    while not done():
        if time.monotonic() - began > _BACK_SECONDS:
            return float("inf")
        time.sleep(0.1)
    return time.monotonic() - began


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - the stack's own
            return True
    except OSError:
        return False
