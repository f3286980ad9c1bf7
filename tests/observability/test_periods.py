"""Which store keeps which day, and which changes of that would hide lines."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
import yaml

from cli import inventory
from cli.evaluation import evaluate
from components.checks import CheckFailedError, PreflightProvider
from observability import runbooks
from observability.alerts import groups
from observability.configs import loki
from observability.configs.process import Process
from observability.periods import VOLUME, Periods, hidden
from observability.settings import Settings, SettingsError, load

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
STORE = {"endpoint": "https://s3.example.org", "bucket": "shop-logs", "user": "AKIAEXAMPLE", "from": "2026-11-28"}
KEY = "a-Secret/key+123="
SECRET = frozenset({"logsPassword"})
BUCKET = "https://s3.example.org/shop-logs"


def settings_of(password: str | None = KEY, **changed: str) -> Settings:
    raw = {"logs": json.dumps({"objectStore": STORE | changed})}
    return load("dev", raw | ({} if password is None else {"logsPassword": password}), SECRET)


def periods(*starts: tuple[str, str], days: int = 31) -> dict[str, object]:
    return Periods([("2024-01-01", VOLUME), *starts], days).document()


@pytest.mark.parametrize(
    ("before", "after", "day"),
    [
        (None, periods(("2026-11-28", BUCKET)), ""),
        (None, periods(("2026-11-27", BUCKET)), "2026-11-27"),
        (None, periods(("2020-01-01", BUCKET)), "2026-10-27"),
        (periods(("2026-11-28", BUCKET)), periods(("2026-12-05", BUCKET)), ""),
        (periods(("2026-11-20", BUCKET)), periods(("2026-11-21", BUCKET)), "2026-11-20"),
        (periods(("2026-11-20", BUCKET)), periods(("2026-11-20", "https://s3.example.org/other")), "2026-11-20"),
        (periods(("2026-11-20", BUCKET)), None, "2026-11-20"),
        (periods(("2026-11-20", BUCKET)), periods(("2026-11-20", BUCKET), ("2026-11-28", VOLUME)), ""),
        (periods(("2026-11-20", BUCKET)), periods(("2026-11-20", BUCKET), ("2026-11-27", VOLUME)), "2026-11-27"),
        (periods(("2026-01-01", BUCKET), ("2026-10-01", VOLUME)), None, ""),
        (periods(("2026-01-01", BUCKET), ("2026-11-01", VOLUME)), None, "2026-10-27"),
        (periods(("2026-11-28", BUCKET)), None, ""),
    ],
)
def test_only_days_to_come_may_change(before: dict[str, object], after: dict[str, object], day: str) -> None:
    said = hidden(before, after, NOW)
    assert bool(said) == bool(day)
    assert day in said
    assert ("2026-11-28 on" in said) == bool(day)


def test_midnight_may_not_pass_before_loki_is_there() -> None:
    assert hidden(None, periods(("2026-11-28", BUCKET)), datetime(2026, 11, 27, 23, 30, tzinfo=UTC))


def test_the_check_before_loki_is_replaced_refuses_and_a_new_stack_may_begin_today() -> None:
    props = {"service": "loki", "host": "127.0.0.1", "ports": [], "exit_code": 0, "checker_output": ""}
    past = props | {"periods": periods(("2024-06-01", BUCKET), days=10_000)}
    provider = PreflightProvider()
    with pytest.raises(CheckFailedError, match=r"loki was not changed: the lines of .* are in the stack's own volume"):
        provider.update("loki", props, past)
    assert provider.diff("loki", past, props).changes
    with pytest.raises(CheckFailedError, match="would be looked for in the stack's own volume"):
        provider.update("loki", past, props)
    provider.create(past)
    assert not provider.diff("loki", props, props).changes


def test_loki_gets_a_period_a_client_and_no_secret_in_its_file() -> None:
    settings = settings_of(until="2027-03-01")
    process: Process = loki.process(settings)
    document = yaml.safe_load(process.files[loki.FILE])
    assert [(p["from"], p["object_store"]) for p in document["schema_config"]["configs"]] == [
        ("2024-01-01", "filesystem"),
        ("2026-11-28", "s3"),
        ("2027-03-01", "filesystem"),
    ]
    assert document["storage_config"]["aws"]["bucketnames"] == "shop-logs"
    assert "a-Secret" not in process.files[loki.FILE]
    assert "a-Secret" not in str(process.environment)
    assert "aws_secret_access_key = a-Secret/key+123=\n" in (loki.credentials(settings) or "")
    assert process.networks == ("outside",)
    plain = loki.process(load("dev", {}))
    assert (plain.networks, plain.periods, plain.environment, plain.secrets) == ((), None, {}, {})


@pytest.mark.parametrize(
    ("changed", "password", "said"),
    [
        ({"from": "soon"}, "a-secret-key", r"logs.objectStore.from: 'soon'; accepted: a day like"),
        ({"from": "2026-02-30"}, "a-secret-key", "accepted: a day like"),
        ({"until": "2026-11-28"}, "a-secret-key", "until: a day after from"),
        ({"bucket": ""}, "a-secret-key", "endpoint, bucket, user and from together"),
        ({"bucket": "Shop_Logs"}, "a-secret-key", "a bucket's name"),
        ({}, None, "logsPassword: missing; accepted: the secret key"),
        ({}, "a key # of mine", "printable characters without spaces"),
    ],
)
def test_what_cannot_work_is_refused(changed: dict[str, str], password: str | None, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        settings_of(password, **changed)


def test_a_bucket_and_a_loki_elsewhere_are_two_ways() -> None:
    both = {"objectStore": STORE, "writeUrl": "https://loki.example.org/otlp", "queryUrl": "https://loki.example.org"}
    with pytest.raises(SettingsError, match="not both"):
        load("dev", {"logs": json.dumps(both), "logsPassword": "a-secret-key"}, SECRET)


def test_an_alert_tells_of_it_and_the_backup_says_what_it_lacks() -> None:
    settings = settings_of()
    kinds = {alert.kind for group in groups(settings) for alert in group.alerts}
    assert "loki-not-storing" in kinds & set(runbooks.shown(settings))
    assert "loki-not-storing" not in runbooks.shown(load("dev", {}))
    assert inventory.external_signals(settings) == ("logs from 2026-11-28 on",)
    assert inventory.external_signals(load("dev", {})) == ()


def test_loki_alone_gets_a_way_out_of_the_backends() -> None:
    raw = {"logs": json.dumps({"objectStore": STORE}), "logsPassword": KEY}
    program = tuple(evaluate("dev", raw, SECRET))
    networks = {
        one.name: [network["name"] for network in one.inputs["networksAdvanced"]]
        for one in program
        if one.type.endswith(":Container") and one.inputs.get("networksAdvanced")
    }
    out = "observability-dev-outside"
    assert [name for name, names in networks.items() if out in names] == ["loki"]
    assert out in {one.inputs["name"] for one in program if one.type.endswith(":Network")}
    (check,) = (one for one in program if one.name == "loki-preflight")
    assert check.inputs["periods"]["kept_days"] == 31
    (container,) = (one for one in program if one.name == "loki" and one.type.endswith(":Container"))
    assert KEY not in json.dumps(container.inputs)
