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
└── SHA256SUMS            of the members above
```

Everything is of a common kind: `tar`, `age -d`, `zstd -d` and `sha256sum -c` read it without this program.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final

import zstandard

from cli import encryption
from cli.errors import UsageError, UserError, WrongPassphraseError

FORMAT: Final = "observability-backup"
VERSION: Final = 1
DATA: Final = "data"
STATE: Final = "pulumi/state.json"
PASSPHRASE: Final = "pulumi/passphrase"  # noqa: S105 - where it is
MANIFEST: Final = "manifest.json"

_FORMAT, _KEY, _SUMS = "format.json", "key.age", "SHA256SUMS"
_CONTENT: Final = {"none": "content.tar.zst", "age": "content.tar.zst.age", "passphrase": "content.tar.zst.age"}
_SMALL: Final = 1024 * 1024
"""No plain member but the content is larger."""
_CHUNK: Final = 1024 * 1024
_LEVEL: Final = 3
_BLOCK: Final = tarfile.BLOCKSIZE

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


@dataclass(frozen=True)
class Manifest:
    """What an archive holds and what was counted of it: `counts` as cli/inventory.py makes them."""

    stack: str
    created: str
    images: Mapping[str, str]
    paused_seconds: float
    at: int
    counts: list[Json]
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
        if not _is_ours(info) or info.name in self.members:
            msg = f"{info.name!r} cannot go into an archive (a {_kind(info)}): nothing was written"
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
def writing(path: Path, stack: str, created: str, to: encryption.Encryption | None) -> Iterator[Writer]:
    """Write an archive at `path`: under another name until it is whole and on disk, so that a half one is none.

    The caller ends with `finish`; without it, or after any error, nothing stays.
    """
    partial = path.with_name(f".{path.name}.partial")
    kind = "none" if to is None else "passphrase" if to.key else "age"
    name = _CONTENT[kind]
    try:
        with _new(partial) as file:
            head = {"format": FORMAT, "version": VERSION, "stack": stack, "created": created, "encryption": kind}
            sums = {_FORMAT: _small(file, _FORMAT, json.dumps(head).encode())}
            if to is not None and to.key:
                sums[_KEY] = _small(file, _KEY, to.key)
            start = file.tell()
            file.write(b"\0" * _BLOCK)  # the header, once the size is known
            out = _Hashed(file)
            with ExitStack() as stacked:
                sink: IO[bytes] = out  # type: ignore[assignment]
                if to is not None:
                    sink = stacked.enter_context(encryption.encrypting(sink, to.recipients))
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
            _small(file, _SUMS, "".join(f"{digest}  {member}\n" for member, digest in sums.items()).encode())
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


def verify(path: Path, decryption: encryption.Decryption | None) -> tuple[Manifest, dict[str, str]]:
    """Read the whole archive; UserError unless every byte is as it was written.

    Returns the manifest, and the texts of Pulumi's by name.
    """
    sums = _sums(path)
    found: dict[str, Member] = {}
    text: dict[str, bytes] = {}

    def visit(info: tarfile.TarInfo, content: IO[bytes] | None) -> None:
        if content is None:
            return
        counted = _Hashed(content)
        if info.name.startswith(f"{DATA}/"):
            _drain(counted)
        else:
            text[info.name] = counted.read()
        if info.name != MANIFEST:
            found[info.name] = Member(info.name, info.size, counted.sha256.hexdigest(), info.size)

    read(path, decryption, visit)
    with path.open("rb") as file:
        for name, start, size in _outer(file, path):
            if name == _SUMS:
                continue
            file.seek(start)
            if _digest(file, size) != sums.get(name):
                raise UserError(_damaged(path, f"{name} does not have its checksum"))
    if MANIFEST not in text:
        raise UserError(_damaged(path, "its manifest is missing"))
    manifest = _manifest(path, text[MANIFEST])
    wrong = [
        name
        for name in {*found, *manifest.members}
        if name not in found
        or name not in manifest.members
        or (found[name].stored, found[name].sha256) != (manifest.members[name].stored, manifest.members[name].sha256)
    ]
    if wrong:
        raise UserError(_damaged(path, f"{min(wrong)} is not as its manifest says"))
    return manifest, {name: data.decode() for name, data in text.items() if name != MANIFEST}


def read(path: Path, decryption: encryption.Decryption | None, visit: Visit) -> None:
    """Call `visit` with each member of the content, in order; UserError for one that is not ours, or damaged."""
    with path.open("rb") as file, ExitStack() as stacked:
        head, key, start, size = _head(path, file)
        source: IO[bytes] = _Part(file, start, size)  # type: ignore[assignment]
        if head["encryption"] != "none":
            if decryption is None:
                msg = f"{path.name} is encrypted: DECRYPT=<file of its key or passphrase>"
                raise WrongPassphraseError(msg)
            source = stacked.enter_context(encryption.decrypting(source, decryption.identities_for(key)))
        seen: set[str] = set()
        try:
            unpacked = zstandard.ZstdDecompressor().stream_reader(source, read_size=_CHUNK, closefd=False)
            with tarfile.open(fileobj=unpacked, mode="r|", bufsize=_CHUNK) as tar:
                for info in tar:
                    if not _is_ours(info) or info.name in seen:
                        raise UserError(_damaged(path, f"{info.name!r} does not belong there (a {_kind(info)})"))
                    seen.add(info.name)
                    visit(info, tar.extractfile(info) if info.isfile() else None)
            _drain(unpacked)  # to the end of what is encrypted or compressed, whose checksum comes last
            _drain(source)
        except (tarfile.TarError, zstandard.ZstdError, EOFError, OSError) as error:
            raise UserError(_damaged(path, str(error))) from None


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
            except ValueError:
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
        if position > end or not info.isfile():
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


def _manifest(path: Path, text: bytes) -> Manifest:
    try:
        document: Json = json.loads(text)
        members = [Member(**m) for m in document.pop("members")]
        return Manifest(members={m.name: m for m in members}, **document)
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(_damaged(path, f"its manifest cannot be read ({error})")) from None


def _is_ours(info: tarfile.TarInfo) -> bool:
    """Tell whether a member may be: a plain file or folder, below where it belongs, whatever a tar could name."""
    parts = PurePosixPath(info.name).parts
    plain = (
        info.name == "/".join(parts) and ".." not in parts and not info.name.startswith("/") and "\0" not in info.name
    )
    if not plain or info.issparse():
        return False
    if info.isdir():
        return parts[0] == DATA and len(parts) > 1
    return info.isreg() and (
        info.name in {MANIFEST, STATE, PASSPHRASE}
        or (parts[0] == DATA and len(parts) > 2)  # noqa: PLR2004 - data, service, file
        or re.fullmatch(r"pulumi/Pulumi\.[A-Za-z0-9._-]+\.yaml", info.name) is not None
    )


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
