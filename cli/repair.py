"""Repairs what an interrupted run left behind, and reports each repair. Data volumes are never touched.

An engine that dies in the middle of `up` leaves a lock, creations that the state calls pending, and objects that
exist but are not in the state. Each is undone just so far that the next `up` can finish:

| left behind                          | repaired by                                                      |
|--------------------------------------|------------------------------------------------------------------|
| a lock whose process is gone         | removed; one whose process lives is respected                    |
| a half-written file of the state     | replaced by its copy, which is one step older                    |
| a pending container or network       | removed from the Docker host: `up` creates it, its data kept     |
| a pending volume                     | kept: creating it again adopts it                                |
| a pending folder, data source, …     | removed from Grafana, where it was created moments ago           |
| a container whose start failed       | removed from the Docker host and from the state                  |
| a container that is gone or stopped  | refreshed in the state, so that `up` creates or starts it        |
| a volume that is gone                | removed from the state with its content: `up` creates both       |
| containers that a backup paused      | resumed                                                          |
| half of a restore                    | rolled back: the data and the state from before it come back     |

What Pulumi's own commands do of this, and what they do not: docs/decisions/0007-repair-of-interrupted-runs.md.
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

from cli import data_replacement, volumes
from cli.context import Context
from cli.environment import Environment
from cli.errors import StackLockedError, UserError
from cli.lock import locked
from cli.pause import resume
from cli.pulumi import Pulumi
from cli.state_migration import without_references
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


def prepare_stack(context: Context) -> list[str]:
    """Unlock, select and repair the stack: this precedes every command that changes it."""
    done = unlock(context)
    context.pulumi.select()
    if not context.settings.runs_stack:  # nothing on a Docker host
        return done
    return done + backups(context) + repair(context)


def backups(context: Context) -> list[str]:
    """Repair what an interrupted backup or restore left; StackLockedError while one runs."""
    engine = context.engine
    left = volumes.left_behind(engine.client, context.settings, volumes.BACKUP)
    if left is not None:
        left.remove(force=True, v=True)
    done = [f"resumed {name}, which a backup had paused" for name in resume(engine.containers())]
    done += data_replacement.repair(context)
    return _report(context, done)


def unlock(context: Context) -> list[str]:
    """Repair what keeps Pulumi from reading the stack; StackLockedError when another run is alive."""
    return _report(context, remove_locks(context) + _checkpoint(context.environment, context.stack))


def repair(context: Context) -> list[str]:
    """Repair the stack, unlocked and selected, and return a line for each repair."""
    client, pulumi = context.engine.client, context.pulumi
    done: list[str] = []
    deployment = _deployment(context)
    resources: list[Json] = deployment.get("resources") or []
    pending: list[Json] = deployment.get("pending_operations") or []
    dirty = bool(pending)
    done += [undo_operation(client, pulumi, operation, resources) for operation in pending]
    failed = [r for r in resources if r["type"] == _CONTAINER and r.get("initErrors")]
    for resource in failed:
        _remove_container(client, str(resource["id"]))
        done.append(f"removed container {_name(resource)}, whose start had failed")
    gone = [r for r in resources if r["type"] == _CONTAINER and r not in failed and _is_down(client, r)]
    lost = lost_volumes(client, resources)
    done += [f"noticed that volume {_name(r)} is gone, with what was in it" for r in lost if r["type"] == _VOLUME]
    if failed or dirty or lost:
        urns = {r["urn"] for r in (*failed, *lost)}
        state = pulumi.exported()
        deployment = state["deployment"]
        deployment["pending_operations"] = []
        deployment["resources"] = [without_references(r, urns) for r in resources if r["urn"] not in urns]
        pulumi.output("stack", "import", "--force", stdin=json.dumps(state))
    if gone:
        targets = [part for r in gone for part in ("--target", str(r["urn"]))]
        pulumi.output("refresh", "--yes", "--skip-preview", *targets)
        done += [f"noticed that container {_name(r)} does not run" for r in gone]
    return _report(context, done)


def _report(context: Context, done: list[str]) -> list[str]:
    for line in done:
        context.console.say(f"repaired: {line}")
    return done


def remove_locks(context: Context) -> list[str]:
    """Remove the file backend's locks of processes that are gone; StackLockedError for one that lives, or may."""
    folder = context.environment.file_backend
    if folder is None:
        return []
    done = []
    for path in sorted((folder / ".pulumi" / "locks").rglob(f"{context.stack}/*.json")):
        held = json.loads(path.read_text())
        pid, host = int(held.get("pid", 0)), held.get("hostname", "")
        if host and host != socket.gethostname():
            msg = f"stack '{context.stack}' is locked by {held.get('username')} on {host} (process {pid}): wait for it"
            raise StackLockedError(msg)
        if _alive(pid):
            raise locked(context.stack, pid)
        path.unlink(missing_ok=True)
        done.append(f"removed the lock of process {pid}, which is gone")
    return done


