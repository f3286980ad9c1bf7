"""Reads and writes the stack's data volumes through the Docker engine's API, so the engine may be on another machine.

An idle helper container mounts every data volume of the stack below `/volumes`. It runs Prometheus' image, which
contains busybox, so no further image and no network are needed.
"""

from __future__ import annotations

import io
import os
import shlex
import socket
import struct
import tarfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Final, cast

import docker.errors
import docker.types
import psutil
import requests
from docker import DockerClient
from docker.models.containers import Container

from cli.errors import StackLockedError, UserError
from observability import versions
from observability.names import labels
from observability.settings import PROJECT, Settings

BACKUP: Final = "backup"
RESTORE: Final = "restore"
"""Purposes of a helper container; only one of each exists at a time."""
_ROOT: Final = "/volumes"
_AT_ONCE: Final = 500
"""Most names on one command line, because this busybox cannot read them from a file."""
_PATIENCE_SECONDS: Final = 3_600
"""Time limit of one request to the engine, which answers a write only when everything is written."""
_ASIDE: Final = ".before-restore"
_MOVING: Final = ".before-restore.moving"
_FILES, _FOLDER = ("regular file", "regular empty file"), "directory"
OWNER: Final = f"{PROJECT}.owner"
"""The label with the owner of a helper container: host and process."""
_CAPABILITIES: Final = ("DAC_OVERRIDE", "CHOWN", "FOWNER")
"""Linux capabilities of a helper, to read files of all users and write them with their owners and modes."""


_HEADER: Final = struct.Struct(">BxxxL")
"""Header of each piece of a process's output: stream and length."""
_STDERR: Final = 2


def data_volume(settings: Settings, service: str) -> str:
    """Return the name of a service's data volume."""
    return f"{settings.prefix}-{service}-data"


@dataclass(frozen=True)
class Entry:
    """A file or folder: `path` is `<service>/…`, `used` its bytes on the disk."""

    path: str
    folder: bool
    size: int
    used: int
    mode: int
    uid: int
    gid: int
    mtime: int
    identity: tuple[int, ...]
    """Another one after any change that is not a mapped page's."""

    def info(self, name: str, size: int | None = None) -> tarfile.TarInfo:
        """Return the header of this entry in a tar archive."""
        info = tarfile.TarInfo(name)
        info.type = tarfile.DIRTYPE if self.folder else tarfile.REGTYPE
        info.size = 0 if self.folder else self.size if size is None else size
        info.mode, info.uid, info.gid, info.mtime = self.mode, self.uid, self.gid, self.mtime
        return info


