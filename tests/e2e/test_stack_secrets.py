"""Secrets change on a running stack: the new works, the old is refused, and nothing else is touched."""

from __future__ import annotations

import json
import secrets
import tarfile
import tempfile
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import docker.errors
import pytest

from cli.state_migration import without_references
from components.access import RENEW_DAYS
from components.data_keys import rewrap
from components.grafana_api import GrafanaApi, GrafanaError
from lab.sandbox import Sandbox
from observability.configs.grafana import DATA
from observability.names.paths import UNRESOLVED_SECRET_KEY
from tests.e2e.conftest import wait_for

Json = dict[str, Any]

HELD = "holds-a-password"
"""A data source made in Grafana, whose stored password opens Grafana's own metrics, or does not."""

MAIL = r"""
import base64, hashlib, hmac, os, socketserver

class Mail(socketserver.StreamRequestHandler):
    def say(self, line): self.wfile.write(line.encode() + b"\r\n")
    def handle(self):
        self.say("220 mail")
        for line in self.rfile:
            verb = line.strip().upper()
            if verb.startswith(b"EHLO"): self.say("250-mail"); self.say("250 AUTH CRAM-MD5")
            elif verb.startswith(b"AUTH"):
                self.say("334 " + base64.b64encode(b"<1@mail>").decode())
                user, _, given = base64.b64decode(self.rfile.readline()).decode().rpartition(" ")
                right = hmac.new(os.environ["PASSWORD"].encode(), b"<1@mail>", hashlib.md5).hexdigest()
                print("accepted" if given == right else "refused", flush=True)
                self.say("235 ok" if given == right else "535 no")
            elif verb == b"DATA":
                self.say("354 go on")
                while self.rfile.readline() != b".\r\n": pass
                print("delivered", flush=True); self.say("250 ok")
            elif verb == b"QUIT": self.say("221 bye"); return
            else: self.say("250 ok")

socketserver.ThreadingTCPServer(("", 25), Mail).serve_forever()
"""


def state(real: Sandbox, type_: str) -> Json:
    shown = json.loads(real.pulumi("stack", "export", "--show-secrets").stdout)
    result: Json = next(r for r in shown["deployment"]["resources"] if r["type"].endswith(type_))
    return result


def plain(value: Any) -> str:  # noqa: ANN401
    return str(json.loads(value["plaintext"])) if isinstance(value, dict) else str(value)


def token(real: Sandbox) -> str:
    return plain(state(real, "pulumi:providers:grafana")["inputs"]["auth"])


def forget(real: Sandbox, type_: str) -> None:
    """Take the resources of a type out of the state: `pulumi state delete` refuses while others depend on them."""
    exported = json.loads(real.pulumi("stack", "export").stdout)
    resources = exported["deployment"]["resources"]
    gone = {r["urn"] for r in resources if r["type"].endswith(type_)}
    assert gone
    exported["deployment"]["resources"] = [without_references(r, gone) for r in resources if r["urn"] not in gone]
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(exported, file)
        file.flush()
        done = real.pulumi("stack", "import", "--file", file.name)
    assert done.returncode == 0, done.stdout + done.stderr


def let_in(real: Sandbox, auth: str) -> bool:
    try:
        GrafanaApi(real.url("grafana"), auth).request("GET", "/api/org")
    except GrafanaError as error:
        assert error.status == 401  # noqa: PT017
        return False
    return True


def evaluations(real: Sandbox) -> dict[str, tuple[str, str]]:
    """Return each alert's health and the time of its last evaluation."""
    groups = real.grafana().request("GET", "/api/prometheus/grafana/api/v1/rules")["data"]["groups"]
    return {r["name"]: (r["health"], r["lastEvaluation"]) for g in groups for r in g["rules"]}


def keep_evaluating(real: Sandbox, since: float) -> None:
    """Every alert is evaluated after `since`, and none fails."""

    def all_of_them() -> bool:
        result = evaluations(real).values()
        return bool(result) and all(
            health == "ok" and time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(since)) < at for health, at in result
        )

    wait_for(all_of_them, 150)


def database(real: Sandbox, folder: Path) -> Path:
    """Return a copy of Grafana's database."""
    for name in ("grafana.db", "grafana.db-wal", "grafana.db-shm"):
        try:
            chunks, _ = real.container("grafana").get_archive(f"{DATA}/{name}")
        except docker.errors.NotFound:
            continue
        with tarfile.open(fileobj=BytesIO(b"".join(chunks))) as archive:
            archive.extractall(folder, filter="data")
    return folder / "grafana.db"


def wrapped_by(real: Sandbox, key: str) -> bool:
    """Tell whether the data keys are wrapped by `key`: then there is nothing to wrap anew."""
    with tempfile.TemporaryDirectory() as folder:
        return (
            rewrap(database(real, Path(folder)), new=key, former=[SECRET_KEYS[0], UNRESOLVED_SECRET_KEY, *SECRET_KEYS])
            == 0
        )


