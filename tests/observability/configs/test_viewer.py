"""What Viewers, Editors and strangers can do in a real Grafana, with the reading proxy before permissive stores.

Grafana runs as a process with the rendered configuration, nginx with the reading proxy's. The stores answer every
request and remember it: whatever was tried, only reading requests may have reached them.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lab.preview import grafana_home
from observability.configs import grafana as grafana_config
from observability.configs import reading_proxy
from observability.configs.datasources import datasources
from observability.settings import load
from observability.topology import Endpoint
from tests.observability.configs.test_reading_proxy import (
    NGINX,
    PORTS,
    REFUSED,
    Backend,
    answering,
    free_ports,
    running_nginx,
)

pytestmark = pytest.mark.optional  # Grafana's binary is in its image alone

PASSWORD = "a-password-of-a-test-0123456789"
PROXY = "/api/datasources/proxy/uid"
START_SECONDS = 240
TRICKS = (
    "/{0}/%2e%2e/ingester/shutdown",
    "/%2e%2e/%2e%2e/ingester/shutdown",
    "/{0}/..%2f..%2f..%2f..%2fingester/shutdown",
    "/{0}/..;/push",
    "/{0}/%2e%2e;/delete",
    "//loki//api//v1//push",
    "/loki/api/v1/push/",
    "/loki/api/v1/push;a=b",
    "/loki/api/v1/push%3b",
    "/loki%2fapi%2fv1%2fpush",
    "/LOKI/API/V1/PUSH",
    "/loki/api/v1/push.",
    "/loki/api/v1/%70ush",
    "/loki/api/v1/push%20",
    "/{0}%00/../push",
    "/{0}%0d%0aX-Y:%20z/push",
    "/{0}\\..\\push",
    "/ingester%252fshutdown",
    "/./ingester/./shutdown",
    "@127.0.0.1/ingester/shutdown",
    "/api/v1/admin%2ftsdb%2fdelete_series?match[]=up",
    "/api/v1/status%2fconfig",
    "/-/%72eload",
)
"""Other spellings of requests that change something; {0} is one that only reads."""
VIEWER_MAY_NOT: tuple[tuple[str, str, Any], ...] = (
    ("POST", "/api/snapshots", {"dashboard": {"uid": "dash", "title": "x"}, "name": "x"}),
    ("POST", "/api/dashboards/uid/dash/public-dashboards", {"isEnabled": True}),
    ("GET", "/api/admin/settings", None),
    ("GET", "/api/admin/stats", None),
    ("GET", "/api/users", None),
    ("GET", "/api/org/users", None),
    ("GET", "/api/serviceaccounts/search", None),
    ("POST", "/api/serviceaccounts", {"name": "x", "role": "Admin"}),
    ("POST", "/api/auth/keys", {"name": "x", "role": "Admin"}),
    ("GET", "/metrics", None),
    ("GET", "/debug/pprof/heap", None),
    ("POST", "/api/ruler/grafana/api/v1/rules/x", {"name": "x", "rules": []}),
    ("POST", "/api/ruler/prometheus/api/v1/rules/x", {"name": "x", "rules": []}),
    ("GET", "/api/ruler/loki/api/v1/rules", None),
    ("DELETE", "/api/ruler/loki/api/v1/rules/x", None),
    ("POST", "/api/convert/prometheus/config/v1/rules", {}),
    ("POST", "/api/v1/rule/backtest", {}),
    ("POST", "/api/alertmanager/grafana/config/api/v1/receivers/test", {"receivers": []}),
    ("POST", "/api/alertmanager/grafana/config/api/v1/templates/test", {"alerts": [], "name": "x", "template": "x"}),
    ("POST", "/api/alertmanager/grafana/api/v2/silences", {"matchers": []}),
    ("POST", "/api/alertmanager/grafana/api/v2/alerts", []),
    ("POST", "/api/v1/provisioning/contact-points", {"name": "x", "type": "webhook", "settings": {"url": "http://x"}}),
    (
        "POST",
        "/apis/notifications.alerting.grafana.app/v0alpha1/namespaces/default/receivers",
        {"spec": {"title": "x"}},
    ),
    (
        "POST",
        "/apis/dashboard.grafana.app/v1beta1/namespaces/default/dashboards",
        {"metadata": {"name": "x"}, "spec": {}},
    ),
    (
        "POST",
        "/apis/folder.grafana.app/v1beta1/namespaces/default/folders",
        {"metadata": {"generateName": "x"}, "spec": {"title": "x"}},
    ),
    ("GET", "/apis/iam.grafana.app/v0alpha1/namespaces/default/users", None),
    ("GET", "/apis/secret.grafana.app/v1beta1/namespaces/default/securevalues", None),
    ("POST", "/apis/query.grafana.app/v0alpha1/namespaces/default/query", {"queries": []}),
    ("POST", "/api/annotations", {"text": "x"}),
    ("POST", "/api/playlists", {"name": "x", "interval": "1m", "items": []}),
    ("POST", "/api/library-elements", {"name": "x", "kind": 1, "model": {}}),
    ("POST", "/api/folders", {"title": "x"}),
    ("POST", "/api/dashboards/db", {"dashboard": {"title": "x"}}),
    ("POST", "/api/dashboards/import", {"dashboard": {"title": "x"}}),
    ("POST", "/api/datasources", {"name": "x", "type": "loki", "url": "http://127.0.0.1:1", "access": "proxy"}),
    ("PUT", "/api/datasources/uid/loki", {"name": "x", "type": "loki", "url": "http://127.0.0.1:1", "access": "proxy"}),
    ("POST", "/api/datasources/uid/loki/correlations", {"targetUID": "jaeger", "label": "x"}),
    ("POST", "/api/orgs", {"name": "x"}),
    ("POST", "/api/user/using/2", None),
    ("POST", "/api/teams", {"name": "x"}),
    ("PUT", "/api/org/preferences", {"theme": "light"}),
    ("POST", "/api/admin/provisioning/dashboards/reload", None),
    ("POST", "/api/admin/encryption/rotate-data-keys", None),
    ("GET", "/api/cloudmigration/migration", None),
    ("GET", "/api/plugin-proxy/x/y", None),
)
RESOURCES = (
    ("GET", "loki", "../../../ingester/shutdown"),
    ("GET", "loki", "..%2f..%2f..%2fingester/shutdown"),
    ("GET", "loki", "delete"),
    ("POST", "loki", "push"),
    ("POST", "prometheus", "api/v1/admin/tsdb/delete_series"),
    ("GET", "prometheus", "api/v1/status/config"),
    ("POST", "prometheus", "-/quit"),
    ("GET", "jaeger", "..%2f..%2fmetrics"),
    ("POST", "jaeger", "services"),
)
"""What a Viewer asks of a data source's own resources, past the proxy's path."""
QUERIES: tuple[dict[str, Any], ...] = (
    {"datasource": {"uid": "prometheus", "type": "prometheus", "url": "http://169.254.169.254/"}, "expr": "up"},
    {"datasource": {"uid": "jaeger", "type": "jaeger"}, "query": "../../../quit"},
    {"datasource": {"uid": "jaeger", "type": "jaeger"}, "queryType": "search", "service": "../../quit"},
    {"datasource": {"uid": "loki", "type": "loki"}, "expr": '{a="b"}', "queryType": "../push"},
    {"datasource": {"uid": "__expr__", "type": "__expr__"}, "type": "sql", "expression": "select 1"},
    {"datasource": {"uid": "grafana", "type": "grafana"}, "queryType": "read", "path": "../../conf/defaults.ini"},
    {"datasource": {"uid": "grafana", "type": "grafana"}, "queryType": "list", "path": "../.."},
    {"datasource": {"uid": "made-up", "type": "grafana-testdata-datasource"}, "scenarioId": "usa"},
)  # fmt: skip
"""Queries written by hand: with an address, a path, or a data source that is none of the stack's."""


