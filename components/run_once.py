"""A container that does one thing on the Docker host and ends: fill a volume, check files, look something up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pulumi
import pulumi_docker as docker


def run_once(  # noqa: PLR0913 - one argument a property
    name: str,
    *,
    image: pulumi.Input[str],
    command: Sequence[str],
    mounts: Sequence[docker.ContainerVolumeArgs],
    labels: Mapping[str, str],
    user: str = "",
    capabilities: Sequence[str] = (),
    uploads: Sequence[docker.ContainerUploadArgs] = (),
    opts: pulumi.ResourceOptions,
) -> docker.Container:
    """Run `command` in `image` as `user` (the image's own by default) with nothing but `capabilities`, no network.

    What it prints is its `container_logs`. Without a command it is only made, for its `uploads`; these need a root
    file system that can be written.
    """
    runs = bool(command)
    return docker.Container(
        name,
        image=image,
        uploads=list(uploads) or None,
        volumes=list(mounts),
        entrypoints=list(command) or None,
        user=user or None,
        read_only=not uploads,
        start=runs,
        attach=runs,
        logs=runs,
        must_run=False,
        restart="no",
        network_mode="none",
        capabilities=docker.ContainerCapabilitiesArgs(drops=["ALL"], adds=[f"CAP_{c}" for c in capabilities]),
        security_opts=["no-new-privileges:true"],
        log_driver="json-file",
        labels=[docker.ContainerLabelArgs(label=label, value=value) for label, value in labels.items()],
        opts=opts,
    )
