"""What a Viewer, a web page and an application must not be able to do, tried on the real stack."""

from __future__ import annotations

import base64
import json
import os
import secrets
import signal
import time
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


def reachable(real: Sandbox, network: str) -> list[str]:
    """Return what a container in `network` reaches of the stack, as host:port, by every name and address."""
    targets = [part.address(port) for part in topology.PARTS for port in part.ports]
    for part in topology.PARTS:
        networks = real.container(part.name).attrs["NetworkSettings"]["Networks"].values()
        targets += [f"{n['IPAddress']}:{port.number}" for n in networks for port in part.ports.values()]
        targets += [f"observability-{real.name}-{part.name}:{port.number}" for port in part.ports.values()]
    output = real.docker.containers.run(
        image("demo").reference,
        ["python3", "-c", PROBE, *targets],
        network=network,
        entrypoint=[],
        remove=True,
    )
    return output.decode().split()


def test_applications_reach_the_collector_alone(real: Sandbox) -> None:
    reached = reachable(real, f"observability-{real.name}")
    own = real.container("collector").attrs["NetworkSettings"]["Networks"][f"observability-{real.name}"]["IPAddress"]
    names = {"collector", own, f"observability-{real.name}-collector"}
    assert {target.split(":")[0] for target in reached} == names, reached


def test_nobody_forks_without_end(real: Sandbox) -> None:
    for part in topology.PARTS:
        assert 0 < real.container(part.name).attrs["HostConfig"]["PidsLimit"] <= 1_024, part.name


@pytest.fixture(scope="module")
def editor(real: Sandbox, viewer: GrafanaApi) -> GrafanaApi:
    """An Editor, who may make contact points: Grafana sends to whatever address they give."""
    api, password = real.grafana(), secrets.token_urlsafe(16)
    body = {"name": "Edda", "login": "edda", "password": password}
    made: Any = api.request("POST", "/api/admin/users", body)
    api.request("PATCH", f"/api/org/users/{made['id']}", {"role": "Editor"})
    return GrafanaApi(viewer.url, f"edda:{password}")


def line(text: str) -> str:
    """Return a push of one line, as Loki takes it."""
    stream = {"stream": {"service_name": "forged"}, "values": [[str(time.time_ns()), text]]}
    return json.dumps({"streams": [stream]})


def gauge(name: str) -> str:
    """Return a push of one point, as Prometheus and the collector take it."""
    point = {"timeUnixNano": str(time.time_ns()), "asDouble": 1}
    metric = {"name": name, "gauge": {"dataPoints": [point]}}
    return json.dumps({"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]})


def notified(api: GrafanaApi, url: str, payload: str) -> str:
    """Send a trial notification with this content to an address, and return Grafana's answer."""
    settings = {"url": url, "httpMethod": "POST", "payload": {"template": f"{{{{`{payload}`}}}}"}}
    receiver = {"uid": "", "name": "forged", "type": "webhook", "settings": settings, "secureSettings": {}}
    trial = {"receivers": [{"name": "forged", "grafana_managed_receiver_configs": [receiver]}]}
    try:
        answer: Any = api.request("POST", "/api/alertmanager/grafana/config/api/v1/receivers/test", trial)
    except GrafanaError as error:
        return str(error)
    (config,) = answer["receivers"][0]["grafana_managed_receiver_configs"]
    return str(config.get("error") or config["status"])


LOKI_PUSH, OTLP_METRICS = "/loki/api/v1/push", "/api/v1/otlp/v1/metrics"
LOKI_QUERY = "/loki/api/v1/query_range?query=%7Bservice_name%3D%22forged%22%7D&since=1h"


def test_a_contact_point_can_send_outside(editor: GrafanaApi, inbox: Inbox) -> None:
    body = line("to an address outside")
    assert notified(editor, f"http://{inbox.host}:{inbox.webhook_port}/forged", body) == "ok"


def test_a_contact_point_writes_to_no_store(real: Sandbox, editor: GrafanaApi) -> None:
    prefix = f"observability-{real.name}"
    loki, prometheus, collector = (
        [
            *names,
            *(n["IPAddress"] for n in real.container(names[0]).attrs["NetworkSettings"]["Networks"].values()),
        ]
        for names in (
            ("loki", f"{prefix}-loki"),
            ("prometheus", "prometheus-in-backends", f"{prefix}-prometheus"),
            ("collector", "collector-in-backends", f"{prefix}-collector"),
        )
    )
    attacks = [
        *((f"http://{host}:3100{LOKI_PUSH}", line("forged")) for host in loki),
        *((f"http://{host}:9090{OTLP_METRICS}", gauge("slo_forged")) for host in prometheus),
        *((f"http://{host}:4318/v1/metrics", gauge("forged")) for host in collector),
        # By way of the proxy: its doors read, or ask for a password, or speak HTTP/2 alone.
        *((f"http://reading-proxy:{port}{LOKI_PUSH}", line("forged")) for port in (3100, 9095)),
        (f"http://reading-proxy:9090{OTLP_METRICS}", gauge("slo_forged")),
        ("http://reading-proxy:4316/v1/traces", "{}"),
    ]
    answers = {url: notified(editor, url, body) for url, body in attacks}
    assert not [url for url, answer in answers.items() if answer == "ok"], answers
    api = real.grafana()
    lines: Any = api.request("GET", f"{PROXY}/loki{LOKI_QUERY}")
    assert lines["data"]["result"] == []
    points: Any = api.request("GET", f"{PROXY}/prometheus/api/v1/query?query=%7B__name__%3D~%22.*forged%22%7D")
    assert points["data"]["result"] == []


def test_a_data_source_of_an_administrator_reaches_no_store(real: Sandbox) -> None:
    api = real.grafana()
    for name, url, path in (
        ("loki", f"{real.direct('loki')}", "/config"),
        ("loki", "http://loki:3100", "/ingester/shutdown"),
        ("prometheus", real.direct("prometheus"), "/api/v1/status/config"),
        ("loki", "http://engine-filter:2375", "/version"),
    ):
        source = {"name": "forged", "uid": "forged", "type": name, "access": "proxy", "url": url}
        api.request("POST", "/api/datasources", source)
        try:
            assert status(api, "GET", f"{PROXY}/forged{path}") in {502, 504}, url
        finally:
            api.request("DELETE", "/api/datasources/uid/forged")


def test_grafana_reaches_the_reading_proxy_alone(real: Sandbox) -> None:
    edge = f"observability-{real.name}-edge"
    reached = {target.split(":")[0] for target in reachable(real, edge)}
    own = [real.container(name).attrs["NetworkSettings"]["Networks"] for name in ("grafana", "reading-proxy")]
    doors = {"grafana", "reading-proxy", *(f"observability-{real.name}-{n}" for n in ("grafana", "reading-proxy"))}
    assert reached == doors | {networks[edge]["IPAddress"] for networks in own}
    assert set(own[0]) == {edge}


def test_the_history_of_alerts_is_written_with_its_password(real: Sandbox) -> None:
    query = "/loki/api/v1/query_range?query=%7Bfrom%3D%22state-history%22%7D&since=1h"

    def found() -> Any:  # noqa: ANN401 - JSON
        rows: Any = real.grafana().request("GET", f"{PROXY}/loki{query}")
        return rows["data"]["result"]

    wait_for(found, 240)


def test_grafanas_own_spans_arrive(real: Sandbox) -> None:
    api = real.grafana()
    wait_for(lambda: "grafana" in api.request("GET", f"{PROXY}/jaeger/api/services")["data"], 120)


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
