"""A name that only looks like another one is stored as what is shown, and cannot pass for one of the stack's own."""

from __future__ import annotations

import json
import time
import urllib.request

import pytest

from tests.telemetry.conftest import Stores, wait_for

NAMES = {
    "pay\u202eeorp\u202c": "payeorp",
    "pay\x1b[31mment\x1b[0m": "payment",
    "with`backquote": "with'backquote",
    'quote"and\\slash': 'quote"and\\slash',
    "\u2066\u2069": "unknown_service",
}


def push(stores: Stores, service: str, metric: str, endpoint: str = "/x") -> None:
    point = {
        "timeUnixNano": str(time.time_ns()),
        "asDouble": 1,
        "attributes": [{"key": "endpoint", "value": {"stringValue": endpoint}}],
    }
    body = {
        "resourceMetrics": [
            {
                "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]},
                "scopeMetrics": [{"metrics": [{"name": metric, "gauge": {"dataPoints": [point]}}]}],
            }
        ]
    }
    request = urllib.request.Request(
        f"{stores.otlp}/v1/metrics", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 200


@pytest.mark.parametrize("name", NAMES, ids=repr)
def test_a_name_is_stored_as_what_is_shown(stores: Stores, name: str) -> None:
    metric = f"named_{abs(hash(name))}"
    push(stores, name, metric, "/a\u202eb")
    result = wait_for(lambda: stores.query(f"sum by (service_name, endpoint) ({metric})"))
    assert set(result) == {("/ab", NAMES[name])}


def test_a_name_that_is_one_of_the_stacks_own_once_it_is_shown_is_refused(stores: Stores) -> None:
    push(stores, "jae\u202eger", "disguised")
    push(stores, "honest", "beside")
    wait_for(lambda: stores.query("beside"))
    assert not stores.query("disguised")
