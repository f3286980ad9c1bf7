"""The keys inside Grafana's database that its stored secrets are encrypted with, wrapped by the secret key.

Grafana 12 encrypts every stored secret with a data key, and each data key with `secret_key`: AES-CFB in `data_keys`,
AES-GCM in `secret_data_key` (the newer secrets manager). Its open-source edition knows one secret key at a time and
can re-encrypt with no other, so another secret key makes everything unreadable. Here the data keys alone are wrapped
anew, in a database that no process has open; what they encrypt stays as it is.

AES-CFB does not tell a wrong key from the right one. What the data keys encrypt does: it is text.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.decrepit.ciphers.modes import CFB
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_SALT: Final = 8
_IV: Final = 16
_NONCE: Final = 12
_ROUNDS: Final = 10_000
_CFB: Final = b"*YWVzLWNmYg*"
_GCM: Final = b"*YWVzLWdjbQ*"
"""`aes-cfb` and `aes-gcm` in base64: how Grafana marks what it encrypted."""
_PAYLOAD = re.compile(rb"#([A-Za-z0-9+/]+)#(.*)", re.DOTALL)
_ENCODED = re.compile(r"[A-Za-z0-9+/]{24,}={0,2}")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_HOLDERS: Final = (
    ("signing_key", "private_key"),
    ("secrets", "value"),
    ("data_source", "secure_json_data"),
    ("plugin_setting", "secure_json_data"),
    ("alert_configuration", "alertmanager_configuration"),
    ("sso_setting", "settings"),
    ("user_auth", "o_auth_access_token"),
)
"""Tables and columns with secrets in base64, alone or inside JSON."""


class UnknownKeyError(Exception):
    """None of the given secret keys opens the data keys."""


@dataclass(frozen=True)
class Wrapped:
    """One row: `key` is the data key as the database has it."""

    table: str
    column: str
    id_: str
    key: bytes


def rewrap(database: Path, *, new: str, former: Sequence[str]) -> int:
    """Wrap every data key in `database` with the secret key `new`; return how many were not yet.

    `known` are the secret keys that may have been used before. Everything is changed, or nothing. Raises
    UnknownKeyError when none of them opens what is there.
    """
    candidates = [key.encode() for key in (new, *former)]
    wanted = candidates[0]
    with closing(sqlite3.connect(database)) as connection:
        legacy = list(_rows(connection, "data_keys", "name"))
        by = _opens(legacy, list(_payloads(connection)), candidates)
        changed = [(row, seal_cfb(open_cfb(row.key, by), wanted)) for row in legacy if by != wanted]
        for row in _rows(connection, "secret_data_key", "uid"):
            opened, by = _opened(row, candidates)
            if by != wanted:
                changed.append((row, seal_gcm(opened, wanted)))
        with connection:
            for row, sealed in changed:
                # Table and column are this module's own.
                connection.execute(
                    f"UPDATE {row.table} SET encrypted_data = ? WHERE {row.column} = ?",  # noqa: S608
                    (sealed, row.id_),
                )
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return len(changed)


def _opens(rows: Sequence[Wrapped], payloads: Sequence[tuple[str, bytes]], candidates: Sequence[bytes]) -> bytes:
    """Return the candidate under which what is stored is text, the first where nothing tells."""
    for candidate in candidates:
        keys = {row.id_: open_cfb(row.key, candidate) for row in rows}
        readable = [_is_text(open_cfb(blob, keys[id_])) for id_, blob in payloads if id_ in keys]
        # Not all: a stored secret may be no text. Under a wrong key hardly any looks like it.
        if sum(readable) * 2 > len(readable) or not readable:
            return candidate
    msg = f"none of {len(candidates)} known secret keys opens the {len(rows)} data keys of Grafana's database"
    raise UnknownKeyError(msg)


def _opened(row: Wrapped, candidates: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Return the data key and the candidate that opens it."""
    for candidate in candidates:
        try:
            return open_gcm(row.key, candidate), candidate
        except InvalidTag:
            continue
    msg = f"none of {len(candidates)} known secret keys opens a data key of Grafana's secrets manager"
    raise UnknownKeyError(msg)


def _rows(connection: sqlite3.Connection, table: str, column: str) -> Iterator[Wrapped]:
    if _has(connection, table, "encrypted_data"):
        # As above.
        for id_, key in connection.execute(f"SELECT {column}, encrypted_data FROM {table}"):  # noqa: S608
            yield Wrapped(table, column, str(id_), bytes(key))


def _payloads(connection: sqlite3.Connection) -> Iterator[tuple[str, bytes]]:
    """Yield the data key's id and the encrypted bytes of everything that is stored."""
    for table, column in _HOLDERS:
        if not _has(connection, table, column):
            continue
        for (value,) in connection.execute(f"SELECT {column} FROM {table} WHERE {column} IS NOT NULL"):  # noqa: S608
            text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
            for encoded in _ENCODED.findall(text):
                match = _PAYLOAD.fullmatch(_decoded(encoded))
                if match:
                    yield _decoded(match[1].decode()).decode(errors="replace"), match[2]


def _has(connection: sqlite3.Connection, table: str, column: str) -> bool:
    return any(row[1] == column for row in connection.execute(f"PRAGMA table_info({table})"))


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4))
    except binascii.Error:
        return b""


def _is_text(data: bytes) -> bool:
    try:
        return _CONTROL.search(data.decode()) is None
    except UnicodeDecodeError:
        return False


def open_cfb(sealed: bytes, secret: bytes) -> bytes:
    """Return what `sealed` holds, or something else of the same length under another secret."""
    body = sealed.removeprefix(_CFB)
    salt, iv, rest = body[:_SALT], body[_SALT : _SALT + _IV], body[_SALT + _IV :]
    opened = Cipher(algorithms.AES(_derived(secret, salt)), CFB(iv)).decryptor()
    return opened.update(rest) + opened.finalize()


def seal_cfb(data: bytes, secret: bytes) -> bytes:
    """Encrypt as `pkg/services/encryption` does."""
    # Eight letters, as Grafana's own salts are.
    salt, iv = base64.b64encode(os.urandom(6)), os.urandom(_IV)
    sealing = Cipher(algorithms.AES(_derived(secret, salt)), CFB(iv)).encryptor()
    return _CFB + salt + iv + sealing.update(data) + sealing.finalize()


def open_gcm(sealed: bytes, secret: bytes) -> bytes:
    """Return what `sealed` holds; InvalidTag under another secret."""
    body = sealed.removeprefix(_GCM)
    salt, nonce, rest = body[:_SALT], body[_SALT : _SALT + _NONCE], body[_SALT + _NONCE :]
    return AESGCM(_derived(secret, salt)).decrypt(nonce, rest, None)


def seal_gcm(data: bytes, secret: bytes) -> bytes:
    """Encrypt as `pkg/registry/apis/secret/encryption` does."""
    salt, nonce = os.urandom(_SALT), os.urandom(_NONCE)
    return _GCM + salt + nonce + AESGCM(_derived(secret, salt)).encrypt(nonce, data, None)


def _derived(secret: bytes, salt: bytes) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", secret, salt, _ROUNDS, 32)
