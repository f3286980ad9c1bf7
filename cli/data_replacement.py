"""Other data under a stack, with a way back: what was there stays until the new has been proven.

The workshop is the journal. As long as there is one, the swap is neither done nor undone; it lies on the Docker host,
so that any machine that runs `make up` next finds it and undoes what was interrupted.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

import docker.errors
from docker import DockerClient

from cli import down, state_migration, volumes
from cli.bootstrap import ROOT
from observability.names import labels
from observability.settings import Settings

_JOURNAL: Final = "/journal"
_NOTES, _DONE = "notes.json", "done"

Json = dict[str, Any]


@dataclass(frozen=True)
class Notes:
    """What has to be known to go back: whose data is swapped, the state (None where it stays), files of the project."""

    services: Sequence[str]
    state: Json | None
    files: Mapping[str, str]


@contextmanager
def swapping(
    client: DockerClient, settings: Settings, services: Sequence[str], *, state: Json | None, files: Sequence[str] = ()
) -> Iterator[volumes.Workshop]:
    """Take the services down, set their data aside, and yield the workshop in which the volumes are empty.

    With `state`, all of the stack goes, because another state takes its place. Left by an exception, everything is as
    it was (but down: the caller brings it up); else the old data is gone.
    """
    notes = Notes(services, state, {f: (ROOT / f).read_text(encoding="utf-8") for f in files if (ROOT / f).exists()})
    workshop = volumes.build(client, settings, volumes.RESTORE, services)
    workshop.write("/", {f"{_JOURNAL.strip('/')}/{_NOTES}": json.dumps(vars(notes)).encode()})
    try:
        _take_down(client, settings, notes)
        for service in services:
            workshop.set_aside(service)
        yield workshop
    except BaseException:
        _undo(client, settings, workshop, notes)
        raise
    _finish(workshop, services)


def mend(client: DockerClient, settings: Settings) -> list[str]:
    """Undo a swap that was interrupted, or finish one that was decided; return a line for it."""
    container = volumes.left_behind(client, settings, volumes.RESTORE)
    if container is None:
        return []
    workshop = volumes.start(client, container)
    notes = _notes(workshop)
    if notes is None:  # nothing had been touched yet
        container.remove(force=True)
        return []
    if workshop.has(f"{_JOURNAL}/{_DONE}"):
        _finish(workshop, notes.services)
        return ["finished a restore that was interrupted after its last step"]
    _undo(client, settings, workshop, notes)
    return ["undid a restore that was interrupted: the data and the state are those from before it"]


def _take_down(client: DockerClient, settings: Settings, notes: Notes) -> None:
    own = {labels.STACK: settings.stack}
    found = [
        c
        for c in client.containers.list(all=True, filters={"label": [f"{k}={v}" for k, v in own.items()]})
        if volumes.OWNER not in c.labels
        and (notes.state is not None or (labels.SPEC in c.labels and c.labels[labels.SERVICE] in notes.services))
    ]
    with ThreadPoolExecutor() as pool:
        list(pool.map(down.remove, found))
    if notes.state is None:
        return
    for volume in client.volumes.list(filters={"label": f"{labels.STACK}={settings.stack}"}):
        if labels.CONTENT in (volume.attrs.get("Labels") or {}):
            volume.remove()
    for network in client.networks.list(names=[settings.prefix]):
        if network.name == settings.prefix:
            network.remove()


def _undo(client: DockerClient, settings: Settings, workshop: volumes.Workshop, notes: Notes) -> None:
    _take_down(client, settings, notes)
    for service in notes.services:
        workshop.put_back(service)
    for file, text in notes.files.items():
        (ROOT / file).write_text(text, encoding="utf-8")
    empty: list[str] = []
    if notes.state is not None:
        state_migration.install(state_migration.rootless(notes.state), like=notes.state)
        if not notes.state["deployment"].get("resources"):
            empty = [s for s in notes.services if workshop.is_empty(s)]
    workshop.container.remove(force=True)
    for service in empty:
        with suppress(docker.errors.NotFound):
            client.volumes.get(volumes.data_volume(settings, service)).remove()


def _finish(workshop: volumes.Workshop, services: Sequence[str]) -> None:
    workshop.write("/", {f"{_JOURNAL.strip('/')}/{_DONE}": b""})
    for service in services:
        workshop.forget(service)
    workshop.container.remove(force=True)


def _notes(workshop: volumes.Workshop) -> Notes | None:
    try:
        chunks, _ = workshop.container.get_archive(f"{_JOURNAL}/{_NOTES}")
    except docker.errors.NotFound:
        return None
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
        content = tar.extractfile(_NOTES)
        return Notes(**json.load(content)) if content else None
