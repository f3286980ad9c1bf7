"""The correlation provider, against a small stand-in for Grafana's API that keeps rows as Grafana does."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from components.correlations import CorrelationProvider
from components.grafana_api import GrafanaApi, GrafanaError

AUTH = "admin:stand-in"


class _Grafana:
    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.sources = {"loki", "jaeger", "prometheus"}
        self.calls: list[str] = []

    def answer(self, method: str, path: str, body: dict[str, Any] | None) -> tuple[int, Any]:
        self.calls.append(f"{method} {path}")
        parts = path.removeprefix("/api/datasources/uid/").split("/")
        source = parts[0]
        if len(parts) == 1:
            return (200, {"uid": source}) if source in self.sources else (404, {})
        if len(parts) == 2 and method == "GET":
            rows = [r for r in self.rows.values() if r["sourceUID"] == source]
            return (200, rows) if rows else (404, {"message": "none"})
        if method == "POST":
            assert body is not None
            uid = f"row{len(self.calls)}"
            self.rows[uid] = {"uid": uid, "sourceUID": source, **body}
            return 200, {"result": self.rows[uid]}
        row = self.rows.get(parts[-1])
        if row is None:
            return 404, {"message": "not found"}
        if method == "PATCH":
            row |= body or {}
        if method == "DELETE":
            del self.rows[parts[-1]]
        return 200, row


@pytest.fixture
def grafana() -> Iterator[tuple[_Grafana, str]]:
    fake = _Grafana()

    class Handler(BaseHTTPRequestHandler):
        def _do(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            status, answer = fake.answer(self.command, self.path, body)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        do_GET = do_POST = do_PATCH = do_DELETE = _do  # noqa: N815 - the base class's names

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield fake, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def props(url: str, **changed: Any) -> dict[str, Any]:  # noqa: ANN401
    return {
        "url": url,
        "auth": AUTH,
        "source": "loki",
        "target": "jaeger",
        "label": "Trace",
        "description": "Opens the trace",
        "type": "query",
        "config": {"field": "Line", "target": {"query": "${t}"}, "transformations": []},
    } | changed


def test_create_read_delete(grafana: tuple[_Grafana, str]) -> None:
    fake, url = grafana
    provider = CorrelationProvider()
    made = provider.create(props(url))
    assert made.id.startswith("loki/row")
    read = provider.read(made.id, props(url))
    assert (read.id, read.outs) == (made.id, props(url))
    assert not provider.diff(made.id, read.outs or {}, props(url)).changes
    provider.delete(made.id, props(url))
    assert fake.rows == {}
    provider.delete(made.id, props(url))  # gone already: fine


def test_creating_twice_adopts_the_first(grafana: tuple[_Grafana, str]) -> None:
    fake, url = grafana
    provider = CorrelationProvider()
    first = provider.create(props(url))
    second = provider.create(props(url, description="Better words"))
    assert first.id == second.id
    assert [r["description"] for r in fake.rows.values()] == ["Better words"]


def test_read_finds_what_was_deleted_or_leads_nowhere(grafana: tuple[_Grafana, str]) -> None:
    fake, url = grafana
    provider = CorrelationProvider()
    made = provider.create(props(url))
    fake.sources.discard("jaeger")
    assert provider.read(made.id, props(url)).id == ""
    fake.sources.add("jaeger")
    fake.rows.clear()
    assert provider.read(made.id, props(url)).id == ""


def test_read_sees_a_hand_edit(grafana: tuple[_Grafana, str]) -> None:
    fake, url = grafana
    provider = CorrelationProvider()
    made = provider.create(props(url))
    next(iter(fake.rows.values()))["label"] = "edited by hand"
    read = provider.read(made.id, props(url))
    difference = provider.diff(made.id, read.outs or {}, props(url))
    assert difference.changes
    assert not difference.replaces


@pytest.mark.parametrize(
    ("field", "value", "replaces"),
    [
        ("label", "x", False),
        ("description", "x", False),
        ("config", {"field": "labels", "target": {}, "transformations": []}, False),
        ("auth", "admin:rotated", False),
        ("source", "prometheus", True),
        ("target", "prometheus", True),
    ],
)
def test_a_change_of_any_field(grafana: tuple[_Grafana, str], field: str, value: Any, replaces: bool) -> None:  # noqa: ANN401, FBT001
    fake, url = grafana
    provider = CorrelationProvider()
    made = provider.create(props(url))
    new = props(url, **{field: value})
    difference = provider.diff(made.id, props(url), new)
    assert difference.changes
    assert bool(difference.replaces) is replaces
    if not replaces:
        before = len(fake.calls)
        assert provider.update(made.id, props(url), new).outs == new
        patched = any(c.startswith("PATCH") for c in fake.calls[before:])
        assert patched is (field != "auth")  # who asks is not part of the correlation
        assert len(fake.rows) == 1


def test_import_reads_everything_from_grafana(grafana: tuple[_Grafana, str]) -> None:
    _, url = grafana
    provider = CorrelationProvider()
    made = provider.create(props(url))
    imported = provider.read(made.id, {"url": url, "auth": AUTH})
    assert imported.outs == props(url)
    assert imported.inputs == props(url)


def test_errors_name_the_request_and_hide_the_password(grafana: tuple[_Grafana, str]) -> None:
    _, url = grafana
    with pytest.raises(GrafanaError, match="GET /api/datasources/uid/nowhere: HTTP 404") as caught:
        GrafanaApi(url, AUTH).request("GET", "/api/datasources/uid/nowhere")
    assert "stand-in" not in str(caught.value)
    assert "stand-in" not in repr(GrafanaApi(url, AUTH))
    with pytest.raises(GrafanaError, match="does not answer"):
        GrafanaApi("http://127.0.0.1:9", AUTH).request("GET", "/api/health")
