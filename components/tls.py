"""Whom this machine believes when a service speaks TLS."""

from __future__ import annotations

import ssl


def context(ca: str) -> ssl.SSLContext:
    """Return a context that believes `ca` (PEM), or this machine's authorities where it is empty."""
    return ssl.create_default_context(cadata=ca or None)
