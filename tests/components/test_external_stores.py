"""A stack whose logs others keep: what the program registers, and what it keeps for the way back."""

from __future__ import annotations

import json
from functools import cache

from cli.evaluation import Registered, evaluate

LOGS = {"writeUrl": "https://loki.example.org/otlp", "queryUrl": "https://loki.example.org", "user": "shop"}
PASSWORD = "correct-horse-battery"


@cache
def program(*, elsewhere: bool) -> tuple[Registered, ...]:
    raw = {"logs": json.dumps(LOGS), "logsPassword": PASSWORD} if elsewhere else {}
    return evaluate("test", raw, frozenset(raw) & {"logsPassword"})


def names(resources: tuple[Registered, ...], token: str) -> set[str]:
    return {r.name for r in resources if r.type.endswith(token)}


def test_no_loki_runs_and_its_volume_stays_the_same_resource() -> None:
    own, far = program(elsewhere=False), program(elsewhere=True)
    assert "loki" in names(own, ":Container")
    assert not {name for name in names(far, ":Container") if "loki" in name}
    kept, before = (next(r for r in resources if r.name == "loki-data") for resources in (far, own))
    assert (kept.type, kept.inputs) == (before.type, before.inputs)
    # The parent's type and name are part of the resource's URN: another one would replace the volume, data and all.
    assert "loki" in names(own, "observability:index:Service") & names(far, "observability:index:Service")


def test_the_password_is_only_in_volumes_of_secrets() -> None:
    holding = {r.name for r in program(elsewhere=True) if PASSWORD in json.dumps(r.inputs)}
    assert holding
    assert all(name.endswith(("collector-secrets-loader", "collector-secrets")) for name in holding), holding
