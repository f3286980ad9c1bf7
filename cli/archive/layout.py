"""The names of an archive's members, and the blocks of its outer tar."""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Final

from cli import archive_key
from cli.archive.manifest import Json

FORMAT: Final = "observability-backup"
VERSION: Final = 1
DATA: Final = "data"
STATE: Final = "pulumi/state.json"
PASSPHRASE: Final = "pulumi/passphrase"  # noqa: S105 - where it is
MANIFEST: Final = "manifest.json"

FORMAT_MEMBER, KEY_MEMBER, SIGNATURE_MEMBER, SUMS_MEMBER = "format.json", "key.age", "signature.json", "SHA256SUMS"
CONTENT_MEMBERS: Final = {"none": "content.tar.zst", "age": "content.tar.zst.age", "passphrase": "content.tar.zst.age"}
"""The member with the content, by the kind of encryption."""
SMALL: Final = 1024 * 1024
"""Largest size of a plain member other than the content."""
CHUNK: Final = 1024 * 1024
BLOCK: Final = tarfile.BLOCKSIZE


def header(name: str, size: int) -> bytes:
    """Return the block before a member of `size` bytes."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    return info.tobuf(tarfile.GNU_FORMAT)  # one block, whatever the size


def write_small(file: IO[bytes], name: str, data: bytes) -> str:
    """Write a member, and return its SHA-256."""
    file.write(header(name, len(data)) + data)
    pad(file, len(data))
    return hashlib.sha256(data).hexdigest()


def pad(file: IO[bytes], size: int) -> None:
    """Fill the last block of a member of `size` bytes."""
    file.write(b"\0" * (-size % BLOCK))


def checksum_lines(sums: Mapping[str, str]) -> bytes:
    """Return checksums by member in the format of `sha256sum`."""
    return "".join(f"{digest}  {member}\n" for member, digest in sums.items()).encode()


def signed(key: bytes, sums: Mapping[str, str]) -> Json:
    """Return the document with the signature of the checksums."""
    return {
        "algorithm": "HMAC-SHA256",
        "key": archive_key.name(key),
        "signature": archive_key.signature(key, checksum_lines(sums)),
    }


def damaged(path: Path, how: str) -> str:
    """Return the message about a damaged archive."""
    return f"{path.name} is damaged: {how}. Nothing was touched."
