"""Every policy on a resource that keeps it and on ones that do not, and on everything that the program registers."""

from __future__ import annotations

import json
from typing import Any

import pulumi_policy.proxy
import pytest

from cli import policies
from cli.evaluation import Registered
from observability.settings import Settings
from policies import checks
from policies.resource import UNKNOWN, Hidden, Resource, texts

LABELS = [{"label": "observability.service", "value": "loki"}]
GOOD: dict[str, Any] = {
    "image": "sha256:" + "0" * 64,
    "memory": 64.0,
    "cpus": "0.25",
    "healthcheck": {"tests": ["CMD", "/x"]},
    "ports": [{"external": 3000.0, "internal": 3000.0, "ip": "127.0.0.1"}],
    "labels": LABELS,
    "capabilities": {"drops": ["ALL"]},
    "securityOpts": ["no-new-privileges:true"],
    "envs": ["GF_SECURITY_ADMIN_PASSWORD=$__file{/run/observability/admin-password}", "TOKEN_FILE=/run/token"],
}
ONE_SHOT = {"mustRun": False, "restart": "no", "image": "sha256:" + "0" * 64, "memory": 64}
UNKNOWN_TEXT = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


def container(**inputs: object) -> Resource:
    return Resource(checks.CONTAINER, "loki", GOOD | inputs)


def test_what_is_not_known_yet_is_what_pulumi_calls_so() -> None:
    names = [name for name in vars(pulumi_policy.proxy) if name.startswith("UNKNOWN_")]
    assert {getattr(pulumi_policy.proxy, name) for name in names} == UNKNOWN


@pytest.mark.parametrize("reference", ["a/b:1.2", "r:5000/a/b:v1", f"a@sha256:{'0' * 64}", f"a:1@sha256:{'f' * 64}"])
def test_pinned_images(reference: str) -> None:
    assert checks.image_is_pinned(Resource(checks.IMAGE, "i", {"name": reference})) == []


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("grafana/loki", "image 'grafana/loki' has neither tag nor digest"),
        ("r:5000/a", "image 'r:5000/a' has neither tag nor digest"),
        ("a:latest", "image 'a:latest' has a tag that moves"),
    ],
)
def test_images_that_are_not(reference: str, said: str) -> None:
    for resource in (Resource(checks.IMAGE, "i", {"name": reference}), container(image=reference)):
        (problem,) = checks.image_is_pinned(resource)
        assert problem.startswith(said)


@pytest.mark.parametrize("required", [True, False])
def test_digests_where_they_are_required(*, required: bool) -> None:
    def problems(reference: str) -> list[str]:
        return checks.image_has_a_digest(
            Resource(checks.IMAGE, "i", {"name": reference}, settings={"required": required})
        )

    assert bool(problems("grafana/grafana:12.4.0")) is required
    assert problems(f"grafana/grafana:12.4.0@sha256:{'f' * 64}") == []
    assert problems(UNKNOWN_TEXT) == []


def test_ports() -> None:
    assert checks.ports_are_local_or_explained(container()) == []
    assert checks.ports_are_local_or_explained(container(ports=[{"external": 1.0, "ip": "::1"}])) == []
    for address in ("0.0.0.0", "10.0.0.1", None):  # noqa: S104 - what is refused
        port = [{"external": 3000.0, "internal": 3000.0, "ip": address}]
        (problem,) = checks.ports_are_local_or_explained(container(ports=port))
        assert problem.startswith("port 3000 is published on ")
        reason = [*LABELS, {"label": "observability.published-because", "value": "behind the office's firewall"}]
        assert checks.ports_are_local_or_explained(container(ports=port, labels=reason)) == []
        empty = [*LABELS, {"label": "observability.published-because", "value": " "}]
        assert checks.ports_are_local_or_explained(container(ports=port, labels=empty))


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"memory": None}, "no memory limit"),
        ({"memory": 0.0}, "no memory limit"),
        ({"cpus": None}, "no CPU limit"),
        ({"cpus": "0"}, "no CPU limit"),
        ({"healthcheck": None}, "no health check"),
        ({"healthcheck": {"tests": ["NONE"]}}, "no health check"),
        ({"healthcheck": None, "mustRun": False, "restart": "unless-stopped"}, "no health check"),
        ({**ONE_SHOT, "memory": None}, "no memory limit"),
    ],
)
def test_limits_and_health_checks(inputs: dict[str, Any], said: str) -> None:
    assert checks.container_has_limits_and_health_check(container(**inputs)) == [f"container 'loki' has {said}"]


def test_what_keeps_limits_and_health_checks() -> None:
    for resource in (container(), container(memory=UNKNOWN_TEXT), Resource(checks.CONTAINER, "errand", ONE_SHOT)):
        assert checks.container_has_limits_and_health_check(resource) == []


