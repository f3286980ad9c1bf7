"""What a Viewer, a web page and an application must not be able to do, tried on the real stack."""

from __future__ import annotations

import base64
import os
import secrets
import signal
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from docker import DockerClient

from components.grafana_api import GrafanaApi, GrafanaError
from lab.sandbox import ON_REQUEST, Sandbox
from observability import topology
from observability.versions import image
from tests.e2e.conftest import wait_for, wait_healthy
from tests.e2e.drill import Inbox, gateway
from tests.observability.configs.test_reading_proxy import ALLOWED, REFUSED

PROXY = "/api/datasources/proxy/uid"
HIDDEN = "hidden-from-every-viewer"
NOTIFICATIONS = (
    "/apis/notifications.alerting.grafana.app/v0alpha1/namespaces/default/receivers",
    "/api/alertmanager/grafana/config/api/v1/alerts",
    "/api/alertmanager/grafana/config/api/v1/receivers",
    "/api/alertmanager/grafana/api/v2/receivers",
    "/api/v1/notifications/receivers",
    "/api/v1/provisioning/contact-points",
    "/api/v1/provisioning/contact-points?decrypt=true",
    "/api/v1/provisioning/contact-points/export?decrypt=true",
    "/api/v1/provisioning/policies/export",
)
"""The APIs that show contact points."""


@pytest.fixture(scope="module")
def inbox(engine: DockerClient) -> Iterator[Inbox]:
    """Everybody who is told."""
    box = Inbox(gateway(engine))
    with box.open():
        yield box


@pytest.fixture(scope="module")
def real(make_real: Callable[[str], Sandbox], inbox: Inbox) -> Iterator[Sandbox]:
    stack, receiver = make_real("e2e-access"), f"http://{inbox.host}:{inbox.webhook_port}"
    stack.configure(alertWebhookUrl=f"http://me:{HIDDEN}@{receiver.partition('://')[2]}/{HIDDEN}?$x={HIDDEN}")
    stack.pulumi("stack", "init")
    stack.pulumi("config", "set", "--secret", "alertSlackUrl", f"{receiver}/slack/{HIDDEN}")
    stack.pulumi("config", "set", "--secret", "alertPagerdutyKey", HIDDEN)
    stack.up()
    yield stack
    stack.sweep()


@pytest.fixture(scope="module")
def viewer(real: Sandbox) -> GrafanaApi:
    api, password = real.grafana(), secrets.token_urlsafe(16)
    api.request("POST", "/api/admin/users", {"name": "Vera", "login": "vera", "password": password})
    user = GrafanaApi(api.url, f"vera:{password}")
    assert {org["role"] for org in user.request("GET", "/api/user/orgs")} == {"Viewer"}
    return user


