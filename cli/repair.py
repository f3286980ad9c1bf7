"""Repairs what an interrupted run left behind, and says what it mended. Data volumes are never touched.

An engine that dies in the middle of `up` leaves a lock, creations that the state calls pending, and objects that
exist but are not in the state. Each is undone here just so far that the next `up` finishes the job:

| left behind                          | mended by                                                        |
|--------------------------------------|------------------------------------------------------------------|
| a lock whose process is gone         | removed; one whose process lives is respected                    |
| a half-written file of the state     | its copy, one step older, takes its place                        |
| a pending container or network       | removed from the Docker host: it is made anew, its data kept     |
| a pending volume                     | kept: making it again adopts it                                  |
| a pending folder, data source, …     | removed from Grafana, where it was made moments ago              |
| a container the state only half knows| removed from the Docker host and from the state                  |
| a container that is gone or stopped  | forgotten by the state, so that `up` makes or starts it          |
| a volume that is gone                | forgotten by the state with all that was in it: `up` makes both  |
| containers that a backup paused      | go on                                                            |
| half of a restore                    | undone: the data and the state from before it come back          |
"""

from __future__ import annotations

import json
import shutil
import socket
from pathlib import Path
from typing import Any

import docker.errors
import psutil
from docker import DockerClient

from cli import context, data_replacement, engine, lock, pulumi, stack_config, volumes
from cli.bootstrap import UserError
from cli.console import say
from cli.pause import release
from cli.state_migration import without
from components.grafana_api import GrafanaApi, GrafanaError
from observability.names import labels
from observability.settings import PROJECT

_CONTAINER = "docker:index/container:Container"
_NETWORK = "docker:index/network:Network"
_VOLUME = "docker:index/volume:Volume"
_GRAFANA_PATHS = {
    "grafana:oss/folder:Folder": "/api/folders/{uid}",
    "grafana:oss/dataSource:DataSource": "/api/datasources/uid/{uid}",
    "grafana:oss/dashboard:Dashboard": "/api/dashboards/uid/{uid}",
}

Json = dict[str, Any]


def prepare_stack(client: DockerClient) -> list[str]:
    """Unlock, select and mend the chosen stack: what stands before every command that changes it."""
    done = unlock()
    pulumi.select()
    return done + backups(client) + mend(client)


def backups(client: DockerClient) -> list[str]:
    """Mend what an interrupted backup or restore left; UserError while one runs."""
    settings = stack_config.current()
    left = volumes.left_behind(client, settings, volumes.BACKUP)
    if left is not None:
        left.remove(force=True)
    done = [f"let {name} go on, which a backup had paused" for name in release(engine.containers(client))]
    done += data_replacement.repair(client, settings)
    for line in done:
        say(f"mended: {line}")
    return done


def unlock() -> list[str]:
    """Mend what keeps Pulumi from reading the chosen stack; UserError when another run is alive."""
    done = _locks() + _checkpoint()
    for line in done:
        say(f"mended: {line}")
    return done


def mend(client: DockerClient) -> list[str]:
    """Mend the chosen stack, unlocked and selected, and return a line for each thing mended."""
    done: list[str] = []
    state = pulumi.exported()
    deployment: Json = state["deployment"]
    resources: list[Json] = deployment.get("resources") or []
    pending: list[Json] = deployment.get("pending_operations") or []
    dirty = bool(pending)
    done += [_operation(client, operation, resources) for operation in pending]
    broken = [r for r in resources if r["type"] == _CONTAINER and r.get("initErrors")]
    for resource in broken:
        _remove_container(client, str(resource["id"]))
        done.append(f"removed container {_name(resource)}, whose start had failed")
    gone = [r for r in resources if r["type"] == _CONTAINER and r not in broken and _is_down(client, r)]
    lost = _lost(client, resources)
    done += [f"noticed that volume {_name(r)} is gone, with what was in it" for r in lost if r["type"] == _VOLUME]
    if broken or dirty or lost:
        urns = {r["urn"] for r in (*broken, *lost)}
        deployment["pending_operations"] = []
        deployment["resources"] = [without(r, urns) for r in resources if r["urn"] not in urns]
        pulumi.ask("stack", "import", "--force", given=json.dumps(state))
    if gone:
        targets = [part for r in gone for part in ("--target", str(r["urn"]))]
        pulumi.ask("refresh", "--yes", "--skip-preview", *targets)
        done += [f"noticed that container {_name(r)} does not run" for r in gone]
    for line in done:
        say(f"mended: {line}")
    return done


def _locks() -> list[str]:
    folder = context.file_backend()
    if folder is None:
        return []
    done = []
    for path in sorted((folder / ".pulumi" / "locks").rglob(f"{context.stack()}/*.json")):
        held = json.loads(path.read_text())
        pid, host = int(held.get("pid", 0)), held.get("hostname", "")
        if host and host != socket.gethostname():
            msg = (
                f"stack '{context.stack()}' is locked by {held.get('username')} on {host} (process {pid}): wait for it"
            )
            raise UserError(msg)
        if _alive(pid):
            raise UserError(lock.being_changed(pid))
        path.unlink(missing_ok=True)
        done.append(f"removed the lock of process {pid}, which is gone")
    return done


