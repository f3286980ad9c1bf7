"""Attacks from outside, against a real stack: guessed passwords, odd names, secrets in output."""

from __future__ import annotations

import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from cli import otlp, verify
from components.grafana_api import program
from lab.sandbox import Sandbox
from observability.names import uids
from tests.e2e.conftest import wait_for

Json = dict[str, Any]
NAMES = ('a"b', "back\\slash", "it's", "x{y}|(")


def sign_in(stack: Sandbox, password: str, address: str) -> int:
    """Return the status that Grafana answers to a sign-in from `address`, as a reverse proxy names it."""
    body = json.dumps({"user": "admin", "password": password}).encode()
    request = urllib.request.Request(
        f"{stack.url('grafana')}/login", body, {"Content-Type": "application/json", "X-Real-IP": address}
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def secrets_of(stack: Sandbox) -> Iterator[str]:
    """Yield every secret of the stack: outputs, and what is generated in the state."""
    shown = json.loads(stack.pulumi("stack", "export", "--show-secrets").stdout)
    for resource in shown["deployment"]["resources"]:
        if resource["type"].endswith(":RandomPassword"):
            yield str(json.loads(resource["outputs"]["result"]["plaintext"]))
    yield stack.outputs()["grafanaToken"]
    yield (stack.folder / ".state" / "archive-key").read_text().strip()


def lines(stack: Sandbox, expr: str) -> list[str]:
    """Return the lines that Loki has of the last quarter of an hour."""
    query = {"refId": "A", "datasource": {"uid": uids.DATASOURCE_LOKI}, "expr": expr, "queryType": "range"}
    requests = {"queries": [query | {"maxLines": 5_000}], "from": "now-15m", "to": "now"}
    (answer,) = stack.grafana().request("POST", "/api/ds/query", requests)["results"].values()
    result: list[str] = []
    for frame in answer.get("frames", ()):
        names = [field["name"] for field in frame["schema"]["fields"]]
        if "Line" in names:
            result += map(str, frame["data"]["values"][names.index("Line")])
    return result


def test_wrong_passwords_lock_out_an_address_and_neither_the_administrator_nor_a_command(real: Sandbox) -> None:
    password = real.outputs()["grafanaAdminPassword"]
    refused = [sign_in(real, f"wrong-{n}", "203.0.113.1") for n in range(6)]
    assert set(refused) == {401}
    assert sign_in(real, password, "203.0.113.1") == 401, "this address is locked out"
    assert sign_in(real, password, "203.0.113.2") == 200
    for command in ("backup", "import"):
        done = real.run(command)
        assert done.returncode == 0, done.stdout + done.stderr
    assert program(real.outputs()).auth == real.outputs()["grafanaToken"]


def test_sign_ins_and_changes_are_in_loki(real: Sandbox) -> None:
    sign_in(real, "wrong", "203.0.113.3")
    assert sign_in(real, real.outputs()["grafanaAdminPassword"], "203.0.113.4") == 200
    real.grafana().request("POST", "/api/folders", {"uid": "audited", "title": "Audited"})
    wanted = (
        '{service_name="grafana"} |= "Request Completed" |= "path=/login" |= "status=200" |= "203.0.113.4"',
        '{service_name="grafana"} |= "Failed to authenticate request"',
        '{service_name="grafana"} |= "Request Completed" |= "path=/api/folders" |= "method=POST" |= "uname=admin"',
    )
    for expr in wanted:
        wait_for(lambda expr=expr: lines(real, expr), 60)  # type: ignore[misc]


def test_the_pages_say_that_they_load_nothing_from_elsewhere(real: Sandbox) -> None:
    with urllib.request.urlopen(f"{real.url('grafana')}/login", timeout=30) as answer:
        policy = answer.headers["Content-Security-Policy"]
        cookies = answer.headers.get_all("Set-Cookie") or []
    assert "frame-ancestors 'none'" in policy
    assert re.search(r"script-src [^;]*'nonce-", policy)
    assert not re.search(r"(img|connect|default)-src[^;]*(\*|grafana\.com)", policy)
    assert all("SameSite=Strict" in cookie for cookie in cookies if cookie.startswith("grafana_session"))


@pytest.mark.parametrize("name", NAMES)
def test_no_name_of_a_service_breaks_a_page(real: Sandbox, name: str) -> None:
    url = real.url("otlpHttp")
    trace = otlp.new_trace()
    otlp.push(url, "records", {name: [otlp.record("an error", trace)]})
    escaped = re.sub(r"[-/\\^$*+?.()|\[\]{}]", r"\\\g<0>", name)
    api = real.grafana()
    for uid in (uids.SERVICE_DETAIL, uids.LOGS, uids.INCIDENT, uids.APPLICATION_PERFORMANCE, uids.SLO_OVERVIEW):
        model = api.request("GET", f"/api/dashboards/uid/{uid}")["dashboard"]
        values = verify.variables(model) | {"service": escaped}
        for panel in verify.panels(model):
            targets = [t for t in panel.get("targets", ()) if t.get("expr")]
            if not targets:
                continue
            requests = {"queries": verify.interpolate(targets, values), "from": "now-15m", "to": "now"}
            for query in requests["queries"]:
                query |= {"intervalMs": 15_000, "maxDataPoints": 100, "expr": built_in(query["expr"])}
            answer = api.request("POST", "/api/ds/query", requests)
            assert not [r["error"] for r in answer["results"].values() if "error" in r], (uid, panel["title"])


def built_in(expr: str) -> str:
    """Return a query with Grafana's own variables filled in, as the page does."""
    return re.sub(r"\$__(range|auto|rate_interval|interval)\b", "1m", expr)


def test_nothing_that_a_run_prints_or_logs_holds_a_secret(real: Sandbox) -> None:
    printed: dict[str, str] = {}
    for command in (
        ("up",),
        ("up", "refresh"),
        ("preview",),
        ("plan",),
        ("drift",),
        ("verify",),
        ("backup",),
        ("import",),
    ):
        done = real.run(*command)
        printed[f"make {' '.join(command)}"] = done.stdout + done.stderr
    for container in real.docker.containers.list(all=True, filters={"name": f"observability-{real.name}"}):
        printed[f"log of {container.name}"] = container.logs().decode(errors="replace")
    time.sleep(5)
    printed["Loki"] = "\n".join(lines(real, '{service_name=~".+"}'))
    secrets = list(secrets_of(real))
    assert len(secrets) >= 5
    leaks = [
        place
        for place, text in printed.items()
        for secret in secrets
        for form in {secret, quote(secret), json.dumps(secret)[1:-1]}
        if form in text
    ]
    assert leaks == []
    assert printed["Loki"]


def test_a_destroyed_stack_leaves_no_volume_without_a_name(real: Sandbox) -> None:
    def anonymous() -> set[str]:
        return {v.name for v in real.docker.volumes.list() if re.fullmatch(r"[0-9a-f]{64}", str(v.name))}

    mounted = {
        str(mount["Name"])
        for container in real.docker.containers.list(all=True, filters={"name": f"observability-{real.name}"})
        for mount in container.attrs["Mounts"]
        if mount["Type"] == "volume"
    }
    before = anonymous() - mounted
    done = real.run("destroy", YES=real.name)
    assert done.returncode == 0, done.stdout + done.stderr
    assert anonymous() <= before