def asked(api: GrafanaApi, path: str) -> tuple[int, str]:
    """Return the status and the text of an answer, whatever it is."""
    credential = base64.b64encode(api.auth.encode()).decode()
    request = urllib.request.Request(f"{api.url}{path}", headers={"Authorization": f"Basic {credential}"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def status(api: GrafanaApi, method: str, path: str) -> int:
    try:
        api.request(method, path, {} if method in {"POST", "PUT"} else None)
    except GrafanaError as error:
        return error.status
    except ValueError:  # an answer that is no JSON
        pass
    return 200


@pytest.mark.parametrize(("uid", "method", "path"), REFUSED)
def test_a_viewer_only_reads(viewer: GrafanaApi, uid: str, method: str, path: str) -> None:
    assert status(viewer, method, f"{PROXY}/{uid}{path}") in {400, 403, 404}


@pytest.mark.parametrize(
    ("uid", "path"),
    [
        ("loki", "/loki/api/v1/push"),
        ("loki", "/ingester/shutdown"),
        ("loki", "/loki/api/v1/delete"),
        ("jaeger", "/v1/traces"),
        ("prometheus", "/api/v1/status/config"),
    ],
)
def test_what_is_no_reading_request_is_forbidden(viewer: GrafanaApi, uid: str, path: str) -> None:
    assert status(viewer, "GET", f"{PROXY}/{uid}{path}") == 403


def test_a_viewer_still_reads(real: Sandbox, viewer: GrafanaApi) -> None:
    wait_for(lambda: viewer.request("GET", f"{PROXY}/loki/loki/api/v1/labels").get("data"))
    for uid, method, path in ALLOWED:
        if method == "GET" and "0123456789abcdef" not in path:
            assert status(viewer, method, f"{PROXY}/{uid}{path}") in {200, 400}, path
    for source in topology.WRITTEN_BY_COLLECTOR:
        health: Any = real.grafana().request("GET", f"/api/datasources/uid/{source.name}/health")
        assert health["status"] == "OK", health


def test_the_dead_mans_switch_comes_by_way_of_the_relay(real: Sandbox, inbox: Inbox) -> None:
    assert real.serves("reading-proxy")
    wait_for(lambda: any(body["commonLabels"].get("severity") == "watchdog" for _, body in list(inbox.hooks)), 240)


@pytest.mark.parametrize("path", NOTIFICATIONS)
def test_a_viewer_does_not_see_where_notifications_go(viewer: GrafanaApi, path: str) -> None:
    code, shown = asked(viewer, path)
    assert code in {200, 403, 404}, path
    assert HIDDEN not in shown
    assert code != 200 or "reading-proxy" in shown or "url" not in shown


def test_no_line_is_deleted_even_past_the_proxy(real: Sandbox) -> None:
    loki = GrafanaApi(real.direct("loki"), "")
    assert status(loki, "POST", "/loki/api/v1/delete?query=%7Bservice_name%3D%22grafana%22%7D&start=1") >= 400


def test_by_default_nothing_but_grafana_and_otlp_is_published(real: Sandbox) -> None:
    internal = {
        int(port.partition("/")[0])
        for name in ("prometheus", "loki", "jaeger")
        for port, bound in real.container(name).attrs["NetworkSettings"]["Ports"].items()
        if bound
    }
    assert internal == set()
    requests = {topology.READING_PROXY.port(name) for name in ON_REQUEST if name in topology.READING_PROXY.ports}
    ports = real.container("reading-proxy").attrs["HostConfig"]["PortBindings"]
    assert {int(port.partition("/")[0]) for port in ports} == requests, "which the sandbox asked for"


@pytest.mark.parametrize("name", ["prometheus", "loki", "jaeger"])
def test_a_published_port_reflects_no_origin(real: Sandbox, name: str) -> None:
    paths = {"prometheus": "/api/v1/labels", "loki": "/loki/api/v1/labels", "jaeger": "/api/services"}
    request = urllib.request.Request(f"{real.url(name)}{paths[name]}", headers={"Origin": "https://evil.example"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert not [header for header in answer.headers if header.lower().startswith("access-control-")]
    for path in ("/ingester/shutdown", "/-/quit", "/api/v1/status/config"):
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(f"{real.url(name)}{path}", timeout=10)


PROBE = """
import socket, sys
for target in sys.argv[1:]:
    host, port = target.split(":")
    try:
        socket.create_connection((host, int(port)), timeout=2).close()
        print(target)
    except OSError:
        pass
"""


def test_applications_reach_the_collector_alone(real: Sandbox) -> None:
    targets = [part.address(port) for part in topology.PARTS for port in part.ports]
    for part in topology.PARTS:
        networks = real.container(part.name).attrs["NetworkSettings"]["Networks"].values()
        targets += [f"{n['IPAddress']}:{port.number}" for n in networks for port in part.ports.values()]
        targets += [f"observability-{real.name}-{part.name}:{port.number}" for port in part.ports.values()]
    reached = real.docker.containers.run(
        image("demo").reference,
        ["python3", "-c", PROBE, *targets],
        network=f"observability-{real.name}",
        entrypoint=[],
        remove=True,
    ).decode()
    own = real.container("collector").attrs["NetworkSettings"]["Networks"][f"observability-{real.name}"]["IPAddress"]
    names = {"collector", own, f"observability-{real.name}-collector"}
    assert {line.split(":")[0] for line in reached.split()} == names, reached


def test_nobody_forks_without_end(real: Sandbox) -> None:
    for part in topology.PARTS:
        assert 0 < real.container(part.name).attrs["HostConfig"]["PidsLimit"] <= 1_024, part.name


def main_process(real: Sandbox, name: str) -> int:
    return int(real.container(name).attrs["State"]["Pid"])


def worker_process(real: Sandbox, name: str) -> int:
    """Return the process that hangs while the first one, which the engine watches, does not."""
    rows = real.container(name).top(ps_args="-eo pid,args")["Processes"]
    (worker,) = (int(pid) for pid, command in rows if "worker process" in command)
    return worker


@pytest.mark.parametrize(
    ("names", "process"),
    [(("loki", "collector", "engine-filter", "jaeger"), main_process), (("reading-proxy",), worker_process)],
)
def test_what_stays_unready_is_restarted(
    real: Sandbox, names: tuple[str, ...], process: Callable[[Sandbox, str], int]
) -> None:
    wait_healthy(real, *names)
    began = {name: real.container(name).attrs["State"]["StartedAt"] for name in names}
    for name in names:
        os.kill(process(real, name), signal.SIGSTOP)
    wait_for(lambda: all(real.container(n).attrs["State"]["StartedAt"] != began[n] for n in names), 300)
    wait_for(lambda: all(map(real.serves, names)))
