"""The SLO part of `make bench`: what our rules cost and how right they are, on the real Prometheus, without Docker.

First, 31 days of one service's raw counters (bursts, silent nights, an incident, two restarts) whose true error ratio
is known; the recorded series are made of them by `promtool tsdb create-blocks-from rules`, from the very rules that
the stack gets. Then three Prometheus that scrape and evaluate 1, 10 and 100 services at once, each over 30 days of
recorded series, so that no window is cheaper than in a stack that is a month old.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import accumulate
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

import yaml

from cli.console import say, table
from observability import rules
from observability.configs import prometheus
from observability.names import series
from observability.rules import slo
from observability.settings import Settings, WatchedService

DAY = 86_400
SCRAPE, RULE = 15, 60
WINDOW = 30 * DAY
BLOCK = 162 * 3600
"""One of Prometheus' block sizes, and short enough for one range query at one-minute steps."""
MOMENTS, BETWEEN = 7, 3 * 3600 + 1740
"""The rules are compared with the truth this often, this far apart, so that some moments are in bursts."""
SERVICES = (1, 10, 100)
LIMIT, WARM_UP, WATCHED = 480, 65, 185
"""Seconds for all of it, until every group has run, and in which each then runs three times: less on a busy machine."""
FEWER, ERROR = 100, 0.001
BOUNDS = ("0.05", "0.1", "0.2", "0.3", "0.5", "1.0", "2.0", "5.0", "10.0", "+Inf")
AVERAGED = "bench:error:ratio_rate5m"


def run() -> None:
    """Print the tables; a missed goal is shown, not hidden."""
    reason = _missing()
    if reason is not None:
        say(f"the SLO rules are not measured here: {reason}")
        return
    with tempfile.TemporaryDirectory(prefix="bench-slo-") as folder:
        started = time.monotonic()
        _accuracy(Path(folder) / "month")
        _load(Path(folder) / "load", started + LIMIT)
        say(f"the SLO rules' part took {time.monotonic() - started:.0f} s")


def _missing() -> str | None:
    for binary in ("prometheus", "promtool"):
        if shutil.which(binary) is None:
            return f"{binary} is not on PATH"
        version = subprocess.run([binary, "--version"], check=False, capture_output=True, text=True)
        if "version 3." not in version.stdout + version.stderr:
            return f"{binary} is not version 3"
    return None


# Is it right, and how much does it read?


def _accuracy(folder: Path) -> None:
    end = int(time.time()) // RULE * RULE - 2 * RULE
    month = Month.make(end)
    service = WatchedService(name="bench", latency=None)
    group = slo.group(service, f"{RULE}s")
    data = folder / "data"
    began = time.monotonic()
    _import(folder, data, month.pieces(), "service=bench")
    say(f"  {month.size:,} raw samples written in {time.monotonic() - began:.0f} s")
    began = time.monotonic()
    _record(folder, data, group, month)
    say(f"  30 days recorded by promtool from the rules in {time.monotonic() - began:.0f} s")
    with _prometheus(folder, data, folder / "rules.yml") as server:
        _compare(server, group, month, end)


def _record(folder: Path, data: Path, group: slo.RuleGroup, month: Month) -> None:
    """Write what 30 days of evaluations would have recorded, each stage reading the one before.

    One file name and one group name, because they decide at which second of a minute Prometheus evaluates.
    """
    averaged = slo.RecordingRule(AVERAGED, f"{_rate('5..')} / {_rate('.*')}", {})
    stages = (
        (series.REQUESTS,),
        (series.SLO_REQUESTS,),
        (series.SLO_ERRORS,),
        (series.SLO_REQUESTS_SLOT, series.SLO_ERRORS_SLOT, series.SLO_REQUESTS_LATE, series.SLO_ERRORS_LATE),
    )
    file = folder / "rules.yml"
    for stage in stages:
        chosen = tuple(rule for rule in group.rules if rule.record in stage)
        extra = (averaged,) if stage == stages[0] else ()
        file.write_text(slo.to_yaml(slo.RuleGroup(group.name, group.interval, (*chosen, *extra))))
        made = folder / "made"
        with _prometheus(folder, data) as server:
            span = (f"--start={month.start}", f"--end={month.end}", f"--url={server.url}", f"--output-dir={made}")
            _promtool("tsdb", "create-blocks-from", "--max-block-duration=7d", "rules", *span, str(file))
        for block in made.iterdir():
            block.rename(data / block.name)


