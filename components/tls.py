"""The TLS context of this machine's requests to the stack."""

from __future__ import annotations

import ssl


def context(ca: str) -> ssl.SSLContext:
    """Return a context that trusts the CA certificate `ca` (PEM); if it is empty, this machine's own CAs."""
    return ssl.create_default_context(cadata=ca or None)
