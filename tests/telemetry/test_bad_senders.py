"""One bad sender harms only itself: healthy senders beside each kind of bad item, counted in the stores."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import pytest
import yaml

from cli import otlp
from observability.rules import host
from tests.telemetry.conftest import Stores, get, wait_for

HOUR: Final = 3_600
HEALTHY: Final = 10
PUSHES: Final = 12
Metric = dict[str, Any]


def attribute(key: str, value: str = "x") -> dict[str, Any]:
    return {"key": key, "value": {"stringValue": value}}


def total(value: int, *, name: str = "orders", late: float = 0, temporality: int = 2, **point: object) -> Metric:
    """Return a counter's point of now, or of `late` seconds ago."""
    now = time.time_ns() - int(late * 1e9)
    row = {"timeUnixNano": str(now), "startTimeUnixNano": str(now - 10**9), "asInt": str(value), **point}
    if temporality == 2:
        row["startTimeUnixNano"] = "1"
    return {"name": name, "sum": {"isMonotonic": True, "aggregationTemporality": temporality, "dataPoints": [row]}}


def coarse(_: int) -> Metric:
    """Return an exponential histogram of a scale that Prometheus has no schema for."""
    now = str(time.time_ns())
    buckets = {"offset": 0, "bucketCounts": ["1"]}
    point = {"timeUnixNano": now, "startTimeUnixNano": "1", "count": "1", "sum": 1, "scale": -5, "positive": buckets}
    return {"name": "coarse", "exponentialHistogram": {"aggregationTemporality": 2, "dataPoints": [point]}}


def miscounted(_: int) -> Metric:
    """Return an exponential histogram whose count is not that of its buckets."""
    metric = coarse(0)
    metric["name"] = "miscounted"
    metric["exponentialHistogram"]["dataPoints"][0] |= {"scale": 3, "count": "99"}
    return metric


def far(_: int) -> Metric:
    """Return an exponential histogram of a bucket that no number is in."""
    metric = coarse(0)
    metric["name"] = "far"
    buckets = {"offset": 2**31 - 1, "bucketCounts": ["1"]}
    metric["exponentialHistogram"]["dataPoints"][0] |= {"scale": 3, "positive": buckets}
    return metric