SOCKET = {"hostPath": "/var/run/docker.sock", "containerPath": "/var/run/docker.sock"}


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"privileged": True}, "is privileged"),
        ({"devices": [{"hostPath": "/dev/kmsg"}]}, "has devices of the host"),
        ({"securityOpts": None}, "can get more privileges"),
        ({"securityOpts": ["seccomp=unconfined"]}, "can get more privileges"),
        ({"capabilities": None}, "does not drop all capabilities"),
        ({"capabilities": {"drops": ["ALL"], "adds": ["CAP_SYS_ADMIN"]}}, "keeps capabilities: SYS_ADMIN"),
        ({"capabilities": {"drops": ["ALL"], "adds": ["CAP_CHOWN"]}}, "keeps capabilities: CHOWN"),
        ({"networkMode": "host"}, "has the host's network"),
        ({"pidMode": "host"}, "has the host's pid"),
        ({"ipcMode": "host"}, "has the host's ipc"),
        ({"usernsMode": "host"}, "has the host's userns"),
        ({"volumes": [SOCKET]}, "sees /var/run/docker.sock of the host"),
        ({"volumes": [{"hostPath": "/", "containerPath": "/host"}]}, "sees / of the host"),
        ({"mounts": [{"type": "bind", "source": "/var/run", "target": "/x"}]}, "sees /var/run of the host"),
    ],
)
def test_containers_that_are_not_confined(inputs: dict[str, Any], said: str) -> None:
    (problem,) = checks.container_is_confined(container(**inputs))
    assert problem.startswith(f"container 'loki' {said}")


def test_containers_that_are_confined() -> None:
    chown = {"drops": ["ALL"], "adds": ["CAP_CHOWN"]}
    proxy = [{"label": "observability.service", "value": "engine-filter"}]
    for resource in (
        container(),
        container(**ONE_SHOT, capabilities=chown),
        container(labels=proxy, volumes=[SOCKET]),
        container(volumes=[{"volumeName": "x", "containerPath": "/x"}]),
        container(networkMode="none"),
    ):
        assert checks.container_is_confined(resource) == []


@pytest.mark.parametrize(
    ("service", "problems"),
    [("loki", 1), ("grafana", 1), ("jaeger", 1), ("collector", 0), ("prometheus", 0), ("reading-proxy", 0)],
)
@pytest.mark.parametrize("other", ["observability-dev", "observability-dev-edge", "shop_default"])
def test_networks_are_separate(service: str, problems: int, other: str) -> None:
    names = [{"name": other}, {"name": "observability-dev-backends"}]
    label = [{"label": "observability.service", "value": service}]
    assert len(checks.networks_are_separate(container(labels=label, networksAdvanced=names))) == problems
    for alone in ([names[0]], [names[1]], [names[1], {"name": "x-outside"}], [{"name": UNKNOWN_TEXT}]):
        assert checks.networks_are_separate(container(labels=label, networksAdvanced=alone)) == []


@pytest.mark.parametrize(
    ("name", "internal", "problems"), [("x-backends", False, 1), ("x-backends", True, 0), ("x", False, 0)]
)
def test_the_backends_network_leads_nowhere(name: str, internal: bool, problems: int) -> None:  # noqa: FBT001
    network = Resource(checks.NETWORK, "n", {"name": name, "internal": internal})
    assert len(checks.networks_are_separate(network)) == problems


def test_processes_are_limited() -> None:
    both = {"urn:a": container(name="a"), "urn:b": container(name="b"), "urn:c": container(name="c", **ONE_SHOT)}
    assert checks.processes_are_limited(both, {"a", "b"}) == {}
    assert list(checks.processes_are_limited(both, {"a"})) == ["urn:b"]


def test_dashboards_have_folders() -> None:
    for folder, problems in (("executive", 0), (UNKNOWN_TEXT, 0), (None, 1), ("", 1)):
        result = checks.dashboard_has_a_folder(Resource(checks.DASHBOARD, "home", {"folder": folder}))
        assert len(result) == problems, folder


def test_data_is_protected_where_it_is_asked_for() -> None:
    files = [*LABELS, {"label": "observability.content", "value": "abc"}]

    def volume(labels: list[dict[str, str]], *, protected: bool, asked: bool) -> Resource:
        return Resource(checks.VOLUME, "loki-data", {"labels": labels}, protected, {"protected": asked})

    assert checks.data_is_protected(volume(LABELS, protected=False, asked=True)) == [
        "data volume 'loki-data' is not protected: production needs protectData"
    ]
    assert checks.data_is_protected(volume(LABELS, protected=True, asked=True)) == []
    assert checks.data_is_protected(volume(LABELS, protected=False, asked=False)) == []
    assert checks.data_is_protected(volume(files, protected=False, asked=True)) == []


@pytest.mark.parametrize(
    "resource",
    [
        container(envs=["DB_PASSWORD=hunter22"]),
        container(envs=[Hidden("DB_PASSWORD=hunter22")]),  # a secret to Pulumi, and for all to see in `docker inspect`
        container(envs=["X_API_TOKEN=abc"]),
        Resource("pulumi:providers:grafana", "g", {"auth": "admin:hunter22"}),
        Resource("grafana:alerting/contactPoint:ContactPoint", "c", {"pagerduties": [{"integrationKey": "hunter22"}]}),
        Resource(checks.CONTAINER, "l", {"uploads": [{"file": "/run/observability/a", "content": "hunter22"}]}),
    ],
)
def test_secrets_in_plain_text(resource: Resource) -> None:
    (problem,) = checks.secrets_are_kept(resource)
    assert "hunter22" not in problem


