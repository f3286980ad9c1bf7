"""The link check knows every variable that a correlation's query has."""

from __future__ import annotations

import json
import re

from cli.link_check import correlation_values
from observability.configs.correlations import CORRELATIONS


def test_every_variable_of_a_correlation_has_a_value() -> None:
    variables = {name for spec in CORRELATIONS for name in re.findall(r"\$\{(\w+)\}", json.dumps(dict(spec.query)))}
    assert variables
    assert variables <= set(correlation_values("trace", "sender", "service"))