@dataclass(frozen=True)
class Grafana:
    """A running Grafana."""

    port: int
    backend: Backend
    logins: dict[str, str] = field(default_factory=dict)

    def ask(
        self, who: str, method: str, path: str, body: object = None, **headers: str
    ) -> tuple[int, str, dict[str, str]]:
        """Return status, text and headers of the answer to a request whose path is sent as it is."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        data = b"" if body is None else json.dumps(body).encode()
        connection.putrequest(method, path, skip_accept_encoding=True)
        sent = {"Content-Type": "application/json", "Content-Length": str(len(data)), **headers}
        if who:
            login = f"{who}:{PASSWORD}"
            sent["Authorization"] = f"Basic {base64.b64encode(login.encode()).decode()}"
        for name, value in sent.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.endheaders(data)
        answer = connection.getresponse()
        text, found = answer.read().decode(errors="replace"), dict(answer.headers)
        connection.close()
        return answer.status, text, found

    def status(self, who: str, method: str, path: str, body: object = None, **headers: str) -> int:
        return self.ask(who, method, path, body, **headers)[0]

    def reached(self) -> list[tuple[str, str]]:
        """Return the requests that reached a store and do not only read."""
        every = reading_proxy.READS.values()
        form = [pattern for reads in every for pattern in reads.form]
        reads = {"GET": [*form, *(p for r in every for p in (*r.get, *r.stream))], "POST": form}
        found = [(method, path) for method, path, _ in self.backend.seen]
        return [
            (method, path)
            for method, path in found
            if not any(re.fullmatch(pattern, path.partition("?")[0]) for pattern in reads.get(method, []))
        ]


@pytest.fixture(scope="module")
def grafana(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grafana]:
    home, binary = grafana_home(), shutil.which("grafana")
    if binary is None or NGINX is None or not (home / "conf" / "defaults.ini").exists():
        pytest.skip("needs grafana and nginx on PATH, and GRAFANA_HOME")
    folder = tmp_path_factory.mktemp("grafana")
    ports = dict(zip((*PORTS, "grafana"), free_ports(len(PORTS) + 1), strict=True))
    settings = load("dev", {"dockerSocket": ""})
    environment = {**os.environ, **grafana_config.environment(settings)}
    ini = grafana_config.files(settings)[grafana_config.FILE]
    for path in grafana_config.process(settings).secrets:
        (folder / Path(path).name).write_text(PASSWORD)
        environment = {k: v.replace(path, str(folder / Path(path).name)) for k, v in environment.items()}
        ini = ini.replace(path, str(folder / Path(path).name))
    (folder / "grafana.ini").write_text(ini)
    with answering() as backend:
        place = reading_proxy.Place(
            lambda _part: Endpoint(f"http://127.0.0.1:{backend.port}"), ports.__getitem__, "127.0.0.1", str(folder)
        )
        environment |= {
            "GF_PATHS_CONFIG": str(folder / "grafana.ini"),
            **{f"GF_PATHS_{name}": str(folder / name.lower()) for name in ("DATA", "LOGS", "PLUGINS", "PROVISIONING")},
            "GF_SERVER_HTTP_ADDR": "127.0.0.1",
            "GF_SERVER_HTTP_PORT": str(ports["grafana"]),
            "GF_SERVER_ROOT_URL": f"http://127.0.0.1:{ports['grafana']}/",
            "GF_UNIFIED_ALERTING_STATE_HISTORY_ENABLED": "false",  # no Viewer's doing
            "GF_TRACING_OPENTELEMETRY_OTLP_ADDRESS": "",
        }
        command = [binary, "server", f"--homepath={home}", f"--config={folder / 'grafana.ini'}"]
        with (
            running_nginx(reading_proxy.render(settings, place), folder, ports["health"]),
            (folder / "grafana.log").open("wb") as log,
            subprocess.Popen(command, env=environment, stdout=log, stderr=log) as process,
        ):
            try:
                yield _filled(Grafana(ports["grafana"], backend), process, ports, folder / "grafana.log")
            finally:
                process.terminate()
                process.wait(60)


def _filled(running: Grafana, process: subprocess.Popen[bytes], ports: dict[str, int], log: Path) -> Grafana:
    """Return Grafana with the stack's data sources, a dashboard, a Viewer and an Editor."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        assert process.poll() is None, log.read_text()[-3_000:]
        assert time.monotonic() < deadline, log.read_text()[-3_000:]
        try:
            if running.status("", "GET", "/api/health") == 200:
                break
        except OSError:
            time.sleep(1)
    for source in datasources(load("dev", {})):
        body = {"uid": source.uid, "name": source.title, "type": source.type or source.uid, "access": "proxy",
                "url": f"http://127.0.0.1:{ports[source.uid]}"}  # fmt: skip
        assert running.status("admin", "POST", "/api/datasources", body) == 200
    for role in ("Viewer", "Editor"):
        user = {"name": role, "login": role.lower(), "password": PASSWORD}
        number = json.loads(running.ask("admin", "POST", "/api/admin/users", user)[1])["id"]
        assert running.status("admin", "PATCH", f"/api/org/users/{number}", {"role": role}) == 200
    dashboard = {"uid": "dash", "title": "Dash", "panels": []}
    assert running.status("admin", "POST", "/api/dashboards/db", {"dashboard": dashboard}) == 200
    return running


