"""Grafana's secret key, which encrypts its stored secrets: a new key re-encrypts them.

After the checks and before the replacement of its container, Grafana is stopped, its database is copied to this
machine, its data keys are re-encrypted (data_keys.py), and the database goes back in one rename. If a run is killed
halfway, the next one completes it: a data key that has the new secret key already stays as it is.
"""

from __future__ import annotations

import io
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult

from components.checks import CheckFailedError
from observability.names import labels
from observability.names.paths import UNRESOLVED_SECRET_KEY
from observability.topology import GRAFANA

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

Properties = dict[str, Any]

_DATABASE: Final = "grafana.db"
_NEW_DATABASE: Final = "grafana.db.rewrapped"
_LOGS: Final = ("grafana.db-wal", "grafana.db-shm")
"""Files of SQLite beside a database that was not closed."""
_STOP_SECONDS: Final = 30


class SecretKeyProvider(ResourceProvider):
    """Re-encrypts the stored secrets for a new key; if it cannot, it changes nothing and fails."""

    serialize_as_secret_always = False

    def create(self, props: Properties) -> CreateResult:
        """Re-encrypt the secrets that a Grafana stored before this resource existed, if there is one."""
        self._reencrypt(props, [])
        return CreateResult(id_=str(props["container"]), outs=props)

    def diff(self, _id: str, old: Properties, new: Properties) -> DiffResult:
        """Return a change if the key differs."""
        return DiffResult(changes=old.get("key") != new.get("key"), replaces=[], stables=[])

    def update(self, _id: str, old: Properties, new: Properties) -> UpdateResult:
        """Re-encrypt everything from the old key to the new one."""
        self._reencrypt(new, [str(old["key"])])
        return UpdateResult(outs=new)

    @staticmethod
    def _reencrypt(props: Properties, former: list[str]) -> None:
        # Imported here, because they would cost every `up` a tenth of a second.
        import docker.errors  # noqa: PLC0415

        from components import engine  # noqa: PLC0415
        from components.data_keys import UnknownKeyError, rewrap  # noqa: PLC0415

        client = engine.client(str(props["engine"]))
        try:
            grafana = client.containers.get(str(props["container"]))
            grafana.stop(timeout=_STOP_SECONDS)
        except docker.errors.NotFound:
            grafana = None
        helper = _helper(client, props)
        try:
            with tempfile.TemporaryDirectory() as folder:
                for name in (_DATABASE, *_LOGS):
                    _fetch(helper, name, Path(folder))
                database = Path(folder) / _DATABASE
                # Before this resource existed, a bug made Grafana encrypt with the text of the unresolved reference.
                if database.exists() and rewrap(
                    database, new=str(props["key"]), former=[*former, UNRESOLVED_SECRET_KEY]
                ):
                    _put(helper, database)
                    _rename(helper)
        except UnknownKeyError as error:
            if grafana is not None:
                grafana.start()
            msg = (
                f"Grafana was not changed: {error}. Set grafanaSecretKey to the value that it had when these secrets"
                " were stored, run `up`, and then change it."
            )
            raise CheckFailedError(msg) from None
        finally:
            helper.remove(force=True, v=True)
            client.close()


def _helper(client: DockerClient, props: Properties) -> Container:
    """Return a stopped container with the data volume, to copy files in and out, and to do the rename."""
    script = f"cd {GRAFANA.data} && rm -f {' '.join(_LOGS)} && mv -f {_NEW_DATABASE} {_DATABASE}"
    return client.containers.create(
        str(props["image"]),
        entrypoint=["sh", "-c", script],
        user=str(props["user"]),
        network_mode="none",
        cap_drop=["ALL"],
        security_opt=["no-new-privileges:true"],
        volumes={str(props["volume"]): {"bind": GRAFANA.data, "mode": "rw"}},
        labels={labels.STACK: str(props["stack"])},
    )


def _fetch(helper: Container, name: str, folder: Path) -> None:
    import docker.errors  # noqa: PLC0415 - as in SecretKeyProvider

    try:
        chunks, _ = helper.get_archive(f"{GRAFANA.data}/{name}")
    except docker.errors.NotFound:
        return
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
        archive.extractall(folder, filter="data")


def _put(helper: Container, database: Path) -> None:
    uid, gid = (int(part) for part in helper.attrs["Config"]["User"].split(":"))
    content = database.read_bytes()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        entry = tarfile.TarInfo(_NEW_DATABASE)
        entry.size, entry.mode, entry.uid, entry.gid = len(content), 0o640, uid, gid
        archive.addfile(entry, io.BytesIO(content))
    helper.put_archive(GRAFANA.data, packed.getvalue())


def _rename(helper: Container) -> None:
    helper.start()
    result = helper.wait(timeout=60)
    if result["StatusCode"]:
        msg = f"Grafana's database could not be put in place: {helper.logs().decode(errors='replace').strip()}"
        raise CheckFailedError(msg)


@dataclass(frozen=True)
class SecretKeyArgs:
    """The key, and the Grafana whose database is re-encrypted with it.

    Attributes:
        key: the secret key.
        stack: name of the stack, for labels.
        container: name of Grafana's container, which is stopped when the key changes.
        volume: its data volume.
        image: ID of an image with a shell.
        user: `uid:gid` of the database's owner.
        engine: docker:host, "" for the default.
    """

    key: pulumi.Input[str]
    stack: str
    container: str
    volume: pulumi.Input[str]
    image: pulumi.Input[str]
    user: str
    engine: str


class SecretKey(Resource, module="grafana", name="SecretKey"):
    """Exists once every stored secret is encrypted with the key."""

    def __init__(self, args: SecretKeyArgs, opts: pulumi.ResourceOptions) -> None:
        """Re-encrypt the stored secrets whenever the key changes."""
        props: Properties = {
            "key": pulumi.Output.secret(args.key),
            "stack": args.stack,
            "container": args.container,
            "volume": args.volume,
            "image": args.image,
            "user": args.user,
            "engine": args.engine,
        }
        super().__init__(SecretKeyProvider(), "grafana-secret-key-in-use", props, opts)
