"""The archive that `make backup` writes and `make restore` reads: one file, whole or not there.

```
observability-dev-20261125T031500Z.tar
├── format.json           what this is: format, its version, stack, moment, encryption
├── key.age               where a passphrase encrypts: the key, encrypted by it
├── content.tar.zst[.age] ── pulumi/state.json        as Pulumi exports it, secrets encrypted
│                            pulumi/Pulumi.<stack>.yaml
│                            pulumi/passphrase        of the state's secrets; only inside an encrypted archive
│                            data/<service>/…         the files of that service's volume, with owner and mode
│                            manifest.json            images, counts, size and SHA-256 of everything above
├── signature.json        HMAC-SHA256 of the checksums of the members above (cli/archive_key.py)
└── SHA256SUMS            of the members above
```

The parts have common formats: `tar`, `age -d`, `zstd -d` and `sha256sum -c` read them without this program.

An archive is untrusted input. Checksums and signature are compared before anything is decrypted or unpacked. What is
unpacked is bounded, and each member is checked for name, kind, mode, owner and size.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import os
import re
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import IO, Annotated, Any, Final

import zstandard
from pydantic import Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from cli import archive_key, encryption
from cli.errors import UsageError, UserError, WrongPassphraseError
from observability import topology
from observability.settings.errors import shown

FORMAT: Final = "observability-backup"
VERSION: Final = 1
DATA: Final = "data"
STATE: Final = "pulumi/state.json"
PASSPHRASE: Final = "pulumi/passphrase"  # noqa: S105 - where it is
MANIFEST: Final = "manifest.json"

_FORMAT, _KEY, _SIGNATURE, _SUMS = "format.json", "key.age", "signature.json", "SHA256SUMS"
_CONTENT: Final = {"none": "content.tar.zst", "age": "content.tar.zst.age", "passphrase": "content.tar.zst.age"}
_SMALL: Final = 1024 * 1024
"""No plain member but the content is larger."""
_CHUNK: Final = 1024 * 1024
_LEVEL: Final = 3
_WINDOW: Final = 8 * 1024 * 1024
"""Memory that unpacking may take: four times what packing at `_LEVEL` needs."""
_BLOCK: Final = tarfile.BLOCKSIZE
_HEADERS: Final = 3 * _CHUNK
"""Bytes between two members' contents: a header and a long name, with what tarfile reads ahead."""
_TEXT_LIMITS: Final = {STATE: 64 * 1024 * 1024, PASSPHRASE: 4_096, MANIFEST: 256 * 1024 * 1024}
"""Bytes of each text in the content, which is read into memory; of others `_SMALL`."""
_AHEAD: Final = re.compile(r"data/jaeger/(values/\d+\.vlog|keys/\d+\.mem)")
_AHEAD_LIMIT: Final = 4 * 1024 * 1024 * 1024
"""Files that Badger makes larger than their content; an archive leaves out the zeros at their end."""
_RESERVED: Final = ".before-restore"
"""Where a restore keeps what a volume held (cli/volumes.py): no archive may write there."""
OWNERS: Final = {part.name: int(part.user.partition(":")[0]) for part in topology.WITH_DATA}
"""The services with data, and the user that each runs as."""

Json = dict[str, Any]


@dataclass(frozen=True)
class Member:
    """A file in the content: its bytes there (`stored`), their SHA-256, and its size once zeros at its end are back.

    One that was gone from the volume when everything stood still is in the archive, but not `kept`.
    """

    name: str
    stored: int
    sha256: str
    size: int
    kept: bool = True


class Count(TypedDict):
    """One line of cli/inventory.py's: how much of `what` a store holds, by time."""

    store: str
    what: str
    low: dict[str, int]
    high: dict[str, int]


Plain = Annotated[str, Field(pattern=r"^[\x20-\x7e]{1,300}$")]
"""Text that a terminal shows as it is."""


