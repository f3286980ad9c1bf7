"""The SLO part of `make bench`: what our rules cost, on the real Prometheus, without Docker.

Three Prometheus scrape and evaluate 1, 10 and 100 services at once, each over 30 days of recorded series, so that no
window is cheaper than in a stack that is a month old. One service has a day of raw counters too, of which each rule is
asked how many samples it reads. How right the numbers are is shown by `python -m tests.oracle.table`.
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
SERIES = 60
"""Of requests, for one service; 20 of them are errors."""
REQUESTS = "http_requests_total"
SERVICES = (1, 10, 100)
LIMIT, WARM_UP, WATCHED = 480, 65, 185
"""Seconds for all of it, until every group has run, and in which each then runs three times: less on a busy machine."""
FEWER = 100
BOUNDS = ("0.05", "0.1", "0.2", "0.3", "0.5", "1.0", "2.0", "5.0", "10.0", "+Inf")


def run() -> None:
    """Print the tables; a missed goal is shown, not hidden."""
    reason = _missing()
    if reason is not None:
        say(f"the SLO rules are not measured here: {reason}")
        return
    with tempfile.TemporaryDirectory(prefix="bench-slo-") as folder:
        started = time.monotonic()
        _load(Path(folder) / "load", started + LIMIT)
        say(f"the SLO rules' part took {time.monotonic() - started:.0f} s")


def _missing() -> str | None:
    for binary in ("prometheus", "promtool"):
        if shutil.which(binary) is None:
            return f"{binary} is not on PATH"
        said = subprocess.run([binary, "--version"], check=False, capture_output=True, text=True)
        if "version 3." not in said.stdout + said.stderr:
            return f"{binary} is not version 3"
    return None


# How much does it read?


def _samples(server: Server, name: str, end: int) -> None:
    """Compare what an evaluation of all rules of an SLO reads with what the raw counters of 30 days would cost.

    A mean of five evaluations, one a minute: what reads weeks of samples does so once in 5 minutes.
    """
    service = WatchedService(name=name, latency=None)
    own = [r for r in slo.group(service, f"{RULE}s").rules if r.labels.get("slo") == series.SLO_AVAILABILITY]
    moments = [end - RULE * minute for minute in range(5)]
    read = sorted(
        ((sum(server.query(rule.expr, at)[1] for at in moments) / len(moments), rule.record) for rule in own),
        reverse=True,
    )
    evaluation = sum(count for count, _ in read)
    every, failed = (f'{REQUESTS}{{service="{name}"{status}}}' for status in ("", ', status=~"5.."'))
    day = sum(server.query(f"sum(increase({selector}[1d]))", end)[1] for selector in (every, failed))
    raw = day * WINDOW / DAY
    rows = [
        ("raw 30-day increase (30 times that of a day)", f"{raw:,.0f}", "", ""),
        *((record, f"{count:,.0f}", f"{raw / count:,.0f}", "") for count, record in read[:8]),
        ("all rules, an evaluation", f"{evaluation:,.0f}", f"{raw / evaluation:,.0f}", _verdict(raw / evaluation)),
    ]
    table(
        f"SLO, one service of {SERIES} series, 30 days: samples that Prometheus' engine counted",
        ("what", "samples", "times fewer", f"goal: {FEWER} times fewer"),
        rows,
    )


def _verdict(fewer: float) -> str:
    return "met" if fewer >= FEWER else f"missed: {fewer:.0f} times"


def _raw(name: str, first: int, last: int) -> Iterator[str]:
    """Return the raw counters of one service."""
    labels = [(e, m, s) for s in ("200", "404", "500") for m in ("GET", "POST") for e in range(SERIES // 6)]
    keys = [f'{REQUESTS}{{service="{name}",endpoint="/{e}",method="{m}",status="{s}"}}' for e, m, s in labels]
    for at in range(first, last, SCRAPE):
        yield "".join(f"{key} {at - first + number} {at}\n" for number, key in enumerate(keys))


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
    _import(folder, data, [_raw(names[0], end - DAY, end)])
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
        _samples(servers[min(SERVICES)], names[0], end)
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
    """Return the recorded series that a month-old stack reads: 30 days of slots, 7 of buckets, a day of totals."""
    week, slots = 7 * DAY, (series.SLO_REQUESTS_SLOT, series.SLO_ERRORS_SLOT)
    of = {kind: [f'service="{name}",slo="{kind}"' for name in names] for kind in ("availability", "latency")}
    both = of["availability"] + of["latency"]
    bounds = [f'service="{name}",le="{le}"' for name in names for le in BOUNDS]
    totals = (series.SLO_REQUESTS_TOTAL, series.SLO_ERRORS_TOTAL)
    layers = [
        *(Layer.make(record, of["availability"], WINDOW, 300) for record in slots),
        *(Layer.make(record, of["latency"], week, 300) for record in slots),
        *(Layer.make(record, both, DAY, RULE) for record in totals),
        Layer.make(series.SLO_GOOD_TOTAL, of["latency"], DAY, RULE),
        *(Layer.make(record, both, DAY, 300) for record in (series.SLO_REQUESTS_MARK, series.SLO_ERRORS_MARK)),
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
