"""The collector, Prometheus and Loki as their images run them, on loopback: processes with the rendered configuration.

They need no Docker, but the binaries on PATH; without one of them the tests skip, with its name as the reason.
"""

from __future__ import annotations

import json
import shutil
import socket
import struct
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from observability import endpoints, topology
from observability.configs import collector, loki, prometheus
from observability.settings import Settings, load
from tests.conftest import PROMETHEUS, major

START_SECONDS: Final = 60
STORE_SECONDS: Final = 20


def free_port() -> int:
    """Return a free port of loopback."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_for(check: Callable[[], Any], seconds: float = STORE_SECONDS) -> Any:  # noqa: ANN401 - whatever it is
    """Return what `check` returns as soon as that is true; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (result := check()):
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.2)
    return result


def get(url: str, **parameters: str) -> Any:  # noqa: ANN401 - JSON
    """Return the JSON at `url`."""
    requests = f"{url}?{urllib.parse.urlencode(parameters)}" if parameters else url
    with urllib.request.urlopen(requests, timeout=10) as answer:
        return json.loads(answer.read() or "null")


def answers(url: str) -> bool:
    """Say whether there is a good answer at `url`."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status < 300)
    except OSError:
        return False


class Stores:
    """A running collector with its two stores."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.folder, self.settings = folder, settings
        self.ports = {name: free_port() for name in ("prometheus", "loki", "loki_grpc", "grpc", "http", "fluent",
                                                     "health", "metrics", "own", "jaeger")}  # fmt: skip
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def otlp(self) -> str:
        """The URL of OTLP over HTTP, without a path."""
        return f"http://127.0.0.1:{self.ports['http']}"

    def _write(self, name: str, text: str, replaced: dict[str, str]) -> Path:
        for old, new in replaced.items():
            assert old in text, old
            text = text.replace(old, new)
        path = self.folder / name
        path.write_text(text)
        return path

    def start(self, name: str) -> None:
        """Start one of the three and wait until it is ready."""
        ports = {key: str(port) for key, port in self.ports.items()}
        if name == "prometheus":
            (self.folder / "rules").mkdir(exist_ok=True)
            document = prometheus.render(self.settings).partition("scrape_configs:")[0]
            path = self._write("prometheus.yml", document, {prometheus.RULES: f"{self.folder}/rules"})
            command = [
                "prometheus", f"--config.file={path}", f"--storage.tsdb.path={self.folder}/prometheus",
                "--web.enable-otlp-receiver", "--enable-feature=exemplar-storage",
                f"--web.listen-address=127.0.0.1:{ports['prometheus']}",
            ]  # fmt: skip
            ready = f"http://127.0.0.1:{ports['prometheus']}/-/ready"
        elif name == "loki":
            text = loki.render(self.settings).replace("/loki/", f"{self.folder}/loki/")
            path = self._write(
                "loki.yaml",
                text,
                {
                    "path_prefix: /loki": f"path_prefix: {self.folder}/loki",
                    f"http_listen_port: {topology.LOKI.port('http')}": "http_listen_address: 127.0.0.1\n"
                    f"  http_listen_port: {ports['loki']}",
                    f"grpc_listen_port: {topology.LOKI.port('grpc')}": "grpc_listen_address: 127.0.0.1\n"
                    f"  grpc_listen_port: {ports['loki_grpc']}",
                    f"127.0.0.1:{topology.LOKI.port('grpc')}": f"127.0.0.1:{ports['loki_grpc']}",
                },
            )
            command = ["loki", f"-config.file={path}"]
            ready = f"http://127.0.0.1:{ports['loki']}/ready"
        else:
            path = self._write(
                "collector.yaml",
                collector.render(self.settings),
                {
                    "http://prometheus:9090": f"http://127.0.0.1:{ports['prometheus']}",
                    "http://loki:3100": f"http://127.0.0.1:{ports['loki']}",
                    "jaeger:4317": f"127.0.0.1:{ports['jaeger']}",
                    "0.0.0.0:4317": f"127.0.0.1:{ports['grpc']}",
                    "0.0.0.0:4318": f"127.0.0.1:{ports['http']}",
                    endpoints.takes_own().address: f"127.0.0.1:{ports['own']}",
                    "0.0.0.0:24224": f"127.0.0.1:{ports['fluent']}",
                    "0.0.0.0:13133": f"127.0.0.1:{ports['health']}",
                    "host: 0.0.0.0": "host: 127.0.0.1",
                    "port: 8888": f"port: {ports['metrics']}",
                    collector.DATA: f"{self.folder}/collector",
                },
            )
            command = ["otelcol-contrib", f"--config={path}"]
            ready = f"http://127.0.0.1:{ports['health']}/"
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS
        while not answers(ready):
            assert self.processes[name].poll() is None, self.log(name)
            assert time.monotonic() < deadline, self.log(name)
            time.sleep(0.2)

    def stop(self, name: str) -> None:
        """Stop one of the three."""
        process = self.processes.pop(name)
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def log(self, name: str) -> str:
        """Return the end of what it printed."""
        return (self.folder / f"{name}.log").read_text(errors="replace")[-4_000:]

    def query(self, expression: str) -> dict[tuple[str, ...], float]:
        """Return what Prometheus says now, by the values of the labels in the order of their names."""
        url = f"http://127.0.0.1:{self.ports['prometheus']}/api/v1/query"
        rows = get(url, query=expression)["data"]["result"]
        return {tuple(v for _, v in sorted(row["metric"].items())): float(row["value"][1]) for row in rows}

    def number(self, expression: str) -> float:
        """Return the only value that Prometheus says now; 0 where there is none."""
        return next(iter(self.query(expression).values()), 0.0)

    def lines(self, selector: str) -> list[tuple[dict[str, str], str]]:
        """Return the labels and the text of the lines of the last hour, as Grafana gets them."""
        url = f"http://127.0.0.1:{self.ports['loki']}/loki/api/v1/query_range"
        result = get(url, query=selector, since="1h", limit="5000")
        return [(row["stream"], value[1]) for row in result["data"]["result"] for value in row["values"]]

    def own_metrics(self) -> dict[str, float]:
        """Return what the collector counts of itself."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.ports['metrics']}/metrics", timeout=5) as answer:
            text = answer.read().decode()
        rows = (line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#"))
        return {name: float(value) for name, _, value in rows}

    def print_line(self, line: str, **record: str) -> None:
        """Send a line as the Docker engine's fluentd driver does: one message, and the answer awaited."""
        fields = {"source": "stdout", "container_id": "c0ffee", "container_name": "/shop", **record, "log": line}
        message = _packed([fields.get("tag", "shop"), int(time.time()), fields, {"chunk": "abc="}])
        with socket.create_connection(("127.0.0.1", self.ports["fluent"]), timeout=5) as connection:
            connection.sendall(message)
            assert b"abc=" in connection.recv(64)


