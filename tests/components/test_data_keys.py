"""Data keys are wrapped anew without what they encrypt, all of them or none, and only when their key was known."""

from __future__ import annotations

import base64
import json
import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from components.data_keys import UnknownKeyError, decrypt_cfb, decrypt_gcm, encrypt_cfb, encrypt_gcm, rewrap

OLD, NEW, WRONG = "the-old-secret-key", "the-new-secret-key", "another-secret-key"
DATA_KEYS = {"a1": os.urandom(16), "b2": os.urandom(16), "unused": os.urandom(16)}
PASSWORD = json.dumps({"basicAuthPassword": "correct horse"})
PEM = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49\n-----END PRIVATE KEY-----\n"

# Grafana 12.4's own tests, pkg/services/encryption/service/service_test.go: "grafana" under "1234".
GRAFANAS_CFB = bytes(
    [73, 71, 50, 57, 121, 110, 90, 109, 115, 23, 237, 13, 130, 188, 151, 118,
     98, 103, 80, 209, 79, 143, 22, 122, 44, 40, 102, 41, 136, 16, 27]
)  # fmt: skip
GRAFANAS_GCM = bytes(
    [42, 89, 87, 86, 122, 76, 87, 100, 106, 98, 81, 42, 48, 99, 55, 50, 51, 48, 83, 66, 20, 99, 47, 238, 61, 44, 129,
     125, 14, 37, 162, 230, 47, 31, 104, 70, 144, 223, 26, 51, 180, 17, 76, 52, 36, 93, 17, 203, 99, 158, 219, 102, 74,
     173, 74]
)  # fmt: skip


def stored(id_: str, text: str) -> bytes:
    """Return `text` as Grafana stores it: the data key's id, then what it encrypts."""
    return b"#" + base64.b64encode(id_.encode()).rstrip(b"=") + b"#" + encrypt_cfb(text.encode(), DATA_KEYS[id_])


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Grafana's tables, as far as they matter, with data keys under OLD."""
    path = tmp_path / "grafana.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE data_keys (name TEXT PRIMARY KEY, label TEXT, encrypted_data BLOB)")
        connection.execute("CREATE TABLE secret_data_key (uid TEXT PRIMARY KEY, encrypted_data BLOB)")
        connection.execute("CREATE TABLE secrets (id INTEGER PRIMARY KEY, value TEXT)")
        connection.execute("CREATE TABLE signing_key (id INTEGER PRIMARY KEY, private_key TEXT)")
        connection.execute("CREATE TABLE data_source (id INTEGER PRIMARY KEY, secure_json_data TEXT)")
        for id_, key in DATA_KEYS.items():
            connection.execute(
                "INSERT INTO data_keys VALUES (?, ?, ?)", (id_, "2026-11-25/root", encrypt_cfb(key, OLD.encode()))
            )
        connection.execute("INSERT INTO secret_data_key VALUES ('m', ?)", (encrypt_gcm(b"managed", OLD.encode()),))
        raw = base64.b64encode(stored("a1", PASSWORD)).decode().rstrip("=")
        connection.execute("INSERT INTO secrets (value) VALUES (?)", (raw,))
        raw = base64.b64encode(stored("b2", PEM)).decode().rstrip("=")
        connection.execute("INSERT INTO signing_key (private_key) VALUES (?)", (raw,))
        held = json.dumps({"password": base64.b64encode(stored("a1", "abc")).decode()})
        connection.execute("INSERT INTO data_source (secure_json_data) VALUES (?)", (held,))
    return path


def opened(database: Path, secret: str) -> dict[str, bytes]:
    with closing(sqlite3.connect(database)) as connection:
        return {
            id_: decrypt_cfb(key, secret.encode())
            for id_, key in connection.execute("SELECT name, encrypted_data FROM data_keys")
        }


def managed(database: Path, secret: str) -> bytes:
    with closing(sqlite3.connect(database)) as connection:
        ((key,),) = connection.execute("SELECT encrypted_data FROM secret_data_key")
    return decrypt_gcm(key, secret.encode())


def test_what_grafana_sealed_opens() -> None:
    assert decrypt_cfb(GRAFANAS_CFB, b"1234") == b"grafana"
    assert decrypt_gcm(GRAFANAS_GCM, b"1234") == b"grafana"


def test_another_key_opens_the_same_data_keys(database: Path) -> None:
    assert rewrap(database, new=NEW, former=[OLD]) == 4
    assert opened(database, NEW) == DATA_KEYS
    assert opened(database, OLD) != DATA_KEYS
    assert managed(database, NEW) == b"managed"


def test_what_was_done_is_not_done_again(database: Path) -> None:
    assert rewrap(database, new=NEW, former=[OLD]) == 4
    before = database.read_bytes()
    assert rewrap(database, new=NEW, former=[OLD]) == 0
    assert database.read_bytes() == before


def test_it_finds_out_which_of_the_known_keys_it_was(database: Path) -> None:
    assert rewrap(database, new=NEW, former=[WRONG, OLD]) == 4
    assert opened(database, NEW) == DATA_KEYS


@pytest.mark.parametrize("known", [[], [WRONG]])
def test_an_unknown_key_changes_nothing(database: Path, known: Sequence[str]) -> None:
    with pytest.raises(UnknownKeyError, match=r"none of . known secret keys decrypts the 3 data keys"):
        rewrap(database, new=NEW, former=known)
    assert opened(database, OLD) == DATA_KEYS
    assert managed(database, OLD) == b"managed"


def test_one_secret_that_is_no_text_does_not_mislead(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        noise = b"#YTE#" + encrypt_cfb(bytes(range(128, 160)), DATA_KEYS["a1"])
        connection.execute("INSERT INTO secrets (value) VALUES (?)", (base64.b64encode(noise).decode(),))
    assert rewrap(database, new=NEW, former=[WRONG, OLD]) == 4
    assert opened(database, NEW) == DATA_KEYS


def test_an_empty_database_needs_nothing(tmp_path: Path) -> None:
    assert rewrap(tmp_path / "new.db", new=NEW, former=[]) == 0


def test_what_waits_in_the_write_ahead_log_is_taken_along(database: Path) -> None:
    """A Grafana that was killed leaves its last changes beside the database."""
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA wal_autocheckpoint=0")
    connection.execute("INSERT INTO data_keys VALUES ('late', '', ?)", (encrypt_cfb(b"k" * 16, OLD.encode()),))
    connection.commit()
    copy = database.with_name("copy.db")
    for suffix in ("", "-wal", "-shm"):
        Path(f"{copy}{suffix}").write_bytes(Path(f"{database}{suffix}").read_bytes())
    connection.close()
    assert rewrap(copy, new=NEW, former=[OLD]) == 5
    assert not copy.with_name("copy.db-wal").exists()
    assert opened(copy, NEW)["late"] == b"k" * 16
