"""Faults on demand: each lasts for some seconds, and only a caller with the token can start one."""

from __future__ import annotations

import hmac
import os
import time
from pathlib import Path
from typing import Annotated

from fastapi import Depends, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, Field

from demo.kinds import Kind


class Fault(BaseModel):
    """What to break, and for how long; 0 seconds ends it."""

    kind: Kind
    seconds: Annotated[float, Field(ge=0, le=86_400)]
    share: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Of the requests that `errors` fails."""


class Faults:
    """Which faults are on, by the process' own clock."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}
        self.share = 0.0

    def start(self, fault: Fault) -> None:
        """Turn a fault on, or off."""
        self._until[fault.kind] = time.monotonic() + fault.seconds
        if fault.kind == "errors":
            self.share = fault.share

    def on(self, kind: Kind) -> bool:
        """Say whether a fault is on."""
        return time.monotonic() < self._until.get(kind, 0)


def token() -> str:
    """Return the token of this stack, from the file that DEMO_TOKEN_FILE names."""
    return Path(os.environ["DEMO_TOKEN_FILE"]).read_text(encoding="utf-8").strip()


def authenticated(credentials: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]) -> str:
    """Return the token that was given; 401 unless it is the right one."""
    if not hmac.compare_digest(credentials.credentials.encode(), token().encode()):
        raise HTTPException(401, "another token is needed")
    return credentials.credentials
