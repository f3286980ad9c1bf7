"""What is stored of records and spans is what is shown: nothing reverses, hides or colours it, or fills a page."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
import pytest

from cli import otlp
from dashboards import logs
from observability.configs import intake
from tests.telemetry import grpc_otlp
from tests.telemetry.conftest import START_SECONDS, Stores, wait_for

HIDING = "pay\u202eeorp\u202c\x1b[31mred\x1b[0m\x07\u2066"
SHOWN = "payeorpred"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def attribute(key: str, value: object) -> dict[str, Any]:
    if isinstance(value, list):
        return {"key": key, "value": {"arrayValue": {"values": [{"stringValue": item} for item in value]}}}
    if isinstance(value, dict):
        return {"key": key, "value": {"kvlistValue": {"values": [attribute(k, v) for k, v in value.items()]}}}
    return {"key": key, "value": {"stringValue": value}}


def everything() -> list[dict[str, Any]]:
    return [attribute("plain", HIDING), attribute("list", [HIDING]), attribute("map", {"in": HIDING}),
            attribute(f"key{HIDING}", "x"), attribute("trace_id", TRACE)]  # fmt: skip


def hidden(text: str) -> list[str]:
    """Return the characters of `text` that hide or reverse others, but the line breaks and tabs."""
    return [c for c in text if (ord(c) < 32 and c not in "\n\t\r") or c in "\u202e\u202c\u2066"]


def test_attributes_of_a_record_are_what_is_shown(line_stores: Stores) -> None:
    record = {**otlp.record(f"paid {HIDING}"), "attributes": everything(), "severityText": f"INFO{HIDING}"}
    otlp.push(line_stores.otlp, "records", {"shown": [record]})
    ((labels, line),) = wait_for(lambda: line_stores.lines('{service_name="shown"}'))
    assert line == f"paid {SHOWN}"
    assert not hidden(json.dumps(labels, ensure_ascii=False)), labels
    assert "\\u00" not in json.dumps(labels)
    assert labels["plain"] == SHOWN
    assert SHOWN in labels["map_in"]
    assert labels["trace_id"] == TRACE, "the link to the trace"


def as_list(*texts: str) -> dict[str, Any]:
    return {"arrayValue": {"values": [{"stringValue": text} for text in texts]}}


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ({"message": HIDING, f"key{HIDING}": "x", "in": {"it": HIDING}, "number": "5"},
         {"message": SHOWN, f"key{SHOWN}": "x", "in.it": SHOWN, "number": "5"}),
        ({"message": "paid", "in": {"it": "ü ✓"}}, {"message": "paid", "in": {"it": "ü ✓"}}),
        ([HIDING, "x"], {"body.0": SHOWN, "body.1": "x"}),
        (["paid", "x"], ["paid", "x"]),
    ],
)  # fmt: skip
def test_a_body_that_is_no_text_is_what_is_shown(line_stores: Stores, body: object, shown: object) -> None:
    name = f"body-{len(json.dumps(body))}"
    value = as_list(*body) if isinstance(body, list) else attribute("", body)["value"]
    otlp.push(line_stores.otlp, "records", {name: [{**otlp.record(""), "body": value}]})
    ((_, line),) = wait_for(lambda: line_stores.lines(f'{{service_name="{name}"}}'))
    assert json.loads(line) == shown
    assert not hidden(line)


@pytest.mark.parametrize("name", ["look\u200balike", "look\u200dalike", " lookalike\u00a0", "look\u061calike\ufe0f",
                                  "lookalike\U000e0041", "look\u00adalike"])  # fmt: skip
def test_two_names_that_look_the_same_are_the_same(line_stores: Stores, name: str) -> None:
    before = len(line_stores.lines('{service_name="lookalike"}'))
    otlp.push(line_stores.otlp, "records", {name: [otlp.record(f"by {name!a}")]})
    wait_for(lambda: len(line_stores.lines('{service_name="lookalike"}')) == before + 1)


def test_a_name_that_looks_like_the_stacks_is_refused(line_stores: Stores) -> None:
    otlp.push(line_stores.otlp, "records", {"jaeger\u200b": [otlp.record("I am the stack")]})
    wait_for(lambda: line_stores.number('collector_refused_items_total{service_name="jaeger", signal="lines"}'))
    assert line_stores.lines('{service_name=~".+"} |= "I am the stack"') == []


LONG = {
    "one row": ("y" * 60_000, 12),
    "many rows": ("z\n" * 5_000 + "the end", 25),
    "as long as a line may be": ("ü" * 120_000, 12),
}


@pytest.mark.parametrize("kind", LONG)
def test_no_line_fills_a_panel(line_stores: Stores, kind: str) -> None:
    text, rows = LONG[kind]
    name = kind.replace(" ", "-")
    otlp.push(line_stores.otlp, "records", {name: [otlp.record(text)]})
    ((_, shown),) = wait_for(lambda: line_stores.lines(f'{{service_name="{name}"}} | {logs.SHOWN}'))
    width = 150  # characters, in half of a page of 1,600 pixels
    assert sum(1 + len(row) // width for row in shown.split("\n")) <= rows, shown
    assert shown.startswith(text[:10])
    assert shown.endswith(text[-5:])
    assert f"{len(text.encode())} bytes" in shown
    ((_, whole),) = line_stores.lines(f'{{service_name="{name}"}}')
    assert whole == text, "all of it is stored"


@pytest.mark.parametrize("text", ["paid ü\t✓", "Traceback\n" + '  File "x.py", line 3\n' * 10 + "ValueError: y", "a`b"])
def test_a_line_that_leaves_room_is_shown_as_it_is(line_stores: Stores, text: str) -> None:
    name = f"short-{len(text)}"
    otlp.push(line_stores.otlp, "records", {name: [otlp.record(text)]})
    ((_, shown),) = wait_for(lambda: line_stores.lines(f'{{service_name="{name}"}} | {logs.SHOWN}'))
    assert shown == text


def test_an_honest_records_attributes_stay_as_they_are(line_stores: Stores) -> None:
    record = {**otlp.record("paid"), "attributes": [attribute("list", ["a", "ü"]), attribute("text", "a\tb\nü ✓")]}
    otlp.push(line_stores.otlp, "records", {"honest-attributes": [record]})
    ((labels, _),) = wait_for(lambda: line_stores.lines('{service_name="honest-attributes"}'))
    assert labels["text"] == "a\tb\nü ✓"
    assert json.loads(labels["list"]) == ["a", "ü"]


@pytest.mark.parametrize("kind", ["many", "long", "many and long"])
def test_too_many_attributes_take_no_other_record_along(line_stores: Stores, kind: str) -> None:
    count, length = {"many": (300, 5), "long": (1, 200_000), "many and long": (120, 4_000)}[kind]
    name = f"attributes-{kind.replace(' ', '-')}"
    big = {**otlp.record("big"), "attributes": [attribute(f"a{n}", "x" * length) for n in range(count)]}
    otlp.push(line_stores.otlp, "records", {name: [otlp.record("before"), big, otlp.record("after")]})
    found = wait_for(lambda: (rows := line_stores.lines(f'{{service_name="{name}"}}')) and len(rows) == 3 and rows)
    labels = next(labels for labels, line in found if line == "big")
    assert max(map(len, labels.values())) <= intake.LOG_TEXT_BYTES


def test_a_record_cannot_name_another_stream(line_stores: Stores) -> None:
    """By an attribute with the name of the label that says whose a line is."""
    attributes = [attribute(key, "jaeger") for key in ("service_name", "service.name", "container_name", "stack")]
    record = {**otlp.record("whose"), "attributes": attributes}
    otlp.push(line_stores.otlp, "records", {"honest-stream": [record]})
    wait_for(lambda: line_stores.lines('{service_name="honest-stream"}'))
    assert line_stores.lines('{service_name=~".+"} |= "whose" | service_name = "jaeger"') == []
    assert line_stores.lines('{service_name="jaeger"}') == []
    assert line_stores.lines('{stack="jaeger"}') == []


def test_a_resource_cannot_write_another_ones_target_info(line_stores: Stores) -> None:
    resource = [attribute(k, "prometheus") for k in ("job", "instance", "service", "stack", "slo", "__name__")]
    resource.append(attribute("service.name", "honest-resource"))
    points = [{"timeUnixNano": str(time.time_ns()), "asDouble": 1, "attributes": [attribute("__name__", "up")]}]
    body = {"resourceMetrics": [{"resource": {"attributes": resource},
            "scopeMetrics": [{"metrics": [{"name": "honest", "gauge": {"dataPoints": points}}]}]}]}  # fmt: skip
    otlp.post(f"{line_stores.otlp}/v1/metrics", body)
    wait_for(lambda: line_stores.query("honest"))
    for label in ("job", "instance", "service", "stack", "slo"):
        assert line_stores.query(f'{{{label}="prometheus", __name__!~"collector.*"}}') == {}, label
    assert line_stores.query('up{job="honest-resource"}') == {}


class Spans:
    """A collector in Jaeger's place, which hands what it gets to this process as JSON."""

    def __init__(self, folder: Path, port: int) -> None:
        self.bodies: list[str] = []
        bodies = self.bodies

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                bodies.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()
        config = {
            "receivers": {"otlp": {"protocols": {"grpc": {"endpoint": f"127.0.0.1:{port}"}}}},
            "exporters": {
                "otlp_http": {
                    "endpoint": f"http://127.0.0.1:{self.server.server_address[1]}",
                    "encoding": "json",
                    "compression": "none",
                }
            },
            "service": {
                "pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["otlp_http"]}},
                "telemetry": {"metrics": {"level": "none"}},
            },
        }
        path = folder / "spans.json"
        path.write_text(json.dumps(config))
        self.process = subprocess.Popen(
            ["otelcol-contrib", f"--config={path}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def of(self, service: str) -> str:
        """Return what came of a service, "" for nothing."""
        return next((body for body in list(self.bodies) if f'"{service}"' in body), "")

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(30)
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture(scope="module")
def spans(stores: Stores, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spans]:
    sink = Spans(tmp_path_factory.mktemp("spans"), stores.ports["jaeger"])
    try:
        yield sink
    finally:
        sink.close()


def test_a_span_is_what_is_shown(stores: Stores, spans: Spans) -> None:
    span = {
        **otlp.span(TRACE, otlp.new_span(), name=f"GET /{HIDING}"),
        "attributes": everything(),
        "status": {"code": 2, "message": HIDING},
        "events": [{"timeUnixNano": str(time.time_ns()), "name": HIDING, "attributes": everything()}],
    }
    otlp.push(stores.otlp, "spans", {"shown-spans": [span]})
    body = wait_for(lambda: spans.of("shown-spans"), START_SECONDS)
    assert not hidden(json.dumps(json.loads(body), ensure_ascii=False)), body
    assert f'"GET /{SHOWN}"' in body
    assert body.count(TRACE) == 3, "the span's own ID, and two attributes that name it"


def test_grafanas_own_spans_come_by_the_door_of_the_stacks_parts(stores: Stores, spans: Spans) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{stores.ports['own']}") as own:
        grpc_otlp.send(own, "grafana", "its own")
    with grpc.insecure_channel(f"127.0.0.1:{stores.ports['grpc']}") as door:
        grpc_otlp.send(door, "grafana", "an impostor's")
        grpc_otlp.send(door, "honest-spans", "beside it")
    wait_for(lambda: spans.of("grafana"), START_SECONDS)
    wait_for(lambda: spans.of("honest-spans"), START_SECONDS)
    assert '"its own"' in "".join(spans.bodies)
    assert "impostor" not in "".join(spans.bodies)