@pytest.mark.parametrize(("method", "path", "body"), VIEWER_MAY_NOT)
def test_a_viewer_may_not(grafana: Grafana, method: str, path: str, body: object) -> None:
    assert grafana.status("viewer", method, path, body) in {401, 403, 404}


@pytest.mark.parametrize(("method", "path", "body"), VIEWER_MAY_NOT)
def test_nobody_may_without_a_login(grafana: Grafana, method: str, path: str, body: object) -> None:
    code, text, _ = grafana.ask("", method, path, body)
    assert code in {401, 403, 404} or (code in {301, 302} and "/login" in text), (code, text[:200])


@pytest.mark.parametrize("who", ["viewer", "editor"])
@pytest.mark.parametrize("trick", TRICKS)
def test_no_spelling_of_a_path_reaches_a_store(grafana: Grafana, who: str, trick: str) -> None:
    grafana.backend.seen.clear()
    for uid, reads in (("loki", "loki/api/v1/query"), ("prometheus", "api/v1/query"), ("jaeger", "api/services")):
        for method in ("GET", "POST", "DELETE"):
            path = f"{PROXY}/{uid}{trick.format(reads)}"
            assert grafana.status(who, method, path, {} if method == "POST" else None) >= 300, (method, path)
    assert grafana.reached() == []