@dataclass(frozen=True)
class Manifest:
    """What an archive holds, and the inventory of its stores."""

    stack: Plain
    created: Plain
    images: Mapping[Plain, Plain]
    paused_seconds: float
    at: int
    counts: list[Count]
    members: Mapping[str, Member] = field(repr=False)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(m.stored for m in self.members.values())


class Writer:
    """Takes files one by one; everything else is done by `writing`."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        self.members: dict[str, Member] = {}

    def add(self, info: tarfile.TarInfo, content: IO[bytes] | None = None, *, size: int | None = None) -> None:
        """Write a file or folder; `size` is the file's own where zeros at its end were left out."""
        info.mode &= 0o1777 if info.isdir() else 0o777
        problem = _problem(info)
        if problem or info.name in self.members:
            msg = f"{shown(info.name)} cannot go into an archive ({problem or 'a second one'}): nothing was written"
            raise UserError(msg)
        counted = _Hashed(content or io.BytesIO())
        self._tar.addfile(info, counted if info.isfile() else None)
        if info.isfile():
            self.members[info.name] = Member(info.name, info.size, counted.sha256.hexdigest(), size or info.size)

    def drop(self, name: str) -> None:
        """Note that a file that has been written already is none of the backup's."""
        self.members[name] = replace(self.members[name], kept=False)

    def text(self, name: str, text: str) -> None:
        """Write a file of our own, readable by its owner."""
        data = text.encode()
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(data), 0o600
        self.add(info, io.BytesIO(data))


@contextmanager
def writing(
    path: Path, stack: str, created: str, recipients: encryption.Recipients | None, key: bytes
) -> Iterator[Writer]:
    """Write an archive at `path`: under another name until it is whole and on disk, so that a half one is none.

    The caller ends with `finish`; without it, or after any error, nothing stays.

    Args:
        path: The archive.
        stack: The name of the stack.
        created: When, in ISO 8601.
        recipients: Who can decrypt it; None for an archive in plain.
        key: What signs it (cli/archive_key.py).
    """
    partial = path.with_name(f".{path.name}.partial")
    kind = "none" if recipients is None else "passphrase" if recipients.key else "age"
    name = _CONTENT[kind]
    try:
        with _new(partial) as file:
            head = {"format": FORMAT, "version": VERSION, "stack": stack, "created": created, "encryption": kind}
            sums = {_FORMAT: _small(file, _FORMAT, json.dumps(head).encode())}
            if recipients is not None and recipients.key:
                sums[_KEY] = _small(file, _KEY, recipients.key)
            start = file.tell()
            file.write(b"\0" * _BLOCK)  # the header, once the size is known
            out = _Hashed(file)
            with ExitStack() as stacked:
                sink: IO[bytes] = out  # type: ignore[assignment]
                if recipients is not None:
                    sink = stacked.enter_context(encryption.encrypting(sink, recipients.keys))
                packer = zstandard.ZstdCompressor(level=_LEVEL, threads=-1, write_checksum=True)
                packed = stacked.enter_context(packer.stream_writer(sink, closefd=False))
                tar = stacked.enter_context(
                    tarfile.open(fileobj=packed, mode="w|", format=tarfile.GNU_FORMAT, bufsize=_CHUNK)
                )
                yield Writer(tar)
            sums[name] = out.sha256.hexdigest()
            _pad(file, out.count)
            end = file.tell()
            file.seek(start)
            file.write(_header(name, out.count))
            file.seek(end)
            sums[_SIGNATURE] = _small(file, _SIGNATURE, json.dumps(_signed(key, sums)).encode())
            _small(file, _SUMS, _lines(sums))
            file.write(b"\0" * _BLOCK * 2)
            file.flush()
            os.fsync(file.fileno())
        partial.rename(path)
        _sync(path.parent)
    finally:
        partial.unlink(missing_ok=True)


