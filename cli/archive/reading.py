"""Reads and verifies an archive."""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import zstandard
from pydantic import TypeAdapter, ValidationError

from cli import encryption
from cli.archive import members, outer
from cli.archive.layout import CHUNK, DATA, MANIFEST, PASSPHRASE, SMALL, STATE, damaged
from cli.archive.manifest import Json, Manifest, Member
from cli.archive.streams import Budget, Hashed, Part, drain
from cli.errors import UserError, WrongPassphraseError
from observability.settings.errors import shown

_WINDOW: Final = 8 * 1024 * 1024
"""Most memory for decompression: four times what the writer needs."""
_HEADERS: Final = 3 * CHUNK
"""Bytes between two members' contents: a header and a long name, with what tarfile reads ahead."""
_TEXT_LIMITS: Final = {STATE: 64 * 1024 * 1024, PASSPHRASE: 4_096, MANIFEST: 256 * 1024 * 1024}
"""Most bytes of each text in the content, which is read into memory; for others `SMALL`."""
_AHEAD: Final = re.compile(r"data/jaeger/(values/\d+\.vlog|keys/\d+\.mem)")
_AHEAD_LIMIT: Final = 4 * 1024 * 1024 * 1024
"""Size to which Badger preallocates these files; an archive leaves out the zeros at their end."""

Visit = Callable[[tarfile.TarInfo, IO[bytes] | None], None]


def verify(
    path: Path, identities: encryption.Identities | None, key: bytes | None, *, accept_unsigned: bool = False
) -> tuple[Manifest, dict[str, str]]:
    """Read and check the whole archive.

    Args:
        path: path of the archive.
        identities: private keys or passphrase.
        key: key that has to have signed it; None if this machine has none.
        accept_unsigned: whether to accept an archive without a signature, or with one of an unknown key.

    Returns:
        The manifest, and Pulumi's texts by their names.

    Raises:
        UserError: a byte differs from what a holder of `key` wrote.

    """
    sums = outer.checksums(path)
    outer.require_checksums(path, sums)
    doubt = outer.unauthenticated(path, sums, key)
    if doubt and not accept_unsigned:
        msg = (
            f"{path.name} {doubt}: its author is unknown, and what is restored decides who administers the"
            " stack. ARCHIVE_KEY=<file> names the key that signed it (.state/archive-key where it was made)."
            " ACCEPT_UNSIGNED=yes restores it all the same, for an archive that you know nobody else could write."
            " Nothing was touched."
        )
        raise UserError(msg)
    actual, text = _members(path, identities, Limits.of(path) if doubt else None)
    if MANIFEST not in text or STATE not in text:
        raise UserError(damaged(path, "its manifest or its state is missing"))
    manifest = _manifest(path, text.pop(MANIFEST))
    wrong = [
        name
        for name in {*actual, *manifest.members}
        if name not in actual or name not in manifest.members or not _matches(actual[name], manifest.members[name])
    ]
    if wrong:
        raise UserError(damaged(path, f"{shown(min(wrong))} is not as its manifest says"))
    try:
        return manifest, {name: data.decode() for name, data in text.items()}
    except UnicodeDecodeError as error:
        raise UserError(damaged(path, str(error))) from None


def _members(
    path: Path, identities: encryption.Identities | None, limits: Limits | None
) -> tuple[dict[str, Member], dict[str, bytes]]:
    """Return the files in an archive's content by name, and the bytes of those outside of the data."""
    members: dict[str, Member] = {}
    text: dict[str, bytes] = {}

    def visit(info: tarfile.TarInfo, content: IO[bytes] | None) -> None:
        if content is None:
            return
        counted = Hashed(content)
        if info.name.startswith(f"{DATA}/"):
            drain(counted)
        elif info.size > _TEXT_LIMITS.get(info.name, SMALL):
            raise UserError(
                damaged(path, f"{shown(info.name)} has {info.size:,} bytes, more than such a file ever has")
            )
        else:
            text[info.name] = counted.read()
        if info.name != MANIFEST:
            members[info.name] = Member(info.name, info.size, counted.sha256.hexdigest(), info.size)

    read(path, identities, visit, limits)
    return members, text


