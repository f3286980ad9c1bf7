"""Re-encrypts the data keys in Grafana's database when Grafana's secret key changes.

Grafana 12 encrypts every stored secret with a data key, and each data key with `secret_key`: by AES-CFB in the table
`data_keys`, by AES-GCM in `secret_data_key` (the newer secrets manager). The open-source edition has one secret key at
a time and cannot change it: with a new one, it can read no stored secret. This module re-encrypts the data keys alone,
in a database that no process has open; the secrets themselves stay as they are.

AES-CFB cannot tell a wrong key from the right one. So the right key is the one with which stored secrets become text.
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
_SECRET_COLUMNS: Final = (
    ("signing_key", "private_key"),
    ("secrets", "value"),
    ("data_source", "secure_json_data"),
    ("plugin_setting", "secure_json_data"),
    ("alert_configuration", "alertmanager_configuration"),
    ("sso_setting", "settings"),
    ("user_auth", "o_auth_access_token"),
)
"""Tables and columns with secrets in base64, alone or within JSON."""


class UnknownKeyError(Exception):
    """None of the given secret keys decrypts the data keys."""


@dataclass(frozen=True)
class EncryptedKey:
    """A row with a data key.

    Attributes:
        table: table of the row.
        column: column with its identifier.
        id_: the identifier.
        key: the encrypted data key, as stored.
    """

    table: str
    column: str
    id_: str
    key: bytes


def rewrap(database: Path, *, new: str, former: Sequence[str]) -> int:
    """Encrypt every data key in `database` with a new secret key; change all of them, or none.

    Args:
        database: Grafana's SQLite database, which no process has open.
        new: the new secret key.
        former: secret keys that may have been used before.

    Returns:
        How many data keys were changed: 0 if all were encrypted with `new` already.

    Raises:
        UnknownKeyError: no secret key decrypts the data keys.

    """
    candidates = [key.encode() for key in (new, *former)]
    wanted = candidates[0]
    with closing(sqlite3.connect(database)) as connection:
        legacy = list(_rows(connection, "data_keys", "name"))
        used = _used_key(legacy, list(_payloads(connection)), candidates)
        changed = [(row, encrypt_cfb(decrypt_cfb(row.key, used), wanted)) for row in legacy if used != wanted]
        for row in _rows(connection, "secret_data_key", "uid"):
            data_key, used = _decrypted(row, candidates)
            if used != wanted:
                changed.append((row, encrypt_gcm(data_key, wanted)))
        with connection:
            for row, encrypted in changed:
                # Table and column are this module's own.
                connection.execute(
                    f"UPDATE {row.table} SET encrypted_data = ? WHERE {row.column} = ?",  # noqa: S608
                    (encrypted, row.id_),
                )
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return len(changed)


def _used_key(
    rows: Sequence[EncryptedKey], payloads: Sequence[tuple[str, bytes]], candidates: Sequence[bytes]
) -> bytes:
    """Return the candidate with which most stored secrets become text; the first if nothing is stored."""
    for candidate in candidates:
        keys = {row.id_: decrypt_cfb(row.key, candidate) for row in rows}
        readable = [_is_text(decrypt_cfb(blob, keys[id_])) for id_, blob in payloads if id_ in keys]
        # Most, not all: a stored secret may be binary. With a wrong key hardly any becomes text.
        if sum(readable) * 2 > len(readable) or not readable:
            return candidate
    msg = f"none of {len(candidates)} known secret keys decrypts the {len(rows)} data keys of Grafana's database"
    raise UnknownKeyError(msg)


def _decrypted(row: EncryptedKey, candidates: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Return the data key, and the candidate that decrypts it."""
    for candidate in candidates:
        try:
            return decrypt_gcm(row.key, candidate), candidate
        except InvalidTag:
            continue
    msg = f"none of {len(candidates)} known secret keys decrypts a data key of Grafana's secrets manager"
    raise UnknownKeyError(msg)


def _rows(connection: sqlite3.Connection, table: str, column: str) -> Iterator[EncryptedKey]:
    if _has(connection, table, "encrypted_data"):
        # Table and column are this module's own.
        for id_, key in connection.execute(f"SELECT {column}, encrypted_data FROM {table}"):  # noqa: S608
            yield EncryptedKey(table, column, str(id_), bytes(key))


def _payloads(connection: sqlite3.Connection) -> Iterator[tuple[str, bytes]]:
    """Yield every stored secret: the identifier of its data key, and the encrypted bytes."""
    for table, column in _SECRET_COLUMNS:
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


def decrypt_cfb(encrypted: bytes, secret: bytes) -> bytes:
    """Return the plain bytes; with a wrong secret, other bytes of the same length."""
    body = encrypted.removeprefix(_CFB)
    salt, iv, rest = body[:_SALT], body[_SALT : _SALT + _IV], body[_SALT + _IV :]
    decryptor = Cipher(algorithms.AES(_derived(secret, salt)), CFB(iv)).decryptor()
    return decryptor.update(rest) + decryptor.finalize()


def encrypt_cfb(data: bytes, secret: bytes) -> bytes:
    """Encrypt as Grafana's `pkg/services/encryption` does."""
    # Eight letters, as Grafana's own salts are.
    salt, iv = base64.b64encode(os.urandom(6)), os.urandom(_IV)
    encryptor = Cipher(algorithms.AES(_derived(secret, salt)), CFB(iv)).encryptor()
    return _CFB + salt + iv + encryptor.update(data) + encryptor.finalize()


def decrypt_gcm(encrypted: bytes, secret: bytes) -> bytes:
    """Return the plain bytes.

    Raises:
        InvalidTag: `secret` is not the one that encrypted them.

    """
    body = encrypted.removeprefix(_GCM)
    salt, nonce, rest = body[:_SALT], body[_SALT : _SALT + _NONCE], body[_SALT + _NONCE :]
    return AESGCM(_derived(secret, salt)).decrypt(nonce, rest, None)


def encrypt_gcm(data: bytes, secret: bytes) -> bytes:
    """Encrypt as Grafana's `pkg/registry/apis/secret/encryption` does."""
    salt, nonce = os.urandom(_SALT), os.urandom(_NONCE)
    return _GCM + salt + nonce + AESGCM(_derived(secret, salt)).encrypt(nonce, data, None)


def _derived(secret: bytes, salt: bytes) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", secret, salt, _ROUNDS, 32)