def finish(writer: Writer, **known: Any) -> Manifest:  # noqa: ANN401 - the fields of Manifest
    """Write the manifest, the last of the content."""
    manifest = Manifest(members=dict(writer.members), **known)
    document = asdict(manifest) | {"members": [asdict(m) for m in manifest.members.values()]}
    writer.text(MANIFEST, json.dumps(document, indent=1))
    return manifest


Visit = Callable[[tarfile.TarInfo, IO[bytes] | None], None]


def verify(
    path: Path, identities: encryption.Identities | None, key: bytes | None, *, accept_unsigned: bool = False
) -> tuple[Manifest, dict[str, str]]:
    """Read the whole archive; UserError unless every byte is as it was written by a holder of `key`.

    Args:
        path: The archive.
        identities: What decrypts it.
        key: What signed it; None if there is none here.
        accept_unsigned: Also accept an archive without a signature, or with one by a key that is not here.

    Returns:
        The manifest, and Pulumi's texts by their names.
    """
    sums = _sums(path)
    _require_sums(path, sums)
    doubt = _unauthenticated(path, sums, key)
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
        raise UserError(_damaged(path, "its manifest or its state is missing"))
    manifest = _manifest(path, text.pop(MANIFEST))
    wrong = [
        name
        for name in {*actual, *manifest.members}
        if name not in actual or name not in manifest.members or not _matches(actual[name], manifest.members[name])
    ]
    if wrong:
        raise UserError(_damaged(path, f"{shown(min(wrong))} is not as its manifest says"))
    try:
        return manifest, {name: data.decode() for name, data in text.items()}
    except UnicodeDecodeError as error:
        raise UserError(_damaged(path, str(error))) from None


def _members(
    path: Path, identities: encryption.Identities | None, limits: Limits | None
) -> tuple[dict[str, Member], dict[str, bytes]]:
    """Return the files in an archive's content, and the bytes of those that are not data."""
    members: dict[str, Member] = {}
    text: dict[str, bytes] = {}

    def visit(info: tarfile.TarInfo, content: IO[bytes] | None) -> None:
        if content is None:
            return
        counted = _Hashed(content)
        if info.name.startswith(f"{DATA}/"):
            _drain(counted)
        elif info.size > _TEXT_LIMITS.get(info.name, _SMALL):
            raise UserError(
                _damaged(path, f"{shown(info.name)} has {info.size:,} bytes, more than such a file ever has")
            )
        else:
            text[info.name] = counted.read()
        if info.name != MANIFEST:
            members[info.name] = Member(info.name, info.size, counted.sha256.hexdigest(), info.size)

    read(path, identities, visit, limits)
    return members, text