@pytest.mark.parametrize(
    "resource",
    [
        container(),
        container(envs=["GF_AUTH_TOKEN_ENABLED=false", "EMPTY_PASSWORD="]),
        Resource("pulumi:providers:grafana", "g", {"auth": Hidden("admin:hunter22")}),
        Resource("pulumi:providers:grafana", "g", {"auth": UNKNOWN_TEXT}),
        Resource(checks.CONTAINER, "l", {"uploads": Hidden([{"file": "/run/observability/a", "content": "hunter22"}])}),
        Resource(checks.CONTAINER, "l", {"uploads": [{"file": "/etc/observability/a.yml", "content": "plain"}]}),
    ],
)
def test_secrets_that_are_kept(resource: Resource) -> None:
    assert checks.secrets_are_kept(resource) == []


def test_a_secret_that_stands_somewhere_else_too() -> None:
    plain = {"urn:a": {"command[1]": "--password=hunter22", "name": "x"}, "urn:b": {"name": "short"}}
    assert checks.repeated_in_plain_text({"hunter22": "key of a", "short": "key of b"}, plain) == {
        "urn:a": ["input command[1] repeats in plain text the secret key of a"]
    }


def test_texts_know_what_is_hidden() -> None:
    value = {"a": [Hidden({"b": "x"}), "y"], "c": UNKNOWN_TEXT, "d": 1}
    assert list(texts(value)) == [("a[0].b", "x", True), ("a[1]", "y", False)]


def test_the_program_keeps_them_all(program: tuple[Registered, ...], settings: Settings) -> None:
    """But for secrets, whose marks a mocked run takes off; the real engine is asked in tests/e2e."""
    configuration = policies.config(settings)["data-is-protected"]
    for registered in program:
        resource = Resource(registered.type, registered.name, registered.inputs, settings.protect_data, configuration)
        for check in (
            checks.ports_are_local_or_explained,
            checks.container_has_limits_and_health_check,
            checks.container_is_confined,
            checks.networks_are_separate,
            checks.dashboard_has_a_folder,
            checks.data_is_protected,
        ):
            assert check(resource) == []
        if registered.type == checks.IMAGE:
            assert checks.image_is_pinned(resource) == []


def test_the_program_limits_all_processes(program: tuple[Registered, ...]) -> None:
    containers = {r.name: Resource(r.type, r.name, r.inputs) for r in program if r.type == checks.CONTAINER}
    limited = {r.inputs["container_name"] for r in program if r.type == checks.READINESS}
    assert checks.processes_are_limited(containers, limited) == {}
    assert checks.processes_are_limited(containers, limited - {next(iter(limited))})


def test_production_asks_for_protection(settings: Settings) -> None:
    configuration = policies.config(settings)
    assert configuration == {
        "data-is-protected": {"protected": settings.stack == "prod"},
        "images-have-digests": {"required": settings.stack == "prod"},
    }
    assert json.dumps(configuration)


# Killed mutants: each of these passed when the check was changed.


def test_a_container_without_a_number_of_cpus_has_no_limit() -> None:
    resource = Resource(checks.CONTAINER, "loki", {key: value for key, value in GOOD.items() if key != "cpus"})
    assert checks.container_has_limits_and_health_check(resource) == ["container 'loki' has no CPU limit"]


@pytest.mark.parametrize(
    ("port", "said"),
    [
        ({"internal": 80.0}, "port 80 is published on every address"),
        ({"internal": 80.0, "external": 8080.0}, "port 8080 is published on every address"),
        ({"internal": 80.0, "ip": "192.0.2.1"}, "port 80 is published on 192.0.2.1"),
    ],
)
def test_a_published_port_is_named_with_its_address(port: dict[str, object], said: str) -> None:
    (problem,) = checks.ports_are_local_or_explained(container(ports=[port]))
    assert problem.startswith(said)


def test_the_longest_secret_that_fits_is_named() -> None:
    plain = {"urn": {"env": "password=hunter22-and-more"}}
    hidden = {"hunter22": "short key", "hunter22-and-more": "whole key"}
    for order in (hidden, dict(reversed(hidden.items()))):
        (problem,) = checks.repeated_in_plain_text(order, plain)["urn"]
        assert problem.endswith("whole key")


def test_a_network_of_backends_that_says_nothing_leads_outside() -> None:
    (problem,) = checks.networks_are_separate(
        Resource(checks.NETWORK, "n", {"name": f"observability-dev{checks.BACKENDS}"})
    )
    assert "leads outside" in problem


def test_an_address_that_is_none_is_not_local() -> None:
    assert checks.ports_are_local_or_explained(container(ports=[{"internal": 80.0, "ip": "somewhere"}]))
