"""A pager: receives Grafana's notifications and keeps the newest, with the time each came."""

from __future__ import annotations

import logging
import time
from collections import deque
from typing import Any

from fastapi import FastAPI

from demo import telemetry

KEPT = 200

log = logging.getLogger("pager")


def create() -> FastAPI:
    """Return the application."""
    telemetry.set_up()
    notes: deque[dict[str, Any]] = deque(maxlen=KEPT)
    app = FastAPI(title="Pager")

    @app.get("/healthz", include_in_schema=False)
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.post("/")
    def take(note: dict[str, Any]) -> dict[str, str]:
        notes.append({"received": time.time(), "notification": note})
        log.warning("notified", extra={"status": note.get("status"), "title": note.get("title")})
        return {"status": "taken"}

    @app.get("/notifications")
    def newest() -> list[dict[str, Any]]:
        return list(notes)

    return app
