"""Downloads a release archive, compares its checksums, and unpacks it."""

from __future__ import annotations

import hashlib
import io
import tarfile
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath

Download = Callable[[str], bytes]
"""Returns the content of a URL, or raises OSError."""


class ChecksumError(Exception):
    """An archive without its published or pinned checksum; the message names the archive."""


@dataclass(frozen=True)
class ReleaseArchive:
    """An archive of a release.

    Attributes:
        folder: URL of the release's folder, without a trailing slash.
        name: file name of the archive in that folder.
        checksums: file name of the published checksums there, lines of `<sha256>  <file>`.
        pinned: SHA-256 of the archive in versions.toml, "" for none.
    """

    folder: str
    name: str
    checksums: str
    pinned: str = ""

    def fetch(self, download: Download) -> bytes:
        """Return the archive.

        Raises:
            OSError: it cannot be downloaded.
            ChecksumError: it is not the published archive, or not the pinned one.

        """
        published = download(f"{self.folder}/{self.checksums}").decode().splitlines()
        content = download(f"{self.folder}/{self.name}")
        digest = hashlib.sha256(content).hexdigest()
        if f"{digest}  {self.name}" not in published:
            msg = f"{self.name} does not have its published checksum"
            raise ChecksumError(msg)
        if self.pinned and digest != self.pinned:
            msg = (
                f"{self.name} has its published checksum, but not the one that versions.toml pins: the release was"
                " replaced"
            )
            raise ChecksumError(msg)
        return content


def download(url: str) -> bytes:
    """Return the content of an https URL.

    Raises:
        OSError: it cannot be downloaded.

    """
    with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 - https
        data: bytes = answer.read()
    return data


def programs(archive: bytes) -> dict[str, bytes]:
    """Return the content of every file in a tar archive, by its name without folders."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        files = ((PurePosixPath(member.name).name, tar.extractfile(member)) for member in tar if member.isfile())
        return {name: file.read() for name, file in files if file is not None}
