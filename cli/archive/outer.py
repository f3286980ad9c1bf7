"""Reads the outer tar of an archive, strictly: every header is compared with the one that is written here.

tarfile accepts much that no backup has. Checksums and signature are compared here, before anything is decrypted.
"""

from __future__ import annotations

import hmac
import json
import os
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from cli import archive_key
from cli.archive import layout
from cli.archive.layout import BLOCK, CONTENT_MEMBERS, FORMAT, SMALL, VERSION, damaged
from cli.archive.manifest import Json
from cli.archive.streams import digest
from cli.errors import UsageError, UserError
from observability.settings.errors import shown


def head(path: Path, file: IO[bytes]) -> tuple[Json, bytes, int, int]:
    """Return format.json, key.age, and the content's position and size.

    Raises:
        UserError: the file is damaged, or no archive of this program.

    """
    document: Json | None = None
    key = b""
    for name, start, size in plain_members(file, path):
        file.seek(start)
        if document is None:
            if name != layout.FORMAT_MEMBER or size > SMALL:
                break
            try:
                document = json.loads(file.read(size))
            except (ValueError, RecursionError):
                break
            if not isinstance(document, dict) or document.get("format") != FORMAT:
                document = None
                break
            if document.get("version") != VERSION:
                msg = (
                    f"{path.name} is of version {document.get('version')} of the archive's format, this program reads"
                    f" {VERSION}: restore it with the program that wrote it. Nothing was touched."
                )
                raise UserError(msg)
        elif name == layout.KEY_MEMBER and size <= SMALL:
            key = file.read(size)
        elif name == CONTENT_MEMBERS.get(str(document.get("encryption"))):
            return document, key, start, size
    if document is None:
        msg = f"{path.name} is no archive of `make backup`. Nothing was touched."
        raise UsageError(msg)
    raise UserError(damaged(path, "its content is missing"))


def plain_members(file: IO[bytes], path: Path) -> Iterator[tuple[str, int, int]]:
    """Yield name, position and size of the plain members; raise UserError for anything that is not written here."""
    file.seek(0, os.SEEK_END)
    end, position, first = file.tell(), 0, True
    while True:
        file.seek(position)
        block = file.read(BLOCK)
        if not any(block) and not first:
            rest = end - position
            if rest != 2 * BLOCK or any(file.read()):
                raise UserError(damaged(path, "its end is not where it should be"))
            return
        try:
            info = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
        except (tarfile.HeaderError, UnicodeDecodeError):
            if first:
                msg = f"{path.name} is no archive of `make backup`. Nothing was touched."
                raise UsageError(msg) from None
            raise UserError(damaged(path, f"unreadable at byte {position}")) from None
        if block != layout.header(info.name, info.size):
            raise UserError(damaged(path, f"the header of {info.name} is not as it was written"))
        start = position + BLOCK
        position = start + -(-info.size // BLOCK) * BLOCK
        if info.size < 0 or position > end or not info.isfile():
            raise UserError(damaged(path, f"{info.name} ends too early"))
        file.seek(start + info.size)
        if any(file.read(position - start - info.size)):
            raise UserError(damaged(path, f"there is something behind {info.name}"))
        first = False
        yield info.name, start, info.size


def checksums(path: Path) -> dict[str, str]:
    """Return the checksum of each plain member by its name; raise UserError if there are none."""
    with path.open("rb") as file:
        head(path, file)
        for name, start, size in list(plain_members(file, path)):
            if name == layout.SUMS_MEMBER and size <= SMALL:
                file.seek(start)
                lines = file.read(size).decode(errors="replace").splitlines()
                return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    raise UserError(damaged(path, "its checksums are missing"))


def require_checksums(path: Path, sums: Mapping[str, str]) -> None:
    """Raise UserError if a plain member does not have its checksum."""
    with path.open("rb") as file:
        for name, start, size in plain_members(file, path):
            file.seek(start)
            if name != layout.SUMS_MEMBER and digest(file, size) != sums.get(name):
                raise UserError(damaged(path, f"{shown(name)} does not have its checksum"))


def unauthenticated(path: Path, sums: Mapping[str, str], key: bytes | None) -> str:
    """Return why the author of an archive is unknown, "" if it was signed with `key`.

    The checksums were compared with the members before, so the signature of the checksums covers the whole archive.

    Raises:
        UserError: the signature is wrong, or cannot be read.

    """
    document: Any = None
    with path.open("rb") as file:
        for name, start, size in list(plain_members(file, path)):
            if name == layout.SIGNATURE_MEMBER and size <= SMALL:
                file.seek(start)
                try:
                    document = json.loads(file.read(size))
                except (ValueError, RecursionError):
                    raise UserError(damaged(path, "its signature cannot be read")) from None
    if document is None:
        return "is not signed"
    if not isinstance(document, dict) or document.get("algorithm") != "HMAC-SHA256":
        return "is signed in an unknown way"
    if key is None or document.get("key") != archive_key.name(key):
        return "is signed with another key than the one here" if key else "is signed, and there is no key here"
    expected = layout.signed(key, {name: digest for name, digest in sums.items() if name != layout.SIGNATURE_MEMBER})
    if not hmac.compare_digest(str(document.get("signature")).encode(), expected["signature"].encode()):
        raise UserError(damaged(path, "it was changed after it was signed"))
    return ""