def _deployment(context: Context) -> Json:
    """Return what the state says, read from its file where there is one: Pulumi's own export takes half a second."""
    file = _state_file(context.environment, context.stack)
    if file is None or not file.exists():
        return dict(context.pulumi.exported()["deployment"])
    return json.loads(file.read_text(encoding="utf-8"))["checkpoint"].get("latest") or {}


def _state_file(environment: Environment, stack: str) -> Path | None:
    """Return the file of the stack's state; None where the backend is no folder."""
    folder = environment.file_backend
    return None if folder is None else folder / ".pulumi" / "stacks" / PROJECT / f"{stack}.json"


def _checkpoint(environment: Environment, stack: str) -> list[str]:
    """Repair the files of the state itself: a kill can leave one half-written, with a whole copy beside it."""
    folder, state = environment.file_backend, _state_file(environment, stack)
    if folder is None or state is None:
        return []
    done = []
    if state.exists() and not _whole(state):
        copy = state.with_name(state.name + ".bak")
        if not _whole(copy):
            msg = f"the state {state} is damaged and so is its copy: restore it from {folder / '.pulumi' / 'backups'}"
            raise UserError(msg)
        shutil.copyfile(copy, state)
        done.append("restored the state from its copy, because it was half-written")
    for note in state.parent.glob(f"{state.name}*.attrs"):
        if not _whole(note):  # attributes that Pulumi's file store can do without
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
    """Return whether `pid` is a running Pulumi, and no other program that got its number later."""
    try:
        program = psutil.Process(pid).cmdline()[:2]  # itself, or its interpreter and itself
        return any(Path(part).name == "pulumi" for part in program)
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True


def undo_operation(client: DockerClient, pulumi: Pulumi, operation: Json, resources: list[Json]) -> str:
    """Undo one pending operation of the state; return a line for it."""
    resource: Json = operation["resource"]
    kind, what = operation["type"], f"{resource['type'].rsplit(':', 1)[-1]} {_name(resource)}"
    if kind != "creating":
        return f"cleared that {what} was {kind}: `up` does it again"
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
        _remove_content(pulumi, resource, resources)
    return f"removed the half-created {what}"


def _remove_container(client: DockerClient, reference: str, keep: frozenset[str] | set[str] = frozenset()) -> None:
    try:
        container = client.containers.get(reference)
    except docker.errors.NotFound:
        return
    if container.id in keep:
        return
    container.stop(timeout=60)
    container.remove(force=True, v=True)


def _remove_files(client: DockerClient, name: str, keep: set[str]) -> None:
    """Remove a volume of files. One of data is never touched: `up` adopts it."""
    if name in keep:
        return
    try:
        volume = client.volumes.get(name)
    except docker.errors.NotFound:
        return
    if labels.CONTENT in (volume.attrs.get("Labels") or {}):
        volume.remove()


def _remove_content(pulumi: Pulumi, resource: Json, resources: list[Json]) -> None:
    inputs: Json = resource.get("inputs") or {}
    uid = inputs.get("uid") or _dashboard_uid(inputs)
    provider = next((r for r in resources if r["type"] == "pulumi:providers:grafana"), None)
    if uid is None or provider is None:
        return
    api = _grafana(pulumi, str(provider["urn"]))
    try:
        path = _GRAFANA_PATHS[resource["type"]].format(uid=uid)
        if api.find(path) is not None:
            if "/folders/" in path and api.request("GET", f"/api/search?folderUIDs={uid}"):
                msg = f"Grafana's folder '{uid}' is not in the state, and not empty: move its dashboards, or delete it"
                raise UserError(msg)
            api.request("DELETE", path)
    except GrafanaError as error:
        if error.status == 0:  # Grafana is down: its container is created again first
            return
        raise UserError(str(error)) from None


def _grafana(pulumi: Pulumi, provider_urn: str) -> GrafanaApi:
    """Return the API as the provider in the state reaches it: a run that was killed may have no outputs."""
    shown: Json = json.loads(pulumi.output("stack", "export", "--show-secrets"))
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


def lost_volumes(client: DockerClient, resources: list[Json]) -> list[Json]:
    """Return the volumes that are gone from the Docker host, and the resources inside them: Grafana's content."""
    existing = {volume.name for volume in client.volumes.list()}
    urns = {r["urn"] for r in resources if r["type"] == _VOLUME and r["id"] not in existing}
    return [r for r in resources if r["urn"] in urns or r.get("deletedWith") in urns]


def _name(resource: Json) -> str:
    inputs: Json = resource.get("inputs") or {}
    return str(inputs.get("name") or str(resource["urn"]).rsplit("::", 1)[-1])