def _rate(status: str) -> str:
    return f'sum(rate(http_requests_total{{service="bench", status=~"{status}"}}[5m]))'


def _compare(server: Server, group: slo.RuleGroup, month: Month, end: int) -> None:
    recorded = f'timestamp({series.SLO_REQUESTS}{{service="bench"}})'
    last = int(server.query(recorded, end)[0])
    moments = [last - n * BETWEEN for n in range(MOMENTS)]
    period = {r.record: r.expr for r in group.rules if r.record in {series.REQUESTS_PERIOD, series.ERRORS_PERIOD}}
    every, failed = 'http_requests_total{service="bench"}', 'http_requests_total{service="bench", status=~"5.."}'
    real = f"({AVERAGED} >= 0)[30d:1m]"
    expressions = {
        "raw 30-day increase": (f"sum(increase({failed}[30d]))", f"sum(increase({every}[30d]))"),
        "average of 5-minute ratios": (f"sum_over_time({AVERAGED}[30d])", f"count_over_time({AVERAGED}[30d])"),
        "the same, without its NaN": (f"sum_over_time({real})", f"count_over_time({real})"),
        "our rules: the 30-day ratio": (period[series.ERRORS_PERIOD], period[series.REQUESTS_PERIOD]),
    }
    samples: dict[str, float] = {}
    errors: dict[str, float] = {}
    for what, (part, whole) in expressions.items():
        worst: list[float] = []
        for at in moments:
            (upper, read), (lower, more) = server.query(part, at), server.query(whole, at)
            samples[what] = read + more
            worst.append(upper / lower / month.error_ratio(at) - 1)
        errors[what] = max(worst, key=lambda e: (e != e, abs(e)))  # noqa: PLR0124 - NaN is what differs from itself
    whole_group = "our rules: everything recorded for the SLO"
    samples[whole_group] = sum(server.query(rule.expr, last)[1] for rule in group.rules)
    errors[whole_group] = errors["our rules: the 30-day ratio"]
    raw = samples["raw 30-day increase"]
    rows = [
        (
            what,
            f"{count:,.0f}",
            f"{raw / count:,.0f}",
            "NaN" if errors[what] != errors[what] else f"{errors[what]:+.4%}",
            _verdict(raw / count, errors[what]) if what.startswith("our") else "",
        )
        for what, count in samples.items()
    ]
    shares = ", ".join(f"{month.error_ratio(at):.3%}" for at in (moments[-1], moments[0]))
    table(
        f"SLO, one service of {len(month.names)} series, 30 days: truth is {shares} at the first and the last of"
        f" {MOMENTS} moments",
        ("what", "samples an evaluation", "times fewer", "worst error", f"goal: {FEWER} times fewer, {ERROR:.1%}"),
        rows,
    )


def _verdict(fewer: float, error: float) -> str:
    missed = []
    if fewer < FEWER:
        missed.append(f"samples missed: {fewer:.0f} times")
    if not abs(error) <= ERROR:
        missed.append(f"error missed by {abs(error) - ERROR:.3%}")
    return "; ".join(missed) or "met"


