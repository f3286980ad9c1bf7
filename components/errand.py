"""A container that does one thing on the Docker host and ends: what the program must know of, or do to, that host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pulumi
import pulumi_docker as docker


def errand(  # noqa: PLR0913 - one argument a property
    name: str,
    *,
    image: pulumi.Input[str],
    command: Sequence[str],
    mounts: Sequence[docker.ContainerVolumeArgs],
    labels: Mapping[str, str],
    capabilities: Sequence[str] = (),
    opts: pulumi.ResourceOptions,
) -> docker.Container:
    """Run `command` in `image` as root with nothing but `capabilities`, without network; its output is kept as logs."""
    return docker.Container(
        name,
        image=image,
        entrypoints=list(command),
        user="0:0",
        read_only=True,
        volumes=list(mounts),
        attach=True,
        logs=True,
        must_run=False,
        restart="no",
        network_mode="none",
        capabilities=docker.ContainerCapabilitiesArgs(drops=["ALL"], adds=[f"CAP_{c}" for c in capabilities]),
        security_opts=["no-new-privileges:true"],
        log_driver="json-file",
        labels=[docker.ContainerLabelArgs(label=label, value=value) for label, value in labels.items()],
        opts=opts,
    )
