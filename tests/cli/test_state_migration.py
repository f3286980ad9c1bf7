"""A state without what it knows of a host, and the secrets that Grafana's database depends on."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cli import state_migration
from cli.errors import UserError
from tests.cli import fakes

Json = dict[str, Any]


def secret(value: Any) -> Json:  # noqa: ANN401 - JSON
    return {state_migration._SECRET: "1b47061264138c4ac30d75fd1eb44270", "plaintext": json.dumps(value)}


def urn(type_: str, name: str) -> str:
    return f"urn:pulumi:dev::observability::{type_}::{name}"


def resource(type_: str, name: str, **more: Any) -> Json:  # noqa: ANN401 - JSON
    return {"urn": urn(type_, name), "type": type_, **more}


VOLUME = "docker:index/volume:Volume"
STATE: Json = {
    "version": 3,
    "deployment": {
        "pending_operations": [{"type": "creating"}],
        "resources": [
            resource(
                "pulumi:pulumi:Stack",
                "observability-dev",
                outputs={"grafanaAdminUser": "admin", "grafanaAdminPassword": secret("the-password")},
            ),
            resource("pulumi:providers:docker", "default"),
            resource("observability:index:Service", "grafana"),
            resource(
                "random:index/randomPassword:RandomPassword", "grafana-secret-key", outputs={"result": secret("k")}
            ),
            resource(VOLUME, "grafana-data", protect=True),
            resource(
                "docker:index/container:Container",
                "grafana-secrets-loader",
                inputs={"uploads": secret([{"file": "/run/observability/secret-key", "content": "the-key"}])},
            ),
            resource("pulumi-python:dynamic/gates:Readiness", "grafana-ready"),
            resource(
                "grafana:oss/folder:Folder",
                "platform",
                deletedWith=urn(VOLUME, "grafana-data"),
                dependencies=[urn("pulumi-python:dynamic/gates:Readiness", "grafana-ready")],
            ),
            resource("pulumi-python:dynamic/grafana:Correlation", "log to trace"),
        ],
    },
}


def test_what_is_of_the_host_goes_and_nothing_points_to_it() -> None:
    left = state_migration.strip_host_resources(STATE)["deployment"]
    assert [r["urn"].rsplit("::", 1)[-1] for r in left["resources"]] == [
        "observability-dev", "grafana", "grafana-secret-key", "platform", "log to trace",
    ]  # fmt: skip
    folder = left["resources"][3]
    assert "deletedWith" not in folder
    assert folder["dependencies"] == []
    assert left["pending_operations"] == []
    assert len(STATE["deployment"]["resources"]) == 9, "the given state is left as it was"


PROVIDER = "pulumi:providers:docker"
NETWORK: Json = {
    "deployment": {
        "resources": [
            resource("pulumi:pulumi:Stack", "observability-dev"),
            resource(
                "observability:index:Networks", "networks", parent=urn("pulumi:pulumi:Stack", "observability-dev")
            ),
            resource(PROVIDER, "default", id="1"),
            resource(
                "docker:index/network:Network",
                "network",
                id="abc",
                parent=urn("observability:index:Networks", "networks"),
                provider=urn(PROVIDER, "default") + "::1",
            ),
            resource("docker:index/network:Network", "gone", id="def"),
            resource(VOLUME, "grafana-data", id="v"),
        ]
    }
}


def test_the_networks_that_exist_stay_known_so_that_nobody_has_to_leave_them() -> None:
    left = state_migration.strip_host_resources(STATE, keep=NETWORK, networks=["abc"])["deployment"]["resources"]
    names = [r["urn"].rsplit("::", 1)[-1] for r in left]
    assert names[:5] == ["observability-dev", "networks", "default", "network", "grafana"]
    assert "gone" not in names
    assert "grafana-data" not in names
    assert len({r["urn"] for r in left}) == len(left)


def test_an_undo_keeps_the_networks_of_the_state_itself() -> None:
    left = state_migration.strip_host_resources(NETWORK, keep=NETWORK, networks=["abc"])["deployment"]["resources"]
    assert [r["urn"].rsplit("::", 1)[-1] for r in left] == ["observability-dev", "default", "network", "networks"]


def test_an_empty_state_stays_one() -> None:
    assert state_migration.strip_host_resources({"version": 3, "deployment": {}})["deployment"]["resources"] == []


def test_the_secrets_are_found_wherever_they_come_from() -> None:
    assert state_migration.secrets(STATE) == {
        "grafanaAdminUser": "admin", "grafanaAdminPassword": "the-password", "grafanaSecretKey": "the-key",
    }  # fmt: skip


def test_a_state_without_them_is_refused() -> None:
    with pytest.raises(UserError, match="Nothing was touched"):
        state_migration.secrets({"deployment": {"resources": []}})


WANTED = {"grafanaAdminUser": "admin", "grafanaAdminPassword": "p", "grafanaSecretKey": "k"}


@pytest.mark.parametrize(
    ("configured", "written"),
    [
        ({}, ["grafanaAdminPassword"]),  # the key is generated, the password is not
        ({"grafanaAdminPassword": "p"}, []),
        ({"grafanaAdminPassword": "other", "grafanaSecretKey": "other"}, ["grafanaAdminPassword", "grafanaSecretKey"]),
    ],
)
def test_only_what_differs_is_configured_and_never_as_an_argument(
    configured: dict[str, str], written: list[str]
) -> None:
    passed: dict[str, str | None] = {}

    def output(*arguments: str, stdin: str | None = None) -> str:
        if arguments[:2] == ("config", "get"):
            return configured[arguments[2]] + "\n"
        assert arguments[:3] == ("config", "set", "--secret")
        passed[arguments[3]] = stdin
        return ""

    context = fakes.context("dev", on_output=output)
    assert state_migration.configure_secrets(context, STATE, WANTED, frozenset(configured)) == written
    assert passed == {name: WANTED[name] for name in written}
