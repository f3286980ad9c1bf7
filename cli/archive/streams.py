"""Streams that count, digest and limit the bytes of an archive."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import IO, Any

from cli.archive.layout import CHUNK, damaged
from cli.errors import UserError


class Hashed:
    """A file whose bytes are counted and digested while they are read or written."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.sha256 = hashlib.sha256()
        self.count = 0

    def read(self, size: int = -1) -> bytes:
        """Read, count and digest bytes."""
        data = self._file.read(size)
        self._seen(data)
        return data

    def write(self, data: bytes) -> int:
        """Write, count and digest bytes."""
        self._file.write(data)
        self._seen(data)
        return len(data)

    def flush(self) -> None:
        """Flush the file."""
        self._file.flush()

    def _seen(self, data: bytes) -> None:
        self.sha256.update(data)
        self.count += len(data)


class Budget:
    """A stream that yields at most `left` bytes, so that a false size cannot fill the memory."""

    def __init__(self, source: Any, path: Path) -> None:  # noqa: ANN401 - zstandard's reader
        self._source, self._path = source, path
        self.left = 0

    def read(self, size: int = -1) -> bytes:
        """Read bytes; raise UserError beyond the budget."""
        data: bytes = self._source.read(min(size, CHUNK) if size >= 0 else CHUNK)
        self.left -= len(data)
        if self.left < 0:
            raise UserError(damaged(self._path, "a header or its end is larger than a backup's"))
        return data


class Part:
    """The `size` bytes of `file` from `start` on."""

    def __init__(self, file: IO[bytes], start: int, size: int) -> None:
        file.seek(start)
        self._file, self._left = file, size

    def read(self, size: int = -1) -> bytes:
        """Read bytes of the part."""
        data = self._file.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(data)
        return data


def drain(file: Any) -> None:  # noqa: ANN401 - anything that reads
    """Read a stream to its end."""
    while file.read(CHUNK):
        pass


def digest(file: IO[bytes], size: int) -> str:
    """Return the SHA-256 of the next `size` bytes."""
    part = Hashed(Part(file, file.tell(), size))  # type: ignore[arg-type]
    drain(part)
    return part.sha256.hexdigest()
