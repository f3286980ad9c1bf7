"""Customers: a steady stream of requests that follows the day, and that does not slow down when the gateway does."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import os
import random
import time
from pathlib import Path

import httpx

from demo import telemetry

MOST_WAITING = 100
"""Customers who wait at once; more are sent away, so that a slow gateway does not fill this process."""
DAY = 86_400
QUIETEST, BUSIEST_HOUR = 0.2, 15

log = logging.getLogger("load")


def rate(at: float, peak: float) -> float:
    """Return requests per second at a time (seconds since 1970): `peak` at 15:00 UTC, a fifth of it at 03:00."""
    turn = math.cos(2 * math.pi * (at / DAY - BUSIEST_HOUR / 24))
    return peak * (QUIETEST + (1 - QUIETEST) * (1 + turn) / 2)


async def run() -> None:
    """Send requests for ever."""
    telemetry.set_up()
    address = os.environ.get("DEMO_GATEWAY_URL", "http://inference-gateway:8000")
    samples = json.loads((Path(os.environ.get("DEMO_MODELS", "/app/models")) / "samples.json").read_text("utf-8"))
    peak = float(os.environ.get("DEMO_RATE", "10"))
    waiting: set[asyncio.Task[None]] = set()
    async with httpx.AsyncClient(base_url=address, timeout=10) as client:
        while True:
            await asyncio.sleep(random.expovariate(rate(time.time(), peak)))
            if len(waiting) < MOST_WAITING:
                task = asyncio.create_task(_ask(client, random.choices(samples, k=random.randint(1, 4))))  # noqa: S311 - as above
                waiting.add(task)
                task.add_done_callback(waiting.discard)


async def _ask(client: httpx.AsyncClient, instances: list[list[float]]) -> None:
    try:
        answer = await client.post("/v1/models/digits/predict", json={"instances": instances})
    except httpx.HTTPError as error:
        log.warning("no answer", extra={"error": repr(error)})
        return
    if answer.is_error:
        log.warning("refused", extra={"status": answer.status_code, "request": answer.headers.get("x-request-id")})