SECRET_KEYS = [""]
"""Every secret key that the stack has had; the first is generated."""


def readable(real: Sandbox) -> bool:
    """Tell whether the stored password comes out of Grafana's database as it went in."""
    try:
        api = real.grafana()
        text = api.request("GET", f"/api/datasources/uid/{HELD}")
        assert text["secureJsonFields"] == {"basicAuthPassword": True}
        api.request("GET", f"/api/datasources/proxy/uid/{HELD}/api/v1/query?query=up")
    except GrafanaError:
        return False
    return True


@pytest.fixture(scope="module", autouse=True)
def _held(real: Sandbox) -> Iterator[None]:
    SECRET_KEYS[0] = plain(state(real, "grafana:SecretKey")["outputs"]["key"])
    key = secrets.token_hex(8)
    web = real.docker.containers.run(
        "python:3.11.14-slim-bookworm",
        ["python", "-c", GUARD],
        name=f"observability-{real.name}-guard",
        environment={"PASSWORD": key},
        network=f"observability-{real.name}-edge",
        hostname="guard",
        detach=True,
    )
    body = {
        "uid": HELD, "name": HELD, "type": "prometheus", "access": "proxy", "url": f"http://{web.name}:8000",
        "basicAuth": True, "basicAuthUser": "me", "secureJsonData": {"basicAuthPassword": key},
    }  # fmt: skip
    real.grafana().request("POST", "/api/datasources", body)
    wait_for(lambda: readable(real), 20)
    yield
    web.remove(force=True)


GUARD = r"""
import base64, os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Guard(BaseHTTPRequestHandler):
    def do_GET(self):
        right = "Basic " + base64.b64encode(("me:" + os.environ["PASSWORD"]).encode()).decode()
        self.send_response(200 if self.headers.get("Authorization") == right else 403)
        self.end_headers()
        self.wfile.write(b"{}")

ThreadingHTTPServer(("", 8000), Guard).serve_forever()
"""


def test_the_program_shows_a_token_of_its_own(real: Sandbox) -> None:
    assert token(real).startswith("glsa_")
    accounts = real.grafana().request("GET", "/api/serviceaccounts/search?query=pulumi")["serviceAccounts"]
    assert [(a["name"], a["role"], a["tokens"]) for a in accounts] == [("pulumi", "Admin", 1)]
    own = GrafanaApi(real.url("grafana"), token(real))
    for path in ("/api/admin/settings", "/api/users"):
        with pytest.raises(GrafanaError, match="403"):
            own.request("GET", path)
    text = real.pulumi("stack", "export").stdout
    assert token(real) not in text
    real.expect_no_changes()


def test_a_token_that_was_deleted_is_made_anew(real: Sandbox) -> None:
    api, old = real.grafana(), token(real)
    (account,) = api.request("GET", "/api/serviceaccounts/search?query=pulumi")["serviceAccounts"]
    (result,) = api.request("GET", f"/api/serviceaccounts/{account['id']}/tokens")
    api.request("DELETE", f"/api/serviceaccounts/{account['id']}/tokens/{result['id']}")
    assert not let_in(real, old)
    real.up()
    assert let_in(real, token(real))
    real.expect_no_changes()
    api.request("DELETE", f"/api/serviceaccounts/{account['id']}")
    real.up()
    assert let_in(real, token(real))
    real.expect_no_changes()


def test_a_token_that_is_due_is_renewed(real: Sandbox) -> None:
    old, before = token(real), real.ids()
    undo = real.edit("components/access.py", f"RENEW_DAYS: Final = {RENEW_DAYS}", "RENEW_DAYS: Final = 91")
    real.up()
    undo()
    assert token(real) != old
    assert let_in(real, token(real))
    assert not let_in(real, old)
    assert real.changed(before) == set()
    real.expect_no_changes()


def test_another_secret_key_takes_what_is_stored_along(real: Sandbox) -> None:
    assert wrapped_by(real, SECRET_KEYS[0]), "not by the name of the file"
    before = real.ids()
    SECRET_KEYS.append(secrets.token_hex(16))
    real.set_secret("grafanaSecretKey", SECRET_KEYS[-1])
    started = time.time()
    print(real.up(), f"another secret key: {time.time() - started:.1f} s")
    assert real.changed(before) == {"grafana"}
    assert readable(real)
    assert wrapped_by(real, SECRET_KEYS[-1])
    assert not wrapped_by(real, SECRET_KEYS[0])
    keep_evaluating(real, started)
    real.expect_no_changes()
    assert b"rewrapped" not in real.container("grafana").exec_run(["ls", DATA]).output


