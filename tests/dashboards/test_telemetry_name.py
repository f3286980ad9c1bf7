"""The Service page reads lines and traces by the name that the service's telemetry carries."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from dashboards import queries
from dashboards.catalogue import dashboards
from observability.configs.correlations import correlations
from observability.names import uids
from observability.settings import load

if TYPE_CHECKING:
    from pathlib import Path

SERVICES: list[dict[str, object]] = [
    {"name": "checkout", "serviceName": "Shop.Checkout", "otlp": True},
    {"name": "cart", "targets": ["cart:1"]},
]


def page(*services: dict[str, object]) -> dict[str, Any]:
    files = dashboards(load("dev", {"services": json.dumps(services)}))
    model: dict[str, Any] = json.loads(next(file.json for file in files if file.uid == uids.SERVICE_DETAIL))
    return model


def test_lines_and_traces_are_found_by_the_name_that_they_carry() -> None:
    model = page(*SERVICES)
    (variable,) = [v for v in model["templating"]["list"] if v["name"] == "telemetry"]
    assert "Shop.Checkout" in variable["definition"]
    text = json.dumps(model["panels"])
    assert "service_name=~`${telemetry:regex}`" in text
    assert '"service": "$telemetry"' in text
    assert "var-service=$telemetry" in text or "var-service=${telemetry" in text


def test_without_another_name_there_is_no_other_variable() -> None:
    assert "telemetry:regex" not in json.dumps(page(SERVICES[1]))
    assert "telemetry" not in [v["name"] for v in page(SERVICES[1])["templating"]["list"]]


@pytest.mark.parametrize(("service", "carried"), [("checkout", "Shop.Checkout"), ("cart", "cart")])
def test_the_variable_holds_the_name(promtool: str, tmp_path: Path, service: str, carried: str) -> None:
    query = queries.telemetry_name({"checkout": "Shop.Checkout"}).removeprefix("query_result(").removesuffix(")")
    expr = query.replace("$service", service)
    expected = {"labels": f'{{service="{service}", carried="{carried}"}}', "value": 1}
    test = {"expr": expr, "eval_time": "0m", "exp_samples": [expected]}
    (tmp_path / "test.yml").write_text(yaml.safe_dump({"tests": [{"promql_expr_test": [test]}]}))
    done = subprocess.run(
        [promtool, "test", "rules", "test.yml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_exemplars_are_those_of_the_name_that_the_series_carry() -> None:
    scraped: dict[str, object] = {"name": "orders", "serviceName": "Shop.Orders", "targets": ["orders:1"]}
    text = json.dumps(page(*SERVICES, scraped)["panels"])
    assert "service_name=~`${telemetry:regex}`} @ 0" in text
    assert "job=~`${service:regex}`} @ 0" in text
    assert "job=~" not in queries.exemplars(load("dev", {"services": json.dumps([SERVICES[1]])}))


@pytest.mark.parametrize(
    ("carried", "expected"), [("Shop.Checkout", 3), ("checkout", None), ("cart", 5), ('Shop "X"', 7), ("nobody", None)]
)
def test_a_line_leads_to_the_requests_of_its_service(
    promtool: str, tmp_path: Path, carried: str, expected: int | None
) -> None:
    other: dict[str, object] = {"name": "other", "serviceName": 'Shop "X"', "otlp": True}
    settings = load("dev", {"services": json.dumps([*SERVICES, other])})
    spec = next(c for c in correlations(settings) if c.name == "logs-to-metrics")
    expr = str(spec.query["expr"]).replace("${service}", json.dumps(carried)[1:-1])
    rates = {"checkout": 3, "cart": 5, "other": 7}
    series = [
        {"series": f'service:http_requests:rate5m{{service="{name}", status="200"}}', "values": str(rate)}
        for name, rate in rates.items()
    ]
    samples = [{"labels": '{status="200"}', "value": expected}] if expected else []
    test = {"expr": expr, "eval_time": "0m", "exp_samples": samples}
    document = {"tests": [{"input_series": series, "promql_expr_test": [test]}]}
    (tmp_path / "test.yml").write_text(yaml.safe_dump(document))
    done = subprocess.run(
        [promtool, "test", "rules", "test.yml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
