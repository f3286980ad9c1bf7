"""The collector's part of `make bench`: the CPU that cleaning and masking cost, over passing telemetry on as it is.

The real collector as a process on loopback, without Docker and without stores: everything it accepts is thrown away.
Each signal is pushed to three collectors in turns: one that only passes it on, one that cleans, refuses and counts, and
one that masks secrets too, as a stack's does. CPU is the process's own, so that a busy machine changes little.
"""

from __future__ import annotations

import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.request import urlopen

import psutil
import yaml

from cli import otlp
from cli.console import say, table
from observability.configs import collector
from observability.settings import load

BATCHES, BATCH = 60, 200
TURNS: Final = 3
SIGNALS: Final = {"records": "logs", "spans": "traces", "metrics": "metrics"}
_START_SECONDS: Final = 60
_LINES: Final = (
    '2026-11-27 10:00:00,123 INFO shop.orders order 4711 paid in 38 ms by customer "Müller & Söhne"',
    '{"level":"warn","msg":"slow query","duration_ms":812,"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","db":"orders"}',
    '10.0.0.7 - - [27/Nov/2026:10:00:00 +0000] "GET /cart/42 HTTP/1.1" 200 512 "-" "Mozilla/5.0"',
    "ERROR login failed for user ada: password=hunter2 rejected by ldap://directory:389",
)
Json = dict[str, Any]


def run() -> None:
    """Print the table."""
    if shutil.which("otelcol-contrib") is None:
        say("the collector's cleaning is not measured here: otelcol-contrib is not on PATH")
        return
    rows: list[tuple[str, ...]] = []
    for what, signal in SIGNALS.items():
        spent: dict[str, list[float]] = {"passed on": [], "cleaned": [], "cleaned and masked": []}
        for _ in range(TURNS):
            for kind, values in spent.items():
                values.append(_cpu(_document(signal, kind), what))
        passed, *others = ((kind, statistics.median(values)) for kind, values in spent.items())
        rows += [
            (f"CPU of {BATCHES * BATCH:,} {what}, {kind}", passed[0], f"{cost:.2f} s", f"{passed[1]:.2f} s",
             f"{cost / passed[1]:.1f}", f"{(cost - passed[1]) / BATCHES / BATCH * 1e6:.0f} µs each")
            for kind, cost in others
        ]  # fmt: skip
    table("what cleaning costs the collector", ("what", "over what", "this", "that", "ratio", "more"), rows)


def _document(signal: str, kind: str) -> Json:
    """Return the rendered configuration with one signal's pipelines, in front of nothing."""
    raw = {"dockerSocket": "", "redaction": "true" if kind == "cleaned and masked" else "false"}
    document: Json = yaml.safe_load(collector.render(load("dev", raw)))
    pipelines: Json = {
        name: pipeline
        | {"exporters": [e for e in pipeline["exporters"] if e in {f"routing/{signal}", "count"}] or ["nop"]}
        for name, pipeline in document["service"]["pipelines"].items()
        if name in {signal, f"{signal}/refused", f"{signal}/accepted", "metrics/counted"}
    }
    if kind == "passed on":
        pipelines = {signal: {"receivers": ["otlp"], "processors": ["memory_limiter"], "exporters": ["nop"]}}
    used = {name for pipeline in pipelines.values() for name in pipeline["receivers"] + pipeline["exporters"]}
    return {
        "service": {
            "extensions": ["health_check"], "pipelines": pipelines,
            "telemetry": {"metrics": {"level": "none"}, "logs": {"level": "error"}},
        },
        "extensions": {"health_check": {}},
        "receivers": {"otlp": {"protocols": {"http": {}}}},
        "processors": document["processors"],
        "connectors": {name: value for name, value in document["connectors"].items() if name in used},
        "exporters": {"nop": {}},
    }  # fmt: skip


def _cpu(document: Json, what: str) -> float:
    """Return the CPU seconds that the collector spends on what is pushed, its start left out."""
    with tempfile.TemporaryDirectory() as folder, _running(document, Path(folder)) as (process, url):
        otlp.push(url, what, {"bench": _batch(what)})  # caches and connections belong to no batch
        before = _seconds(process)
        for _ in range(BATCHES):
            otlp.push(url, what, {"bench": _batch(what)})
        time.sleep(0.5)
        return _seconds(process) - before


@contextmanager
def _running(document: Json, folder: Path) -> Iterator[tuple[psutil.Process, str]]:
    health, http = _ports(2)
    document["extensions"]["health_check"]["endpoint"] = f"127.0.0.1:{health}"
    document["receivers"]["otlp"]["protocols"]["http"]["endpoint"] = f"127.0.0.1:{http}"
    path = folder / "collector.yaml"
    path.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    with (folder / "log").open("wb") as log:
        command = ["otelcol-contrib", f"--config={path}"]
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + _START_SECONDS
            while not _answers(f"http://127.0.0.1:{health}/"):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((folder / "log").read_text()[-2_000:])
                time.sleep(0.2)
            yield psutil.Process(process.pid), f"http://127.0.0.1:{http}"
        finally:
            process.terminate()
            process.wait()


def _batch(what: str) -> list[Json]:
    make: dict[str, Callable[[int], Json]] = {"records": _record, "spans": _span, "metrics": _point}
    return [make[what](number) for number in range(BATCH)]


def _attributes(number: int) -> list[Json]:
    values = {"http.route": "/cart/{id}", "customer": f"c-{number % 10}", "url.full": "https://shop.example/cart/42"}
    return [{"key": key, "value": {"stringValue": value}} for key, value in values.items()]


def _record(number: int) -> Json:
    return otlp.record(_LINES[number % len(_LINES)], level="") | {"attributes": _attributes(number)}


def _span(number: int) -> Json:
    return otlp.span(otlp.new_trace(), otlp.new_span(), name="GET /cart/{id}") | {"attributes": _attributes(number)}


def _point(number: int) -> Json:
    point = {"timeUnixNano": str(time.time_ns()), "asDouble": number, "attributes": _attributes(number)}
    return {"name": f"orders_{number % 10}", "gauge": {"dataPoints": [point]}}


def _seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=2):  # noqa: S310 - loopback
            return True
    except OSError:
        return False


def _ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    numbers = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return numbers
