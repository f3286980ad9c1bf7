"""The inference gateway: takes requests for predictions, asks the model, and counts what its customers saw."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any

import httpx
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from prometheus_client import Counter, Gauge
from pydantic import BaseModel, Field

from demo import telemetry
from demo.contract import Contract
from demo.faults import Fault, Faults, authenticated

SERVICE = "inference-gateway"
OF_MODEL = {"latency", "saturation"}
"""Faults that the model has; the others are the gateway's own."""

log = logging.getLogger("gateway")
Token = Annotated[str, Depends(authenticated)]
Pixels = Annotated[list[Annotated[float, Field(ge=0, le=16)]], Field(min_length=64, max_length=64)]


class Instances(BaseModel):
    """Pictures of digits, each 8 x 8 pixels from 0 to 16."""

    instances: Annotated[list[Pixels], Field(min_length=1, max_length=32)]


class Version(BaseModel):
    """A version of the model."""

    version: Annotated[str, Field(pattern=r"^[0-9]+$")]


class Gateway:
    """What the application keeps: its faults, its figures, and the model's address."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.contract = Contract(SERVICE)
        labels = ("service", "model", "version")
        self._predictions = Counter(
            "inference_predictions", "Predictions handed out", labels, registry=self.contract.registry
        )
        self._active = Gauge(
            "inference_model_info", "1 for the version that answers", labels, registry=self.contract.registry
        )
        self._model: httpx.AsyncClient | None = None

    @asynccontextmanager
    async def running(self, _: FastAPI) -> AsyncIterator[None]:
        """Keep connections to the model while the application runs."""
        address = os.environ.get("DEMO_MODEL_URL", "http://inference-model:8000")
        async with httpx.AsyncClient(base_url=address, timeout=5) as self._model:
            yield

    async def predict(self, instances: Instances) -> dict[str, Any]:
        """Say which digits the pictures show, and which version of the model said so."""
        if self.faults.on("errors") and random.random() < self.faults.share:  # noqa: S311 - chance is all that is wanted
            log.error("prediction failed", extra={"reason": "fault injected: errors"})
            raise HTTPException(500, "fault injected: errors")
        answer = await self._ask("POST", "/v1/predict", instances)
        labels = (SERVICE, "digits", answer["version"])
        self._predictions.labels(*labels).inc(len(answer["predictions"]))
        self._active.clear()
        self._active.labels(*labels).set(1)
        log.info(
            "predicted", extra={"model": "digits", "version": answer["version"], "count": len(instances.instances)}
        )
        return answer

    async def ready(self) -> dict[str, str]:
        """Say whether a prediction could be made: 502 while the model does not answer."""
        return await self._ask("GET", "/healthz")

    async def models(self) -> dict[str, Any]:
        """List the model's versions."""
        return await self._ask("GET", "/v1/models")

    async def choose(self, choice: Version, token: Token) -> dict[str, Any]:
        """Let another version answer."""
        answer = await self._ask("PUT", "/v1/version", choice, token)
        log.warning("model version changed", extra={"model": "digits", "version": choice.version})
        return answer

    async def inject(self, fault: Fault, token: Token) -> dict[str, Any]:
        """Break something for a while."""
        log.warning("fault injected", extra={"kind": fault.kind, "seconds": fault.seconds})
        if fault.kind in OF_MODEL:
            return await self._ask("PUT", "/faults", fault, token)
        if fault.kind == "crash" and fault.seconds:
            asyncio.get_running_loop().call_later(0.1, os._exit, 1)  # after the answer
        self.faults.start(fault)
        return fault.model_dump()

    async def _ask(self, method: str, path: str, body: BaseModel | None = None, token: str = "") -> dict[str, Any]:
        """Ask the model; what it refuses is refused, and what it cannot do is a bad gateway."""
        assert self._model is not None, "the application runs"  # noqa: S101 - for the type checker
        headers = {"X-Request-ID": telemetry.request_id.get()}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        try:
            answer = await self._model.request(
                method, path, headers=headers, json=None if body is None else body.model_dump()
            )
        except httpx.HTTPError as error:
            log.error("the model does not answer", extra={"error": repr(error)})  # noqa: TRY400 - the traceback tells no more
            raise HTTPException(502, "the model does not answer") from None
        if answer.is_error:
            log.error("the model refused", extra={"status": answer.status_code, "said": answer.text[:200]})
            raise HTTPException(answer.status_code, answer.json().get("detail", "the model refused"))
        content: dict[str, Any] = answer.json()
        return content


async def with_an_id(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
    """Give every request an ID, its own where it brings one, and say it in the answer."""
    telemetry.request_id.set(request.headers.get("x-request-id", "")[:64] or uuid.uuid4().hex)
    response = await answer(request)
    response.headers["X-Request-ID"] = telemetry.request_id.get()
    return response


def create() -> FastAPI:
    """Return the application."""
    telemetry.set_up()
    gateway = Gateway()
    app = FastAPI(title="Inference gateway", lifespan=gateway.running)
    app.get("/healthz", include_in_schema=False)(lambda: {"status": "ok"})
    app.get("/readyz", include_in_schema=False)(gateway.ready)
    app.post("/v1/models/digits/predict")(gateway.predict)
    app.get("/v1/models")(gateway.models)
    app.put("/v1/models/digits/version")(gateway.choose)
    app.put("/faults")(gateway.inject)
    app.middleware("http")(with_an_id)
    gateway.contract.install(app)
    return telemetry.follow(app)