def again(value: int) -> Metric:
    """Return a counter's point of this second's beginning: other values of it were sent in requests before."""
    return total(value, name="again", timeUnixNano=str(time.time_ns() // 10**9 * 10**9))


def many(value: int) -> Metric:
    points = [total(value, attributes=[attribute("order", str(n))])["sum"]["dataPoints"][0] for n in range(2_001)]
    return {"name": "many", "sum": {"isMonotonic": True, "aggregationTemporality": 2, "dataPoints": points}}


def not_a_number() -> dict[str, Any]:
    return {"timeUnixNano": str(time.time_ns()), "asDouble": "NaN"}


def gauge(name: str, **more: object) -> Metric:
    point = {"timeUnixNano": str(time.time_ns()), "asDouble": 0.5}
    return {"name": name, "gauge": {"dataPoints": [point]}, **more}


BAD: Final[dict[str, tuple[Callable[[int], Metric], str, str]]] = {
    # what it sends, the query that finds it stored, the reason for which it is dropped
    "delta sum": (lambda _: total(1, name="deltas", temporality=1), "deltas_total", ""),
    "seven hours old": (lambda v: total(v, name="old", late=7 * HOUR), "", "too old"),
    "without a time": (lambda _: {"name": "untimed", "gauge": {"dataPoints": [{"asDouble": 1}]}}, "", "too old"),
    "twenty minutes ahead": (lambda v: total(v, name="ahead", late=-1_200), "", "in the future"),
    "key in another script": (
        lambda v: total(v, name="keyed", attributes=[attribute("ключ")]),
        "keyed_total",
        "",
    ),
    "empty key": (lambda v: total(v, name="unkeyed", attributes=[attribute("")]), "unkeyed_total", ""),
    "name in another script": (lambda v: total(v, name="ключ"), "", "metric name without a letter"),
    "neither delta nor cumulative": (lambda v: total(v, temporality=0), "", "neither delta nor cumulative"),
    "no kind of metric": (lambda _: {"name": "nothing"}, "", "-"),
    "coarse histogram": (coarse, "", "histogram too coarse"),
    "miscounted histogram": (miscounted, "", ""),
    "far histogram": (far, "", ""),
    "not a number": (lambda _: {"name": "undefined", "gauge": {"dataPoints": [not_a_number()]}}, "undefined", ""),
    "own reason": (
        lambda v: {**total(v, name="reasoned"), "metadata": [attribute("refused"), attribute("refused.reason")]},
        "reasoned_total",
        "",
    ),
    "too many series": (many, "", "too many series in one metric"),
    "recorded series": (lambda _: gauge("slo:error_budget:burn_rate5m"), "", "name of one of the stack's own metrics"),
    "up": (lambda _: gauge("up"), "", "name of one of the stack's own metrics"),
    "up in disguise": (lambda _: gauge(".up."), "", "name of one of the stack's own metrics"),
    "up with a unit": (lambda _: gauge("up", unit="{targets}"), "", "name of one of the stack's own metrics"),
    "own metric": (lambda v: total(v, name="prometheus.tsdb.x"), "", "name of one of the stack's own metrics"),
    # Prometheus rolls back the request that it is in; no processor knows what was in the requests before.
    "another value of a moment": (again, "again_total", "-"),
    "exemplar without a value": (
        lambda v: total(v, name="exemplary", exemplars=[{"timeUnixNano": "1", "traceId": "0" * 31 + "1"}]),
        "",
        "-",
    ),
}


def push(stores: Stores, by_service: dict[str, list[Any]], what: str = "metrics") -> None:
    otlp.push(stores.otlp, what, by_service)


def stored(stores: Stores, names: list[str], metric: str = "orders_total") -> float:
    """Return how many samples of these services are stored."""
    chosen = "|".join(names)
    return stores.number(f'sum(count_over_time({metric}{{service_name=~"{chosen}"}}[15m]))')


def equals(stores: Stores, expression: str, value: float) -> bool:
    return stores.number(expression) == value


def has_lines(stores: Stores, service: str, count: int) -> bool:
    return len(stores.lines(f'{{service_name="{service}"}}')) == count


@pytest.mark.parametrize("kind", BAD)
def test_healthy_senders_keep_every_point_beside_a_bad_one(stores: Stores, kind: str) -> None:
    """Beside it in requests of their own, and with it in one request, as another collector would send them."""
    make, result, reason = BAD[kind]
    tag = kind.replace(" ", "-")
    names = [f"healthy-{tag}-{n}" for n in range(HEALTHY)]
    bad, shared = f"bad-{tag}", f"shared-{tag}"
    for step in range(1, PUSHES + 1):
        for name in names:
            push(stores, {name: [total(step)]})
        push(stores, {bad: [make(step)]})
        time.sleep(0.005)  # two points of one series in the same millisecond are a fault of their own
        if reason != "-":  # an unknown fault drops the rest of its own request, and of no other
            push(stores, {shared: [total(step)], bad: [make(step)]})
    sent = PUSHES * HEALTHY
    wait_for(lambda: stored(stores, names) == sent)
    sys.stdout.write(f"\n{kind}: {stored(stores, names):.0f} of {sent} healthy points stored\n")
    if reason != "-":
        wait_for(lambda: stored(stores, [shared]) == PUSHES)
    if result:
        selector = result if "{" in result else f"{result}{{}}"
        wait_for(lambda: stores.number(f"count({selector})") >= 1)
    if reason and reason != "-":
        name = f'collector_refused_items_total{{service_name="{bad}", signal="points", reason="{reason}"}}'
        each = 2_001 if make is many else 1
        wait_for(lambda: stores.number(name) == 2 * PUSHES * each)


def test_a_delta_sum_becomes_a_running_total(stores: Stores) -> None:
    for _ in range(5):
        push(stores, {"summing": [total(3, name="parts", temporality=1)]})
    wait_for(lambda: stores.number('parts_total{service_name="summing"}') == 15)


def test_points_that_waited_for_prometheus_are_all_stored(stores: Stores) -> None:
    names = [f"waiting-{n}" for n in range(HEALTHY)]
    stores.stop("prometheus")
    try:
        for step in range(1, PUSHES + 1):
            push(stores, {name: [total(step)] for name in names})
            push(stores, {"waiting-bad": [total(1, name="waited", temporality=1), total(step, late=7 * HOUR)]})
            for name in names:
                push(stores, {name: [total(step, name="singles")]})
    finally:
        stores.start("prometheus")
    sent = PUSHES * HEALTHY
    wait_for(lambda: stored(stores, names) == sent and stored(stores, names, "singles_total") == sent, 60)


@pytest.mark.parametrize("name", ["grafana", "prometheus", "loki", "jaeger", "collector", "engine-filter"])
def test_nobody_speaks_as_one_of_the_stack(line_stores: Stores, name: str) -> None:
    stores = line_stores
    counted = {
        signal: f'collector_refused_items_total{{service_name="{name}", signal="{signal}"}}'
        for signal in ("points", "lines")
    }
    before = {signal: stores.number(selector) for signal, selector in counted.items()}  # of other tests
    push(stores, {name: [total(1, name="impostor")]})
    push(stores, {name: [otlp.record("I am the stack")]}, "records")
    for signal, selector in counted.items():
        wait_for(partial(equals, stores, selector, before[signal] + 1))
    assert stores.query(f'impostor_total{{job="{name}"}}') == {}
    assert stores.lines(f'{{service_name="{name}"}} |= "I am the stack"') == []


def test_labels_that_say_who_is_meant_are_renamed(stores: Stores) -> None:
    attributes = [attribute(key, "prometheus") for key in ("job", "service", "stack", "instance")]
    push(stores, {"modest": [total(1, name="labelled", attributes=attributes)]})
    wait_for(lambda: stores.query('labelled_total{exported_job="prometheus", exported_service="prometheus"}'))
    assert stores.query('labelled_total{job="prometheus"}') == {}
    assert stores.query('labelled_total{service="prometheus"}') == {}


@pytest.mark.parametrize(
    "key", ["service.name", "service_name", "service-name", "service·name", "service.namespace", "container.name"]
)
def test_a_point_is_of_no_other_service_than_its_resource(stores: Stores, key: str) -> None:
    """By an attribute of the point that Prometheus turns into the label of the resource's."""
    number = sum(map(ord, key))
    push(stores, {"posing": [total(1, name=f"posed_{number}", attributes=[attribute(key, "victim")])]})
    wait_for(lambda: stores.query(f'posed_{number}_total{{job="posing", service_name="posing"}}'))
    for label in ("service_name", "service_namespace", "container_name"):
        assert stores.query(f'posed_{number}_total{{{label}="victim"}}') == {}


def test_a_gateways_points_keep_their_series(stores: Stores) -> None:
    """The same name in the point and in its resource adds no label."""
    push(stores, {"gateway": [total(1, name="passed_on", attributes=[attribute("service.name", "gateway")])]})
    wait_for(lambda: stores.query('passed_on_total{service_name="gateway", exported_service_name=""}'))


def test_what_is_refused_is_counted_for_who_sent_it(stores: Stores) -> None:
    late = {**otlp.record("blame"), "timeUnixNano": "1000000000", "attributes": [attribute("service.name", "victim")]}
    push(stores, {"blaming": [late]}, "records")
    span = otlp.span("0" * 32, otlp.new_span(), name="blame") | {"attributes": [attribute("service.name", "victim")]}
    push(stores, {"blaming": [span]}, "spans")
    for signal in ("lines", "spans"):
        counted = f'collector_refused_items_total{{service_name="blaming", signal="{signal}"}}'
        wait_for(partial(equals, stores, counted, 1))
    assert stores.query('collector_refused_items_total{service_name="victim"}') == {}


def test_another_hosts_disk_is_not_the_stacks(stores: Stores) -> None:
    """A full disk in pushed metrics changes none of the recorded series that the disk alerts read."""
    for state in ("free", "used"):
        usage = gauge("system.filesystem.usage", unit="By")
        usage["gauge"]["dataPoints"][0]["attributes"] = [attribute("state", state), attribute("device", "/dev/evil")]
        push(stores, {"host-elsewhere": [usage]})
    wait_for(lambda: stores.number('count(system_filesystem_usage_bytes{device="/dev/evil"})') == 2)
    (rules,) = host.render(stores.settings).values()
    for rule in yaml.safe_load(rules)["groups"][0]["rules"]:
        rows = get(f"http://127.0.0.1:{stores.ports['prometheus']}/api/v1/query", query=rule["expr"])["data"]["result"]
        assert "/dev/evil" not in {row["metric"].get("device") for row in rows}, rule["expr"]


def test_a_sender_without_a_name_has_one(stores: Stores) -> None:
    body = {"resourceMetrics": [{"resource": {}, "scopeMetrics": [{"metrics": [total(1, name="nameless")]}]}]}
    otlp.post(f"{stores.otlp}/v1/metrics", body)
    wait_for(lambda: stores.query('nameless_total{job="unknown_service"}'))


@pytest.mark.parametrize("kind", ["key in another script", "in the future", "too old"])
def test_healthy_lines_are_stored_beside_a_bad_one(line_stores: Stores, kind: str) -> None:
    stores = line_stores
    tag = kind.replace(" ", "-")
    for step in range(20):
        bad = otlp.record(f"bad {step}")
        if kind == "key in another script":
            bad["attributes"] = [attribute("ключ")]
        else:
            shift = 1_200 if kind == "in the future" else -8 * 24 * HOUR
            bad["timeUnixNano"] = str(time.time_ns() + shift * 10**9)
        push(stores, {f"lines-{tag}": [otlp.record(f"line {step}")]}, "records")
        push(stores, {f"lines-shared-{tag}": [otlp.record(f"line {step}")], f"lines-bad-{tag}": [bad]}, "records")
    for name in (f"lines-{tag}", f"lines-shared-{tag}"):
        wait_for(partial(has_lines, stores, name, 20))
    if kind == "key in another script":
        wait_for(lambda: len(stores.lines(f'{{service_name="lines-bad-{tag}"}}')) == 20)
    else:
        counted = f'collector_refused_items_total{{service_name="lines-bad-{tag}", reason="{kind}"}}'
        wait_for(lambda: stores.number(counted) == 20)


def test_long_lines_of_one_sender_hide_no_others(line_stores: Stores) -> None:
    stores = line_stores
    for _ in range(24):
        push(stores, {"lines-long": [otlp.record("x" * 300_000)], "lines-short": [otlp.record("short")]}, "records")
    wait_for(lambda: len(stores.lines('{service_name=~"lines-(long|short)"}')) == 48)


def test_a_line_of_no_time_that_can_be_stored_is_refused_and_counted(line_stores: Stores) -> None:
    for stamp in (2**64 - 1, 2**63):  # before 1970, as the stores read it
        bad = {**otlp.record("bad"), "timeUnixNano": str(stamp)}
        push(line_stores, {"lines-timed": [bad]}, "records")
    counted = 'collector_refused_items_total{service_name="lines-timed", reason="too old"}'
    wait_for(lambda: line_stores.number(counted) == 2)


def test_what_prometheus_refuses_for_good_is_counted(stores: Stores) -> None:
    bad = total(1, name="exemplary", exemplars=[{"timeUnixNano": "1", "traceId": "0" * 31 + "1"}])

    def failed() -> float:
        result = stores.own_metrics()
        return sum(v for k, v in result.items() if k.startswith("otelcol_exporter_send_failed_metric_points"))

    before = failed()
    push(stores, {"failing": [bad]})
    wait_for(lambda: failed() > before)


@pytest.mark.parametrize(("name", "refused"), [("grafana", True), ("prometheus", True), ("shop", False)])
def test_nobody_sends_spans_as_one_of_the_stack(stores: Stores, name: str, refused: bool) -> None:  # noqa: FBT001
    counted = f'collector_refused_items_total{{service_name="{name}", signal="spans"}}'
    before = stores.number(counted)  # of other tests
    push(stores, {name: [otlp.span(otlp.new_trace(), otlp.new_span(), name="GET /")]}, "spans")
    if refused:
        wait_for(partial(equals, stores, counted, before + 1))
    else:
        time.sleep(2)
        assert stores.query(counted) == {}
