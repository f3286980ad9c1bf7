"""The demo: four services of one image, which is built here from the folder `demo/`."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pulumi
import pulumi_docker as docker

from components.host import Host
from components.service import Service, ServiceArgs
from components.service_spec import service_spec
from observability import endpoints, topology
from observability.configs.process import Process
from observability.names.paths import SECRETS
from observability.settings import milliseconds
from observability.versions import Image, image

if TYPE_CHECKING:
    from collections.abc import Mapping

    from components.secrets import Secrets
    from observability.settings import Settings

CONTEXT: Final = "demo"
"""Folder of the Dockerfile, relative to the project's."""
TOKEN_FILE: Final = f"{SECRETS}/token"
_ROLES: Final = {
    topology.DEMO_GATEWAY.name: "gateway",
    topology.DEMO_MODEL.name: "model",
    topology.DEMO_LOAD.name: "load",
    topology.DEMO_PAGER.name: "pager",
}
_WITH_TOKEN: Final = (topology.DEMO_GATEWAY, topology.DEMO_MODEL)
"""The parts that inject faults into themselves for whoever has the token."""
_ALIVE: Final = "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=4).close()"
_RUNS: Final = "import os; os.kill(1, 0)"
_INTERVAL: Final = "15s"
"""Between health checks. Each one starts Python, which costs CPU time."""


class Demo(pulumi.ComponentResource):
    """An inference gateway, the model behind it, a load generator, and a page that shows received alerts."""

    services: list[Service]

    def __init__(
        self, settings: Settings, host: Host, secrets: Secrets, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Build the image and run the services, each after the one that it calls."""
        super().__init__("observability:index:Demo", "demo", None, opts)
        tag = image_tag(settings)
        built = docker.RemoteImage(
            "demo-image",
            name=tag.reference,
            build=docker.RemoteImageBuildArgs(context=CONTEXT, build_args={"BASE": image("demo").reference}),
            force_remove=True,
            # The old image is removed once no container uses it.
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=False),
        )

        def service(part: topology.Part, *after: Service) -> Service:
            run = process(part, settings)
            spec = service_spec(part, run, settings, image=tag)
            awaited = [other.ready for other in after] or None
            return Service(
                ServiceArgs(spec, host, secret_files=secrets.files(run.secrets), built=built),
                pulumi.ResourceOptions(parent=self, depends_on=awaited),
            )

        pager = service(topology.DEMO_PAGER)
        model = service(topology.DEMO_MODEL)
        gateway = service(topology.DEMO_GATEWAY, model)
        load = service(topology.DEMO_LOAD, gateway)
        self.services = [pager, model, gateway, load]
        self.register_outputs({})


def image_tag(settings: Settings) -> Image:
    """Return the image that is built; its tag is a digest of the files that it is built from."""
    content = hashlib.sha256(image("demo").reference.encode())
    folder = Path(__file__).parent.parent / CONTEXT
    for path in sorted(folder.iterdir()):
        if path.is_file():
            content.update(f"{path.name}\0".encode() + path.read_bytes())
    return Image(f"{settings.prefix}-demo", content.hexdigest()[:12], "")


def process(part: topology.Part, settings: Settings) -> Process:
    """Return the process of one of the demo's parts."""
    return Process(
        command=(_ROLES[part.name],),
        environment=_environment(part.name, settings),
        secrets={TOKEN_FILE: "demo_token"} if part in _WITH_TOKEN else {},
        # The load generator has no port: its health check only sees that the process runs.
        health=("python", "-c", _RUNS if part is topology.DEMO_LOAD else _ALIVE),
        health_interval=_INTERVAL,
    )


def _environment(name: str, settings: Settings) -> Mapping[str, str]:
    return {
        # The three variables by which any application joins the stack.
        "OTEL_SERVICE_NAME": name,
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoints.pushes().url,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        # Without it, Python's instrumentation uses older names of HTTP attributes.
        "OTEL_SEMCONV_STABILITY_OPT_IN": "http",
        "OTEL_METRIC_EXPORT_INTERVAL": str(milliseconds(settings.scrape_interval)),
        "DEMO_TOKEN_FILE": TOKEN_FILE,
        "DEMO_RATE": str(settings.demo_rate),
        "PYTHONUNBUFFERED": "1",
    }
