"""Alerts under several configurations, and as Prometheus' own alerting rules, for promtool only."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
import yaml

from observability.alerts import groups
from observability.alerts.model import Alert
from observability.rules import slo
from observability.settings import Settings, load, secret_keys
from tests.observability.rules.conftest import Promtool, needed

SERVICES = [
    {"name": "shop", "targets": ["shop:8000"], "owner": "shop team"},
    {"name": "pushed", "selector": 'service="pushed"', "latency": None, "metrics": {"requests": "hits_total"}},
    {
        "name": "billing",
        "dns": ["billing:8000"],
        "availability": {"owner": "billing team", "runbook": "https://wiki.example.org/billing"},
        "latency": {"alerting": False},
        "slos": [{"name": "invoices", "objective": 99, "good": "invoices_good_total", "total": "invoices_total"}],
    },
]


def settings_of(**raw: object) -> Settings:
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in raw.items()}
    return load("test", texts, frozenset(secret_keys()))


@pytest.fixture
def settings() -> Settings:
    return settings_of(services=SERVICES)


@pytest.fixture
def alerts(settings: Settings) -> list[Alert]:
    return [alert for group in groups(settings) for alert in group.alerts]


@pytest.fixture
def promtool(promtool: str, tmp_path: Path) -> Promtool:
    return Promtool(promtool, tmp_path)


def promql(alert: Alert) -> str:
    """Return the alert's condition as one expression of PromQL: what it finds is what would fire."""
    expression = re.sub(r"\$(\w+)", lambda m: f"({alert.queries[m[1]]})", alert.condition)
    return expression.replace("||", "or").replace("&&", "and")


def fires(
    promtool: Promtool,
    alert: Alert,
    settings: Settings,
    inputs: Mapping[str, str],
    expected: Iterable[tuple[float, bool]],
) -> None:
    """Fail unless the alert fires, or does not, at each of these seconds; `inputs` are sampled at each scrape."""
    (service,) = settings.services
    recorded = needed(slo.group(service, settings.rule_interval), [promql(alert)])
    rule = {"alert": "it", "expr": promql(alert), "for": alert.pending, "labels": alert.labels}
    group = {**recorded.to_dict(), "rules": [*recorded.to_dict()["rules"], rule]}
    firing = 'count(ALERTS{alertname="it", alertstate="firing"}) or vector(0)'
    document = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": settings.rule_interval,
        "tests": [
            {
                "interval": settings.scrape_interval,
                "input_series": [{"series": name, "values": values} for name, values in inputs.items()],
                "promql_expr_test": [
                    {"expr": firing, "eval_time": f"{at:g}s", "exp_samples": [{"labels": "{}", "value": int(does)}]}
                    for at, does in expected
                ],
            }
        ],
    }
    (promtool.folder / "rules.yml").write_text(yaml.safe_dump({"groups": [group]}, width=10_000))
    (promtool.folder / "test.yml").write_text(yaml.safe_dump(document, width=10_000_000))
    result = promtool.run("test", "rules", "test.yml")
    if result.returncode:
        pytest.fail(f"promtool:\n{result.stdout}{result.stderr}")
