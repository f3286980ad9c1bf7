"""What is pushed arrives, what containers use and print is known, and nothing that was accepted is lost."""

from __future__ import annotations

import sys
import time
import urllib.parse
from typing import Any

import pytest

from cli import otlp
from lab.sandbox import Sandbox
from observability.settings import CONTAINERS
from tests.e2e.conftest import wait_for, wait_healthy

MEBIBYTE = 1024 * 1024
BACKENDS = ("jaeger", "loki", "prometheus")
ACCEPTED = 40
"""Batches that are sent while every backend is down."""


def accepted(what: str, real: Sandbox, service: str, *items: Any) -> bool:  # noqa: ANN401 - JSON
    """Say whether the collector took it."""
    try:
        otlp.push(real.url("otlpHttp"), what, {service: items})
    except OSError:
        return False
    return True


def send_trace(real: Sandbox, trace: str, service: str = "shop") -> bool:
    """Send a request of `service` to `<service>-db`, as two processes see it."""
    try:
        otlp.call(real.url("otlpHttp"), trace, service, f"{service}-db", name="GET /pay")
    except OSError:
        return False
    return True


def send_log(real: Sandbox, text: str, trace: str = "", service: str = "shop") -> bool:
    return accepted("records", real, service, otlp.record(text, trace, level="ERROR"))


def send_metric(real: Sandbox, value: int, trace: str = "", service: str = "shop") -> bool:
    now = str(time.time_ns())
    exemplars = [{"timeUnixNano": now, "asInt": "1", "traceId": trace, "spanId": "0" * 15 + "1"}] if trace else []
    point = {"timeUnixNano": now, "startTimeUnixNano": "1", "asInt": str(value), "exemplars": exemplars}
    total = {"name": "orders", "sum": {"isMonotonic": True, "aggregationTemporality": 2, "dataPoints": [point]}}
    return accepted("metrics", real, service, total)


def ask(real: Sandbox, source: str, path: str, **parameters: str) -> Any:  # noqa: ANN401 - JSON
    """Ask a data source through Grafana; None when it does not answer."""
    try:
        requests = urllib.parse.urlencode(parameters)
        return real.grafana().request("GET", f"/api/datasources/proxy/uid/{source}/{path}?{requests}")
    except Exception:  # noqa: BLE001 - it may be down, or just starting
        return None


def numbers(real: Sandbox, expr: str, label: str = "container") -> dict[str, float]:
    """Return what Prometheus says now, by a label."""
    rows = (ask(real, "prometheus", "api/v1/query", query=expr) or {"data": {"result": []}})["data"]["result"]
    return {row["metric"].get(label, ""): float(row["value"][1]) for row in rows}


def lines(real: Sandbox, selector: str) -> list[str]:
    """Return the log lines of the last quarter of an hour."""
    output = ask(real, "loki", "loki/api/v1/query_range", query=selector, since="15m", limit="5000")
    return [value[1] for row in (output or {"data": {"result": []}})["data"]["result"] for value in row["values"]]


def traces(real: Sandbox, *ids: str) -> int:
    """Return how many of these traces Jaeger has."""
    return sum(bool((ask(real, "jaeger", f"api/traces/{i}") or {}).get("data")) for i in ids)


def test_one_request_arrives_as_trace_line_and_number_with_its_exemplar(real: Sandbox) -> None:
    trace = otlp.new_trace()
    assert send_trace(real, trace)
    assert send_log(real, f"failed {trace}", trace)
    assert send_metric(real, 1, trace)
    wait_for(lambda: traces(real, trace) == 1)
    wait_for(lambda: lines(real, f'{{service_name="shop"}} | trace_id="{trace}"'))
    wait_for(lambda: numbers(real, 'orders_total{service_name="shop"}', "service_name") == {"shop": 1})
    now = time.time()

    def exemplars() -> list[dict[str, Any]]:
        requests = {"query": "orders_total", "start": str(now - 300), "end": str(now + 60)}
        result = ask(real, "prometheus", "api/v1/query_exemplars", **requests) or {"data": []}
        return [e for row in result["data"] for e in row["exemplars"] if e["labels"].get("trace_id") == trace]

    assert wait_for(exemplars)


def test_spans_make_rates_and_a_map_of_who_calls_whom(real: Sandbox) -> None:
    for _ in range(3):
        assert send_trace(real, otlp.new_trace(), "caller")
        time.sleep(1)
    edge = 'sum by (client, server) (traces_service_graph_request_total{client="caller", server="caller-db"})'
    wait_for(lambda: numbers(real, edge, "server").get("caller-db", 0) >= 3)
    rate = 'sum by (service_name) (traces_span_metrics_calls_total{service_name="caller"})'
    wait_for(lambda: numbers(real, rate, "service_name").get("caller", 0) >= 3)