@dataclass(frozen=True)
class HelperContainer:
    """A running helper container."""

    container: Container
    client: DockerClient

    def run(self, script: str) -> str:
        """Run a shell script and return its output; raise UserError if it fails."""
        return b"".join(self._output(["/bin/sh", "-euc", script])).decode()

    def entries(self) -> dict[str, Entry]:
        """Return every file and folder of the volumes by its path; raise UserError for anything else, with its name."""
        listed = self.run(
            f"cd {_ROOT} && find . -mindepth 1 -name '{_ASIDE}*' -prune -o"
            " -exec stat -c '%F|%s|%b|%B|%a|%u|%g|%Y|%Z|%i|%n' {} +"
        )
        entries_ = [_entry(line) for line in listed.splitlines()]
        return {e.path: e for e in entries_}

    def read(self, entries: Sequence[Entry]) -> Iterator[tuple[Entry, IO[bytes]]]:
        """Yield the files and their content; a file that was deleted in the meantime is left out."""
        for first in range(0, len(entries), _AT_ONCE):
            by_path = {e.path: e for e in entries[first : first + _AT_ONCE]}
            # busybox continues after a missing file, and exits with 1.
            stream = _chunks(self._output(["tar", "-cf", "-", "-C", _ROOT, *by_path], accepted=(0, 1)))
            with tarfile.open(fileobj=stream, mode="r|", bufsize=1024 * 1024) as tar:
                for info in tar:
                    entry = by_path[info.name]
                    content = tar.extractfile(info) if info.isreg() else None
                    if content is None:  # a hard link to a file that is already in the stream
                        yield entry, self.head(entry, entry.size)
                    elif info.size == entry.size:  # else it changed: the caller compares
                        yield entry, content

    def head(self, entry: Entry, size: int) -> IO[bytes]:
        """Return the first `size` bytes of a file."""
        return _chunks(self._output(["head", "-c", str(size), f"{_ROOT}/{entry.path}"]))

    def write(self, folder: str, files: dict[str, bytes]) -> None:
        """Write small text files."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            for name, data in files.items():
                info = tarfile.TarInfo(name)
                info.size, info.mode = len(data), 0o600
                tar.addfile(info, io.BytesIO(data))
        self.container.put_archive(folder, packed.getvalue())

    def fill(self, produce: Callable[[tarfile.TarFile], None]) -> None:
        """Write the files that `produce` adds to a tar archive, with names `<service>/…`, to the volumes."""
        reading, writing = os.pipe()
        failed: list[BaseException] = []

        def run() -> None:
            try:
                with (
                    os.fdopen(writing, "wb") as end,
                    tarfile.open(fileobj=end, mode="w|", format=tarfile.GNU_FORMAT, bufsize=1024 * 1024) as tar,
                ):
                    produce(tar)
            except BaseException as error:  # noqa: BLE001 - raised below, in the caller's thread
                failed.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            with os.fdopen(reading, "rb") as end:
                self.container.put_archive(_ROOT, end)
        except docker.errors.APIError as error:
            if not failed:
                failed.append(UserError(f"the volumes could not be written: {error.explanation}"))
        finally:
            thread.join()
        if failed:
            raise failed[0]

    def move_aside(self, service: str) -> None:
        """Move a volume's content to a folder that the service does not read; a second call changes nothing."""
        self.run(
            f"cd {_ROOT}/{service}; if [ ! -d {_ASIDE} ]; then mkdir -p {_MOVING};"
            f" find . -mindepth 1 -maxdepth 1 ! -name {_MOVING} -exec mv {{}} {_MOVING}/ ';';"
            f" mv {_MOVING} {_ASIDE}; fi"
        )

    def roll_back(self, service: str) -> None:
        """Undo `move_aside`, also if it or an earlier rollback was interrupted; newer content is removed."""
        self.run(
            f"cd {_ROOT}/{service}; if [ -d {_ASIDE} ]; then"
            f" find . -mindepth 1 -maxdepth 1 ! -name {_ASIDE} -exec rm -rf {{}} +; mv {_ASIDE} {_MOVING}; fi;"
            f" if [ -d {_MOVING} ]; then find {_MOVING} -mindepth 1 -maxdepth 1 -exec mv {{}} . ';';"
            f" rmdir {_MOVING}; fi"
        )

    def discard_old(self, service: str) -> None:
        """Delete the content that was moved aside."""
        self.run(f"rm -rf {_ROOT}/{service}/{_ASIDE}")

    def stretch(self, path: str, size: int) -> None:
        """Extend a file to its size with zeros, which take no space."""
        self.run(f"truncate -s {size} {shlex.quote(f'{_ROOT}/{path}')}")

    def is_empty(self, service: str) -> bool:
        """Return whether a volume is empty."""
        return not self.run(f"ls -A {_ROOT}/{service}")

    def has(self, path: str) -> bool:
        """Return whether a file exists in the helper container itself."""
        return self.run(f"if [ -e {shlex.quote(path)} ]; then echo yes; fi") == "yes\n"

    def _output(self, command: Sequence[str], accepted: tuple[int, ...] = (0,)) -> Iterator[bytes]:
        api = self.client.api
        run = api.exec_create(self.container.id, list(command))["Id"]
        stderr = b""
        # Not the client's own `exec_start`: it requests an upgrade of the connection and then skips the response's
        # buffer, so output that the engine sends together with the headers, as on a busy machine, is lost.
        url = f"{api.base_url}/v{api.api_version}/exec/{run}/start"
        with api.post(url, json={"Detach": False, "Tty": False}, stream=True, timeout=None) as answer:
            try:
                answer.raise_for_status()
            except requests.HTTPError as error:
                docker.errors.create_api_error_from_http_exception(error)
            for stream, data in _frames(cast("IO[bytes]", answer.raw)):
                if stream == _STDERR:
                    stderr += data
                else:
                    yield data
        code = api.exec_inspect(run)["ExitCode"]
        if code not in accepted:
            printed = stderr.decode(errors="replace")[-300:]
            msg = f"`{' '.join(command)[:120]}` ended with {code} in the volumes: {printed}"
            raise UserError(msg)


