"""Marks of what `up` changed: said in words, once, and only when something did."""

from __future__ import annotations

from typing import Any

import pytest

from components.deployment import DeploymentProvider, changes
from components.grafana_api import GrafanaApi

OLD = {"loki": "3.7.8 aaa", "prometheus": "v3.16.0 bbb", "dashboard home": "111", "demo-load": "x y"}
PROPS: dict[str, Any] = {"url": "http://grafana", "auth": "a:b", "stack": "dev", "facts": OLD}


@pytest.fixture
def posted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, dict[str, Any]]]:
    result: list[tuple[str, str, dict[str, Any]]] = []
    monkeypatch.setattr(GrafanaApi, "request", lambda _, *asked: result.append(asked))
    return result


def test_what_differs_is_said_in_words() -> None:
    new = {"loki": "3.7.8 ccc", "prometheus": "v3.17.0 bbb", "dashboard home": "222", "dashboard logs": "333"}
    assert changes(OLD, new) == [
        "loki", "prometheus v3.16.0 → v3.17.0", "dashboard home", "dashboard logs added", "demo-load removed",
    ]  # fmt: skip
    assert changes(OLD, dict(OLD)) == []


def test_the_first_run_is_marked_and_the_second_is_none(posted: list[Any]) -> None:
    provider = DeploymentProvider()
    provider.create(PROPS)
    (requests,) = posted
    assert requests == (
        "POST", "/api/annotations", {"text": "pulumi up: first deployment", "tags": ["deployment", "stack:dev"]},
    )  # fmt: skip
    assert not provider.diff("deployment", PROPS, PROPS).changes


def test_a_change_is_marked_and_another_password_is_not(posted: list[Any]) -> None:
    provider = DeploymentProvider()
    assert provider.diff("deployment", PROPS, PROPS | {"auth": "a:c"}).changes
    provider.update("deployment", PROPS, PROPS | {"auth": "a:c"})
    assert posted == []
    provider.update("deployment", PROPS, PROPS | {"facts": OLD | {"loki": "3.8.0 aaa"}})
    assert posted[0][2]["text"] == "pulumi up: loki 3.7.8 → 3.8.0"
