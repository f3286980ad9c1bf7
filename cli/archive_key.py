"""The key that authenticates archives: `make backup` signs with it, `make restore` accepts nothing else unasked.

A checksum shows damage; only a key shows who wrote an archive. A restored archive decides what Grafana holds and who
signs in, so a person who can replace the file could take the stack over.

The key is the file that ARCHIVE_KEY names, by default `.state/archive-key`, made by the first backup. Keep a copy apart
from the archives, with the passphrase of the stack's secrets: a new host needs both.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path
from typing import Final

from cli.environment import Environment
from cli.errors import UsageError
from observability.failures import reason

FILE: Final = "archive-key"
"""In the folder of the state."""
MINIMUM: Final = 32
"""Characters of a key: fewer can be tried out."""
_PURPOSE: Final = b"observability-backup signature\n"
_PURPOSE_ID: Final = b"observability-backup key id\n"


def create(environment: Environment, setting: str) -> bytes:
    """Return the key, creating it where there is none."""
    existing = read(environment, setting)
    if existing is not None:
        return existing
    path = environment.state / FILE
    path.parent.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(MINIMUM))
    return path.read_bytes().strip()


def read(environment: Environment, setting: str) -> bytes | None:
    """Return the key in the file `setting` (ARCHIVE_KEY) or the default one, None where there is none yet."""
    path = Path(setting).expanduser() if setting else environment.state / FILE
    if not setting and not path.exists():
        return None
    try:
        key = path.read_bytes().strip()
    except OSError as error:
        msg = f"ARCHIVE_KEY={path}: cannot be read ({reason(error)}); accepted: a file with the key that signs archives"
        raise UsageError(msg) from None
    if len(key) < MINIMUM:
        msg = f"ARCHIVE_KEY={path}: holds {len(key)} characters; accepted: a key of {MINIMUM} or more"
        raise UsageError(msg)
    return key


def signature(key: bytes, text: bytes) -> str:
    """Return the HMAC-SHA256 of `text`, in hexadecimal digits."""
    return hmac.new(key, _PURPOSE + text, hashlib.sha256).hexdigest()


def name(key: bytes) -> str:
    """Return an identifier of a key that reveals nothing of it."""
    return hmac.new(key, _PURPOSE_ID, hashlib.sha256).hexdigest()[:16]
