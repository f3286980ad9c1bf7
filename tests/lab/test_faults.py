"""What `make faults` can be asked for, and the parts of it that need no engine: what it sends, sees and counts."""

from __future__ import annotations

import itertools
import time
from pathlib import Path
from typing import Any

import pytest

from cli import otlp
from cli.errors import UserError
from components.grafana_api import GrafanaApi
from lab import faults
from lab.fault_injection import Outcome, abuse, after, clock_skew, corruption, missed
from lab.fault_injection.alarms import Alarms
from lab.load_generator import Counted, Sent
from observability.settings import DEFAULT_PORTS, SERVICES


def test_all_but_those_that_touch_others_are_played() -> None:
    assert faults.choose("") == faults.SCENARIOS
    assert "engine" not in faults.choose("")
    assert set(faults.choose("engine")) == {"engine"}


def test_one_or_all_of_a_kind_are_chosen() -> None:
    assert set(faults.choose("disk-loki")) == {"disk-loki"}
    assert set(faults.choose("kill")) == {f"kill-{service}" for service in SERVICES}


def test_an_unknown_one_names_the_known() -> None:
    with pytest.raises(UserError, match=r"ONLY: 'flood'; accepted: kill-grafana, .*engine"):
        faults.choose("flood")


def test_a_promise_that_is_not_kept_is_named() -> None:
    assert missed({"kept": True, "broken": 0, "empty": ""}) == ("broken", "empty")
    assert Outcome("a", "b", "c", "d").missed == ()
    assert (after(1.4), after(float("inf"))) == ("1 s", "never")


def test_a_flipped_byte_is_flipped_back(tmp_path: Path) -> None:
    file = tmp_path / "bytes"
    file.write_bytes(b"\x00\x0f\xff")
    corruption.flip(file, 1)
    assert file.read_bytes() == b"\x00\xf0\xff"
    corruption.flip(file, 1)
    assert file.read_bytes() == b"\x00\x0f\xff"


def test_a_wrong_clock_moves_every_time_and_nothing_else() -> None:
    span = otlp.span("t", "s", name="n") | {"events": [{"timeUnixNano": "5000000000", "name": "7"}]}
    moved = clock_skew.shifted(span, -2)
    assert int(moved["startTimeUnixNano"]) == int(span["startTimeUnixNano"]) - 2_000_000_000
    assert int(moved["endTimeUnixNano"]) == int(span["endTimeUnixNano"]) - 2_000_000_000
    assert moved["events"] == [{"timeUnixNano": "3000000000", "name": "7"}]
    same = {"startTimeUnixNano", "endTimeUnixNano", "events"}
    assert {k: v for k, v in moved.items() if k not in same} == {k: v for k, v in span.items() if k not in same}


@pytest.mark.parametrize("port", abuse.PORTS)
def test_every_port_gets_every_kind(port: str) -> None:
    some = list(itertools.islice(abuse.bad_requests(port), 400))
    kinds = {
        "malformed",
        "method",
        "traversal",
        "json",
        "shape",
        "too short",
        "protobuf",
        "message",
        "oversized",
        "archive",
    }
    assert {bad.kind for bad in some} >= kinds
    assert ("credentials" in {bad.kind for bad in some}) is (port == "grafana")
    assert all(bad.port == port and bad.payload for bad in some)
    assert [bad.payload for bad in some[:50]] == [b.payload for b in itertools.islice(abuse.bad_requests(port), 50)]


def test_every_published_port_gets_bad_requests() -> None:
    assert set(abuse.PORTS) == set(DEFAULT_PORTS) - {"demo", "demoPager", "remoteWrite"}
    assert set(abuse.INTAKES) == set(abuse.PORTS)


def test_what_lets_somebody_in_is_a_hole() -> None:
    def vulnerabilities(answer: bytes, *, refuse: bool) -> int:
        answers = abuse.Answers()
        answers.take(abuse.Bad("grafana", "credentials", b"GET /", refuse=refuse), answer)
        return len(answers.vulnerabilities)

    assert vulnerabilities(b"HTTP/1.1 200 OK\r\n\r\n{}", refuse=True) == 1
    assert vulnerabilities(b"HTTP/1.1 200 OK\r\n\r\n{}", refuse=False) == 0
    assert vulnerabilities(b"HTTP/1.1 401 Unauthorized\r\n\r\n", refuse=True) == 0
    assert vulnerabilities(b"HTTP/1.1 200 OK\r\n\r\nroot:x:0:0:root:/root:/bin/sh", refuse=False) == 1
    assert vulnerabilities(b"", refuse=True) == 0


def test_answers_are_counted_by_class() -> None:
    answers = abuse.Answers()
    for output in (b"HTTP/1.1 404 Not Found", b"HTTP/1.0 500 x", b"\x00\x00\x06\x04", b""):
        answers.take(abuse.Bad("loki", "x", b"x"), output)
    assert dict(answers.by_port["loki"]) == {"4xx": 1, "5xx": 1, "other": 1, "none": 1}


def test_an_alarm_that_ends_and_comes_back_is_the_same_alarm(monkeypatch: pytest.MonkeyPatch) -> None:
    def rule(state: str) -> dict[str, Any]:
        one = {"name": "A", "state": state, "labels": {"severity": "page"}, "alerts": []}
        always = {"name": "W", "state": "firing", "labels": {"severity": "watchdog"}, "alerts": []}
        return {"data": {"groups": [{"rules": [one, always]}]}}

    states = iter(("pending", "firing", "inactive", "firing", "inactive"))
    monkeypatch.setattr(GrafanaApi, "request", lambda *_: rule(next(states)))
    alarms, api = Alarms(), GrafanaApi("http://nowhere", "a:b")
    alarms.poll(api)
    assert not alarms.fired
    alarms.poll(api)
    began = alarms.fired["A"].began
    assert list(alarms.pages) == ["A"]
    assert alarms.summary() == "page 'A' after 0 s"
    alarms.poll(api)
    assert alarms.fired["A"].ended < float("inf")
    alarms.poll(api)
    assert (alarms.fired["A"].began, alarms.fired["A"].ended) == (began, float("inf"))
    alarms.poll(api)
    assert alarms.summary() == "page 'A' after 0 s, resolved after 0 s"


def test_what_was_lost_is_told_by_signal() -> None:
    sent = Sent(time.time(), traces={"a", "b"}, lines=4, total=2, points=1)
    assert str(Counted(sent, {"traces": 1, "lines": 0})) == "1 of 2 traces"
    assert str(Counted(sent, {"traces": 0})) == "nothing of 2 traces, 4 lines, 2 requests counted, 1 points"
    assert not Counted(sent, {"traces": 1}).whole
