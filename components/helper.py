"""The helper image: it runs one-shot jobs, and lends its shell to health checks of images that have none."""

from __future__ import annotations

from typing import Final

import pulumi
import pulumi_docker as docker

from components.run_once import ROOT, RunOnceArgs, run_once
from observability import versions
from observability.names import labels
from observability.names.paths import TOOLS

HELPER_IMAGE: Final = "prometheus"
"""Key of versions.toml. It has a shell and busybox' tools, and the stack needs it anyway."""
TOOL: Final = "/bin/busybox"
"""In that image; linked statically, so that it runs in every other one."""


class Helper(pulumi.ComponentResource):
    """The helper image, and a volume with its shell that every service of the stack may mount at TOOLS.

    Attributes:
        image: ID of the image on the Docker host.
        tools: the volume's name.
        loaded: the job that filled the volume.
    """

    image: pulumi.Output[str]
    tools: pulumi.Output[str]
    loaded: docker.Container

    def __init__(self, prefix: str, stack: str, opts: pulumi.ResourceOptions | None = None) -> None:
        """Pull the image and fill the volume; `prefix` begins every name on the Docker host."""
        super().__init__("observability:index:Helper", "helper", None, opts)
        # Old and new stand side by side until every service has moved.
        child = pulumi.ResourceOptions(parent=self, delete_before_replace=False)
        own_labels = {labels.STACK: stack, labels.SERVICE: "helper"}
        reference = versions.image(HELPER_IMAGE).reference
        self.image = docker.RemoteImage("helper-image", name=reference, keep_locally=True, opts=child).image_id
        volume = docker.Volume(
            f"{prefix}-tools",
            labels=[
                docker.VolumeLabelArgs(label=label, value=value)
                for label, value in {**own_labels, labels.CONTENT: TOOL.rpartition("/")[2]}.items()
            ],
            opts=child,
        )
        self.tools = volume.name
        job = RunOnceArgs(
            image=self.image,
            command=("cp", "-f", TOOL, TOOLS),
            mounts=(docker.ContainerVolumeArgs(volume_name=volume.name, container_path=TOOLS),),
            labels=own_labels,
            user=ROOT,
        )
        self.loaded = run_once(f"{prefix}-tools-loader", job, child)
        self.register_outputs({"tools": self.tools})
