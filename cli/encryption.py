"""Encryption on request, by age (https://age-encryption.org): to recipients' public keys, or by a passphrase.

Keys and passphrases come in files, never in arguments. A passphrase protects a key made for one archive, because age
encrypts a stream to a key only; that key, so protected, lies in the archive as `key.age`.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

import pyrage

from cli.errors import UsageError, UserError, WrongPassphraseError

MINIMUM_PASSPHRASE: Final = 12
_TRIES: Final = 60
_PAUSE_SECONDS: Final = 1.0
_REFUSED: Final = "Excessive work"
_PUBLIC: Final = ("age1", "ssh-ed25519 ", "ssh-rsa ")
_PRIVATE: Final = ("AGE-SECRET-KEY-", "-----BEGIN OPENSSH PRIVATE KEY-----")


@dataclass(frozen=True)
class Encryption:
    """The recipients of an archive; `key` is the `key.age` of one with a passphrase, empty otherwise."""

    recipients: Sequence[Any]
    key: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class Decryption:
    """What decrypts an archive: identities, or a passphrase for its `key.age`."""

    identities: Sequence[Any] = field(default=(), repr=False)
    passphrase: str = field(default="", repr=False)

    def identities_for(self, key: bytes) -> Sequence[Any]:
        """Return the identities for an archive with this `key.age`; WrongPassphraseError when there are none."""
        if not key:
            if not self.identities:
                msg = "the archive is encrypted to a key: DECRYPT=<file of that key>; this file holds a passphrase"
                raise WrongPassphraseError(msg)
            return self.identities
        if not self.passphrase:
            msg = "the archive is encrypted with a passphrase: DECRYPT=<file of that passphrase>; this file holds a key"
            raise WrongPassphraseError(msg)
        return [pyrage.x25519.Identity.from_str(_decrypt_key(key, self.passphrase).decode())]


def parse_encrypt(given: str) -> Encryption | None:
    """Return what ENCRYPT names, None where it is empty: a public key, a file of them, or a file with a passphrase."""
    if not given:
        return None
    text = given if given.startswith(_PUBLIC) else _read("ENCRYPT", given)
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if any(line.startswith(_PUBLIC) for line in lines):
        return Encryption([_recipient(line) for line in lines])
    if any(line.startswith(_PRIVATE) for line in lines):
        msg = f"ENCRYPT={given}: holds a private key; accepted: public keys (age1…, ssh-ed25519 …), or a passphrase"
        raise UsageError(msg)
    own = pyrage.x25519.Identity.generate()
    return Encryption(
        [own.to_public()], pyrage.passphrase.encrypt(str(own).encode(), _passphrase("ENCRYPT", given, lines))
    )


def parse_decrypt(given: str) -> Decryption | None:
    """Return what DECRYPT names: a file of private keys or of a passphrase; None where it is empty."""
    if not given:
        return None
    text = _read("DECRYPT", given)
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    try:
        if lines and lines[0].startswith(_PRIVATE[1]):
            return Decryption([pyrage.ssh.Identity.from_buffer(text.encode())])
        if any(line.startswith(_PRIVATE[0]) for line in lines):
            return Decryption([pyrage.x25519.Identity.from_str(line) for line in lines])
    except pyrage.IdentityError:
        msg = f"DECRYPT={given}: holds no private key of age or ssh that can be read"
        raise UsageError(msg) from None
    return Decryption(passphrase=_passphrase("DECRYPT", given, lines))


@contextmanager
def encrypting(sink: IO[bytes], recipients: Sequence[Any]) -> Iterator[IO[bytes]]:
    """Yield a file whose content reaches `sink` encrypted."""
    with _piped(lambda source: pyrage.encrypt_io(source, sink, recipients), "r") as writer:
        yield writer


@contextmanager
def decrypting(source: IO[bytes], identities: Sequence[Any]) -> Iterator[IO[bytes]]:
    """Yield a file that reads `source` decrypted; WrongPassphraseError for another key or a damaged source."""
    with _piped(lambda sink: pyrage.decrypt_io(source, sink, identities), "w") as reader:
        yield reader


@contextmanager
def _piped(work: Callable[[IO[bytes]], None], mode: str) -> Iterator[IO[bytes]]:
    """Run `work` in a thread on the far end of a pipe (which it reads or writes), and yield the near end."""
    reading, writing = os.pipe()
    near, far = (writing, reading) if mode == "r" else (reading, writing)
    failed: list[BaseException] = []

    def run() -> None:
        try:
            with os.fdopen(far, mode + "b") as end:
                work(end)
        except (pyrage.DecryptError, pyrage.EncryptError, OSError) as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    broken: BaseException | None = None
    try:
        with os.fdopen(near, "wb" if mode == "r" else "rb") as end:
            yield end
    except BaseException as error:
        broken = error
        raise
    finally:
        thread.join()
        failure = next((e for e in failed if not isinstance(e, BrokenPipeError)), None)
        if failure is not None and not isinstance(broken, KeyboardInterrupt):
            msg = f"the archive cannot be decrypted: another key, or damaged ({failure}). Nothing was touched."
            if mode == "w":
                raise WrongPassphraseError(msg) from None
            raise UserError(f"the archive could not be encrypted: {failure}") from None


def _decrypt_key(key: bytes, passphrase: str) -> bytes:
    """Decrypt a `key.age`; WrongPassphraseError for another passphrase.

    age makes the passphrase as hard to try as this machine is fast, and refuses what takes 16 times as long as it
    expects: on a machine that was quiet then and is busy now, the right one too. So it is tried again.
    """
    for _ in range(_TRIES):
        try:
            decrypted: bytes = pyrage.passphrase.decrypt(key, passphrase)
        except pyrage.DecryptError as error:
            if _REFUSED not in str(error):
                msg = "the passphrase does not open the archive. Nothing was touched."
                raise WrongPassphraseError(msg) from None
        else:
            return decrypted
        time.sleep(_PAUSE_SECONDS)
    msg = (
        "the passphrase was not tried: this machine is too busy, or too slow, for the work that this passphrase needs."
        " Try again when it is quiet. Nothing was touched."
    )
    raise UserError(msg)


def _recipient(line: str) -> Any:  # noqa: ANN401 - one of age's kinds
    try:
        if line.startswith("ssh-"):
            return pyrage.ssh.Recipient.from_str(line)
        return pyrage.x25519.Recipient.from_str(line)
    except pyrage.RecipientError:
        msg = f"ENCRYPT: {line[:24]}… is no public key; accepted: age1…, ssh-ed25519 …, ssh-rsa …"
        raise UsageError(msg) from None


def _passphrase(setting: str, given: str, lines: list[str]) -> str:
    if len(lines) != 1 or len(lines[0]) < MINIMUM_PASSPHRASE:
        msg = (
            f"{setting}={given}: accepted: a file with age or ssh keys, or with one line, a passphrase of"
            f" {MINIMUM_PASSPHRASE} characters or more"
        )
        raise UsageError(msg)
    return lines[0]


def _read(setting: str, given: str) -> str:
    try:
        return Path(given).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{setting}={given}: cannot be read ({error}); accepted: a file with keys or a passphrase"
        raise UsageError(msg) from None
