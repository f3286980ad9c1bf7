"""A one-shot job on the Docker host: a container that fills a volume, checks files or reads a value, and exits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_docker as docker

ROOT: Final = "0:0"
"""User of the jobs that need more than the service's own."""


@dataclass(frozen=True)
class RunOnceArgs:
    """What a job runs, and with which rights.

    Attributes:
        image: ID of the image.
        command: what it runs; empty for a container that is only created, to write its `uploads`.
        mounts: volumes of the job.
        labels: labels of the container.
        user: `uid:gid`, "" for the image's own.
        memory_mib: memory limit.
        capabilities: Linux capabilities that the job keeps; all others are dropped.
        uploads: files that are written into the container, whose root file system is writable only with them.
    """

    image: pulumi.Input[str]
    command: Sequence[str]
    mounts: Sequence[docker.ContainerVolumeArgs]
    labels: Mapping[str, str]
    user: str = ""
    memory_mib: int = 64
    capabilities: Sequence[str] = ()
    uploads: Sequence[docker.ContainerUploadArgs] = ()


def run_once(name: str, args: RunOnceArgs, opts: pulumi.ResourceOptions) -> docker.Container:
    """Run the job without a network; its output is the returned container's `container_logs`."""
    runs = bool(args.command)
    return docker.Container(
        name,
        image=args.image,
        uploads=list(args.uploads) or None,
        volumes=list(args.mounts),
        entrypoints=list(args.command) or None,
        user=args.user or None,
        memory=args.memory_mib,
        memory_swap=args.memory_mib,
        read_only=not args.uploads,
        start=runs,
        attach=runs,
        logs=runs,
        must_run=False,
        restart="no",
        network_mode="none",
        capabilities=docker.ContainerCapabilitiesArgs(drops=["ALL"], adds=[f"CAP_{c}" for c in args.capabilities]),
        security_opts=["no-new-privileges:true"],
        log_driver="json-file",
        labels=[docker.ContainerLabelArgs(label=label, value=value) for label, value in args.labels.items()],
        opts=opts,
    )
