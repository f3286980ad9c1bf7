"""Faults that are played quickly: two `up` at once, bad requests, a flipped byte. `make faults` plays them all."""

from __future__ import annotations

import base64
import sys
import time
from typing import Any

import pytest

from cli import otlp
from lab.fault_injection import abuse, concurrent_up, corruption, restarts
from lab.load_generator import Backends
from lab.sandbox import Sandbox
from observability.settings import CONTAINERS
from tests.e2e.conftest import wait_for, wait_healthy

COUNT = 1_600
"""Bad requests: every kind of them to every port."""


def test_of_two_at_once_one_gets_through_and_the_other_reads_one_sentence(real: Sandbox) -> None:
    real.configure(healthInterval="9s")
    runs = concurrent_up.at_once(real)
    (refused,) = [run for run in runs if run.code]
    assert refused.sentence.startswith(f"stack '{real.name}' is being changed by process ")
    assert "\n" not in refused.sentence
    real.expect_no_changes()


def test_bad_requests_let_nobody_in_and_kill_nothing(real: Sandbox) -> None:
    wait_healthy(real)
    before = restarts(real)
    answers = abuse.send_all(real, COUNT)
    sys.stdout.write(f"\n{ {port: dict(result) for port, result in answers.by_port.items()} }\n")
    assert answers.vulnerabilities == []
    wait_healthy(real)
    assert restarts(real) == before
    assert not [name for name in CONTAINERS if real.container(name).attrs["State"]["OOMKilled"]]


def traces_with(long: str) -> dict[str, dict[str, Any]]:
    """Return traces of one span, as OTLP by their ID, each with a text of this length in another place."""

    def attributes(**one: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - JSON
        return [{"key": "k", "value": one}]

    key = [{"key": long, "value": {"stringValue": "v"}}]
    listed = {"arrayValue": {"values": [{"stringValue": long}] * 2}}
    mapped = {"kvlistValue": {"values": attributes(stringValue=long)}}
    encoded = base64.b64encode(long.encode()).decode()
    event = {"timeUnixNano": str(time.time_ns())}
    places: dict[str, list[dict[str, Any]]] = {
        "span": [
            {"name": long},
            {"status": {"code": 2, "message": long}},
            {"traceState": f"a={long}"},
            {"events": [event | {"name": long}]},
            {"events": [event | {"name": "e", "attributes": [*attributes(stringValue=long), *key]}]},
            *({"attributes": given} for given in (key, attributes(stringValue=long), attributes(**listed))),
            *({"attributes": given} for given in (attributes(**mapped), attributes(bytesValue=encoded))),
        ],
        "scope": [{"name": long}, {"name": "s", "version": long}],
        "resource": [
            {"attributes": key},
            {"attributes": [{"key": "service.name", "value": {"stringValue": long}}]},
        ],
    }
    made = {}
    for where, given in ((where, given) for where, every in places.items() for given in every):
        trace = otlp.new_trace()
        parts: dict[str, dict[str, Any]] = {"span": {}, "scope": {}, "resource": {}} | {where: given}
        span = otlp.span(trace, otlp.new_span(), name="n") | parts["span"]
        scoped = {"scope": parts["scope"], "spans": [span]}
        made[trace] = {"resourceSpans": [{"resource": parts["resource"], "scopeSpans": [scoped]}]}
    return made


@pytest.mark.parametrize("long", ["x" * 100_000, "xé" * 50_000, "x" + "é" * 50_000], ids=["ascii", "odd", "even"])
def test_a_text_too_long_for_jaeger_stops_no_other_trace(real: Sandbox, long: str) -> None:
    where, made = Backends.of(real), traces_with(long)
    for body in made.values():
        otlp.post(f"{real.url('otlpHttp')}/v1/traces", body)
    wait_for(lambda: where.found(list(made)) == len(made))


def test_prometheus_comes_back_with_what_was_before_a_flipped_byte(real: Sandbox) -> None:
    where, at = Backends.of(real), time.time()
    before = wait_for(lambda: where.scrapes(at))
    real.container("prometheus").kill()
    segment = max((corruption.data(real, "prometheus") / "wal").glob("0*"))
    corruption.flip(segment, segment.stat().st_size // 2)
    real.container("prometheus").start()
    wait_for(lambda: real.serves("prometheus"))
    left = where.scrapes(at)
    sys.stdout.write(f"\n{sum(left.values())} of {sum(before.values())} samples are left\n")
    assert left
    assert left.items() < before.items()
    wait_for(lambda: where.value('max(timestamp(up{job="prometheus"}))') > at)


def test_a_database_that_is_none_is_said_to_be_none_and_made_anew_by_one_command(real: Sandbox) -> None:
    real.container("grafana").stop()
    database = corruption.data(real, "grafana") / "grafana.db"
    corruption.fold(database)
    corruption.flip(database, 3)
    began = int(time.time())
    real.container("grafana").start()
    wait_for(lambda: "file is not a database" in real.container("grafana").logs(since=began).decode(), 30)
    corruption.recreate_grafana(real)
    wait_healthy(real)
    assert real.grafana().request("GET", "/api/dashboards/uid/slo-overview")
    real.expect_no_changes()
