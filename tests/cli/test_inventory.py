"""The comparison: equal, less, more, late, expired."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cli import inventory
from cli.inventory import Measure
from observability.settings import Settings

NOW = 1_795_576_500.0
HOUR = 3_600


@pytest.fixture
def dev(settings_of: Callable[[str], Settings]) -> Settings:
    return settings_of("dev")


def verdicts(given: dict[str, Any], result: dict[str, int], settings: Settings, store: str = "loki") -> list[str]:
    expected = [{"store": store, "what": "things", **given}]
    shown = inventory.compare(expected, [Measure(store, "things", result, result)], settings, NOW)
    return [" ".join(row[2:]) for row in inventory.rows(shown)]


def at(hours_ago: int) -> str:
    return str(int(NOW) - hours_ago * HOUR)


def test_equal_is_equal(dev: Settings) -> None:
    given = {at(2): 3, at(1): 4}
    assert verdicts({"low": given, "high": given}, given, dev) == ["7 7 yes"]


@pytest.mark.parametrize("found", [{at(2): 3, at(1): 3}, {at(2): 4, at(1): 3}, {at(2): 3}, {}, {at(2): 3, at(1): 5}])
def test_anything_else_in_any_hour_is_not(dev: Settings, found: dict[str, int]) -> None:
    given = {at(2): 3, at(1): 4}
    assert [v[-2:] for v in verdicts({"low": given, "high": given}, found, dev)] == ["NO"]


def test_what_arrived_between_the_countings_may_be_there_or_not(dev: Settings) -> None:
    before, after = (Measure("loki", "things", c, c) for c in ({at(1): 4}, {at(1): 6, at(0): 1}))
    given = inventory.merge([before], [after])[0].document()
    assert (given["low"], given["high"]) == ({at(1): 4, at(0): 0}, {at(1): 6, at(0): 1})
    for result, output in (({at(1): 4}, "yes"), ({at(1): 6, at(0): 1}, "yes"), ({at(1): 3}, "NO"), ({at(1): 7}, "NO")):
        assert verdicts(given, result, dev)[0].startswith("4 to 7")
        assert verdicts(given, result, dev)[0].endswith(output)


def test_what_expired_since_is_not_asked_for(dev: Settings) -> None:
    given = {at(100): 5, at(71): 2, at(1): 1}  # traces are kept for 72 h
    assert verdicts({"low": given, "high": given}, {at(71): 2, at(1): 1}, dev, "jaeger") == ["3 (1 h expired) 3 yes"]
    assert verdicts({"low": given, "high": given}, {at(1): 1}, dev, "jaeger") == ["3 (1 h expired) 1 NO"]


def test_what_has_no_time_never_expires(dev: Settings) -> None:
    assert verdicts({"low": {"0": 3}, "high": {"0": 3}}, {"0": 3}, dev, "grafana") == ["3 3 yes"]
    assert verdicts({"low": {"0": 3}, "high": {"0": 3}}, {}, dev, "grafana") == ["3 0 NO"]


class Jaeger:
    """One trace that began before NOW and goes on after it: the spans that have ended so far."""

    def __init__(self, *spans: tuple[float, float]) -> None:
        self.spans = [
            {"startTime": int((NOW + began) * 10**6), "duration": int((ended - began) * 10**6)}
            for began, ended in spans
        ]

    def request(self, _method: str, path: str) -> Any:  # noqa: ANN401 - JSON
        return {"data": ["shop"] if path.endswith("/services") else [{"traceID": "1", "spans": self.spans}]}


def test_what_a_trace_gets_after_the_moment_is_not_counted(dev: Settings) -> None:
    early, later = (-60, -50), [(-55, 1), (-70, 40), (2, 3)]
    for spans in ([early], [early, *later]):
        result = inventory.measure(Jaeger(*spans), dev, int(NOW), ["jaeger"])  # type: ignore[arg-type]
        assert [(m.what, sum(m.low.values())) for m in result] == [("traces", 1), ("spans", 1)]
        assert len({*result[0].low, *result[1].low}) == 1
    assert all(m.low == {} for m in inventory.measure(Jaeger(*later), dev, int(NOW), ["jaeger"]))  # type: ignore[arg-type]
