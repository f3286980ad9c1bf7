"""Commands use the program's own token: wrong passwords that lock the administrator out do not stop a backup."""

from __future__ import annotations

import base64
import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from components import grafana_api

PASSWORD = "admin:of-the-administrator"


class Grafana(http.server.BaseHTTPRequestHandler):
    """Lets a token in, and the administrator only while `locked` is false."""

    accepted: tuple[str, ...] = ()
    seen: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        shown = self.headers["Authorization"]
        type(self).seen.append(shown.split()[0])
        self.send_response(200 if shown in self.accepted else 401)
        self.end_headers()
        self.wfile.write(json.dumps({"shown": shown}).encode())

    def log_message(self, *_: Any) -> None:  # noqa: ANN401 - as the base class has it
        pass


BASIC = "Basic " + base64.b64encode(PASSWORD.encode()).decode()


@pytest.fixture
def outputs() -> Iterator[dict[str, str]]:
    Grafana.seen = []
    with http.server.HTTPServer(("127.0.0.1", 0), Grafana) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield {
            "grafanaUrl": f"http://127.0.0.1:{server.server_port}",
            "grafanaAdminUser": "admin",
            "grafanaAdminPassword": PASSWORD.partition(":")[2],
            "grafanaToken": "the-token",
        }
        server.shutdown()
        thread.join()


def test_a_command_works_while_the_administrator_is_locked_out(outputs: dict[str, str]) -> None:
    Grafana.accepted = ("Bearer the-token",)
    assert grafana_api.program(outputs).request("GET", "/api/search")["shown"] == "Bearer the-token"
    assert Grafana.seen == ["Bearer", "Bearer"], "no password was tried"


@pytest.mark.parametrize("token", ["", "expired"])
def test_without_a_token_it_is_the_administrator(outputs: dict[str, str], token: str) -> None:
    Grafana.accepted = (BASIC,)
    assert grafana_api.program(outputs | {"grafanaToken": token}).request("GET", "/api/search")["shown"] == BASIC


def test_a_grafana_that_is_away_is_no_reason_to_try_a_password(outputs: dict[str, str]) -> None:
    with pytest.raises(grafana_api.GrafanaError, match="does not answer"):
        grafana_api.program(outputs | {"grafanaUrl": "http://127.0.0.1:1"})
