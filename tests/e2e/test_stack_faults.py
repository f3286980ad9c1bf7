"""Faults that are played quickly: two `up` at once, bad requests, a flipped byte. `make faults` plays them all."""

from __future__ import annotations

import sys
import time

from ops import otlp
from ops.breaking import damage, restarts, storm, twice
from ops.sandbox import Sandbox
from ops.traffic import Backends
from settings import CONTAINERS
from tests.e2e.conftest import wait_for, wait_healthy

COUNT = 1_600
"""Bad requests: every kind of them to every port."""
LONG = "x" * 100_000


def test_of_two_at_once_one_gets_through_and_the_other_reads_one_sentence(real: Sandbox) -> None:
    real.configure(healthInterval="9s")
    runs = twice.at_once(real)
    (refused,) = [run for run in runs if run.code]
    assert refused.sentence.startswith(f"stack '{real.name}' is being changed by process ")
    assert "\n" not in refused.sentence
    real.expect_no_changes()


def test_bad_requests_let_nobody_in_and_kill_nothing(real: Sandbox) -> None:
    wait_healthy(real)
    before = restarts(real)
    answers = storm.storm(real, COUNT)
    sys.stdout.write(f"\n{ {port: dict(found) for port, found in answers.by_port.items()} }\n")
    assert answers.holes == []
    wait_healthy(real)
    assert restarts(real) == before
    assert not [name for name in CONTAINERS if real.container(name).attrs["State"]["OOMKilled"]]


def test_a_text_too_long_for_jaeger_stops_no_other_trace(real: Sandbox) -> None:
    endpoint, where = real.url("otlpHttp"), Backends.of(real)
    said = {"key": LONG, "value": {"stringValue": "x"}}, {"key": "long", "value": {"stringValue": LONG}}
    event = {"name": LONG, "timeUnixNano": str(time.time_ns()), "attributes": list(said)}
    poison, good = otlp.new_trace(), otlp.new_trace()
    span = otlp.span(poison, otlp.new_span(), name=LONG) | {"attributes": list(said), "events": [event]}
    otlp.push(endpoint, "spans", {"poison": [span]})
    otlp.push(endpoint, "spans", {"good": [otlp.span(good, otlp.new_span(), name="after it")]})
    wait_for(lambda: where.found([poison, good]) == 2, 30)


def test_prometheus_comes_back_with_what_was_before_a_flipped_byte(real: Sandbox) -> None:
    where, at = Backends.of(real), time.time()
    before = wait_for(lambda: where.scrapes(at))
    real.container("prometheus").kill()
    segment = max((damage.data(real, "prometheus") / "wal").glob("0*"))
    damage.flip(segment, segment.stat().st_size // 2)
    real.container("prometheus").start()
    wait_for(lambda: real.serves("prometheus"))
    left = where.scrapes(at)
    sys.stdout.write(f"\n{sum(left.values())} of {sum(before.values())} samples are left\n")
    assert left
    assert left.items() < before.items()
    wait_for(lambda: where.value('max(timestamp(up{job="prometheus"}))') > at)


def test_a_database_that_is_none_is_said_to_be_none_and_made_anew_by_one_command(real: Sandbox) -> None:
    real.container("grafana").stop()
    database = damage.data(real, "grafana") / "grafana.db"
    damage.fold(database)
    damage.flip(database, 3)
    began = int(time.time())
    real.container("grafana").start()
    wait_for(lambda: "file is not a database" in real.container("grafana").logs(since=began).decode(), 30)
    damage.from_nothing(real)
    wait_healthy(real)
    assert real.grafana().request("GET", "/api/dashboards/uid/slo-overview")
    real.expect_no_changes()
