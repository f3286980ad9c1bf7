"""The stack's own alerts, made to fire: by real faults where one can be had, else by a limit moved onto what is there.

Slow: as long as their pending times take. Tickets go nowhere meanwhile, it is always their quiet time; pages go out.
"""

from __future__ import annotations

import json
import sys
import time
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from docker import DockerClient

from components.grafana_api import GrafanaApi, GrafanaError
from lab.sandbox import Sandbox
from observability.alerts.routing import WEEK
from observability.settings import CONTAINERS
from tests.e2e.conftest import wait_for
from tests.e2e.drill import Inbox, gateway

pytestmark = pytest.mark.slow

MANY_TO_MANY = "up * on () up"
"""Parses, and fails whenever it is evaluated over two targets or more."""
THRESHOLDS = {
    "diskFreeGib": 1_000_000,
    "forecastFreeGib": 900_000_000,
    "metricsSizePercent": 1e-7,
    "memoryPercent": 0.1,
}
"""A test does not fill this machine's disk."""
WAITING = ("disk-nearly-full", "disk-filling", "metrics-size-limit", "collector-waiting", "container-memory")
AT_ONCE = {
    "Watchdog: alerts get through",
    "Prometheus: recording rules fail",
    "The Docker host's disk is nearly full",
    "The Docker host's disk is filling",
    "Prometheus: metrics reach their size limit",
    "Loki rejects log lines",
    "Grafana's data sources answer with errors",
    *(f"{service}: container is near its memory limit" for service in CONTAINERS),
}
AFTER_FAULTS = {"loki: container keeps restarting", "jaeger: not scraped", "span-metrics: not scraped"}
WITHOUT_LOKI = {"Grafana cannot query loki"}
BLIND = "Grafana cannot query prometheus"
PAGES = {"Prometheus: recording rules fail", "The Docker host's disk is nearly full", BLIND}


@pytest.fixture(scope="module")
def inbox(engine: DockerClient) -> Iterator[Inbox]:
    inbox = Inbox(gateway(engine))
    with inbox.open():
        yield inbox


@pytest.fixture(scope="module")
def real(make_real: Callable[..., Sandbox], inbox: Inbox) -> Sandbox:
    real = make_real("e2e-alarms")
    real.configure(
        ruleInterval="15s",
        thresholds=THRESHOLDS,
        alerts={kind: {"pending": "1m"} for kind in WAITING},
        services=[{
            "name": "wrong", "targets": ["127.0.0.1:9"], "availability": None, "latency": None,
            "slos": [{"name": "fails", "objective": 99, "window": "7d", "good": MANY_TO_MANY, "total": "sum(up)"}],
        }],
        prometheusRetentionSize="1GB",
        alertWebhookUrl=f"http://{inbox.host}:{inbox.webhook_port}/",
        ticketQuietHours={"weekdays": list(WEEK)},
    )  # fmt: skip
    real.up()
    return real


def firing(real: Sandbox) -> dict[str, dict[str, Any]]:
    """Return the alerts that fire now, by title."""
    try:
        answer = real.grafana().request("GET", "/api/prometheus/grafana/api/v1/rules")
    except GrafanaError:
        return {}
    rules = [rule for group in answer["data"]["groups"] for rule in group["rules"]]
    return {rule["name"]: rule for rule in rules if rule["state"] == "firing"}


def until(real: Sandbox, expected: set[str], seconds: float) -> dict[str, dict[str, Any]]:
    """Wait until all of these fire; say what is missing when they do not."""
    began = time.monotonic()
    try:
        wait_for(lambda: expected <= firing(real).keys(), seconds)
    except AssertionError:
        assert expected - firing(real).keys() == set(), "does not fire"
    result = firing(real)
    for title in sorted(expected):
        for alert in result[title].get("alerts") or [{}]:
            summary = alert.get("annotations", {}).get("summary", "")
            assert summary, title
            assert "[no value]" not in summary, title
            sys.stdout.write(f"\n{title}: {summary}")
    sys.stdout.write(f"\nall of these within {time.monotonic() - began:.0f} s\n")
    return result


def test_what_is_wrong_fires(real: Sandbox) -> None:
    loki = GrafanaApi(real.direct("loki"), "")
    past = {"stream": {"service_name": "old"}, "values": [[str(time.time_ns() - 90 * 86_400 * 10**9), "too old"]]}
    with pytest.raises(GrafanaError, match="400"):
        loki.request("POST", "/loki/api/v1/push", {"streams": [past]})
    in_time = f"query={urllib.parse.quote('count_over_time(up[1h:10ms])')}&timeout=0.02"
    for _ in range(10):
        with pytest.raises(GrafanaError, match="503"):
            real.grafana().request("GET", f"/api/datasources/proxy/uid/prometheus/api/v1/query?{in_time}")
    until(real, AT_ONCE, 420)


def test_what_does_not_run_is_told(real: Sandbox) -> None:
    real.container("jaeger").stop()
    for _ in range(2):
        real.container("loki").restart()
        time.sleep(20)  # each start has to be scraped
    until(real, AFTER_FAULTS, 420)
    real.container("jaeger").start()


def test_a_missing_loki_is_told(real: Sandbox) -> None:
    real.container("loki").stop()
    until(real, WITHOUT_LOKI, 300)
    real.container("loki").start()
    wait_for(lambda: "Grafana cannot query loki" not in firing(real), 300)


def test_a_blind_grafana_pages(real: Sandbox, inbox: Inbox) -> None:
    real.container("prometheus").stop()
    until(real, {BLIND}, 300)
    wait_for(lambda: any(a["labels"]["alertname"] == BLIND for _, b in inbox.hooks for a in b["alerts"]), 60)
    real.container("prometheus").start()
    wait_for(lambda: BLIND not in firing(real), 300)


def test_pages_go_out_and_tickets_wait_for_the_end_of_their_quiet_hours(real: Sandbox, inbox: Inbox) -> None:
    def told() -> dict[str, str]:
        alerts = [alert for _, body in list(inbox.hooks) for alert in body["alerts"]]
        return {a["labels"]["alertname"]: a["labels"]["severity"] for a in alerts}

    assert set(told().values()) == {"page", "watchdog"}, json.dumps(told())
    assert told().keys() >= PAGES
    real.configure(ticketQuietHours=None)
    real.up()
    began = time.monotonic()
    wait_for(lambda: "ticket" in told().values(), 500)
    sys.stdout.write(f"\ntickets were told {time.monotonic() - began:.0f} s after their quiet hours\n")
