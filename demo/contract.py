"""The metric contract (README, "Watch your service"): three metrics, and exemplars that lead to the trace."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from fastapi import Request, Response
from opentelemetry import trace
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.openmetrics import exposition as openmetrics

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fastapi import FastAPI

disable_created_metrics()  # type: ignore[no-untyped-call]  # one more series for each other one, never read

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2.5, 5)
"""Seconds. 0.3 is the promise of the latency SLO: the share of requests within it is counted, not estimated."""


class Contract:
    """The three metrics of one application, in a registry of their own."""

    def __init__(self, service: str) -> None:
        self.registry = CollectorRegistry()
        own = {"service": service}
        names = ("service", "endpoint", "method", "status")
        self._requests = Counter("http_requests", "Requests answered", names, registry=self.registry)
        self._duration = Histogram(
            "http_request_duration_seconds",
            "Time until a request was answered",
            ("service", "endpoint"),
            buckets=BUCKETS,
            registry=self.registry,
        )
        self._in_progress = Gauge(
            "http_requests_in_progress", "Requests being answered", ("service",), registry=self.registry
        ).labels(**own)
        self._service = service

    def install(self, app: FastAPI) -> None:
        """Count and time every request to `app`, and answer /metrics."""
        app.middleware("http")(self._measure)
        app.get("/metrics", include_in_schema=False)(self._metrics)

    async def _measure(self, request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
        if request.url.path in {"/metrics", "/healthz", "/readyz"}:
            return await answer(request)
        began, status = time.perf_counter(), "500"  # what an exception becomes
        self._in_progress.inc()
        try:
            response = await answer(request)
            status = str(response.status_code)
            return response
        finally:
            self._in_progress.dec()
            # The route, never the path: requests for a million paths would make a million series.
            route = getattr(request.scope.get("route"), "path", "(no route)")
            span = trace.get_current_span().get_span_context()
            exemplar = {"trace_id": trace.format_trace_id(span.trace_id)} if span.trace_flags.sampled else None
            self._requests.labels(self._service, route, request.method, status).inc()
            self._duration.labels(self._service, route).observe(time.perf_counter() - began, exemplar)

    def _metrics(self, request: Request) -> Response:
        # Exemplars exist in OpenMetrics only, which Prometheus asks for.
        if "application/openmetrics-text" in request.headers.get("accept", ""):
            return Response(openmetrics.generate_latest(self.registry), media_type=openmetrics.CONTENT_TYPE_LATEST)  # type: ignore[no-untyped-call]
        return Response(generate_latest(self.registry), media_type=CONTENT_TYPE_LATEST)