def test_no_header_makes_another_method_of_a_request(grafana: Grafana) -> None:
    grafana.backend.seen.clear()
    for header in ("X_HTTP_Method_Override", "X_HTTP_Method", "X_Method_Override"):
        grafana.status("viewer", "GET", f"{PROXY}/loki/loki/api/v1/labels", **{header: "DELETE"})
        grafana.status("viewer", "POST", f"{PROXY}/loki/loki/api/v1/query?_method=DELETE", {}, **{header: "DELETE"})
    for header in ("X_Original_URL", "X_Rewrite_URL", "X_Forwarded_Prefix"):
        grafana.status("viewer", "GET", f"{PROXY}/loki/loki/api/v1/labels", **{header: "/ingester/shutdown"})
    assert grafana.backend.seen
    assert grafana.reached() == []


@pytest.mark.parametrize(("uid", "method", "path"), REFUSED)
def test_a_viewers_requests_through_grafana_only_read(grafana: Grafana, uid: str, method: str, path: str) -> None:
    grafana.backend.seen.clear()
    assert grafana.status("viewer", method, f"{PROXY}/{uid}{path}", {} if method == "POST" else None) >= 300
    assert grafana.reached() == []


@pytest.mark.parametrize("who", ["viewer", "editor"])
@pytest.mark.parametrize(("method", "uid", "path"), RESOURCES)
def test_a_data_sources_resources_only_read(grafana: Grafana, who: str, method: str, uid: str, path: str) -> None:
    grafana.backend.seen.clear()
    body: object = {} if method == "POST" else None
    assert grafana.status(who, method, f"/api/datasources/uid/{uid}/resources/{path}", body) >= 300
    assert grafana.reached() == []


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_by_hand_only_reads(grafana: Grafana, query: dict[str, Any]) -> None:
    grafana.backend.seen.clear()
    body = {"queries": [{"refId": "A", "range": True, **query}], "from": "now-1h", "to": "now"}
    code, text, _ = grafana.ask("viewer", "POST", "/api/ds/query", body)
    assert code >= 400, "nothing is answered: the stores here have no data"
    assert "[security]" not in text, "a file of Grafana's own"
    assert grafana.reached() == []