def _packed(value: Any) -> bytes:  # noqa: ANN401 - what MessagePack can hold
    """Return `value` as MessagePack."""
    if isinstance(value, int):
        return b"\xd3" + struct.pack(">q", value)
    if isinstance(value, str):
        text = value.encode()
        return b"\xdb" + struct.pack(">I", len(text)) + text
    if isinstance(value, dict):  # of at most 15, as a list is
        items = b"".join(_packed(key) + _packed(item) for key, item in value.items())
        return bytes([0x80 + len(value)]) + items
    return bytes([0x90 + len(value)]) + b"".join(map(_packed, value))


def needed(*binaries: str) -> None:
    paths = {name: shutil.which(name) for name in binaries}
    missing = [
        name for name, path in paths.items() if path is None or (name == "prometheus" and major(path) < PROMETHEUS)
    ]
    if missing:
        pytest.skip(f"not on PATH: {', '.join(missing)}")


@pytest.fixture(scope="session")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    """The collector and Prometheus, running."""
    needed("otelcol-contrib", "prometheus")
    running = Stores(tmp_path_factory.mktemp("stores"), load("dev", {"dockerSocket": ""}))
    try:
        for name in ("prometheus", "collector"):
            running.start(name)
        yield running
    finally:
        for name in list(running.processes):
            running.stop(name)


@pytest.fixture
def line_stores(stores: Stores) -> Stores:
    """The same, and Loki."""
    needed("loki")
    if "loki" not in stores.processes:
        stores.start("loki")
    return stores
