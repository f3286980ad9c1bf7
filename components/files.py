"""Files of a container in a Docker volume, filled and checked before the container uses it.

No path of the Docker host is needed, so the engine may be on another machine. A new content gets a new volume. The
service keeps the old one until the new one is filled and the service's own checker has accepted it. So a bad edit never
reaches a running service. A volume that no container mounts any more is deleted.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_docker as docker

from components.run_once import RunOnceArgs, run_once
from observability.names.labels import CONTENT

FILE_MODE = "0444"
"""Readable by the container's user; on the Docker host only root can read a volume."""


def digest(files: Mapping[str, str], key: str = "") -> str:
    """Return 12 hexadecimal digits that change with any path or content; with a key, a content cannot be guessed."""
    text = json.dumps(dict(files), sort_keys=True).encode()
    return hmac.new(key.encode(), text, hashlib.sha256).hexdigest()[:12]


@dataclass(frozen=True)
class FileVolumeArgs:
    """The content of a volume, and its checker.

    Attributes:
        prefix: beginning of the Docker names.
        mount: directory at which the volume is mounted.
        files: absolute path in the container, below `mount`, to text.
        image: ID of the image that runs the checker.
        labels: labels of the volume and the job.
        user: `uid:gid` of the checker.
        memory_mib: memory limit of the checker.
        key: key of the digest of secret contents; None for contents that are not secret.
        checker: command that accepts or refuses the files; empty for none.
        stand_ins: text of files outside of the volume that the checker needs, by path.
    """

    prefix: str
    mount: str
    files: Mapping[str, pulumi.Input[str]]
    image: pulumi.Input[str]
    labels: Mapping[str, str]
    user: str
    memory_mib: int
    key: pulumi.Input[str] | None = None
    checker: Sequence[str] = ()
    stand_ins: Mapping[str, str] = field(default_factory=dict)


class FileVolume(pulumi.ComponentResource):
    """A volume of files.

    Attributes:
        name: its Docker name, new for every content, known once the volume exists.
        checked: job that filled it; `exit_code` and `container_logs` are the checker's.
    """

    name: pulumi.Output[str]
    checked: docker.Container

    def __init__(self, name: str, args: FileVolumeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Create the volume, fill it and check it."""
        super().__init__("observability:index:FileVolume", name, None, opts)
        # Old and new volume exist side by side until the service uses the new one, so Pulumi makes up their names.
        # With a fixed name the old volume would be deleted first, and the running service with it.
        child = pulumi.ResourceOptions(parent=self, delete_before_replace=False)
        volume = docker.Volume(
            f"{args.prefix}-{name}",
            labels=[
                docker.VolumeLabelArgs(label=label, value=value)
                for label, value in {**args.labels, CONTENT: _content(args.files, args.key)}.items()
            ],
            opts=child,
        )
        job = RunOnceArgs(
            image=args.image,
            command=args.checker,
            mounts=[docker.ContainerVolumeArgs(volume_name=volume.name, container_path=args.mount)],
            labels=args.labels,
            user=args.user,
            memory_mib=args.memory_mib,
            uploads=[
                docker.ContainerUploadArgs(file=path, content=text, permissions=FILE_MODE)
                for path, text in sorted({**args.stand_ins, **args.files}.items())
            ],
        )
        self.checked = run_once(f"{args.prefix}-{name}-loader", job, child)
        self.name = volume.name
        self.register_outputs({"name": self.name})


def _content(files: Mapping[str, pulumi.Input[str]], key: pulumi.Input[str] | None) -> pulumi.Input[str]:
    if key is not None:
        # A keyed digest reveals nothing about the secret, so it may be shown.
        return pulumi.Output.unsecret(
            pulumi.Output.all(key=key, files=dict(files)).apply(lambda known: digest(known["files"], known["key"]))
        )
    plain = {path: text for path, text in files.items() if isinstance(text, str)}
    if len(plain) != len(files):
        msg = "contents that are not plain text need a key"
        raise TypeError(msg)
    return digest(plain)
