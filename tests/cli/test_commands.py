"""The commands that need no engine, run as people run them, and the sentences of those that cannot go on."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from cli import stack_config, verify
from cli.app import app, main
from cli.bootstrap import ROOT
from cli.errors import ExitCode, InvalidSettingsError
from observability.settings import STAND_IN
from tests.cli import fakes


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = os.environ | environment
    code = "import sys; from cli.app import main; sys.exit(main(sys.argv[1:]))"
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
    assert done.returncode == ExitCode.NO_ENGINE
    assert "Docker does not answer at tcp://127.0.0.1:9" in done.stderr
    assert "make plan" in done.stderr
    assert "Traceback" not in done.stderr


def commands() -> dict[str, Any]:
    result: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined] # a group
    return result


def test_an_unknown_command_is_a_usage_error() -> None:
    done = run("fly")
    assert done.returncode == ExitCode.USAGE
    assert "No such command 'fly'" in done.stderr


def test_every_alias_in_the_makefile_is_a_command() -> None:
    targets = set(re.findall(r"^([a-z-]+): ##", (ROOT / "Makefile").read_text(), re.MULTILINE)) - {"help"}
    assert {"up", "test"} <= targets <= set(commands())


@pytest.mark.parametrize("name", sorted(commands()))
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    assert f"Usage: obs {name}" in capsys.readouterr().out
    command = commands()[name]
    assert command.help
    for parameter in command.params:
        assert parameter.help or parameter.name == "help", parameter.name


def test_destroy_asks_first(capsys: pytest.CaptureFixture[str]) -> None:
    context = fakes.context("dev")
    assert main(["destroy", "--stack", "dev", "--yes", "staging"], lambda _: context) == ExitCode.NOT_CONFIRMED
    assert "'staging' is not 'dev': nothing was removed" in capsys.readouterr().err
    assert fakes.calls(context) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("fault", "boom"), "KIND: 'boom'; accepted: errors, latency"),
        (("fault", "errors", "soon"), "FOR: 'soon'; accepted: a duration"),
        (("upgrade", "tempo", "1"), "COMPONENT=tempo: no such component"),
        (("pull", "a/b"), "UID 'a/b'; accepted"),
        (("restore", "/nowhere.tar"), "FROM=/nowhere.tar: no such file"),
        (("backup", "--encrypt", "/nowhere"), "ENCRYPT=/nowhere: cannot be read"),
        (("promote", "here", "prod"), "FROM: 'here'; accepted: dev"),
        (("diff", ""), "BASE is empty; accepted: a branch"),
        (("diff", "main", "--changed", "/nowhere/x"), "CHANGED=/nowhere/x: /nowhere is no folder"),
        (("render", f"{ROOT}/Makefile"), "Makefile: this is a file; accepted: a folder"),
        (("render", "/dev/null/x"), "OUT=/dev/null/x: "),
        (("render", ""), "OUT is empty or the current folder"),
        (("drift", "/dev/null/x"), "REPORT=/dev/null/x: cannot be written"),
        (("backup", "/dev/null/x"), "TO=/dev/null/x: /dev/null is a file"),
        (("sbom", "/nowhere/x.json"), "OUT=/nowhere/x.json: cannot be written (No such file or directory)"),
    ],
)
def test_arguments_are_checked_before_anything_else(arguments: tuple[str, ...], message: str) -> None:
    done = run(*arguments, DOCKER_HOST="tcp://127.0.0.1:9", STACK="dev")
    assert (done.returncode, "Traceback" in done.stderr) == (ExitCode.USAGE, False), done.stderr
    assert message in done.stderr


def test_a_second_rendering_deletes_what_is_no_longer_made_and_nothing_else(tmp_path: Path) -> None:
    out = tmp_path / "a folder"
    assert run("render", str(out), STACK="dev").returncode == 0
    gone = out / "grafana" / "dashboards" / "removed" / "old.json"
    gone.parent.mkdir()
    gone.write_text("{}")
    mine = out / "notes.txt"
    mine.write_text("mine")
    manifest = out / ".rendered.json"
    manifest.write_text(json.dumps([*json.loads(manifest.read_text()), "grafana/dashboards/removed/old.json", "../x"]))
    (tmp_path / "x").write_text("not ours")
    done = run("render", str(out), STACK="dev")
    assert done.returncode == 0, done.stderr
    assert "1 files of an earlier rendering deleted" in done.stdout
    assert not gone.parent.exists()
    assert mine.exists()
    assert (tmp_path / "x").exists()


def test_a_plan_for_programs_is_json() -> None:
    document = json.loads(run("plan", "--json", STACK="prod").stdout)
    assert document["secrets_to_configure"] == ["grafanaAdminPassword", "grafanaSecretKey"]
    assert "grafana" in {r["name"] for r in document["resources"]}


def test_stand_ins_are_only_for_looking() -> None:
    with pytest.raises(InvalidSettingsError, match="grafanaAdminPassword: missing"):
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