@dataclass
class Limits:
    """How much an unsigned archive may unpack to.

    Backups pack to a tenth and rarely to a fiftieth. What claims more than these limits is made to fill a disk.
    """

    size: int
    members: int

    @classmethod
    def of(cls, path: Path) -> Limits:
        """Return the limits for an archive of this size."""
        packed = path.stat().st_size
        return cls(size=512 * 1024 * 1024 + 200 * packed, members=10_000 + packed // 16)

    def take(self, path: Path, info: tarfile.TarInfo) -> None:
        """Count a member; UserError when it is one too many or too large."""
        self.size -= info.size
        self.members -= 1
        if self.size < 0 or self.members < 0:
            raise UserError(_damaged(path, f"it unpacks to more than {path.stat().st_size:,} bytes of a backup hold"))


def read(path: Path, identities: encryption.Identities | None, visit: Visit, limits: Limits | None = None) -> None:
    """Call `visit` with each member of the content, in order; UserError for a member that may not be there."""
    with path.open("rb") as file, ExitStack() as stacked:
        head, key, start, size = _head(path, file)
        source: IO[bytes] = _Part(file, start, size)  # type: ignore[assignment]
        if head["encryption"] != "none":
            if identities is None:
                msg = f"{path.name} is encrypted: DECRYPT=<file of its key or passphrase>"
                raise WrongPassphraseError(msg)
            source = stacked.enter_context(encryption.decrypting(source, identities.unlock(key)))
        seen: set[str] = set()
        try:
            decompressor = zstandard.ZstdDecompressor(max_window_size=_WINDOW)
            unpacked = _Budget(decompressor.stream_reader(source, read_size=_CHUNK, closefd=False), path)
            unpacked.left = _HEADERS
            with tarfile.open(fileobj=unpacked, mode="r|", bufsize=_CHUNK) as tar:  # type: ignore[call-overload]
                while info := tar.next():
                    problem = "a second one" if info.name in seen else _problem(info)
                    if problem:
                        raise UserError(_damaged(path, f"{shown(info.name)} does not belong there ({problem})"))
                    if limits is not None:
                        limits.take(path, info)
                    seen.add(info.name)
                    tar.members = []  # or it keeps them all
                    content = tar.extractfile(info) if info.isfile() else None
                    unpacked.left = info.size + _HEADERS
                    visit(info, content)
                    if content is not None:
                        _drain(content)
                    unpacked.left = _HEADERS
            _drain(unpacked)  # to the end of what is encrypted or compressed, whose checksum comes last
            _drain(source)
        except (tarfile.TarError, zstandard.ZstdError, EOFError, OSError, ValueError) as error:
            raise UserError(_damaged(path, str(error))) from None


def require_equal(path: Path, member: Member | None, info: tarfile.TarInfo, content: IO[bytes]) -> IO[bytes]:
    """Return `content`, which raises UserError at its end unless it is what the manifest says.

    An archive is read twice, once to verify it and once to restore it; its file may have changed in between.
    """
    if member is None or info.size != member.stored:
        raise UserError(_damaged(path, f"{shown(info.name)} changed while it was read"))
    return _Expected(content, member, path)  # type: ignore[return-value]


def _head(path: Path, file: IO[bytes]) -> tuple[Json, bytes, int, int]:
    """Return format.json, key.age, and where the content is; UserError for what is no archive of ours."""
    head: Json | None = None
    key = b""
    for name, start, size in _outer(file, path):
        file.seek(start)
        if head is None:
            if name != _FORMAT or size > _SMALL:
                break
            try:
                head = json.loads(file.read(size))
            except (ValueError, RecursionError):
                break
            if not isinstance(head, dict) or head.get("format") != FORMAT:
                head = None
                break
            if head.get("version") != VERSION:
                msg = (
                    f"{path.name} is of version {head.get('version')} of the archive's format, this program reads"
                    f" {VERSION}: restore it with the program that wrote it. Nothing was touched."
                )
                raise UserError(msg)
        elif name == _KEY and size <= _SMALL:
            key = file.read(size)
        elif name == _CONTENT.get(str(head.get("encryption"))):
            return head, key, start, size
    if head is None:
        msg = f"{path.name} is no archive of `make backup`. Nothing was touched."
        raise UsageError(msg)
    raise UserError(_damaged(path, "its content is missing"))


def _outer(file: IO[bytes], path: Path) -> Iterator[tuple[str, int, int]]:
    """Yield the plain members: name, where they start, and their size."""
    file.seek(0, os.SEEK_END)
    end, position, first = file.tell(), 0, True
    while True:
        file.seek(position)
        block = file.read(_BLOCK)
        if not any(block) and not first:
            rest = end - position
            if rest != 2 * _BLOCK or any(file.read()):
                raise UserError(_damaged(path, "its end is not where it should be"))
            return
        try:
            info = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
        except (tarfile.HeaderError, UnicodeDecodeError):
            if first:
                msg = f"{path.name} is no archive of `make backup`. Nothing was touched."
                raise UsageError(msg) from None
            raise UserError(_damaged(path, f"unreadable at byte {position}")) from None
        if block != _header(info.name, info.size):
            raise UserError(_damaged(path, f"the header of {info.name} is not as it was written"))
        start = position + _BLOCK
        position = start + -(-info.size // _BLOCK) * _BLOCK
        if info.size < 0 or position > end or not info.isfile():
            raise UserError(_damaged(path, f"{info.name} ends too early"))
        file.seek(start + info.size)
        if any(file.read(position - start - info.size)):
            raise UserError(_damaged(path, f"there is something behind {info.name}"))
        first = False
        yield info.name, start, info.size


def _sums(path: Path) -> dict[str, str]:
    with path.open("rb") as file:
        _head(path, file)
        for name, start, size in list(_outer(file, path)):
            if name == _SUMS and size <= _SMALL:
                file.seek(start)
                lines = file.read(size).decode(errors="replace").splitlines()
                return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    raise UserError(_damaged(path, "its checksums are missing"))


def _require_sums(path: Path, sums: Mapping[str, str]) -> None:
    with path.open("rb") as file:
        for name, start, size in _outer(file, path):
            file.seek(start)
            if name != _SUMS and _digest(file, size) != sums.get(name):
                raise UserError(_damaged(path, f"{shown(name)} does not have its checksum"))


def _lines(sums: Mapping[str, str]) -> bytes:
    return "".join(f"{digest}  {member}\n" for member, digest in sums.items()).encode()


def _signed(key: bytes, sums: Mapping[str, str]) -> Json:
    return {
        "algorithm": "HMAC-SHA256",
        "key": archive_key.name(key),
        "signature": archive_key.signature(key, _lines(sums)),
    }


def _unauthenticated(path: Path, sums: Mapping[str, str], key: bytes | None) -> str:
    """Return why the writer of an archive is unknown, empty if it was signed with `key`; UserError for a forgery.

    The checksums have been compared with the members already, so that they stand for all of the archive.
    """
    document: Any = None
    with path.open("rb") as file:
        for name, start, size in list(_outer(file, path)):
            if name == _SIGNATURE and size <= _SMALL:
                file.seek(start)
                try:
                    document = json.loads(file.read(size))
                except (ValueError, RecursionError):
                    raise UserError(_damaged(path, "its signature cannot be read")) from None
    if document is None:
        return "is not signed"
    if not isinstance(document, dict) or document.get("algorithm") != "HMAC-SHA256":
        return "is signed in an unknown way"
    if key is None or document.get("key") != archive_key.name(key):
        return "is signed with another key than the one here" if key else "is signed, and there is no key here"
    expected = _signed(key, {name: digest for name, digest in sums.items() if name != _SIGNATURE})
    if not hmac.compare_digest(str(document.get("signature")).encode(), expected["signature"].encode()):
        raise UserError(_damaged(path, "it was changed after it was signed"))
    return ""


def _manifest(path: Path, text: bytes) -> Manifest:
    try:
        document: Json = json.loads(text)
        members = {member["name"]: member for member in document.pop("members")}
        manifest = TypeAdapter(Manifest).validate_python(document | {"members": members})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UserError(_damaged(path, f"its manifest is not one: {shown(where[:100])}: {first['msg']}")) from None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise UserError(_damaged(path, "its manifest cannot be read")) from None
    return manifest


def _matches(actual: Member, expected: Member) -> bool:
    """Tell whether a member is what the manifest says, and not longer in the volume than such a file can be."""
    most = _AHEAD_LIMIT if _AHEAD.fullmatch(actual.name) else actual.stored
    return (
        (actual.stored, actual.sha256) == (expected.stored, expected.sha256)
        and actual.name == expected.name
        and actual.stored <= expected.size <= max(most, actual.stored)
    )


def _problem(info: tarfile.TarInfo) -> str:
    """Return why a member may not be in an archive, empty if it may."""
    parts = PurePosixPath(info.name).parts
    plain = info.name == "/".join(parts) and ".." not in parts and parts[:1] != ("/",) and "\0" not in info.name
    if not plain or not parts:
        return "its path leads elsewhere"
    if info.issparse() or not (info.isreg() or info.isdir()):
        return f"a {_kind(info)}"
    if parts[0] == DATA and len(parts) > 1 and parts[1] in OWNERS:
        return _problem_of_data(info, parts)
    ours = info.name in {MANIFEST, STATE, PASSPHRASE} or re.fullmatch(
        r"pulumi/Pulumi\.[A-Za-z0-9._-]+\.yaml", info.name
    )
    return "" if ours and info.isreg() else f"no {_kind(info)} of a backup"


def _problem_of_data(info: tarfile.TarInfo, parts: Sequence[str]) -> str:
    own = OWNERS[parts[1]]
    if info.isreg() and len(parts) < 3:  # noqa: PLR2004 - data, service, file
        return "a file where a folder belongs"
    if any(part.startswith(_RESERVED) for part in parts):
        return f"{_RESERVED} is where a restore keeps what was there before"
    if info.mode & ~(0o3777 if info.isdir() else 0o777):
        return f"mode {info.mode:o}"
    if info.uid not in {own, 0} or info.gid not in {own, 0}:
        return f"owner {info.uid}:{info.gid}; accepted: {own} or root"
    return "" if info.size >= 0 else "a negative size"


def _kind(info: tarfile.TarInfo) -> str:
    kinds = {"link": info.issym() or info.islnk(), "device": info.isdev(), "folder": info.isdir()}
    return next((kind for kind, is_it in kinds.items() if is_it), "file")


def _damaged(path: Path, how: str) -> str:
    return f"{path.name} is damaged: {how}. Nothing was touched."


class _Hashed:
    """A file whose bytes are counted and digested on their way."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.sha256 = hashlib.sha256()
        self.count = 0

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._seen(data)
        return data

    def write(self, data: bytes) -> int:
        self._file.write(data)
        self._seen(data)
        return len(data)

    def flush(self) -> None:
        self._file.flush()

    def _seen(self, data: bytes) -> None:
        self.sha256.update(data)
        self.count += len(data)


class _Expected(_Hashed):
    """A file that has to be what a manifest says: its last byte is not handed out before that is known."""

    def __init__(self, file: IO[bytes], member: Member, path: Path) -> None:
        super().__init__(file)
        self._member, self._path = member, path

    def read(self, size: int = -1) -> bytes:
        data = super().read(size)
        if self.count >= self._member.stored and self.sha256.hexdigest() != self._member.sha256:
            raise UserError(_damaged(self._path, f"{shown(self._member.name)} changed while it was read"))
        return data


class _Budget:
    """A stream that yields no more than `left`: what claims to be small cannot fill the memory."""

    def __init__(self, source: Any, path: Path) -> None:  # noqa: ANN401 - zstandard's reader
        self._source, self._path = source, path
        self.left = 0

    def read(self, size: int = -1) -> bytes:
        data: bytes = self._source.read(min(size, _CHUNK) if size >= 0 else _CHUNK)
        self.left -= len(data)
        if self.left < 0:
            raise UserError(_damaged(self._path, "a header or its end is larger than a backup's"))
        return data


class _Part:
    """The bytes of `file` from `start` on, `size` of them."""

    def __init__(self, file: IO[bytes], start: int, size: int) -> None:
        file.seek(start)
        self._file, self._left = file, size

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(data)
        return data


def _drain(file: Any) -> None:  # noqa: ANN401 - anything that reads
    while file.read(_CHUNK):
        pass


def _digest(file: IO[bytes], size: int) -> str:
    part = _Hashed(_Part(file, file.tell(), size))  # type: ignore[arg-type]
    _drain(part)
    return part.sha256.hexdigest()


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    return info.tobuf(tarfile.GNU_FORMAT)  # one block, whatever the size


def _small(file: IO[bytes], name: str, data: bytes) -> str:
    file.write(_header(name, len(data)) + data)
    _pad(file, len(data))
    return hashlib.sha256(data).hexdigest()


def _pad(file: IO[bytes], size: int) -> None:
    file.write(b"\0" * (-size % _BLOCK))


def _new(path: Path) -> IO[bytes]:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b")


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
