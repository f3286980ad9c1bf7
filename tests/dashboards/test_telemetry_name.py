"""The Service page reads lines and traces by the name that the service's telemetry carries."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from dashboards import queries
from dashboards.catalogue import dashboards
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