def _checkpoint() -> list[str]:
    """Mend the files of the state itself: a kill can leave one half-written, with a whole copy beside it."""
    folder = context.file_backend()
    if folder is None:
        return []
    state = folder / ".pulumi" / "stacks" / PROJECT / f"{context.stack()}.json"
    done = []
    if state.exists() and not _whole(state):
        copy = state.with_name(state.name + ".bak")
        if not _whole(copy):
            msg = f"the state {state} is damaged and so is its copy: restore it from {folder / '.pulumi' / 'backups'}"
            raise UserError(msg)
        shutil.copyfile(copy, state)
        done.append("took the state's copy, because the state was half-written")
    for note in state.parent.glob(f"{state.name}*.attrs"):
        if not _whole(note):  # what Pulumi's file store notes about a file; it does without
            note.unlink()
            done.append(f"removed the half-written {note.name}")
    return done


def _whole(path: Path) -> bool:
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return True


def _alive(pid: int) -> bool:
    """Tell whether `pid` is a Pulumi that lives. Another program that got its number later is none."""
    try:
        return any("pulumi" in part for part in psutil.Process(pid).cmdline())
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True


def _operation(client: DockerClient, operation: Json, resources: list[Json]) -> str:
    resource: Json = operation["resource"]
    kind, what = operation["type"], f"{resource['type'].rsplit(':', 1)[-1]} {_name(resource)}"
    if kind != "creating":
        return f"forgot that {what} was {kind}: `up` does it again"
    known = {str(r.get("id")) for r in resources}
    if resource["type"] == _CONTAINER:
        _remove_container(client, _name(resource), keep=known)
    elif resource["type"] == _NETWORK:
        for network in client.networks.list(names=[_name(resource)]):
            if network.name == _name(resource) and network.id not in known:
                network.remove()
    elif resource["type"] == _VOLUME:
        _remove_files(client, _name(resource), keep=known)
    elif resource["type"] in _GRAFANA_PATHS:
        _remove_content(resource, resources)
    return f"undid the half-made {what}"


def _remove_container(client: DockerClient, reference: str, keep: frozenset[str] | set[str] = frozenset()) -> None:
    try:
        container = client.containers.get(reference)
    except docker.errors.NotFound:
        return
    if container.id in keep:
        return
    container.stop(timeout=60)
    container.remove(force=True)


def _remove_files(client: DockerClient, name: str, keep: set[str]) -> None:
    """Remove a volume of files. One of data is never touched: `up` takes it as it is."""
    if name in keep:
        return
    try:
        volume = client.volumes.get(name)
    except docker.errors.NotFound:
        return
    if labels.CONTENT in (volume.attrs.get("Labels") or {}):
        volume.remove()


def _remove_content(resource: Json, resources: list[Json]) -> None:
    inputs: Json = resource.get("inputs") or {}
    uid = inputs.get("uid") or _dashboard_uid(inputs)
    provider = next((r for r in resources if r["type"] == "pulumi:providers:grafana"), None)
    if uid is None or provider is None:
        return
    api = _grafana(str(provider["urn"]))
    try:
        path = _GRAFANA_PATHS[resource["type"]].format(uid=uid)
        if api.find(path) is not None:
            if "/folders/" in path and api.request("GET", f"/api/search?folderUIDs={uid}"):
                msg = f"Grafana's folder '{uid}' is not in the state, and not empty: move its dashboards, or delete it"
                raise UserError(msg)
            api.request("DELETE", path)
    except GrafanaError as error:
        if error.status == 0:  # Grafana is down: its container is made anew first
            return
        raise UserError(str(error)) from None


def _grafana(provider_urn: str) -> GrafanaApi:
    """Return the API as the provider in the state reaches it: a run that was killed may not have made outputs."""
    shown: Json = json.loads(pulumi.ask("stack", "export", "--show-secrets"))
    inputs: Json = next(r for r in shown["deployment"]["resources"] if r["urn"] == provider_urn)["inputs"]
    return GrafanaApi(_plain(inputs["url"]), _plain(inputs["auth"]), _plain(inputs.get("caCert", "")))


def _plain(value: Any) -> str:  # noqa: ANN401 - a text, or Pulumi's envelope around one
    return str(json.loads(value["plaintext"])) if isinstance(value, dict) else str(value)


def _dashboard_uid(inputs: Json) -> str | None:
    text = inputs.get("configJson")
    return json.loads(text).get("uid") if isinstance(text, str) else None


def _is_down(client: DockerClient, resource: Json) -> bool:
    must_run = (resource.get("inputs") or {}).get("mustRun", True)
    try:
        container = client.containers.get(str(resource["id"]))
    except docker.errors.NotFound:
        return True
    return bool(must_run) and container.status not in {"running", "restarting"}


def _lost(client: DockerClient, resources: list[Json]) -> list[Json]:
    """Return the volumes that the Docker host has no more, and what went with them: all of Grafana's content."""
    there = {volume.name for volume in client.volumes.list()}
    urns = {r["urn"] for r in resources if r["type"] == _VOLUME and r["id"] not in there}
    return [r for r in resources if r["urn"] in urns or r.get("deletedWith") in urns]


def _name(resource: Json) -> str:
    inputs: Json = resource.get("inputs") or {}
    return str(inputs.get("name") or str(resource["urn"]).rsplit("::", 1)[-1])
