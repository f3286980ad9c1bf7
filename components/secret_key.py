"""Grafana's secret key, which encrypts its stored secrets: a new key re-encrypts them.

Between the last check and the replacement of Grafana's container, with Grafana stopped, its database comes here, its
data keys are wrapped with the new key (data_keys.py), and it goes back in one rename. A run that is killed on the way
is finished by the next: what is wrapped already is left as it is.
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
_NEW: Final = "grafana.db.rewrapped"
_LOGS: Final = ("grafana.db-wal", "grafana.db-shm")
"""What SQLite keeps beside a database that was not closed."""
_STOP_SECONDS: Final = 30


class SecretKeyProvider(ResourceProvider):
    """Takes the stored secrets along to another key; CheckFailedError, with everything as it was, when it cannot."""

    serialize_as_secret_always = False

    def create(self, props: Properties) -> CreateResult:
        """Re-encrypt what a Grafana from before this resource stored, if there is one."""
        self._take_along(props, [])
        return CreateResult(id_=str(props["container"]), outs=props)

    def diff(self, _id: str, old: Properties, new: Properties) -> DiffResult:
        """Only another key is a change."""
        return DiffResult(changes=old.get("key") != new.get("key"), replaces=[], stables=[])

    def update(self, _id: str, old: Properties, new: Properties) -> UpdateResult:
        """Take everything along from the old key to the new one."""
        self._take_along(new, [str(old["key"])])
        return UpdateResult(outs=new)

    @staticmethod
    def _take_along(props: Properties, former: list[str]) -> None:
        # Only here: they would cost every `up` a tenth of a second.
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
                # Stacks from before this resource wrapped with the text that should have been replaced by the key.
                if database.exists() and rewrap(
                    database, new=str(props["key"]), former=[*former, UNRESOLVED_SECRET_KEY]
                ):
                    _put(helper, database)
                    _rename(helper)
        except UnknownKeyError as error:
            if grafana is not None:
                grafana.start()
            msg = (
                f"Grafana is left as it is: {error}. Give grafanaSecretKey the value it had when these secrets were"
                " stored, run `up`, and change it then."
            )
            raise CheckFailedError(msg) from None
        finally:
            helper.remove(force=True, v=True)
            client.close()


def _helper(client: DockerClient, props: Properties) -> Container:
    """Return a container that sees the data: files go in and out of it, and it does the one rename."""
    script = f"cd {GRAFANA.data} && rm -f {' '.join(_LOGS)} && mv -f {_NEW} {_DATABASE}"
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
    import docker.errors  # noqa: PLC0415 - as above

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
        entry = tarfile.TarInfo(_NEW)
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
        container: container that is stopped when the key changes.
        image: has a shell.
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
    """The key that everything stored is encrypted with, once this resource is there."""

    def __init__(self, args: SecretKeyArgs, opts: pulumi.ResourceOptions) -> None:
        """Re-encrypt what is stored whenever the key changes."""
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