def same_memory(real: Sandbox, own: str, service: str) -> bool:
    """Compare what Prometheus has with what the engine's API says of a container's memory, its cache left out."""
    recorded = numbers(real, f'container_memory_usage_total_bytes{{{own}, container="{service}"}}')[service]
    used: dict[str, Any] = real.container(service).stats(stream=False)["memory_stats"]  # type: ignore[index]
    cache = used["stats"].get("total_inactive_file", used["stats"].get("inactive_file", 0))
    docker_says = used["usage"] - cache
    return bool(abs(recorded - docker_says) <= max(0.1 * docker_says, 4 * MEBIBYTE))


def send_requests(real: Sandbox, service: str, good: int, bad: int) -> bool:
    """Send what an instrumented server exports of its requests so far: OpenTelemetry's histogram, by status."""
    now = str(time.time_ns())
    points = [
        {
            "timeUnixNano": now, "startTimeUnixNano": "1", "count": str(count), "sum": count * 0.1,
            "explicitBounds": [0.1, 0.25, 0.5, 1], "bucketCounts": [str(count), "0", "0", "0", "0"],
            "attributes": [
                {"key": "http.route", "value": {"stringValue": "/pay"}},
                {"key": "http.request.method", "value": {"stringValue": "POST"}},
                {"key": "http.response.status_code", "value": {"intValue": status}},
            ],
        }
        for status, count in ((200, good), (500, bad))
    ]  # fmt: skip
    histogram = {"aggregationTemporality": 2, "dataPoints": points}
    metric = {"name": "http.server.request.duration", "unit": "s", "histogram": histogram}
    return accepted("metrics", real, service, metric)


def test_one_line_of_configuration_gives_a_pushing_service_its_slos(real: Sandbox) -> None:
    real.configure(services=[{"name": "pushes", "otlp": True}])
    real.up()
    wait_healthy(real)
    for step in range(1, 30):
        assert send_requests(real, "pushes", 90 * step, 10 * step)
        time.sleep(1)
    ratio = 'slo:availability:ratio_rate5m{service="pushes"}'
    wait_for(lambda: abs(numbers(real, ratio, "service").get("pushes", 0) - 0.9) < 0.01, 90)
    wait_for(lambda: numbers(real, 'slo:objective:ratio{service="pushes", slo="latency"}', "service"), 30)
    sys.stdout.write(f"\n{ratio} = {numbers(real, ratio, 'service')['pushes']:.4f}, sent 0.9\n")
    real.expect_no_changes()
    real.configure(services=None)
    real.up()
    wait_healthy(real)


def test_every_container_is_measured_as_docker_measures_it(real: Sandbox) -> None:
    wait_for(lambda: set(numbers(real, "container:memory_bytes:max")) >= set(CONTAINERS))
    wait_for(lambda: set(numbers(real, "container:cpu_cores:rate5m")) >= set(CONTAINERS), 90)
    own = f'stack="{real.name}"'
    limits = numbers(real, f"container_memory_usage_limit_bytes{{{own}}}")
    cores = numbers(real, f"container_cpu_limit{{{own}}}")
    assert set(limits) == set(cores) == set(CONTAINERS)
    for service in CONTAINERS:
        # A service that has just started grows between two looks.
        wait_for(lambda service=service: same_memory(real, own, service))  # type: ignore[misc]
        host = real.container(service).attrs["HostConfig"]
        assert limits[service] == host["Memory"], service
        assert cores[service] * 1e9 == pytest.approx(host["NanoCpus"]), service
    for record in ("container:network_received_bytes:rate5m", "container:network_sent_bytes:rate5m"):
        assert set(numbers(real, record)) >= set(CONTAINERS), record
    assert numbers(real, f"container_restarts_total{{{own}}}")["loki"] >= 0


def test_the_host_is_measured(real: Sandbox) -> None:
    for name in ("system_cpu_time_seconds_total", "system_memory_usage_bytes", "system_filesystem_usage_bytes",
                 "system_disk_io_bytes_total", "system_cpu_load_average_1m"):  # fmt: skip
        wait_for(lambda name=name: numbers(real, f"count({name})"))  # type: ignore[misc]


def test_what_every_container_prints_is_kept_by_stack_and_service(real: Sandbox) -> None:
    for service in CONTAINERS:
        stream = f'{{stack="{real.name}", service_name="{service}"}}'
        printed = real.container(service).logs(tail=200).decode(errors="replace").splitlines()
        if not printed:
            continue  # Loki itself says nothing while all is well
        wait_for(lambda stream=stream: lines(real, stream), 90)  # type: ignore[misc]
        kept = set(lines(real, stream))
        assert set(printed[:5]) <= kept, f"{service}: what it printed while the collector was starting is lost"


