"""Writes an archive."""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import IO, Any, Final

import zstandard

from cli import encryption
from cli.archive import layout, members
from cli.archive.layout import BLOCK, CHUNK, CONTENT_MEMBERS, FORMAT, MANIFEST, header, pad, write_small
from cli.archive.manifest import Manifest, Member
from cli.archive.streams import Hashed
from cli.errors import UserError
from observability.settings.errors import shown

_LEVEL: Final = 3


class Writer:
    """Adds files to an archive that `writing` creates and completes."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        self.members: dict[str, Member] = {}

    def add(self, info: tarfile.TarInfo, content: IO[bytes] | None = None, *, size: int | None = None) -> None:
        """Write a file or folder; `size` is the file's size in the volume if zeros at its end were left out."""
        info.mode &= 0o1777 if info.isdir() else 0o777
        problem = members.problem(info)
        if problem or info.name in self.members:
            msg = f"{shown(info.name)} cannot go into an archive ({problem or 'a second one'}): nothing was written"
            raise UserError(msg)
        counted = Hashed(content or io.BytesIO())
        self._tar.addfile(info, counted if info.isfile() else None)
        if info.isfile():
            self.members[info.name] = Member(info.name, info.size, counted.sha256.hexdigest(), size or info.size)

    def drop(self, name: str) -> None:
        """Record that a file which was written already does not belong to the backup."""
        self.members[name] = replace(self.members[name], kept=False)

    def text(self, name: str, text: str) -> None:
        """Write a text file, readable by its owner."""
        data = text.encode()
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(data), 0o600
        self.add(info, io.BytesIO(data))


@contextmanager
def writing(
    path: Path, stack: str, created: str, recipients: encryption.Recipients | None, key: bytes
) -> Iterator[Writer]:
    """Create an archive, under a temporary name until it is complete and on disk.

    The caller adds files and then calls `finish`. After an error, nothing is left.

    Args:
        path: path of the archive.
        stack: name of the stack.
        created: time in ISO 8601.
        recipients: public keys or passphrase; None for an archive without encryption.
        key: key of the signature (cli/archive_key.py).

    """
    partial = path.with_name(f".{path.name}.partial")
    kind = "none" if recipients is None else "passphrase" if recipients.key else "age"
    name = CONTENT_MEMBERS[kind]
    try:
        with _new(partial) as file:
            head = {"format": FORMAT, "version": layout.VERSION, "stack": stack, "created": created, "encryption": kind}
            sums = {layout.FORMAT_MEMBER: write_small(file, layout.FORMAT_MEMBER, json.dumps(head).encode())}
            if recipients is not None and recipients.key:
                sums[layout.KEY_MEMBER] = write_small(file, layout.KEY_MEMBER, recipients.key)
            start = file.tell()
            file.write(b"\0" * BLOCK)  # the header, once the size is known
            out = Hashed(file)
            with ExitStack() as stacked:
                sink: IO[bytes] = out  # type: ignore[assignment]
                if recipients is not None:
                    sink = stacked.enter_context(encryption.encrypting(sink, recipients.keys))
                packer = zstandard.ZstdCompressor(level=_LEVEL, threads=-1, write_checksum=True)
                packed = stacked.enter_context(packer.stream_writer(sink, closefd=False))
                tar = stacked.enter_context(
                    tarfile.open(fileobj=packed, mode="w|", format=tarfile.GNU_FORMAT, bufsize=CHUNK)
                )
                yield Writer(tar)
            sums[name] = out.sha256.hexdigest()
            pad(file, out.count)
            end = file.tell()
            file.seek(start)
            file.write(header(name, out.count))
            file.seek(end)
            sums[layout.SIGNATURE_MEMBER] = write_small(
                file, layout.SIGNATURE_MEMBER, json.dumps(layout.signed(key, sums)).encode()
            )
            write_small(file, layout.SUMS_MEMBER, layout.checksum_lines(sums))
            file.write(b"\0" * BLOCK * 2)
            file.flush()
            os.fsync(file.fileno())
        partial.rename(path)
        _sync(path.parent)
    finally:
        partial.unlink(missing_ok=True)


def finish(writer: Writer, **known: Any) -> Manifest:  # noqa: ANN401 - the fields of Manifest
    """Write the manifest, the last file of the content, and return it."""
    manifest = Manifest(members=dict(writer.members), **known)
    document = asdict(manifest) | {"members": [asdict(m) for m in manifest.members.values()]}
    writer.text(MANIFEST, json.dumps(document, indent=1))
    return manifest


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
