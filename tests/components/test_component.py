"""The components for other programs: typed arguments, the schema for other languages, and the examples."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml
from google.protobuf import empty_pb2  # type: ignore[import-untyped]
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from cli.bootstrap import ROOT
from lab.sandbox import LEFT_OUT
from observability.settings import Settings
from observability.settings.argument_names import argument_name, as_configured, output_name
from tests import readme

PROGRAM = """
import asyncio, json, runpy, sys
from pulumi.runtime import mocks
from pulumi.runtime.config import set_all_config
from pulumi.runtime.stack import run_pulumi_func

class Recorder(mocks.Mocks):
    def __init__(self): self.resources = []
    def new_resource(self, args):
        self.resources.append((args.typ, args.name, args.inputs.get("name", "")))
        outputs = {"name": args.name, **args.inputs}
        if args.typ.endswith(":RandomPassword"): outputs["result"] = "generated"
        if args.typ.endswith(":RemoteImage"): outputs["imageId"] = "sha256:1"
        if args.typ.endswith(":Container"): outputs |= {"exitCode": 0, "containerLogs": ""}
        return args.name, outputs
    def call(self, args): return {}, None

recorder, loop = Recorder(), asyncio.new_event_loop()
asyncio.set_event_loop(loop)
mocks.set_mocks(recorder, project="shop", stack="dev", preview=False)
set_all_config({"shop:grafanaPassword": "a-password-of-the-caller"}, ["shop:grafanaPassword"])
loop.run_until_complete(run_pulumi_func(lambda: runpy.run_path(sys.argv[1], run_name="__main__")))
print(json.dumps(recorder.resources))
"""
"""Runs a program over mocks, in another project than ours."""
CALLER = "from components.{module} import {kind}\nimport pulumi\n{kind}('monitoring', {arguments})\n"


def run(program: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PROGRAM, str(program)]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def call(folder: Path, kind: str, arguments: str) -> subprocess.CompletedProcess[str]:
    program = folder / "caller.py"
    program.write_text(CALLER.format(module=kind.lower(), kind=kind, arguments=arguments))
    return run(program, folder)


def test_the_python_example_brings_up_a_stack_of_the_caller_s_names(tmp_path: Path) -> None:
    done = run(ROOT / "examples" / "python" / "__main__.py", tmp_path)
    assert not done.returncode, done.stderr
    resources = json.loads(done.stdout)
    assert ["observability:index:Stack", "monitoring", ""] in resources
    containers = {name for kind, _, name in resources if kind.endswith(":Container") and name}
    assert {f"observability-shop-{part}" for part in ("grafana", "prometheus", "loki", "collector")} <= containers
    passwords = {name for kind, name, _ in resources if kind.endswith(":RandomPassword")}
    assert "grafana-secret-key" in passwords
    assert "grafana-admin-password" not in passwords, "it is the caller's"


def test_a_mistake_of_the_caller_is_told_with_all_others_before_anything_is_made(tmp_path: Path) -> None:
    wrong = {"scrape_interval": "soon", "services": [{"name": "shop", "metricspath": "/m"}], "grafana_theme": "pink"}
    done = call(tmp_path, "Stack", repr(wrong))
    assert done.returncode
    for told in ("scrapeInterval: 'soon'", "services[0].metricspath: unknown", "grafanaTheme: 'pink'"):
        assert told in done.stderr


def test_a_secret_in_plain_text_is_refused(tmp_path: Path) -> None:
    done = call(tmp_path, "Stack", repr({"grafana_admin_password": "a-password"}))
    assert "grafanaAdminPassword: stored in plain text" in done.stderr


def test_content_says_what_it_lacks(tmp_path: Path) -> None:
    done = call(tmp_path, "Content", "{'grafana_token': pulumi.Output.secret('t')}")
    assert "grafanaUrl: missing" in done.stderr
    assert "traces.queryUrl: missing" in done.stderr


def test_names_on_the_docker_host_are_the_caller_s(tmp_path: Path) -> None:
    done = call(tmp_path, "Stack", repr({"name_prefix": "acme-watch"}))
    assert not done.returncode, done.stderr
    resources = json.loads(done.stdout)
    named = {name for kind, _, name in resources if kind.startswith("docker:") and not kind.endswith("Image")}
    assert {name for name in named if name and not name.startswith("acme-watch")} == set()


@pytest.mark.parametrize(
    ("given", "field", "configured"),
    [
        ([{"metrics_path": "/m", "http_sd": ["u"], "slos": [{"burn_alerts": [{"factor": 2.0}]}]}], "services",
         [{"metricsPath": "/m", "httpSd": ["u"], "slos": [{"burnAlerts": [{"factor": 2}]}]}]),
        ({"grafana": {"memory": 512.0, "cpus": 0.5}}, "limits", {"grafana": {"memory": 512, "cpus": 0.5}}),
        ({"object_store": {"from_": "2026-01-01"}}, "logs", {"objectStore": {"from": "2026-01-01"}}),
        ({"node_password": "x"}, "own_secrets", {"node_password": "x"}),
        ({"unknown_field": 1}, "metrics", {"unknown_field": 1}),
    ],
)  # fmt: skip
def test_arguments_become_configuration(given: Any, field: str, configured: Any) -> None:  # noqa: ANN401 - JSON
    assert as_configured(given, Settings.model_fields[field].annotation) == configured


def test_every_setting_has_an_argument_that_leads_back_to_it() -> None:
    for name, field in Settings.model_fields.items():
        key = field.alias or name
        assert field.exclude or output_name(argument_name(key)) == key


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    """Return what the plugin's process answers when Pulumi asks for its schema."""
    command = [sys.executable, str(ROOT / "plugin"), "127.0.0.1:1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={"PATH": "/usr/bin:/bin"}) as process:
        try:
            assert process.stdout is not None
            with grpc.insecure_channel(f"127.0.0.1:{int(process.stdout.readline())}") as channel:
                provider = provider_pb2_grpc.ResourceProviderStub(channel)
                found = provider.GetSchema(provider_pb2.GetSchemaRequest(), timeout=30)
                assert provider.GetPluginInfo(empty_pb2.Empty(), timeout=30).version
        finally:
            process.kill()
    answer: dict[str, Any] = json.loads(found.schema)
    return answer


def test_the_package_has_both_components_with_everything_documented(schema: dict[str, Any]) -> None:
    resources = schema["resources"]
    assert set(resources) == {"observability:index:Stack", "observability:index:Content"}
    assert {"observability:index:Service", "observability:index:Slo"} <= set(schema["types"])
    for name, one in {**resources, **schema["types"]}.items():
        for properties in (one.get("inputProperties", {}), one.get("properties", {})):
            for key, value in properties.items():
                assert value.get("description", "").strip(), f"{name}.{key}"
    assert set(resources["observability:index:Content"]["requiredInputs"]) >= {"grafanaUrl", "grafanaToken"}


def test_the_yaml_example_fits_the_schema(schema: dict[str, Any]) -> None:
    program = yaml.safe_load((ROOT / "examples" / "yaml" / "Pulumi.yaml").read_text())
    monitoring = program["resources"]["monitoring"]
    content = schema["resources"][monitoring["type"].replace(":", ":index:")]
    assert set(content["requiredInputs"]) <= set(monitoring["properties"]) <= set(content["inputProperties"])
    service = schema["types"]["observability:index:Service"]
    assert set(monitoring["properties"]["services"][0]) <= set(service["properties"])
    for output in program["outputs"].values():
        assert output.strip("${}").partition(".")[2] in content["properties"]


@pytest.mark.optional
@pytest.mark.skipif(not (shutil.which("pulumi") and shutil.which("pulumi-language-yaml")), reason="needs pulumi")
def test_another_program_adds_the_package(tmp_path: Path) -> None:
    copy, program = tmp_path / "observability", tmp_path / "shop"
    shutil.copytree(ROOT, copy, ignore=LEFT_OUT)
    # An environment that has every package already: Pulumi installs nothing anew.
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(copy / ".venv")], check=True)
    packages = next((copy / ".venv" / "lib").iterdir()) / "site-packages"
    (packages / "ours.pth").write_text(sysconfig.get_path("purelib"))
    program.mkdir()
    (program / "Pulumi.yaml").write_text("name: shop\nruntime: yaml\n")
    command = shlex.split(readme.line("pulumi package add ../observability/plugin"))
    done = subprocess.run(command, cwd=program, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
    assert "observability" in yaml.safe_load((program / "Pulumi.yaml").read_text())["packages"]
