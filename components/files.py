"""Files for a container, without a path of any machine: a volume for each content, filled before it is used.

Another content is another volume. The old one keeps serving until the new one exists, has been filled, and has been
accepted by the service's own checker; only then is the service replaced. A bad edit therefore never reaches a
running service, and volumes of old contents go when nothing mounts them any more.
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
"""Readable by the one user of the container; the volume itself is readable by root on the host alone."""


def digest(files: Mapping[str, str], key: str = "") -> str:
    """Return 12 hexadecimal digits that change with any path or content; keyed, so that secrets cannot be guessed."""
    text = json.dumps(dict(files), sort_keys=True).encode()
    return hmac.new(key.encode(), text, hashlib.sha256).hexdigest()[:12]


@dataclass(frozen=True)
class FileVolumeArgs:
    """What is in the volume, and who accepts it.

    Attributes:
        mount: directory that the volume is mounted at.
        files: absolute path in the container, below `mount`, to text.
        user: `uid:gid` of the checker.
        memory_mib: memory limit of the checker.
        key: keys the digest of secret contents; None for contents that are not secret.
        checker: command that accepts or refuses the files; empty for none.
        stand_ins: paths outside the volume that have to exist for the checker, and what is there.
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
    """A volume of files. Its name is new for every content, and known once it exists.

    `checked` is the container that filled it: its `exit_code` and `container_logs` are the checker's.
    """

    name: pulumi.Output[str]
    checked: docker.Container

    def __init__(self, name: str, args: FileVolumeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Make the volume, fill it and check it."""
        super().__init__("observability:index:FileVolume", name, None, opts)
        # Old and new stand side by side until the service has moved, also when a refused edit is taken back: so both
        # get names of Pulumi's making. A name of our own would be deleted first, with the running service behind it.
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
        # The keyed digest tells nothing about the secret, so it may be shown.
        return pulumi.Output.unsecret(
            pulumi.Output.all(key=key, files=dict(files)).apply(lambda known: digest(known["files"], known["key"]))
        )
    plain = {path: text for path, text in files.items() if isinstance(text, str)}
    if len(plain) != len(files):
        msg = "contents that are not plain text need a key"
        raise TypeError(msg)
    return digest(plain)
