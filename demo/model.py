"""The model behind the gateway: digits read by scikit-learn, many requests in one batch.

It says what it does by OpenTelemetry only: the HTTP metrics that its instrumentation pushes, and two of its own.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import joblib
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from opentelemetry import metrics, trace
from pydantic import BaseModel

from demo import telemetry
from demo.faults import Fault, Faults, authenticated

LARGEST_BATCH = 16
"""Requests in one batch."""
LONGEST_QUEUE = 64
"""Requests that may wait; more are refused with 503, which a customer can try again."""
WAIT_SECONDS = 0.005
"""How long the first of a batch waits for company."""
SLOW_SECONDS = 0.8
SATURATED_SECONDS = 1.5
"""How much longer a batch takes while the faults are on; saturated, each request is a batch of its own."""

log = logging.getLogger("model")
tracer = trace.get_tracer("demo.model")


class Instances(BaseModel):
    """As the gateway has checked them."""

    instances: list[list[float]]


class Version(BaseModel):
    """A version of the model."""

    version: str


@dataclass
class Waiting:
    """A request in the queue, the span that it belongs to, and where its answer goes."""

    instances: list[list[float]]
    span: trace.SpanContext
    answer: asyncio.Future[tuple[str, list[int]]]


class Model:
    """Every version of the model; `version` answers."""

    def __init__(self, folder: Path) -> None:
        self.versions: dict[str, dict[str, Any]] = {
            path.stem.removeprefix("digits-"): joblib.load(path) for path in sorted(folder.glob("digits-*.joblib"))
        }
        self.version = min(self.versions)

    def predict(self, instances: list[list[float]]) -> list[int]:
        """Return the digit on each picture."""
        return [int(digit) for digit in self.versions[self.version]["model"].predict(instances)]


class Batches:
    """A queue of requests, and the one who answers them, many at a time."""

    def __init__(self, model: Model, faults: Faults) -> None:
        self._model, self._faults = model, faults
        self.queue: asyncio.Queue[Waiting] = asyncio.Queue(LONGEST_QUEUE)
        meter = metrics.get_meter("demo.model")
        self._size = meter.create_histogram(
            "inference.batch.size", "{request}", "Requests in one batch",
            explicit_bucket_boundaries_advisory=[1, 2, 4, 8, LARGEST_BATCH],
        )  # fmt: skip
        meter.create_observable_gauge("inference.queue.depth", [self._depth], "{request}", "Requests that wait")

    def _depth(self, _: metrics.CallbackOptions) -> Iterable[metrics.Observation]:
        yield metrics.Observation(self.queue.qsize(), {"model": "digits", "version": self._model.version})

    async def ask(self, instances: list[list[float]]) -> tuple[str, list[int]]:
        """Wait for an answer; 503 when too many wait already."""
        answer: asyncio.Future[tuple[str, list[int]]] = asyncio.get_running_loop().create_future()
        try:
            self.queue.put_nowait(Waiting(instances, trace.get_current_span().get_span_context(), answer))
        except asyncio.QueueFull:
            log.warning("queue is full", extra={"waiting": self.queue.qsize()})
            raise HTTPException(503, f"{LONGEST_QUEUE} requests wait already", {"Retry-After": "1"}) from None
        return await answer

    async def run(self) -> None:
        """Answer for ever."""
        while True:
            batch = [await self.queue.get()]
            await asyncio.sleep(WAIT_SECONDS)
            saturated = self._faults.on("saturation")
            while len(batch) < LARGEST_BATCH and not self.queue.empty() and not saturated:
                batch.append(self.queue.get_nowait())
            await self._answer(batch, SATURATED_SECONDS if saturated else SLOW_SECONDS * self._faults.on("latency"))

    async def _answer(self, batch: list[Waiting], delay: float) -> None:
        # One span for many requests: it hangs below the first, and links to all.
        parent = trace.set_span_in_context(trace.NonRecordingSpan(batch[0].span))
        links = [trace.Link(waiting.span) for waiting in batch]
        with tracer.start_as_current_span("predict batch", parent, links=links) as span:
            span.set_attributes({"inference.batch.size": len(batch), "inference.model.version": self._model.version})
            began = time.perf_counter()
            try:
                await asyncio.sleep(delay)
                images = [image for waiting in batch for image in waiting.instances]
                digits = await asyncio.to_thread(self._model.predict, images)
            except Exception as error:
                log.exception("batch failed")
                for waiting in batch:
                    waiting.answer.set_exception(HTTPException(500, f"prediction failed: {error!r}"))
                return
            for waiting in batch:
                mine, digits = digits[: len(waiting.instances)], digits[len(waiting.instances) :]
                if not waiting.answer.done():  # who no longer waits has been cancelled
                    waiting.answer.set_result((self._model.version, mine))
            self._size.record(len(batch), {"model": "digits", "version": self._model.version})
            milliseconds = round(1000 * (time.perf_counter() - began), 1)
            log.info("batch answered", extra={"requests": len(batch), "milliseconds": milliseconds})


def create() -> FastAPI:
    """Return the application."""
    telemetry.set_up(push_metrics=True)
    model, faults = Model(Path(os.environ.get("DEMO_MODELS", "/app/models"))), Faults()
    batches = Batches(model, faults)

    @asynccontextmanager
    async def working(_: FastAPI) -> AsyncIterator[None]:
        worker = asyncio.create_task(batches.run())
        yield
        worker.cancel()

    app = FastAPI(title="Model", lifespan=working)

    @app.get("/healthz", include_in_schema=False)
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.post("/v1/predict")
    async def predict(request: Instances) -> dict[str, Any]:
        version, digits = await batches.ask(request.instances)
        return {"model": "digits", "version": version, "predictions": digits}

    @app.get("/v1/models")
    def models() -> dict[str, Any]:
        versions = [{"version": name, "accuracy": kept["accuracy"]} for name, kept in model.versions.items()]
        return {"models": [{"name": "digits", "version": model.version, "versions": versions}]}

    @app.put("/v1/version", dependencies=[Depends(authenticated)])
    def choose(choice: Version) -> dict[str, Any]:
        if choice.version not in model.versions:
            raise HTTPException(404, f"version {choice.version}; accepted: {', '.join(model.versions)}")
        model.version = choice.version
        return {"model": "digits", "version": choice.version}

    @app.put("/faults")
    def inject(fault: Fault, _: Annotated[str, Depends(authenticated)]) -> dict[str, Any]:
        faults.start(fault)
        return fault.model_dump()

    @app.middleware("http")
    async def with_its_id(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
        telemetry.request_id.set(request.headers.get("x-request-id", "")[:64])
        return await answer(request)

    return telemetry.follow(app)
