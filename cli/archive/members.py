"""The rules of an archive's members: name, kind, mode, owner and size."""

from __future__ import annotations

import re
import tarfile
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Final

from cli.archive.layout import DATA, MANIFEST, PASSPHRASE, STATE
from observability import topology

_RESERVED: Final = ".before-restore"
"""Folder in which a restore keeps a volume's former content (cli/volumes.py); no archive may write there."""
OWNERS: Final = {part.name: int(part.user.partition(":")[0]) for part in topology.WITH_DATA}
"""User ID of every part with data, by its name."""


def problem(info: tarfile.TarInfo) -> str:
    """Return why a member must not be in an archive, "" if it may."""
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
