"""`python -m demo gateway|model|load|pager`."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:
    from fastapi import FastAPI

PORT = 8000


def main(role: str) -> None:
    """Run one of the four until it is stopped."""
    if role == "load":
        from demo import load  # noqa: PLC0415 - a role loads only what it needs

        asyncio.run(load.run())
        return
    # Every line is the application's own: JSON, with its trace (telemetry.py).
    uvicorn.run(_app(role), host="0.0.0.0", port=PORT, log_config=None, access_log=False)  # noqa: S104 - in its container


def _app(role: str) -> FastAPI:
    if role == "gateway":
        from demo import gateway  # noqa: PLC0415 - as above

        return gateway.create()
    if role == "model":
        from demo import model  # noqa: PLC0415 - as above

        return model.create()
    if role == "pager":
        from demo import pager  # noqa: PLC0415 - as above

        return pager.create()
    msg = f"{role}: accepted: gateway, model, load, pager"
    raise SystemExit(msg)


main(sys.argv[1] if len(sys.argv) > 1 else "")
