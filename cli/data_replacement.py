"""Replaces a stack's data, with a rollback: the old data stays until the new data has been checked.

The helper container holds the journal. While it exists, the replacement is neither finished nor rolled back; it is on
the Docker host, so that any machine that runs `make up` next finds it and rolls back what was interrupted.
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
from cli.context import Context
from observability.names import labels
from observability.settings import Settings

_FOLDER: Final = "/journal"
_FILE, _DONE = "notes.json", "done"

Json = dict[str, Any]


@dataclass(frozen=True)
class Journal:
    """What a rollback needs: the services, the state (None where it stays), files of the project."""

    services: Sequence[str]
    state: Json | None
    files: Mapping[str, str]


@contextmanager
def replacing(
    context: Context, services: Sequence[str], *, state: Json | None, files: Sequence[str] = ()
) -> Iterator[volumes.HelperContainer]:
    """Remove the services' containers, move their data aside, and yield the helper with empty volumes.

    With `state`, the whole stack is removed, because another state replaces it. After an exception everything is as
    before (without containers: the caller brings them up); otherwise the old data is deleted.
    """
    client, settings = context.engine.client, context.settings
    journal = Journal(
        services, state, {f: (ROOT / f).read_text(encoding="utf-8") for f in files if (ROOT / f).exists()}
    )
    helper = volumes.build(client, settings, volumes.RESTORE, services)
    helper.write("/", {f"{_FOLDER.strip('/')}/{_FILE}": json.dumps(vars(journal)).encode()})
    try:
        _take_down(client, settings, journal)
        for service in services:
            helper.move_aside(service)
        yield helper
    except BaseException:
        _roll_back(context, helper, journal)
        raise
    _finish(helper, services)


def repair(context: Context) -> list[str]:
    """Roll an interrupted replacement back, or finish one that was decided; return a line for it."""
    client, settings = context.engine.client, context.settings
    container = volumes.left_behind(client, settings, volumes.RESTORE)
    if container is None:
        return []
    helper = volumes.start(client, container)
    journal = _journal(helper)
    if journal is None:  # nothing had been touched yet
        container.remove(force=True)
        return []
    if helper.has(f"{_FOLDER}/{_DONE}"):
        _finish(helper, journal.services)
        return ["finished a restore that was interrupted after its last step"]
    _roll_back(context, helper, journal)
    return ["rolled back a restore that was interrupted: the data and the state are those from before it"]


def _take_down(client: DockerClient, settings: Settings, journal: Journal) -> None:
    own = {labels.STACK: settings.stack}
    found = [
        c
        for c in client.containers.list(all=True, filters={"label": [f"{k}={v}" for k, v in own.items()]})
        if volumes.OWNER not in c.labels
        and (journal.state is not None or (labels.SPEC in c.labels and c.labels[labels.SERVICE] in journal.services))
    ]
    with ThreadPoolExecutor() as pool:
        list(pool.map(down.remove, found))
    if journal.state is None:
        return
    for volume in client.volumes.list(filters={"label": f"{labels.STACK}={settings.stack}"}):
        if labels.CONTENT in (volume.attrs.get("Labels") or {}):
            volume.remove()
    for network in client.networks.list(names=[settings.prefix]):
        if network.name == settings.prefix:
            network.remove()


def _roll_back(context: Context, helper: volumes.HelperContainer, journal: Journal) -> None:
    client, settings = context.engine.client, context.settings
    _take_down(client, settings, journal)
    for service in journal.services:
        helper.roll_back(service)
    for file, text in journal.files.items():
        (ROOT / file).write_text(text, encoding="utf-8")
    empty: list[str] = []
    if journal.state is not None:
        state_migration.install(context.pulumi, state_migration.strip_host_resources(journal.state), like=journal.state)
        if not journal.state["deployment"].get("resources"):
            empty = [s for s in journal.services if helper.is_empty(s)]
    helper.container.remove(force=True)
    for service in empty:
        with suppress(docker.errors.NotFound):
            client.volumes.get(volumes.data_volume(settings, service)).remove()


def _finish(helper: volumes.HelperContainer, services: Sequence[str]) -> None:
    helper.write("/", {f"{_FOLDER.strip('/')}/{_DONE}": b""})
    for service in services:
        helper.discard_old(service)
    helper.container.remove(force=True)


def _journal(helper: volumes.HelperContainer) -> Journal | None:
    try:
        chunks, _ = helper.container.get_archive(f"{_FOLDER}/{_FILE}")
    except docker.errors.NotFound:
        return None
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
        content = tar.extractfile(_FILE)
        return Journal(**json.load(content)) if content else None
