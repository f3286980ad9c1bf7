"""Traces kept elsewhere: a real collector before a real Jaeger that is killed, and spans counted by either alike."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli import otlp
from observability import topology
from observability.configs import jaeger, prometheus
from observability.names import series
from observability.settings import Settings, load
from tests.telemetry.conftest import Stores, answers, free_port, get, needed, wait_for

SPANS = 40
FOUND_SECONDS = 90
COUNTED_SECONDS = 60
PORTS = ("http", "grpc", "otlp-grpc", "otlp-http", "health", "metrics", "span-metrics")


class Jaeger:
    """A Jaeger as the stack runs it, in the place of one that others run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = {name: free_port() for name in PORTS}
        self.process: subprocess.Popen[bytes] | None = None
        text = jaeger.render(load("dev", {})).replace(jaeger.DATA, f"{folder}/badger")
        for name, port in self.ports.items():
            number = topology.JAEGER.port(name)
            text = text.replace(f"0.0.0.0:{number}", f"127.0.0.1:{port}").replace(f"port: {number}", f"port: {port}")
        (folder / "jaeger.yaml").write_text(text.replace("host: 0.0.0.0", "host: 127.0.0.1"))

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            command = ["jaeger", f"--config={self.folder}/jaeger.yaml"]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_for(lambda: answers(f"http://127.0.0.1:{self.ports['health']}/status"), FOUND_SECONDS)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def traces(self, service: str) -> set[str]:
        try:
            answer = get(f"http://127.0.0.1:{self.ports['http']}/api/traces", service=service, limit="1000")
        except urllib.error.URLError:
            return set()
        return {trace["traceID"] for trace in answer["data"] or ()}


class Far(Stores):
    """A collector that sends elsewhere, and counts spans."""

    def _write(self, name: str, text: str, replaced: dict[str, str]) -> Path:
        self.ports.setdefault("span-metrics", free_port())
        own = {old: new for old, new in replaced.items() if old != "jaeger:4317"}
        return super()._write(name, text, own | {"0.0.0.0:8889": f"127.0.0.1:{self.ports['span-metrics']}"})


def settings_of(jaeger: Jaeger) -> Settings:
    traces = {"writeUrl": f"http://127.0.0.1:{jaeger.ports['otlp-http']}", "queryUrl": "http://127.0.0.1:1"}
    return load("dev", {"traces": json.dumps(traces), "dockerSocket": "", "scrapeInterval": "5s"})


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Far, Jaeger]]:
    needed("otelcol-contrib", "jaeger")
    store = Jaeger(tmp_path_factory.mktemp("jaeger"))
    stores = Far(tmp_path_factory.mktemp("collector"), settings_of(store))
    try:
        store.start()
        stores.start("collector")
        yield stores, store
    finally:
        for name in list(stores.processes):
            stores.stop(name)
        store.kill()


def _push(stores: Far, service: str) -> set[str]:
    traces = {otlp.new_trace() for _ in range(SPANS)}
    for trace in traces:
        otlp.push(stores.otlp, "spans", {service: [otlp.span(trace, otlp.new_span(), name="GET /pay")]})
    return traces


def _counted(port: int, service: str) -> dict[tuple[str, ...], float]:
    """Return how many spans of a service are counted, by name and labels, without those that Prometheus drops."""
    headers = {"Accept": "application/openmetrics-text"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/metrics", headers=headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        text = answer.read().decode()
    found = {}
    for name, labels, value in re.findall(r"^(\w+(?:_total|_count))\{(.*?)\} (\S+)", text, re.MULTILINE):
        named = re.findall(r'(\w+)="([^"]*)"', labels)
        kept = sorted(f"{k}={v}" for k, v in named if not re.fullmatch(prometheus.RUNTIME_LABELS, k))
        if f"service_name={service}" in kept:
            found[name, *kept] = float(value)
    return found


def test_nothing_acknowledged_is_lost_while_the_store_is_killed(elsewhere: tuple[Far, Jaeger]) -> None:
    stores, store = elsewhere
    sent = _push(stores, "shop")
    wait_for(lambda: store.traces("shop") == sent, FOUND_SECONDS)
    store.kill()
    sent |= _push(stores, "shop")
    store.start()
    wait_for(lambda: store.traces("shop") == sent, FOUND_SECONDS)


def test_spans_are_counted_by_the_collector_as_jaeger_counts_them(elsewhere: tuple[Far, Jaeger]) -> None:
    stores, store = elsewhere
    sent = _push(stores, "counted")
    wait_for(lambda: store.traces("counted") == sent, FOUND_SECONDS)
    by_jaeger, by_collector = store.ports["span-metrics"], stores.ports["span-metrics"]
    wait_for(lambda: set(_counted(by_jaeger, "counted").values()) == {SPANS}, COUNTED_SECONDS)
    wait_for(lambda: set(_counted(by_collector, "counted").values()) == {SPANS}, COUNTED_SECONDS)
    assert _counted(by_collector, "counted") == _counted(by_jaeger, "counted")
    assert {name for name, *_ in _counted(by_collector, "counted")} == {
        series.SPAN_CALLS,
        series.SPAN_DURATION_BUCKET.replace("_bucket", "_count"),
    }


def test_spans_are_counted_while_the_store_is_away(elsewhere: tuple[Far, Jaeger]) -> None:
    stores, store = elsewhere
    store.kill()
    _push(stores, "away")
    wait_for(lambda: SPANS in _counted(stores.ports["span-metrics"], "away").values(), COUNTED_SECONDS)
    store.start()