@dataclass
class Limits:
    """Limits of the decompressed content of an unsigned archive.

    Backups compress to a tenth, rarely to a fiftieth. An archive beyond these limits was made to fill a disk.
    """

    size: int
    members: int

    @classmethod
    def of(cls, path: Path) -> Limits:
        """Return the limits for an archive of this size."""
        packed = path.stat().st_size
        return cls(size=512 * 1024 * 1024 + 200 * packed, members=10_000 + packed // 16)

    def take(self, path: Path, info: tarfile.TarInfo) -> None:
        """Count a member; raise UserError beyond the limits."""
        self.size -= info.size
        self.members -= 1
        if self.size < 0 or self.members < 0:
            raise UserError(damaged(path, f"it unpacks to more than {path.stat().st_size:,} bytes of a backup hold"))


def read(path: Path, identities: encryption.Identities | None, visit: Visit, limits: Limits | None = None) -> None:
    """Call `visit` with each member of the content, in order; raise UserError for a member that is not allowed."""
    with path.open("rb") as file, ExitStack() as stacked:
        head, key, start, size = outer.head(path, file)
        source: IO[bytes] = Part(file, start, size)  # type: ignore[assignment]
        if head["encryption"] != "none":
            if identities is None:
                msg = f"{path.name} is encrypted: DECRYPT=<file of its key or passphrase>"
                raise WrongPassphraseError(msg)
            source = stacked.enter_context(encryption.decrypting(source, identities.unlock(key)))
        seen: set[str] = set()
        try:
            decompressor = zstandard.ZstdDecompressor(max_window_size=_WINDOW)
            unpacked = Budget(decompressor.stream_reader(source, read_size=CHUNK, closefd=False), path)
            unpacked.left = _HEADERS
            with tarfile.open(fileobj=unpacked, mode="r|", bufsize=CHUNK) as tar:  # type: ignore[call-overload]
                while info := tar.next():
                    problem = "a second one" if info.name in seen else members.problem(info)
                    if problem:
                        raise UserError(damaged(path, f"{shown(info.name)} does not belong there ({problem})"))
                    if limits is not None:
                        limits.take(path, info)
                    seen.add(info.name)
                    tar.members = []  # otherwise it keeps all members in memory
                    content = tar.extractfile(info) if info.isfile() else None
                    unpacked.left = info.size + _HEADERS
                    visit(info, content)
                    if content is not None:
                        drain(content)
                    unpacked.left = _HEADERS
            drain(unpacked)  # to the end, because the checksums of encryption and compression come last
            drain(source)
        except (tarfile.TarError, zstandard.ZstdError, EOFError, OSError, ValueError) as error:
            raise UserError(damaged(path, str(error))) from None


def require_equal(path: Path, member: Member | None, info: tarfile.TarInfo, content: IO[bytes]) -> IO[bytes]:
    """Return `content`, which raises UserError at its end if it differs from the manifest.

    An archive is read twice, to verify it and to restore it, and its file may change in between.
    """
    if member is None or info.size != member.stored:
        raise UserError(damaged(path, f"{shown(info.name)} changed while it was read"))
    return _Expected(content, member, path)  # type: ignore[return-value]


def _manifest(path: Path, text: bytes) -> Manifest:
    try:
        document: Json = json.loads(text)
        members = {member["name"]: member for member in document.pop("members")}
        manifest = TypeAdapter(Manifest).validate_python(document | {"members": members})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UserError(damaged(path, f"its manifest is not one: {shown(where[:100])}: {first['msg']}")) from None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise UserError(damaged(path, "its manifest cannot be read")) from None
    return manifest


def _matches(actual: Member, expected: Member) -> bool:
    """Return whether a member is as in the manifest, and not larger in the volume than such a file can be."""
    most = _AHEAD_LIMIT if _AHEAD.fullmatch(actual.name) else actual.stored
    return (
        (actual.stored, actual.sha256) == (expected.stored, expected.sha256)
        and actual.name == expected.name
        and actual.stored <= expected.size <= max(most, actual.stored)
    )


class _Expected(Hashed):
    """A file that has to be as in the manifest; its last byte is only returned after the check."""

    def __init__(self, file: IO[bytes], member: Member, path: Path) -> None:
        super().__init__(file)
        self._member, self._path = member, path

    def read(self, size: int = -1) -> bytes:
        data = super().read(size)
        if self.count >= self._member.stored and self.sha256.hexdigest() != self._member.sha256:
            raise UserError(damaged(self._path, f"{shown(self._member.name)} changed while it was read"))
        return data
