"""A state that this program did not make is refused before Pulumi sees it, and its pickles run nothing."""

from __future__ import annotations

import base64
import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pulumi.dynamic.dynamic import PROVIDER_KEY, serialize_provider

from cli import state_check
from cli.errors import UserError
from cli.evaluation import Registered

Json = dict[str, Any]
GRAFANA = "pulumi:providers:grafana"


class Evil:
    def __init__(self, marker: str) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return (eval, (f"open({self.marker!r}, 'w').close()",))


def evil_pickle(marker: Path) -> str:
    return base64.b64encode(pickle.dumps(Evil(str(marker)))).decode()


PICKLE = evil_pickle(Path("pickle-ran"))


def resource(type_: str, name: str = "x", **more: Any) -> Json:  # noqa: ANN401 - JSON
    return {"urn": f"urn:pulumi:dev::observability::{type_}::{name}", "type": type_, "custom": True, **more}


def state(*resources: Json, secrets: Json | None = None, pending: Json | None = None) -> str:
    deployment: Json = {
        "resources": [resource("pulumi:pulumi:Stack", "observability-dev"), *resources],
        "pending_operations": [{"type": "creating", "resource": pending}] if pending else [],
    }
    return json.dumps({"version": 3, "deployment": deployment | ({"secrets_providers": secrets} if secrets else {})})


OWN = [
    resource(
        GRAFANA, "grafana", id="1", inputs={"__internal": {"pluginDownloadURL": "github://api.github.com/pulumiverse"}}
    ),
    resource(
        GRAFANA, "old", id="2", inputs={"pluginDownloadURL": "github://api.github.com/pulumiverse", "version": "2.44.0"}
    ),
    resource("grafana:oss/folder:Folder", "platform", provider=f"urn:pulumi:dev::observability::{GRAFANA}::grafana::1"),
    resource("pulumi-python:dynamic/grafana:Correlation", "a::b", inputs={PROVIDER_KEY: "whatever"}),
    resource("observability:index:Anything", "component"),
]


def test_a_state_of_this_program_is_accepted() -> None:
    state_check.require_own(state(*OWN, secrets={"type": "passphrase", "state": {"salt": "v1:x"}}))
    state_check.require_own(state(*OWN, secrets={"type": "cloud", "state": {"url": "awskms://own"}}), ["awskms://own"])
    state_check.require_own('{"version": 3, "deployment": {}}')


FOREIGN = {
    "dynamic resource": resource("pulumi-python:dynamic:Resource", inputs={PROVIDER_KEY: PICKLE}),
    "dynamic resource of another module": resource("pulumi-python:dynamic/evil:X", inputs={PROVIDER_KEY: PICKLE}),
    "pickle in another type": resource("docker:index/volume:Volume", outputs={PROVIDER_KEY: PICKLE}),
    "resource of a provider that is not ours": resource("command:local:Command", inputs={"create": "id"}),
    "provider that is not ours": resource("pulumi:providers:command", "default"),
    "download address": resource(GRAFANA, inputs={"pluginDownloadURL": "https://evil.example"}),
    "download address inside": resource(GRAFANA, inputs={"__internal": {"pluginDownloadURL": "https://evil.example"}}),
    "download address of another": resource(
        "pulumi:providers:docker", inputs={"pluginDownloadURL": "github://api.github.com/pulumiverse"}
    ),
    "another program under its name": resource("pulumi:providers:docker", inputs={"name": "command"}),
    "parameterized": resource("pulumi:providers:docker", inputs={"__internal": {"parameterization": {"name": "x"}}}),
    "odd internal": resource("pulumi:providers:docker", inputs={"__internal": "x"}),
    "version that is a path": resource("pulumi:providers:docker", inputs={"version": "../../x"}),
    "provider that is not in the state": resource(
        "docker:index/volume:Volume", provider="urn:pulumi:dev::observability::pulumi:providers:docker::y::1"
    ),
    "another type in its name": resource("docker:index/volume:Volume")
    | {"type": "pulumi-python:dynamic/grafana:Correlation"},
    "another stack": resource("docker:index/volume:Volume")
    | {"urn": "urn:pulumi:prod::observability::docker:index/volume:Volume::x"},
    "another project": resource("docker:index/volume:Volume")
    | {"urn": "urn:pulumi:dev::other::docker:index/volume:Volume::x"},
    "option for a stack's name": resource("docker:index/volume:Volume")
    | {"urn": "urn:pulumi:--cwd=x::observability::docker:index/volume:Volume::x"},
}


@pytest.mark.parametrize("foreign", FOREIGN.values(), ids=FOREIGN)
def test_a_foreign_resource_is_refused_wherever_it_is(foreign: Json) -> None:
    with pytest.raises(UserError, match=r"not made by this program.*Nothing was touched"):
        state_check.require_own(state(*OWN, foreign))
    with pytest.raises(UserError, match="not made by this program"):
        state_check.require_own(state(*OWN, pending=foreign))


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", "null", "[" * 100_000, '{"deployment": {"resources": {}}}', '{"deployment": {"resources": [1]}}',
     '{"deployment": {"resources": [{"urn": 1, "type": "x"}]}}', '{"deployment": {"resources": [{"type": "x"}]}}'],
)  # fmt: skip
def test_what_is_no_state_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="it is no state of project 'observability'"):
        state_check.require_own(text)


@pytest.mark.parametrize("kind", ["cloud", "service"])
def test_a_key_service_that_the_stack_does_not_use_is_not_asked(kind: str) -> None:
    given = state(*OWN, secrets={"type": kind, "state": {"url": "https://evil.example"}})
    for services in ([], ["https://api.pulumi.com"], [""]):
        with pytest.raises(UserError, match="kept by a service"):
            state_check.require_own(given, services)


def test_what_an_archive_brings_as_code_is_replaced_and_never_read(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    code = evil_pickle(marker)
    evil = resource(
        "pulumi-python:dynamic/grafana:Correlation",
        inputs={PROVIDER_KEY: code, "label": "kept"},
        outputs={PROVIDER_KEY: {"4dabf18193072939515e22adb298388d": "x", "plaintext": json.dumps(code)}},
    )
    state_check.require_own(state(evil))
    owned = state_check.with_own_providers(json.loads(state(evil)))["deployment"]["resources"][1]
    assert owned["inputs"]["label"] == "kept"
    assert owned["inputs"][PROVIDER_KEY] == owned["outputs"][PROVIDER_KEY] != code
    assert not marker.exists()
    # As Pulumi reads it, in a process of its own that has no state of this one.
    read = "import base64, pickle, sys; print(type(pickle.loads(base64.b64decode(sys.argv[1]))).__name__)"
    done = subprocess.run(
        [sys.executable, "-c", read, owned["inputs"][PROVIDER_KEY]], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "CorrelationProvider"
    assert not marker.exists()


def test_every_type_that_the_program_registers_is_listed(
    program_of: Callable[[str], tuple[Registered, ...]],
) -> None:
    for stack in ("dev", "staging", "prod"):
        for registered in program_of(stack):
            assert registered.type in state_check.TYPES or state_check._COMPONENT.fullmatch(registered.type)
            if registered.type.startswith(state_check._DYNAMIC):
                own = serialize_provider(state_check.PROVIDERS[registered.type]())
                assert registered.inputs[PROVIDER_KEY] == own