def build(client: DockerClient, settings: Settings, purpose: str, services: Sequence[str]) -> HelperContainer:
    """Create a helper container and start it; missing volumes are created as the program creates them."""
    made = [_volume(client, settings, service) for service in services]
    container = client.containers.create(
        versions.image("prometheus").reference,
        name=_name(settings, purpose),
        entrypoint=["/bin/tail", "-f", "/dev/null"],
        user="0:0",
        network_mode="none",
        cap_drop=["ALL"],
        cap_add=list(_CAPABILITIES),
        security_opt=["no-new-privileges:true"],
        labels={labels.STACK: settings.stack, OWNER: f"{socket.gethostname()} {os.getpid()}"},
        mounts=[
            docker.types.Mount(f"{_ROOT}/{s}", name, type="volume") for s, name in zip(services, made, strict=True)
        ],
        log_config=docker.types.LogConfig(type="none"),
        stop_signal="SIGKILL",
    )
    return start(client, container)


def start(client: DockerClient, container: Container) -> HelperContainer:
    """Return the helper of a container, started if it is not."""
    client.api.timeout = _PATIENCE_SECONDS
    container.start()
    return HelperContainer(container, client)


@contextmanager
def helper(
    client: DockerClient, settings: Settings, purpose: str, services: Sequence[str]
) -> Iterator[HelperContainer]:
    """Yield a helper container, and remove it in the end."""
    built = build(client, settings, purpose, services)
    try:
        yield built
    finally:
        built.container.remove(force=True, v=True)


def left_behind(client: DockerClient, settings: Settings, purpose: str) -> Container | None:
    """Return the helper container of a process that is gone, if any; StackLockedError while the process may live."""
    try:
        container = client.containers.get(_name(settings, purpose))
    except docker.errors.NotFound:
        return None
    host, _, pid = str(container.labels.get(OWNER, "")).partition(" ")
    if host != socket.gethostname() or (int(pid) != os.getpid() and psutil.pid_exists(int(pid))):
        msg = (
            f"a {purpose} of stack '{settings.stack}' runs on {host} (process {pid}): wait for it; if it is gone, run"
            " this there"
        )
        raise StackLockedError(msg)
    return container


def _name(settings: Settings, purpose: str) -> str:
    return f"{settings.prefix}-{purpose}"


def _volume(client: DockerClient, settings: Settings, service: str) -> str:
    name = data_volume(settings, service)
    client.volumes.create(name, labels={labels.STACK: settings.stack, labels.SERVICE: service})  # or finds it
    return name


def _entry(line: str) -> Entry:
    kind, size, blocks, block, mode, uid, gid, mtime, ctime, inode, path = line.split("|", 10)
    if kind not in (*_FILES, _FOLDER):
        msg = f"{path} in the data volumes is neither file nor folder but a {kind}: it cannot go into a backup"
        raise UserError(msg)
    return Entry(
        path=path.removeprefix("./"),
        folder=kind == _FOLDER,
        size=int(size),
        used=int(blocks) * int(block),
        mode=int(mode, 8),
        uid=int(uid),
        gid=int(gid),
        mtime=int(mtime),
        identity=(int(size), int(mtime), int(ctime), int(inode)),
    )


def _frames(answer: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield a process's output with its stream, as the engine multiplexes them; raise UserError if it ends early."""
    while header := answer.read(_HEADER.size):
        stream, size = _HEADER.unpack(header) if len(header) == _HEADER.size else (0, -1)
        data = answer.read(size) if size >= 0 else b""
        if len(data) != size:
            raise UserError("the Docker engine's answer ended in the middle: try again")
        yield stream, data


def _chunks(chunks: Iterator[bytes]) -> IO[bytes]:
    return cast("IO[bytes]", _Chunks(chunks))


class _Chunks(io.RawIOBase):
    """A file that reads an iterator of bytes."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        super().__init__()
        self._chunks, self._rest = chunks, b""

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1) -> bytes:
        wanted = -1 if size is None else size
        parts, held = [self._rest], len(self._rest)
        while wanted < 0 or held < wanted:
            chunk = next(self._chunks, None)
            if chunk is None:
                break
            parts.append(chunk)
            held += len(chunk)
        data = b"".join(parts)
        wanted = held if wanted < 0 else wanted
        self._rest = data[wanted:]
        return data[:wanted]