@pytest.mark.parametrize("path", ["/api/v1/rule/test/prometheus", "/api/v1/rule/test/loki", "/api/v1/rule/test/grafana",
                                  "/api/v1/eval"])  # fmt: skip
def test_trying_an_alert_rule_only_reads(grafana: Grafana, path: str) -> None:
    grafana.backend.seen.clear()
    model = {"refId": "A", "expr": "up", "instant": True}
    query = {"refId": "A", "datasourceUid": "prometheus", "relativeTimeRange": {"from": 600, "to": 0}, "model": model}
    for body in ({"expr": "up"}, {"data": [query], "condition": "A"}, {"rule": {"grafana_alert": {"data": [query]}}}):
        grafana.ask("viewer", "POST", path, body)
    assert grafana.reached() == []


@pytest.mark.parametrize("who", ["viewer", ""])
def test_settings_tell_no_secret_and_no_store(grafana: Grafana, who: str) -> None:
    for path in ("/api/frontend/settings", "/login", "/api/health", "/api/datasources", "/api/org/preferences"):
        _, text, _ = grafana.ask(who, "GET", path)
        assert PASSWORD not in text, path
        assert str(grafana.backend.port) not in text, path


def test_a_page_from_elsewhere_acts_for_nobody(grafana: Grafana) -> None:
    """A session's cookie is not enough for a request that another site's page makes, nor for a WebSocket."""
    login = {"user": "viewer", "password": PASSWORD}
    code, _, headers = grafana.ask("", "POST", "/login", login)
    assert code == 200
    cookie = headers["Set-Cookie"].partition(";")[0]
    assert "SameSite=Strict" in headers["Set-Cookie"]
    evil = "https://evil.example"
    assert grafana.status("", "POST", "/api/short-urls", {"path": "d/dash"}, Cookie=cookie, Origin=evil) == 403
    upgrade = {
        "Cookie": cookie, "Origin": evil, "Connection": "Upgrade", "Upgrade": "websocket",
        "Sec_WebSocket_Version": "13", "Sec_WebSocket_Key": base64.b64encode(b"0" * 16).decode(),
    }  # fmt: skip
    assert grafana.status("", "GET", "/api/live/ws", **upgrade) == 403


def test_an_editor_publishes_nothing_without_a_login(grafana: Grafana) -> None:
    assert grafana.status("editor", "POST", "/api/dashboards/uid/dash/public-dashboards", {"isEnabled": True}) == 404
    body = {"dashboard": {"uid": "dash", "title": "x"}, "name": "x", "expires": 60}
    assert grafana.status("editor", "POST", "/api/snapshots", body) in {403, 404}
    assert grafana.status("", "GET", "/api/snapshots/anything") >= 400
