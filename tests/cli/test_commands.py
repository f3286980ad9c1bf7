"""The commands that need no engine, run as people run them, and the sentences of those that cannot go on."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from cli import stack_config, verify
from cli.bootstrap import ROOT, UserError
from cli.commands import _COMMANDS, MODULES, main
from observability.settings import STAND_IN


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = os.environ | environment
    code = "import sys; from cli.commands import _COMMANDS, main; sys.exit(main(sys.argv[1:]))"
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        cwd=ROOT, env=env, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_plan_shows_what_would_be_created(stack: str) -> None:
    done = run("plan", STACK=stack, DOCKER_HOST="tcp://127.0.0.1:9", PATH="/nowhere")
    assert done.returncode == 0, done.stderr
    for part in ("grafana", "prometheus", "loki", "jaeger", "slo-overview", "correlations", "MiB"):
        assert part in done.stdout
    assert "12 panels" in done.stdout
    assert ("grafanaAdminPassword" in done.stdout) is (stack == "prod")


def test_render_writes_everything(stack: str, tmp_path: Path) -> None:
    done = run("render", str(tmp_path), STACK=stack)
    assert done.returncode == 0, done.stderr
    written = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()}
    assert {"prometheus/prometheus.yml", "loki/loki.yaml", "jaeger/jaeger.yaml"} <= written
    assert "grafana/dashboards/ml-platform/slo-overview.json" in written
    for path in written:
        text = (tmp_path / path).read_text()
        _ = json.loads(text) if path.endswith(".json") else yaml.safe_load(text) if "yml" in path else text
        assert STAND_IN not in text, path


def test_rendering_twice_gives_the_same(tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert run("render", str(tmp_path / name), STACK="dev").returncode == 0
    for path in (tmp_path / "a").rglob("*.*"):
        assert path.read_bytes() == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes()


def test_without_docker_up_says_one_sentence() -> None:
    done = run("up", STACK="dev", DOCKER_HOST="tcp://127.0.0.1:9")
    assert done.returncode == 1
    assert "Docker does not answer at tcp://127.0.0.1:9" in done.stderr
    assert "make plan" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_command_lists_the_known() -> None:
    done = run("fly")
    assert done.returncode == 2
    assert "up|" in done.stderr


def test_every_command_is_in_the_makefile_and_the_reverse() -> None:
    targets = set(re.findall(r"^([a-z-]+): ##", (ROOT / "Makefile").read_text(), re.MULTILINE)) - {"help"}
    assert targets == set(_COMMANDS)
    for name in _COMMANDS:
        module = MODULES.get(name, f"cli.{name}")
        assert (ROOT / f"{module.replace('.', '/')}.py").exists(), name


def test_destroy_asks_first(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("STACK", "dev")
    monkeypatch.setenv("YES", "staging")
    monkeypatch.setattr("cli.engine.connect", lambda: None)
    monkeypatch.setattr("cli.pulumi.select", lambda: None)
    assert main(["destroy"]) == 1
    assert "'staging' is not 'dev': nothing was removed" in capsys.readouterr().err


def test_stand_ins_are_only_for_looking() -> None:
    with pytest.raises(UserError, match="grafanaAdminPassword: missing"):
        stack_config.settings("prod")
    assert stack_config.settings("prod", stand_in=True).production


def test_variables_are_filled_in_as_a_page_would() -> None:
    model = {
        "templating": {
            "list": [
                {"name": "service", "includeAll": True, "allValue": ".+", "current": {"value": "$__all"}},
                {"name": "endpoint", "current": {"value": ["/a", "/b"]}},
                {"name": "needle", "type": "textbox", "query": "x"},
            ]
        }
    }
    values = verify.variables(model)
    assert values == {"service": ".+", "endpoint": "/a|/b", "needle": "x"}
    query = {"expr": 'rate(a{s=~"$service",e=~"${endpoint:regex}"}[$__rate_interval])', "refs": ["$needle"], "n": 1}
    assert verify.interpolate(query, values) == {
        "expr": 'rate(a{s=~".+",e=~"/a|/b"}[$__rate_interval])',
        "refs": ["x"],
        "n": 1,
    }


def test_nested_panels_are_checked_too() -> None:
    model = {"panels": [{"id": 1, "type": "row", "panels": [{"id": 2}]}, {"id": 3}]}
    assert [p["id"] for p in verify.panels(model)] == [1, 2, 3]
