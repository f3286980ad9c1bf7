"""The link check knows every variable that a correlation's query has."""

from __future__ import annotations

import json
import re

from cli import link_check
from cli.link_check import correlation_values
from observability.configs.correlations import CORRELATIONS


def test_every_variable_of_a_correlation_has_a_value() -> None:
    variables = {name for spec in CORRELATIONS for name in re.findall(r"\$\{(\w+)\}", json.dumps(dict(spec.query)))}
    assert variables
    assert variables <= set(correlation_values("trace", "sender", "service"))


def test_a_column_has_the_values_of_every_frame() -> None:
    frames = [
        {"schema": {"fields": [{"name": "Line"}, {"name": "labels"}]}, "data": {"values": [["one"], [{"a": "b"}]]}},
        {"schema": {"fields": [{"name": "labels"}, {"name": "Line"}]}, "data": {"values": [[{"c": "d"}], ["two"]]}},
    ]
    assert link_check._column(frames, "Line") == ["one", "two"]
    assert link_check._column(frames, "labels") == [{"a": "b"}, {"c": "d"}]