def test_the_filter_lets_nothing_but_reading_through(real: Sandbox) -> None:
    """Asked from the collector's own network, and from elsewhere in the stack's."""
    image = real.container("prometheus").attrs["Config"]["Image"]

    def asked(network: str, *arguments: str) -> str:
        output: bytes = real.docker.containers.run(
            image, entrypoint="/bin/sh", command=["-c", f"wget -q -S -O /dev/null {' '.join(arguments)} 2>&1; true"],
            network_mode=network, remove=True,
        )  # fmt: skip
        return output.decode()

    inside = f"container:{real.container('collector').id}"
    base = "http://engine-filter:2375"
    version = str(real.docker.version()["ApiVersion"])
    some = real.container("loki").id
    for path in ("/containers/json", f"/containers/{some}/json", f"/containers/{some}/stats?stream=false", "/_ping"):
        assert " 200 " in asked(inside, f"'{base}/v{version}{path}'"), path
    for path in ("/images/json", "/secrets", f"/containers/{some}/logs?stdout=1", f"/containers/{some}/archive?path=/",
                 "/info", "/volumes", "/containers/json/../../images/json"):  # fmt: skip
        assert " 200 " not in asked(inside, f"'{base}/v{version}{path}'"), path
        assert " 403 " in asked(inside, f"'{base}/v{version}{path}'"), path
    for path in (f"/containers/{some}/stop", "/containers/create", f"/containers/{some}/exec"):
        output = asked(inside, "--post-data=x", f"'{base}/v{version}{path}'")
        assert " 405 " in output or " 403 " in output, output
    assert real.container("loki").status == "running"
    url = f"'{base}/v{version}/containers/json'"
    assert " 403 " in asked(f"observability-{real.name}-backends", url), "only the collector is answered"
    assert "bad address" in asked(f"observability-{real.name}", url), "applications cannot even reach it"


def test_what_was_accepted_while_the_backends_were_down_arrives(real: Sandbox) -> None:
    """The collector is killed in the meantime too: what it accepted is on its disk."""
    for service in BACKENDS:
        real.container(service).stop()
    ids = [otlp.new_trace() for _ in range(ACCEPTED)]
    used: dict[str, list[str]] = {"traces": [], "logs": []}
    taken_metrics = 0
    for number, trace in enumerate(ids):
        if send_trace(real, trace, "patient"):
            used["traces"].append(trace)
        if send_log(real, f"waiting {trace}", trace, "patient"):
            used["logs"].append(trace)
        taken_metrics += send_metric(real, 1000 + number, service="patient")
        if number == ACCEPTED // 2:
            real.container("collector").kill("SIGKILL")
            real.container("collector").start()
            wait_healthy(real, "collector")
    began = time.monotonic()
    for service in BACKENDS:
        real.container(service).start()
    wait_healthy(real)
    assert min(*map(len, used.values()), taken_metrics) >= ACCEPTED - 2

    def arrived() -> bool:
        kept = lines(real, '{service_name="patient"} |= "waiting"')
        return traces(real, *used["traces"]) == len(used["traces"]) and all(
            f"waiting {trace}" in kept for trace in used["logs"]
        )

    wait_for(arrived, 120)

    def samples() -> float:
        counted = numbers(real, 'count_over_time(orders_total{service_name="patient"}[15m])', "service_name")
        return counted.get("patient", 0)

    wait_for(lambda: samples() >= taken_metrics, 60)  # each is tried again by itself, at most 10 s later
    kept = lines(real, '{service_name="patient"} |= "waiting"')
    sys.stdout.write(
        f"\naccepted while all three were down, the collector killed once: {len(used['traces'])} traces,"
        f" {len(used['logs'])} lines; all there {time.monotonic() - began:.0f} s after the start; lines there"
        f" {len(kept)}, samples {samples():.0f}\n"
    )
    real.expect_no_changes()


def test_without_the_socket_nobody_asks_the_engine(real: Sandbox) -> None:
    real.configure(dockerSocket="")
    before = real.container("collector").id
    real.up()
    names = {c.name for c in real.docker.containers.list(all=True, filters={"name": f"observability-{real.name}-"})}
    assert f"observability-{real.name}-engine-filter" not in names
    assert real.container("collector").id != before
    real.expect_no_changes()
    real.configure(dockerSocket=None)
    real.up()
    assert real.container("engine-filter").status == "running"
