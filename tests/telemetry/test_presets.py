"""Each preset measures what was sent, in a real Prometheus that scrapes what the library shows.

Those of `expositions/` were shown by the real library, in the version that the file's name says (capture.py there);
Traefik's by its own metrics and middleware in a program around them. Istio's has the labels that its proxy's own tests
expect, and Envoy's buckets.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

import pytest

from observability import rules
from observability.configs import prometheus
from observability.settings import Settings, SettingsError, load
from observability.settings.presets import PRESETS
from tests.conftest import PROMETHEUS, major
from tests.telemetry.conftest import answers, free_port, get, wait_for

GOOD, BAD, SLOW = 8, 2, 1
"""Requests in each second: good ones, failed ones, and how many of them all are slower than the threshold."""
AVAILABLE: Final = GOOD / (GOOD + BAD)
FAST: Final = 1 - SLOW / (GOOD + BAD)


def buckets(name: str, labels: str, bounds: tuple[str, ...], slow_from: int, share: tuple[int, int]) -> str:
    """Return a histogram of `share` (all, slow) requests; slow ones are above the bound at `slow_from`."""
    total, slow = share
    rows = [
        f'{name}_bucket{{{labels},le="{b}"}} {total - slow if n <= slow_from else total}' for n, b in enumerate(bounds)
    ]
    ends = (
        f'{name}_bucket{{{labels},le="+Inf"}} {total}',
        f"{name}_count{{{labels}}} {total}",
        f"{name}_sum{{{labels}}} {total}",
    )
    return "\n".join((*rows, *ends))


Bounds = tuple[tuple[str, ...], int]
"""The bounds of a histogram, and the place of the last one that slow requests are above."""


def both(name: str, good: str, bad: str, bounds: Bounds, n: int) -> str:
    """Return the histograms of the good and of the failed requests after `n` seconds."""
    return "\n".join((
        f"# TYPE {name} histogram",
        buckets(name, good, *bounds, (GOOD * n, SLOW * n)),
        buckets(name, bad, *bounds, (BAD * n, 0)),
    ))  # fmt: skip


# Those of Envoy, which writes Istio's metrics.
MILLIS: Final = ("0.5", "1", "5", "10", "25", "50", "100", "250", "500", "1000", "2500", "5000", "10000")


ISTIO_LABELS: Final = ",".join(f'{name}="{value}"' for name, value in {
    "source_workload": "web-v1", "source_workload_namespace": "default", "source_principal": "unknown",
    "source_app": "web", "source_version": "v1", "source_cluster": "Kubernetes",
    "destination_workload": "shop-v1", "destination_workload_namespace": "default",
    "destination_principal": "unknown", "destination_app": "shop", "destination_version": "v1",
    "destination_service": "shop.default.svc.cluster.local", "destination_service_name": "shop",
    "destination_service_namespace": "default", "destination_cluster": "Kubernetes", "request_protocol": "http",
    "grpc_response_status": "", "response_flags": "-", "connection_security_policy": "none",
}.items())  # fmt: skip
"""Those that the tests of istio/proxy expect of its filter."""


def istio(n: int) -> str:
    rows, timed = [], []
    for reporter in ("source", "destination"):
        labels = f'{ISTIO_LABELS},reporter="{reporter}",response_code='
        rows += [
            f'istio_requests_total{{{labels}"200"}} {GOOD * n}',
            f'istio_requests_total{{{labels}"503"}} {BAD * n}',
        ]
        timed.append(both("istio_request_duration_milliseconds", f'{labels}"200"', f'{labels}"503"', (MILLIS, 7), n))
    timed[1] = timed[1].partition("\n")[2]
    return "\n".join(("# TYPE istio_requests_total counter", *rows, *timed))


def captured(path: Path) -> Callable[[int], str]:
    """Return what a real library showed after ten requests, as it would after `n` times as many."""
    rows = path.read_text().splitlines()

    def shown(n: int) -> str:
        scaled = (
            row if row.startswith("#") else f"{row.rpartition(' ')[0]} {float(row.rpartition(' ')[2]) * n}"
            for row in rows
        )
        return "\n".join(scaled)

    return shown


CAPTURED: Final = {
    path.name.partition(".")[0]: captured(path) for path in (Path(__file__).parent / "expositions").glob("*.txt")
}
NGINX: Final = CAPTURED.pop("nginx")
LIBRARIES: Final = {"istio": istio, **CAPTURED}


class _Target(BaseHTTPRequestHandler):
    started: float = 0

    def do_GET(self) -> None:
        library = LIBRARIES[self.server.library]  # type: ignore[attr-defined]
        text = library(1 + int(time.monotonic() - _Target.started)) + "\n"
        # As client_golang does: names have dots unless the client asks for underscores.
        if self.server.library == "go" and "escaping=underscores" not in self.headers["Accept"]:  # type: ignore[attr-defined]
            text = re.sub(r"(?m)^http_(\w+)\{", r'{"http.\1",', text)
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        with suppress(BrokenPipeError):  # Prometheus stops in the middle of a scrape
            self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the URL of a Prometheus that scrapes every library and records the SLOs."""
    binary = shutil.which("prometheus")
    if binary is None or major(binary) < PROMETHEUS:
        pytest.skip("Prometheus 3 is not on PATH")
    folder: Path = tmp_path_factory.mktemp("presets")
    _Target.started = time.monotonic()
    servers, services = [], []
    for name in LIBRARIES:
        server = ThreadingHTTPServer(("127.0.0.1", 0), _Target)
        server.library = name  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        services.append({"name": name, "preset": name, "targets": [f"127.0.0.1:{server.server_port}"]})
    settings: Settings = load(
        "dev",
        {"services": json.dumps(services), "scrapeInterval": "1s", "ruleInterval": "5s", "watchStack": "false"},
    )
    (folder / "rules").mkdir()
    for file, text in rules.render(settings).items():
        if file.startswith("slo-"):
            (folder / "rules" / file).write_text(text)
    text = prometheus.render(settings).replace(prometheus.RULES, f"{folder}/rules")
    head, _, jobs = text.partition("scrape_configs:\n")
    own = jobs.split("- job_name: ")
    watched = [job for job in own if job.split("\n")[0].strip() in LIBRARIES]
    (folder / "prometheus.yml").write_text(
        head + "scrape_configs:\n" + "".join(f"- job_name: {job}" for job in watched)
    )
    port = free_port()
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
             f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log,
        )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: process.poll() is None and answers(f"{url}/-/ready"), 60)
        yield url
    finally:
        process.terminate()
        process.wait(30)
        for server in servers:
            server.shutdown()
            server.server_close()