def test_a_stack_from_before_is_taken_along_too(real: Sandbox) -> None:
    """Its data keys were wrapped by the name of the secret key's file."""
    undo = [
        real.edit(
            "observability/configs/grafana.py",
            '"PATHS_CONFIG": FILE,',
            '"SECURITY_SECRET_KEY": _file(SECRET_KEY),',
        ),
        real.edit("components/secret_key.py", 'new=str(props["key"])', "new=UNRESOLVED_SECRET_KEY"),
        real.edit("components/secret_key.py", "former=[*former,", 'former=[str(props["key"]), *former,'),
    ]
    forget(real, "grafana:SecretKey")
    real.up()
    assert wrapped_by(real, UNRESOLVED_SECRET_KEY)
    assert readable(real), "as before: everything works, under a key that everybody knows"
    for back in undo[::-1]:
        back()
    forget(real, "grafana:SecretKey")
    real.up()
    assert wrapped_by(real, SECRET_KEYS[-1])
    assert readable(real)
    real.expect_no_changes()


def test_another_password_lets_in_and_the_old_does_not(real: Sandbox) -> None:
    old, before, own = real.outputs()["grafanaAdminPassword"], real.ids(), token(real)
    new = secrets.token_hex(12)
    real.set_secret("grafanaAdminPassword", new)
    started = time.time()
    print(real.up(), f"another password: {time.time() - started:.1f} s")
    assert let_in(real, f"admin:{new}")
    assert not let_in(real, f"admin:{old}")
    assert token(real) == own
    assert real.changed(before) == {"grafana"}, "its file is Grafana's"
    assert readable(real)
    keep_evaluating(real, started)
    text = real.pulumi("stack", "export").stdout
    assert old not in text
    assert new not in text
    real.expect_no_changes()


def test_a_half_rotation_is_finished(real: Sandbox) -> None:
    """Grafana has the new password already; the state knows the old."""
    new = secrets.token_hex(12)
    old = real.outputs()["grafanaAdminPassword"]
    real.grafana().request("PUT", "/api/user/password", {"oldPassword": old, "newPassword": new})
    real.set_secret("grafanaAdminPassword", new)
    real.up()
    assert let_in(real, f"admin:{new}")
    real.expect_no_changes()


def test_a_lost_password_has_a_way_back(real: Sandbox) -> None:
    configured = real.outputs()["grafanaAdminPassword"]
    lost = secrets.token_hex(12)
    real.grafana().request("PUT", "/api/user/password", {"oldPassword": configured, "newPassword": lost})
    new = secrets.token_hex(12)
    real.set_secret("grafanaAdminPassword", new)
    done = real.run("up")
    assert done.returncode != 0
    assert "make recover-password" in done.stdout + done.stderr
    assert lost not in done.stdout + done.stderr
    done = real.run("recover-password")
    assert done.returncode == 0, done.stdout + done.stderr
    assert new not in done.stdout + done.stderr
    real.up()
    assert let_in(real, f"admin:{new}")
    real.expect_no_changes()


def test_another_mail_password_is_used(real: Sandbox) -> None:
    def server(password: str) -> Any:  # noqa: ANN401
        return real.docker.containers.run(
            "python:3.11.14-slim-bookworm",
            ["python", "-c", MAIL],
            name=f"observability-{real.name}-mail",
            environment={"PASSWORD": password},
            network=f"observability-{real.name}-edge",
            detach=True,
        )

    def refusal() -> str:
        """Send a mail; return why it was not taken, nothing where it was."""
        # Without a UID: with one, Grafana looks for a receiver of its own whose secrets it would add.
        mail = {"name": "t", "type": "email", "settings": {"addresses": "a@example.org"}}
        receiver = {"name": "t", "grafana_managed_receiver_configs": [mail]}
        body = {"receivers": [receiver]}
        try:
            api = real.grafana()
            answer = api.request("POST", "/api/alertmanager/grafana/config/api/v1/receivers/test", body)
        except GrafanaError as error:
            return str(error)
        (tried,) = answer["receivers"][0]["grafana_managed_receiver_configs"]
        return "" if tried["status"] == "ok" else json.dumps(tried)

    old, new = secrets.token_hex(12), secrets.token_hex(12)
    real.configure(smtpHost=f"observability-{real.name}-mail:25", smtpUser="me", smtpStartTls="NoStartTLS")
    real.set_secret("smtpPassword", old)
    mail = server(old)
    try:
        real.up()
        assert refusal() == ""
        mail.remove(force=True)
        mail = server(new)
        wait_for(lambda: "535" in refusal(), 30)  # the old is refused, as soon as the server listens
        before = real.ids()
        real.set_secret("smtpPassword", new)
        print(real.up())
        assert refusal() == ""
        assert real.changed(before) == {"grafana"}
        assert mail.logs().decode().split() == ["refused", "accepted", "delivered"]
        real.expect_no_changes()
    finally:
        mail.remove(force=True)
