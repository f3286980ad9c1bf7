"""What reaches Grafana's alerting: rules, contact points, templates, and the policy that joins them."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from typing import Any

import pytest

from cli import stack_config
from cli.bootstrap import ROOT
from cli.evaluation import Registered
from observability.alerts import groups, messages, routing
from observability.alerts.queries import CONDITION, EXPRESSIONS
from observability.settings import Settings

SLACK = "https://slack.example.org/services/T/B/hidden"
TOLD = {
    "smtpHost": "mail:25",
    "alertEmail": '["oncall@example.org", "second@example.org"]',
    "alertWebhookUrl": "https://me:p%40ss@hooks.example.org/alerts",
    "alertSlackUrl": SLACK,
    "alertPagerdutyKey": "a-pagerduty-key",
    "ticketQuietHours": '{"start": "18:00", "end": "08:00", "weekdays": ["sunday"], "timezone": "Europe/Berlin"}',
}


@cache
def told() -> tuple[Registered, ...]:
    """Return the program with everybody configured."""
    values, secret = stack_config.raw("dev")
    secret |= {"alertSlackUrl", "alertPagerdutyKey"}
    given = json.dumps({"stack": "dev", "raw": values | TOLD, "secret": sorted(secret)})
    done = subprocess.run(
        [sys.executable, "-m", "cli.mocked"], input=given, capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    return tuple(Registered(**r) for r in json.loads(done.stdout))


def of(program: tuple[Registered, ...], token: str) -> dict[str, dict[str, Any]]:
    return {r.name: r.inputs for r in program if r.type.endswith(token)}


def test_every_alert_is_a_rule(program: tuple[Registered, ...], settings: Settings) -> None:
    result = of(program, ":RuleGroup")
    assert len(result) == len(groups(settings))
    for group in groups(settings):
        inputs = result[f"alerts-{group.name}"]
        assert (inputs["name"], inputs["folderUid"]) == (group.name, group.folder)
        assert inputs["intervalSeconds"] % 10 == 0
        assert [rule["uid"] for rule in inputs["rules"]] == [alert.uid for alert in group.alerts]


def test_every_rule_is_instant_and_says_what_no_answer_means(program: tuple[Registered, ...]) -> None:
    for group in of(program, ":RuleGroup").values():
        for rule in group["rules"]:
            assert rule["noDataState"] in {"OK", "Alerting", "KeepLast"}
            assert rule["execErrState"] in {"OK", "Alerting", "KeepLast"}
            assert rule["condition"] == CONDITION
            *requests, condition = rule["datas"]
            assert condition["datasourceUid"] == EXPRESSIONS
            for data in requests:
                model = json.loads(data["model"])
                assert data["refId"] == model["refId"]
                assert model.get("instant") is True or model.get("queryType") == "instant"


def test_contact_points_send_by_what_is_configured() -> None:
    page, ticket, watchdog = (of(told(), ":ContactPoint")[f"contact-{s}"] for s in ("page", "ticket", "watchdog"))
    senders = {"pagerduties", "slacks", "webhooks", "emails"}
    assert senders & set(page) == senders
    assert senders & set(ticket) == senders - {"pagerduties"}
    assert senders & set(watchdog) == {"webhooks"}
    assert page["emails"][0]["addresses"] == ["oncall@example.org", "second@example.org"]
    assert set(page["webhooks"][0]) == {"url", "title", "message"}, "what every Viewer sees"
    assert page["webhooks"][0]["url"] == "http://reading-proxy:9094/"
    assert page["slacks"][0]["text"] == messages.SLACK
    assert page["pagerduties"][0]["integrationKey"] == TOLD["alertPagerdutyKey"]


def test_the_webhooks_address_is_in_the_relays_secret_file_alone() -> None:
    known = [r.name for r in told() if "hooks.example.org" in json.dumps(r.inputs)]
    assert known == ["observability-dev-reading-proxy-secrets-loader"]


def test_the_policy_sends_pages_and_tickets_different_ways() -> None:
    (policy,) = of(told(), ":NotificationPolicy").values()
    by_value = {p["matchers"][0]["value"]: p for p in policy["policies"]}
    assert {value: p["contactPoint"] for value, p in by_value.items()} == {
        "page": "page", "watchdog": "watchdog", "ticket": "ticket", ".*": "ticket",
    }  # fmt: skip
    assert by_value["ticket"]["muteTimings"] == [routing.QUIET_HOURS]
    assert "muteTimings" not in by_value["page"]
    assert all(p["groupBies"] == ["service"] for p in policy["policies"])


def test_quiet_hours_are_a_mute_timing() -> None:
    (timing,) = of(told(), ":MuteTiming").values()
    zone = "Europe/Berlin"
    assert timing["intervals"] == [
        {"location": zone, "times": [{"start": "18:00", "end": "24:00"}]},
        {"location": zone, "times": [{"start": "00:00", "end": "08:00"}]},
        {"location": zone, "weekdays": ["sunday"]},
    ]


@pytest.mark.optional
def test_where_nobody_is_configured_nothing_is_sent(program: tuple[Registered, ...]) -> None:
    if set(of(program, ":ContactPoint")) != {"contact-nobody"}:
        pytest.skip("this environment has a contact point")
    (policy,) = of(program, ":NotificationPolicy").values()
    assert {p["muteTimings"][0] for p in policy["policies"]} == {routing.ALWAYS}
    assert policy["policies"][-1]["matchers"] == [{"label": "alertname", "match": "=~", "value": ".*"}]
    (timing,) = of(program, ":MuteTiming").values()
    assert timing["intervals"] == [{"location": "UTC"}]


def test_only_what_both_provider_versions_know_is_used(program: tuple[Registered, ...]) -> None:
    expected = {
        "name", "folderUid", "intervalSeconds", "rules",
        "uid", "for", "condition", "noDataState", "execErrState", "labels", "annotations", "datas",
    }  # fmt: skip
    for group in of(program, ":RuleGroup").values():
        assert set(group) <= expected
        assert all(set(rule) <= expected for rule in group["rules"])