@dataclass(frozen=True)
class Month:
    """31 days of counters every 15 s, and what they really counted."""

    start: int
    end: int
    names: tuple[str, ...]
    growth: tuple[tuple[int, ...] | None, ...]
    """By how much each series grew before each scrape; None when none did."""
    restarts: frozenset[int]
    bad: tuple[int, ...]
    total: tuple[int, ...]
    """Failed and all requests since the start, at each scrape."""

    @classmethod
    def make(cls, end: int) -> Month:
        """Return bursts of 5 to 40 minutes between nearly quiet hours, silent nights, and one bad hour."""
        chance = random.Random(30)  # noqa: S311 - traffic, not secrets
        start = end - WINDOW - DAY
        labels = [(e, m, s) for s in ("200", "404", "500") for m in ("GET", "POST") for e in range(10)]
        names = tuple(f'http_requests_total{{endpoint="/{e}",method="{m}",status="{s}"}} ' for e, m, s in labels)
        failing = sum(status != "500" for *_, status in labels)
        growth: list[tuple[int, ...] | None] = [None]
        incident = 20 * DAY // SCRAPE
        while (tick := len(growth)) <= (end - start) // SCRAPE:
            if (start + tick * SCRAPE) % DAY < DAY // 4:
                growth += [None] * 40
                continue
            bad_hour = incident <= tick < incident + 1200
            volume, share = chance.randint(1, 60), 0.3 if bad_hour else chance.choice((0, 0, 0.001, 0.01, 0.05))
            for _ in range(240 if bad_hour else chance.randint(20, 160)):
                good = [chance.randint(0, volume) for _ in range(failing)]
                bad = [int(n * share + chance.random()) if share else 0 for n in good[failing // 2 :]]
                growth.append((*good, *bad))
            growth += [
                (1, *([0] * (len(names) - 1))) if chance.random() < 0.1 else None  # noqa: PLR2004 - one in ten
                for _ in range(chance.randint(80, 600))
            ]
        del growth[(end - start) // SCRAPE + 1 :]
        return cls(
            start,
            end,
            names,
            tuple(growth),
            frozenset({len(growth) // 3, len(growth) // 2}),
            tuple(accumulate(sum(g[failing:]) if g else 0 for g in growth)),
            tuple(accumulate(sum(g) if g else 0 for g in growth)),
        )

    @property
    def size(self) -> int:
        """How many samples that is."""
        return len(self.names) * len(self.growth)

    def error_ratio(self, at: int) -> float:
        """Return the share of requests that failed in the 30 days before `at`."""
        last = (at - self.start) // SCRAPE
        first = last - WINDOW // SCRAPE
        return (self.bad[last] - self.bad[first]) / (self.total[last] - self.total[first])

    def pieces(self) -> Iterator[Iterator[str]]:
        """Return the OpenMetrics text of one block after the other."""
        values = [1_000_000] * len(self.names)
        texts = [f"{name}{value}" for name, value in zip(self.names, values, strict=True)]

        def piece(ticks: Iterable[int]) -> Iterator[str]:
            yield "# TYPE http_requests counter\n"
            for tick in ticks:
                if tick in self.restarts:
                    values[:] = [0] * len(values)
                grown = self.growth[tick]
                if grown is not None or tick in self.restarts:
                    if grown is not None:
                        values[:] = [value + by for value, by in zip(values, grown, strict=True)]
                    texts[:] = [f"{name}{value}" for name, value in zip(self.names, values, strict=True)]
                end = f" {self.start + tick * SCRAPE}\n"
                yield end.join(texts) + end

        for first, last in _blocks(self.start, self.end):
            begin = max(0, -(-(first - self.start) // SCRAPE))
            yield piece(range(begin, min(len(self.growth), -(-(last - self.start) // SCRAPE))))


def _blocks(start: int, end: int) -> Iterator[tuple[int, int]]:
    for first in range(start // BLOCK * BLOCK, end + 1, BLOCK):
        yield first, first + BLOCK


# Does it keep up?


def _load(folder: Path, limit: float) -> None:
    end, cores = int(time.time()) // RULE * RULE, len(os.sched_getaffinity(0))
    began = time.monotonic()
    data = folder / "data"
    names = [f"service-{n:03}" for n in range(max(SERVICES))]
    _import(folder, data, _recorded(names, end))
    say(f"  30 days of recorded series of {len(names)} services written in {time.monotonic() - began:.0f} s")
    with ExitStack() as running:
        exporter = running.enter_context(_exporter())
        servers = {count: running.enter_context(_watching(folder, data, names[:count], exporter)) for count in SERVICES}
        watched = max(RULE + 5, min(WATCHED, limit - WARM_UP - time.monotonic()))
        say(f"  {len(servers)} Prometheus run for {WARM_UP + watched:.0f} s, all at once, on {cores} cores")
        time.sleep(WARM_UP)
        before = {count: Spent.of(server) for count, server in servers.items()}
        time.sleep(watched)
        rows = [_row(count, before[count], Spent.of(server)) for count, server in servers.items()]
    columns = (
        "services", "rules", "evaluations", "missed", "slowest group", "rule time a minute", "CPU a minute",
        "resident", "goal: none missed",
    )  # fmt: skip
    table(f"SLO rules of services with 60 series each, every {RULE} s, 30 days of data", columns, rows)


def _row(count: int, before: Spent, after: Spent) -> tuple[str, ...]:
    minutes = (after.at - before.at) / 60
    return (
        f"{count}",
        f"{after.rules:,.0f}",
        f"{after.iterations - before.iterations:.0f}",
        f"{after.missed:.0f}",
        f"{after.slowest * 1000:.0f} ms",
        f"{(after.ruling - before.ruling) / minutes:.2f} s",
        f"{(after.cpu - before.cpu) / minutes:.2f} s",
        f"{after.memory / 2**20:.0f} MiB",
        "met" if not after.missed else f"missed: {after.missed:.0f} evaluations, groups take longer than {RULE} s",
    )


@dataclass(frozen=True)
class Spent:
    """What one Prometheus says of itself."""

    at: float
    rules: float
    iterations: float
    missed: float
    slowest: float
    ruling: float
    cpu: float
    memory: float

    @classmethod
    def of(cls, server: Server) -> Spent:
        """Return it as of now."""
        text = server.get("/metrics").decode()
        return cls(
            time.monotonic(),
            sum(_values(text, "prometheus_rule_group_rules")),
            sum(_values(text, "prometheus_rule_group_iterations_total")),
            sum(_values(text, "prometheus_rule_group_iterations_missed_total")),
            max(_values(text, "prometheus_rule_group_last_duration_seconds")),
            sum(_values(text, "prometheus_rule_group_duration_seconds_sum")),
            sum(_values(text, "process_cpu_seconds_total")),
            sum(_values(text, "process_resident_memory_bytes")),
        )


def _values(text: str, name: str) -> list[float]:
    return [float(value) for value in re.findall(rf"^{name}(?:{{.*}})? (\S+)$", text, re.MULTILINE)]


def _services(names: Iterable[str], port: int) -> Settings:
    services = [{"name": name, "targets": [f"127.0.0.1:{port}"], "metricsPath": f"/{name}"} for name in names]
    return Settings.model_validate({"stack": "bench", "services": services, "watchStack": False})


@contextmanager
def _watching(folder: Path, data: Path, names: Sequence[str], exporter: int) -> Iterator[Server]:
    """Run a Prometheus on a copy of the data, with the files that a stack with these services gets."""
    own = folder / f"{len(names)}"
    shutil.copytree(data, own / "data")
    settings = _services(names, exporter)
    for name, text in rules.render(settings).items():
        (own / name).write_text(text)
    document: dict[str, Any] = yaml.safe_load(prometheus.render(settings))
    jobs = [job for job in document["scrape_configs"] if job["job_name"] in names]
    with _prometheus(own, own / "data", own / "*.yml", jobs) as server:
        yield server


@dataclass(frozen=True)
class Layer:
    """Recorded series: every `step` for the last `span` seconds, in some variants of values."""

    span: int
    step: int
    variants: tuple[tuple[str, ...], ...]

    @classmethod
    def make(cls, record: str, labels: Sequence[str], span: int, step: int) -> Layer:
        """Return series of random values; those that differ in their last label only, `le`, rise."""
        chance = random.Random(record)  # noqa: S311 - traffic, not secrets
        rising = [
            [sum(chance.random() for _ in range(1 + n % len(BOUNDS))) for n in range(len(labels))] for _ in range(31)
        ]
        keys = [f"{record}{{{label}}}" for label in labels]
        return cls(
            span, step, tuple(tuple(f"{k} {v!r}" for k, v in zip(keys, values, strict=True)) for values in rising)
        )


def _recorded(names: Sequence[str], end: int) -> Iterator[Iterator[str]]:
    """Return the recorded series that a month-old stack reads: slots, 7 days of buckets, 6 hours of rates."""
    week, slots = 7 * DAY, (series.SLO_REQUESTS_SLOT, series.SLO_ERRORS_SLOT)
    of = {kind: [f'service="{name}",slo="{kind}"' for name in names] for kind in ("availability", "latency")}
    bounds = [f'service="{name}",le="{le}"' for name in names for le in BOUNDS]
    layers = [
        *(Layer.make(record, of["availability"], WINDOW, 300) for record in slots),
        *(Layer.make(record, of["latency"], week, 300) for record in slots),
        *(
            Layer.make(record, of["availability"] + of["latency"], DAY // 4, RULE)
            for record in (series.SLO_REQUESTS, series.SLO_ERRORS)
        ),
        Layer.make(series.DURATION_BUCKET, bounds, week, RULE),
    ]

    def piece(first: int, last: int) -> Iterator[str]:
        for at in range(max(first, end - WINDOW), min(last, end + 1), RULE):
            tail = f" {at}\n"
            for layer in layers:
                if at % layer.step == 0 and at > end - layer.span:
                    yield tail.join(layer.variants[at // RULE % len(layer.variants)]) + tail

    for first, last in _blocks(end - WINDOW, end):
        yield piece(first, last)


@contextmanager
def _exporter() -> Iterator[int]:
    """Serve the metrics of any service, 60 series each, growing with the clock."""
    began = time.time() - 1000
    page: list[tuple[str, float]] = []
    for endpoint in range(4):
        where = f'endpoint="/{endpoint}",method="GET"'
        page += [
            (f'http_requests_total{{{where},status="{status}"}}', by)
            for status, by in (("200", 9), ("404", 1), ("500", 0.02))
        ]
        page += [(f'http_request_duration_seconds_bucket{{{where},le="{le}"}}', n + 1) for n, le in enumerate(BOUNDS)]
        page += [(f"http_request_duration_seconds_{part}{{{where}}}", 10) for part in ("sum", "count")]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            grown = time.time() - began
            body = "".join(f"{name} {int(by * grown)}\n" for name, by in page).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


# Prometheus and promtool


@dataclass(frozen=True)
class Server:
    """A Prometheus that runs."""

    url: str

    def get(self, path: str) -> bytes:
        """Return what it answers."""
        with urlopen(self.url + path, timeout=120) as answer:  # noqa: S310 - ours, on 127.0.0.1
            content: bytes = answer.read()
            return content

    def query(self, expr: str, at: int) -> tuple[float, float]:
        """Return the first value, NaN when there is none, and how many samples were touched."""
        parameters = urlencode({"query": expr, "time": at, "stats": "all"})
        data = json.loads(self.get(f"/api/v1/query?{parameters}"))["data"]
        value = float(data["result"][0]["value"][1]) if data["result"] else float("nan")
        return value, float(data["stats"]["samples"]["totalQueryableSamples"])


@contextmanager
def _prometheus(
    folder: Path, data: Path, rule_files: Path | None = None, jobs: Sequence[dict[str, Any]] = ()
) -> Iterator[Server]:
    config = {
        "global": {"scrape_interval": f"{SCRAPE}s", "evaluation_interval": f"{RULE}s"},
        "storage": {"tsdb": {"retention": {"time": "60d"}}},
        "rule_files": [str(rule_files)] if rule_files is not None else [],
        "scrape_configs": list(jobs),
    }
    file = folder / "config" / "prometheus.yml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(yaml.safe_dump(config))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with (folder / "prometheus.log").open("w") as log:
        process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={file}",
                f"--storage.tsdb.path={data}",
                f"--web.listen-address={address}",
            ],
            stdout=log,
            stderr=log,
        )
    try:
        server = Server(f"http://{address}")
        _until(lambda: _ready(server), process, folder / "prometheus.log")
        yield server
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _ready(server: Server) -> bool:
    try:
        return bool(server.get("/-/ready"))
    except (URLError, OSError):
        return False


def _until(done: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    limit = time.monotonic() + 60
    while not done():
        assert process.poll() is None, log.read_text()[-2000:]
        assert time.monotonic() < limit, f"Prometheus is not ready: {log.read_text()[-2000:]}"
        time.sleep(0.1)


def _import(folder: Path, data: Path, pieces: Iterable[Iterator[str]], label: str = "") -> None:
    """Make blocks of OpenMetrics text, one of them while the next is written."""
    data.mkdir(parents=True, exist_ok=True)
    before: subprocess.Popen[bytes] | None = None
    for number, piece in enumerate(pieces):
        file = folder / f"{number}.om"
        with file.open("w") as written:
            written.writelines(piece)
            written.write("# EOF\n")
        _finish(before)
        before = subprocess.Popen(
            [
                *("promtool", "tsdb", "create-blocks-from", "--max-block-duration=7d", "openmetrics"),
                *([f"--label={label}"] if label else []),
                *(str(file), str(data)),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
    _finish(before)
    for file in folder.glob("*.om"):
        file.unlink()


def _finish(process: subprocess.Popen[bytes] | None) -> None:
    if process is not None:
        _, output = process.communicate()
        assert process.returncode == 0, output.decode()


def _promtool(*arguments: str) -> None:
    done = subprocess.run(["promtool", *arguments], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
