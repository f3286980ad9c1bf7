"""Requests to Grafana's HTTP API, in JSON, with errors that name the request."""

from __future__ import annotations

import base64
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from components import tls
from observability.failures import reason

_TIMEOUT_SECONDS = 30
REFUSED = (401, 403)
"""HTTP statuses of a caller that is not signed in, or lacks the permission."""


class GrafanaError(RuntimeError):
    """A request failed: `status` is the HTTP status, 0 if Grafana did not answer."""

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        super().__init__(text)


@dataclass(frozen=True)
class GrafanaApi:
    """One Grafana server.

    Attributes:
        url: address of its API.
        auth: `user:password`, or a token.
        ca: CA certificate (PEM) for an https URL, "" if a public CA signed the server's.
    """

    url: str
    auth: str = field(repr=False)
    ca: str = field(default="", repr=False)

    def request(self, method: str, path: str, body: Any = None) -> Any:  # noqa: ANN401 - JSON both ways
        """Return the JSON answer of `method path`, None for an empty one.

        Raises:
            GrafanaError: the answer's status is not 2xx, or there is no answer.

        """
        request = urllib.request.Request(  # noqa: S310 - the settings accept http and https only
            f"{self.url.rstrip('/')}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": self._authorization(), "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(  # noqa: S310 - as above
                request, timeout=_TIMEOUT_SECONDS, context=self._context()
            ) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            with error:
                text = error.read(500).decode(errors="replace")
            raise GrafanaError(error.code, f"{method} {path}: HTTP {error.code}: {text}") from None
        except OSError as error:
            raise GrafanaError(0, f"{method} {path}: Grafana at {self.url} does not answer: {reason(error)}") from None
        return json.loads(text) if text else None

    def find(self, path: str) -> Any:  # noqa: ANN401 - JSON
        """Return the JSON answer of `GET path`, None if Grafana answers 404."""
        try:
            return self.request("GET", path)
        except GrafanaError as error:
            if error.status == 404:  # noqa: PLR2004 - not found
                return None
            raise

    def _context(self) -> ssl.SSLContext | None:
        return tls.context(self.ca) if self.url.startswith("https:") else None

    def _authorization(self) -> str:
        if ":" in self.auth:
            return "Basic " + base64.b64encode(self.auth.encode()).decode()
        return f"Bearer {self.auth}"


def program(outputs: Mapping[str, str]) -> GrafanaApi:
    """Return a stack's Grafana, signed in with the program's own token.

    Wrong passwords can lock the administrator out, but not a token. If Grafana accepts no token (an older version
    brought the stack up, or the token expired), the administrator's password is used.
    """
    token = outputs.get("grafanaToken")
    if token:
        api = GrafanaApi(outputs["grafanaUrl"], token, outputs.get("grafanaCaCertificate", ""))
        try:
            api.request("GET", "/api/org")
        except GrafanaError as error:
            if error.status not in REFUSED:
                raise
        else:
            return api
    return administrator(outputs)


def administrator(outputs: Mapping[str, str]) -> GrafanaApi:
    """Return a stack's Grafana, signed in as the administrator of the stack's outputs."""
    auth = f"{outputs['grafanaAdminUser']}:{outputs['grafanaAdminPassword']}"
    return GrafanaApi(outputs["grafanaUrl"], auth, outputs.get("grafanaCaCertificate", ""))
