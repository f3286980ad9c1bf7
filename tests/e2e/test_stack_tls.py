"""TLS and single sign-on as Grafana has them, and that everything which speaks to Grafana follows."""

from __future__ import annotations

import http.client
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from urllib.parse import parse_qs, urlsplit

import pytest

from lab.sandbox import Sandbox
from tests.e2e.conftest import wait_for, wait_healthy
from tests.pem import self_signed

OAUTH = {
    "name": "Example",
    "clientId": "grafana",
    "authUrl": "https://id.example.org/authorize",
    "tokenUrl": "https://id.example.org/token",
    "apiUrl": "https://id.example.org/userinfo",
    "roleAttributePath": "contains(groups, 'sre') && 'Admin' || 'Viewer'",
    "allowedDomains": ["example.org", "example.com"],
}
SECRET = "a-client-secret-of-nobody"
KEY_LINES: list[str] = []
"""Of the stack's TLS key, without the lines that every key has: the patterns of redaction hold those."""


@pytest.fixture(scope="module")
def secured(make_real: Callable[..., Sandbox]) -> Iterator[Sandbox]:
    stack = make_real("e2e-tls")
    assert stack.pulumi("stack", "init").returncode == 0
    certificate, key = self_signed("127.0.0.1")
    stack.configure(tlsCertificate=certificate, tlsCaCertificate=certificate, oauth=OAUTH)
    stack.set_secret("tlsKey", key)
    KEY_LINES[:] = key.splitlines()[1:-1]
    stack.set_secret("oauthClientSecret", SECRET)
    stack.up()
    yield stack
    stack.sweep()


def get(stack: Sandbox, path: str) -> tuple[http.client.HTTPResponse, str]:
    """Ask without following anywhere, and believing the stack's own authority only; return the answer and its text."""
    outputs = stack.outputs()
    context = ssl.create_default_context(cadata=outputs["grafanaCaCertificate"])
    with closing(
        http.client.HTTPSConnection(urlsplit(outputs["grafanaUrl"]).netloc, context=context, timeout=10)
    ) as connection:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer, answer.read().decode()


def test_everything_follows_to_https(secured: Sandbox) -> None:
    assert secured.outputs()["grafanaUrl"].startswith("https://127.0.0.1:")
    wait_healthy(secured)
    secured.expect_no_changes()
    done = secured.run("verify")
    assert done.returncode == 0, done.stdout + done.stderr
    query = "/api/datasources/proxy/uid/prometheus/api/v1/query?query=up{job='grafana'}"
    wait_for(lambda: secured.grafana().request("GET", query)["data"]["result"][0]["value"][1] == "1", 60)


def test_nobody_is_let_in_who_cannot_tell_the_certificate(secured: Sandbox) -> None:
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        urllib.request.urlopen(secured.outputs()["grafanaUrl"], timeout=5)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(secured.url("grafana"), timeout=5)
    with refused.value as answer:
        assert answer.code == 400, "no plain HTTP"


def test_the_settings_are_in_grafana(secured: Sandbox) -> None:
    result = secured.grafana().request("GET", "/api/admin/settings")
    assert result["server"]["protocol"] == "https"
    assert result["server"]["root_url"] == secured.outputs()["grafanaUrl"] + "/"
    security = result["security"]
    assert (security["cookie_secure"], security["cookie_samesite"]) == ("true", "lax")
    assert security["strict_transport_security"] == "true"
    oauth = result["auth.generic_oauth"]
    assert {k: oauth[k] for k in ("enabled", "name", "client_id", "auth_url", "token_url", "api_url")} == {
        "enabled": "true", "name": "Example", "client_id": "grafana", "auth_url": OAUTH["authUrl"],
        "token_url": OAUTH["tokenUrl"], "api_url": OAUTH["apiUrl"],
    }  # fmt: skip
    assert oauth["role_attribute_path"] == OAUTH["roleAttributePath"]
    assert oauth["allowed_domains"] == "example.org example.com"
    assert oauth["use_pkce"] == "true"


def test_the_sign_on_button_leads_to_the_provider(secured: Sandbox) -> None:
    assert '"generic_oauth":{"icon":"signin","name":"Example"}' in get(secured, "/login")[1]
    answer, _ = get(secured, "/login/generic_oauth")
    assert answer.status == 302
    assert answer.headers["Strict-Transport-Security"]
    where = urlsplit(answer.headers["Location"])
    assert f"{where.scheme}://{where.netloc}{where.path}" == OAUTH["authUrl"]
    requests = parse_qs(where.query)
    assert requests["client_id"] == ["grafana"]
    assert requests["redirect_uri"] == [secured.outputs()["grafanaUrl"] + "/login/generic_oauth"]
    assert requests["scope"] == ["openid profile email"]
    assert requests["code_challenge_method"] == ["S256"]
    for cookie in answer.headers.get_all("Set-Cookie") or ():
        assert {"Secure", "HttpOnly", "SameSite=Lax"} <= set(cookie.split("; ")), cookie.partition("=")[0]


def test_a_backup_is_taken_counted_and_restored(secured: Sandbox) -> None:
    done = secured.run("backup")
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = (secured.folder / "backups").glob("*.tar")
    done = secured.run("restore", str(made), YES=secured.name)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(" yes ") >= 10
    assert " NO " not in done.stdout
    secured.expect_no_changes()


def test_the_key_and_the_secret_are_nowhere_to_be_read(secured: Sandbox) -> None:
    inspected = json.dumps(secured.container("grafana").attrs)
    exported = secured.pulumi("stack", "export").stdout
    for text in (inspected, exported):
        assert KEY_LINES
        assert [line for line in KEY_LINES if line in text] == []
        assert SECRET not in text
    assert "*********" in str(secured.grafana().request("GET", "/api/admin/settings")["auth.generic_oauth"])
