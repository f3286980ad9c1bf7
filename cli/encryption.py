"""Optional encryption of archives with age (https://age-encryption.org): to public keys, or with a passphrase.

Keys and passphrases are read from files, never from arguments. age encrypts streams to keys only. So with a passphrase,
each archive gets a key of its own, which is encrypted with the passphrase and stored in the archive as `key.age`.
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
from observability.failures import reason

MINIMUM_PASSPHRASE: Final = 12
_TRIES: Final = 60
_PAUSE_SECONDS: Final = 1.0
_REFUSED: Final = "Excessive work"
_PUBLIC: Final = ("age1", "ssh-ed25519 ", "ssh-rsa ")
_PRIVATE: Final = ("AGE-SECRET-KEY-", "-----BEGIN OPENSSH PRIVATE KEY-----")


@dataclass(frozen=True)
class Recipients:
    """The recipients of an archive; `key` is its `key.age` with a passphrase, empty otherwise."""

    keys: Sequence[Any]
    key: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class Identities:
    """Private keys, or the passphrase of an archive's `key.age`."""

    keys: Sequence[Any] = field(default=(), repr=False)
    passphrase: str = field(default="", repr=False)

    def unlock(self, key: bytes) -> Sequence[Any]:
        """Return the private keys for an archive with this `key.age`; raise UserError for a wrong passphrase."""
        if not key:
            if not self.keys:
                msg = "the archive is encrypted to a key: DECRYPT=<file of that key>; this file holds a passphrase"
                raise WrongPassphraseError(msg)
            return self.keys
        if not self.passphrase:
            msg = "the archive is encrypted with a passphrase: DECRYPT=<file of that passphrase>; this file holds a key"
            raise WrongPassphraseError(msg)
        return [pyrage.x25519.Identity.from_str(_decrypted(key, self.passphrase).decode())]


def recipients(setting: str) -> Recipients | None:
    """Return the recipients that ENCRYPT names, None if it is empty.

    Args:
        setting: A public key, a file of public keys, or a file with a passphrase.
    """
    if not setting:
        return None
    text = setting if setting.startswith(_PUBLIC) else _read("ENCRYPT", setting)
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if any(line.startswith(_PUBLIC) for line in lines):
        return Recipients([_recipient(line) for line in lines])
    if any(line.startswith(_PRIVATE) for line in lines):
        msg = f"ENCRYPT={setting}: holds a private key; accepted: public keys (age1…, ssh-ed25519 …), or a passphrase"
        raise UsageError(msg)
    own = pyrage.x25519.Identity.generate()
    key = pyrage.passphrase.encrypt(str(own).encode(), _passphrase("ENCRYPT", setting, lines))
    return Recipients([own.to_public()], key)


def identities(setting: str) -> Identities | None:
    """Return the private keys or the passphrase in the file that DECRYPT names, None if it is empty."""
    if not setting:
        return None
    text = _read("DECRYPT", setting)
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    try:
        if lines and lines[0].startswith(_PRIVATE[1]):
            return Identities([pyrage.ssh.Identity.from_buffer(text.encode())])
        if any(line.startswith(_PRIVATE[0]) for line in lines):
            return Identities([pyrage.x25519.Identity.from_str(line) for line in lines])
    except pyrage.IdentityError:
        msg = f"DECRYPT={setting}: holds no private key of age or ssh that can be read"
        raise UsageError(msg) from None
    return Identities(passphrase=_passphrase("DECRYPT", setting, lines))


@contextmanager
def encrypting(sink: IO[bytes], keys: Sequence[Any]) -> Iterator[IO[bytes]]:
    """Yield a file whose content reaches `sink` encrypted."""
    with _beside(lambda source: pyrage.encrypt_io(source, sink, keys), "r") as writer:
        yield writer


@contextmanager
def decrypting(source: IO[bytes], keys: Sequence[Any]) -> Iterator[IO[bytes]]:
    """Yield a file that reads what `source` holds, decrypted; UserError for another key or a damaged source."""
    with _beside(lambda sink: pyrage.decrypt_io(source, sink, keys), "w") as reader:
        yield reader


@contextmanager
def _beside(work: Callable[[IO[bytes]], None], mode: str) -> Iterator[IO[bytes]]:
    """Run `work` in a thread on one end of a pipe, and yield the other end."""
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
            raise UserError(msg if mode == "w" else f"the archive could not be encrypted: {failure}") from None


def _decrypted(key: bytes, passphrase: str) -> bytes:
    """Decrypt a `key.age`; raise UserError for a wrong passphrase.

    age adapts the cost of a passphrase to the machine's speed, and refuses one that takes 16 times as long as it
    expects. If the machine is much busier now, it refuses the right passphrase too, so it is tried again.
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
        "the passphrase was not tried: this machine is too busy, or too slow, for the work that the archive's asks for."
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


def _passphrase(setting: str, value: str, lines: list[str]) -> str:
    if len(lines) != 1 or len(lines[0]) < MINIMUM_PASSPHRASE:
        msg = (
            f"{setting}={value}: accepted: a file with age or ssh keys, or with one line, a passphrase of"
            f" {MINIMUM_PASSPHRASE} characters or more"
        )
        raise UsageError(msg)
    return lines[0]


def _read(setting: str, value: str) -> str:
    try:
        return Path(value).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{setting}={value}: cannot be read ({reason(error)}); accepted: a file with keys or a passphrase"
        raise UsageError(msg) from None