def near(url: str, expression: str, expected: float) -> bool:
    rows = get(f"{url}/api/v1/query", query=expression)["data"]["result"]
    return bool(rows) and abs(float(rows[0]["value"][1]) - expected) < 0.02


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_preset_measures_what_was_sent(measured: str, library: str) -> None:
    labels = f'service="{library}"'
    wait_for(lambda: near(measured, f'slo:good:ratio_period{{{labels}, slo="availability"}}', AVAILABLE), 60)
    wait_for(lambda: near(measured, f'slo:good:ratio_period{{{labels}, slo="latency"}}', FAST), 60)
    # Milliseconds are not taken for seconds.
    slow = get(f"{measured}/api/v1/query", query=f"service:http_request_duration_seconds:p95_5m{{{labels}}}")
    assert 0 < float(slow["data"]["result"][0]["value"][1]) <= 30


def test_every_preset_is_tried_or_refused() -> None:
    assert set(PRESETS) == {*LIBRARIES, "nginx", "otel", "otel-old"}


def test_nginx_counts_no_status_and_promises_nothing() -> None:
    requests = [row for row in NGINX(1).splitlines() if "request" in row and not row.startswith("#")]
    assert requests == ["nginx_http_requests_total 12.0"]  # ten of them, and two of the exporter
    target = {"name": "x", "preset": "nginx", "targets": ["x:9113"]}
    (service,) = load("dev", {"services": json.dumps([target])}).services
    assert (service.availability, service.latency) == (None, None)
    with pytest.raises(SettingsError, match="null for nginx"):
        load("dev", {"services": json.dumps([target | {"availability": {"objective": 99}}])})


@pytest.mark.parametrize("preset", sorted({*PRESETS} - {"nginx"}))
def test_what_is_given_wins_over_the_preset(preset: str) -> None:
    given: dict[str, object] = {
        "name": "x",
        "preset": preset,
        "labels": {"status": "mine"},
        "latency": {"threshold": "1s"},
    }
    (service,) = load(
        "dev", {"services": json.dumps([given | ({} if "otel" in preset else {"targets": ["x:1"]})])}
    ).services
    assert (service.labels.status, service.latency and service.latency.threshold) == ("mine", "1s")
    assert re.search("service", service.matchers)
