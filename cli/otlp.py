"""Pushes spans, log records and metrics over OTLP/HTTP as JSON, as an instrumented application does.

Only for the stack's own checks; applications use the OpenTelemetry libraries (README, `demo/`).
Field names are those of https://github.com/open-telemetry/opentelemetry-proto; trace IDs are 32 hexadecimal digits,
span IDs 16.
"""

from __future__ import annotations

import json
import secrets
import time
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any, Final

Json = dict[str, Any]

_SERVER, _CLIENT = 2, 3
_OK, _ERROR = 1, 2
_ENVELOPES: Final = {
    "spans": ("traces", "resourceSpans", "scopeSpans", "spans"),
    "records": ("logs", "resourceLogs", "scopeLogs", "logRecords"),
    "metrics": ("metrics", "resourceMetrics", "scopeMetrics", "metrics"),
}


def new_trace() -> str:
    """Return a new trace ID."""
    return secrets.token_hex(16)


def new_span() -> str:
    """Return a new span ID."""
    return secrets.token_hex(8)


def span(trace: str, own: str, parent: str = "", *, name: str, failed: bool = False) -> Json:
    """Return a server's span that ends now and took 20 ms."""
    now = time.time_ns()
    return {
        "traceId": trace,
        "spanId": own,
        "parentSpanId": parent,
        "name": name,
        "kind": _SERVER,
        "startTimeUnixNano": str(now - 20_000_000),
        "endTimeUnixNano": str(now),
        "status": {"code": _ERROR if failed else _OK},
    }


def record(text: str, trace: str = "", own: str = "", *, level: str = "INFO") -> Json:
    """Return a log record of now."""
    return {
        "timeUnixNano": str(time.time_ns()),
        "severityText": level,
        "body": {"stringValue": text},
        "traceId": trace,
        "spanId": own,
    }


def push(endpoint: str, what: str, by_service: Mapping[str, Sequence[Json]]) -> None:
    """Push `what` ("spans", "records" or "metrics") to `endpoint`, a URL without a path.

    Raises OSError (HTTPError among them) unless all of it is accepted.
    """
    path, outer, inner, items = _ENVELOPES[what]
    resources = [
        {
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]},
            inner: [{items: list(rows)}],
        }
        for service, rows in by_service.items()
    ]
    post(f"{endpoint}/v1/{path}", {outer: resources})


def post(url: str, body: Json) -> None:
    """Push a whole body of OTLP. Raises OSError (HTTPError among them) unless all of it is accepted."""
    request = urllib.request.Request(  # noqa: S310 - the stack's own address
        url, json.dumps(body).encode(), headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - as above
        refused = json.loads(answer.read() or "{}").get("partialSuccess") or {}
    if any(value for key, value in refused.items() if key.startswith("rejected")):
        msg = f"{url}: some of it was refused: {refused}"
        raise OSError(msg)


def call(endpoint: str, trace: str, client: str, server: str, *, name: str) -> str:
    """Push the request that `client` sent and `server` answered, a span each; return the ID of the server's span."""
    sent, received = new_span(), new_span()
    spans = {
        client: [span(trace, sent, name=name) | {"kind": _CLIENT}],
        server: [span(trace, received, sent, name=name)],
    }
    push(endpoint, "spans", spans)
    return received
