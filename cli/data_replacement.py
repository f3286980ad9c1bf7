"""Replace a stack's data, with rollback: the former data stays until the new data has been verified.

The helper container stores the journal. While it exists, a replacement is neither finished nor rolled back. It is on
the Docker host, so any machine that runs `make up` next finds it and rolls an interrupted replacement back.

The stack's networks stay: containers of others may be connected to them, and Docker removes no network in use.
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
from docker.models.networks import Network

from cli import down, state_migration, volumes
from cli.bootstrap import ROOT
from cli.context import Context
from cli.errors import UserError
from observability.names import labels
from observability.settings import Settings

_FOLDER: Final = "/journal"
_FILE, _DONE = "notes.json", "done"

Json = dict[str, Any]


@dataclass(frozen=True)
class Journal:
    """What a rollback needs: the services with replaced data, the state (None if it stays), files of the project."""

    services: Sequence[str]
    state: Json | None
    files: Mapping[str, str]


@contextmanager
def replacing(
    context: Context,
    services: Sequence[str],
    *,
    sizes: Mapping[str, int],
    state: Json | None,
    files: Sequence[str] = (),
) -> Iterator[volumes.HelperContainer]:
    """Stop the services, move their data aside, and yield the helper container, whose volumes are then empty.

    With `state`, the whole stack is removed, because a different state replaces its own. After an exception everything
    is as before, but stopped; the caller brings it up. Otherwise the former data is deleted.

    Args:
        context: the stack.
        services: names of the services whose data is replaced.
        sizes: bytes that each service's volume will hold.
        state: the stack's state, None if it stays.
        files: files of the project that a rollback writes back.

    Raises:
        UserError: there is not enough space; nothing was changed.

    """
    client, settings = context.engine.client, context.settings
    journal = Journal(
        services, state, {f: (ROOT / f).read_text(encoding="utf-8") for f in files if (ROOT / f).exists()}
    )
    if state is not None:
        require_free_networks(client, settings, state)
    helper = volumes.build(client, settings, volumes.RESTORE, services)
    try:
        require_space(helper.run("df -Pk " + " ".join(f"/volumes/{service}" for service in services)), services, sizes)
    except UserError:
        helper.container.remove(force=True, v=True)
        raise
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
    """Roll an interrupted replacement back, or finish one that was verified; return a line that says so."""
    client, settings = context.engine.client, context.settings
    container = volumes.left_behind(client, settings, volumes.RESTORE)
    if container is None:
        return []
    helper = volumes.start(client, container)
    journal = _journal(helper)
    if journal is None:  # nothing had been touched yet
        container.remove(force=True, v=True)
        return []
    if helper.has(f"{_FOLDER}/{_DONE}"):
        _finish(helper, journal.services)
        return ["finished a restore that was interrupted after its last step"]
    _roll_back(context, helper, journal)
    return ["rolled back a restore that was interrupted: the data and the state are those from before it"]


def _take_down(client: DockerClient, settings: Settings, journal: Journal) -> None:
    own = {labels.STACK: settings.stack}
    containers = [
        c
        for c in client.containers.list(all=True, filters={"label": [f"{k}={v}" for k, v in own.items()]})
        if volumes.OWNER not in c.labels
        and (journal.state is not None or (labels.SPEC in c.labels and c.labels[labels.SERVICE] in journal.services))
    ]
    with ThreadPoolExecutor() as pool:
        list(pool.map(down.remove, containers))
    if journal.state is None:
        return
    for volume in client.volumes.list(filters={"label": f"{labels.STACK}={settings.stack}"}):
        if labels.CONTENT in (volume.attrs.get("Labels") or {}):
            volume.remove()
    for network in _unknown_networks(client, settings, journal.state):
        with suppress(docker.errors.APIError):  # in use: `require_free_networks` refuses that at the start
            network.remove()


def networks(client: DockerClient, settings: Settings) -> list[str]:
    """Return the IDs of the stack's networks."""
    return [str(n.id) for n in client.networks.list(filters={"label": f"{labels.STACK}={settings.stack}"})]


def require_free_networks(client: DockerClient, settings: Settings, state: Json) -> None:
    """Raise UserError if `up` would create a network of the stack anew, and the existing one is in use."""
    for network in _unknown_networks(client, settings, state):
        others = [str(c.name) for c in network.containers if c.labels.get(labels.STACK) != settings.stack]
        if others:
            msg = (
                f"network {network.name} is not in the state of stack '{settings.stack}', and has to be made anew, but"
                f" {', '.join(sorted(others))} is connected to it: `docker network disconnect` it first."
                " Nothing was touched."
            )
            raise UserError(msg)


def _unknown_networks(client: DockerClient, settings: Settings, state: Json) -> list[Network]:
    registered = {r.get("id") for r in state["deployment"].get("resources") or ()}
    return [client.networks.get(id_) for id_ in networks(client, settings) if id_ not in registered]


def require_space(table: str, services: Sequence[str], sizes: Mapping[str, int]) -> None:
    """Raise UserError unless the file systems of the volumes have room for the new data in addition to the former.

    Args:
        table: output of `df -Pk` for the volumes, in the order of `services`.
        services: names of the services.
        sizes: bytes that each service needs.

    """
    needed: dict[str, int] = {}
    free: dict[str, int] = {}
    for service, line in zip(services, table.splitlines()[1:], strict=True):
        device, _, _, available, *_ = line.split()
        needed[device] = needed.get(device, 0) + sizes.get(service, 0)
        free[device] = int(available) * 1024
    for device, size in needed.items():
        if size > free[device]:
            msg = (
                f"the data needs {size:,} bytes on {device} of the Docker host, and {free[device]:,} are free:"
                " what is there now stays beside it until the end. Nothing was touched."
            )
            raise UserError(msg)


def _roll_back(context: Context, helper: volumes.HelperContainer, journal: Journal) -> None:
    client, settings = context.engine.client, context.settings
    _take_down(client, settings, journal)
    for service in journal.services:
        helper.roll_back(service)
    for file, text in journal.files.items():
        (ROOT / file).write_text(text, encoding="utf-8")
    empty: list[str] = []
    if journal.state is not None:
        left = networks(client, settings)
        state_migration.install(
            context.pulumi,
            state_migration.strip_host_resources(journal.state, keep=journal.state, networks=left),
            like=journal.state,
        )
        if not journal.state["deployment"].get("resources"):
            empty = [s for s in journal.services if helper.is_empty(s)]
    helper.container.remove(force=True, v=True)
    for service in empty:
        with suppress(docker.errors.NotFound):
            client.volumes.get(volumes.data_volume(settings, service)).remove()


def _finish(helper: volumes.HelperContainer, services: Sequence[str]) -> None:
    helper.write("/", {f"{_FOLDER.strip('/')}/{_DONE}": b""})
    for service in services:
        helper.discard_old(service)
    helper.container.remove(force=True, v=True)


def _journal(helper: volumes.HelperContainer) -> Journal | None:
    try:
        chunks, _ = helper.container.get_archive(f"{_FOLDER}/{_FILE}")
    except docker.errors.NotFound:
        return None
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
        content = tar.extractfile(_FILE)
        return Journal(**json.load(content)) if content else None
