"""What makes a service followable: its spans by OTLP, and the trace's ID on every line that it prints.

Where to and as whom is said by the three environment variables that every OpenTelemetry library reads:
OTEL_SERVICE_NAME, OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_PROTOCOL. Without an endpoint nothing is sent.
"""

from __future__ import annotations

import json
import logging
import os
from contextvars import ContextVar
from typing import TYPE_CHECKING

from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

if TYPE_CHECKING:
    from fastapi import FastAPI

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""The ID of the request that is being answered: taken from its X-Request-ID, and handed on."""

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "taskName"}


class JsonLines(logging.Formatter):
    """One JSON object a line: level, message, logger, the IDs of trace, span and request, and whatever `extra` says."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        span = trace.get_current_span().get_span_context()
        line: dict[str, object] = {
            "level": record.levelname.lower(),
            "msg": record.getMessage(),
            "logger": record.name,
            **{key: value for key, value in vars(record).items() if key not in _STANDARD},
        }
        if span.is_valid:
            line |= {"trace_id": trace.format_trace_id(span.trace_id), "span_id": trace.format_span_id(span.span_id)}
        if request_id.get():
            line["request_id"] = request_id.get()
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def set_up(*, push_metrics: bool = False) -> None:
    """Send spans (and, when asked, metrics) and print JSON lines. HTTP clients made by httpx hand the trace on."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # a line for every request that it sends
    if not os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        return
    tracer = TracerProvider()
    tracer.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(tracer)
    if push_metrics:
        metrics.set_meter_provider(MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())]))
    HTTPXClientInstrumentor().instrument()


def follow(app: FastAPI) -> FastAPI:
    """Take every request's W3C trace context in, with a span for each, but for probes and scrapes."""
    FastAPIInstrumentor.instrument_app(app, excluded_urls="healthz,readyz,metrics", exclude_spans=["receive", "send"])
    return app
