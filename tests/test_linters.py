"""What the linters of the field say of rules and dashboards as they are rendered (tests/golden)."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from cli import stack_config
from cli.bootstrap import ROOT
from cli.checkers import DASHBOARD_SCHEMA
from cli.environment import Environment
from dashboards.catalogue import dashboards
from observability.settings import Settings

GOLDEN = ROOT / "tests" / "golden"


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not on PATH (`make tools` brings the pinned one)")
    return found


@pytest.fixture(scope="module")
def schema() -> Draft7Validator:
    """Return Grafana's schema of dashboards, with what its generator gets wrong corrected."""
    file = Environment().tools / "schemas" / DASHBOARD_SCHEMA
    if not file.is_file():
        pytest.skip(f"{file} is not there (`make tools` brings it)")
    return Draft7Validator(corrected(json.loads(file.read_text())))


def corrected(schema: Any) -> Any:  # noqa: ANN401 - JSON
    """Accept any value where Grafana's own schema (CUE) does; ask of a panel's link what Grafana asks: a title."""
    if isinstance(schema, list):
        return [corrected(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    result = {key: corrected(value) for key, value in schema.items()}
    if result.get("type") == "object" and result.get("additionalProperties") == {}:  # written for `_`, any value
        del result["type"]
    if {"asDropdown", "targetBlank"} <= result.get("properties", {}).keys():
        result["required"] = ["title"]
    return result


def problems(schema: Draft7Validator, dashboard: object) -> list[str]:
    return [f"{e.json_path}: {e.message[:200]}" for e in schema.iter_errors(dashboard)]


def test_every_dashboard_fits_grafanas_schema(schema: Draft7Validator, settings: Settings) -> None:
    for file in dashboards(settings):
        assert problems(schema, json.loads(file.json)) == [], file.uid


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(unknown="field"),
        lambda d: d.update(schemaVersion="42"),
        lambda d: d["panels"][0]["gridPos"].update(w="wide"),
        lambda d: d["panels"][0].update(colour="red"),
        lambda d: d["templating"]["list"][0].update(hide="never"),
    ],
)
def test_a_dashboard_that_does_not_fit_is_found(schema: Draft7Validator, change: Any) -> None:  # noqa: ANN401
    file = next(f for f in dashboards(stack_config.settings("dev", stand_in=True)) if f.uid == "slo-overview")
    dashboard = json.loads(file.json)
    assert problems(schema, dashboard) == []
    change(dashboard)
    assert problems(schema, dashboard)


@pytest.fixture(scope="module")
def pint() -> list[str]:
    return [program("pint"), "--offline", "--no-color", "--log-level=error", f"--config={ROOT / 'tests' / 'pint.hcl'}"]


def lint_rules(pint: list[str], *paths: Path) -> tuple[int, str]:
    done = subprocess.run(
        [*pint, "lint", "--min-severity=info", "--fail-on=info", *map(str, paths)],
        cwd=GOLDEN, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_pint_accepts_the_recording_rules(pint: list[str], stack: str) -> None:
    assert lint_rules(pint, GOLDEN / stack / "prometheus" / "rules") == (0, "")


@pytest.mark.parametrize("expr", ["rate(up[1m]) / rate(", "sum(up) by (job) / on (instance) sum(up) by (job)"])
def test_pint_refuses_a_bad_rule(pint: list[str], tmp_path: Path, expr: str) -> None:
    rules = {"groups": [{"name": "g", "rules": [{"record": "job:x:sum", "expr": expr}]}]}
    (tmp_path / "rules.yml").write_text(json.dumps(rules))
    code, output = lint_rules(pint, tmp_path / "rules.yml")
    assert code != 0, output


def lint_dashboard(path: Path) -> tuple[int, str]:
    config = f"--config={ROOT / 'tests' / 'dashboard-linter.yml'}"
    command = [program("dashboard-linter"), "lint", "--strict", config, str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_dashboard_linter_accepts_the_dashboards_of_production() -> None:
    for path in sorted((GOLDEN / "prod" / "grafana" / "dashboards").rglob("*.json")):
        assert lint_dashboard(path)[0] == 0, f"{path.name}: {lint_dashboard(path)[1]}"


def test_dashboard_linter_refuses_a_dashboard_that_anyone_can_edit(tmp_path: Path) -> None:
    dashboard = json.loads((GOLDEN / "prod/grafana/dashboards/infrastructure/stack-health.json").read_text())
    (tmp_path / "d.json").write_text(json.dumps(dashboard | {"editable": True}))
    code, output = lint_dashboard(tmp_path / "d.json")
    assert code != 0, output
