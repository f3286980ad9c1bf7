"""The demo as four services of one image that is built here: what they are is in `demo/`."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pulumi
import pulumi_docker as docker

from components.service import Host, Port, Service, ServiceSpec
from observability.names.paths import SECRETS
from observability.settings import DEMO, milliseconds
from observability.versions import Image, image

if TYPE_CHECKING:
    from collections.abc import Mapping

    from observability.settings import Settings

CONTEXT: Final = "demo"
"""Folder of the Dockerfile, from the project's."""
TOKEN_FILE: Final = f"{SECRETS}/token"
PORT: Final = 8000
USER: Final = "65532:65532"
"""Nobody in particular: nothing in the image belongs to it."""
GATEWAY, MODEL, LOAD, PAGER = DEMO
PUBLISHED: Final = {GATEWAY: ("demo", "readyz"), PAGER: ("demoPager", "healthz")}
"""What can be reached from outside: its key in DEFAULT_PORTS, and where it says whether it can be used."""
_ROLES: Final = {GATEWAY: "gateway", MODEL: "model", LOAD: "load", PAGER: "pager"}
_ALIVE: Final = "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=4).close()"
_INTERVAL: Final = "15s"
"""Between health checks: each is a Python of its own."""


class Demo(pulumi.ComponentResource):
    """An inference gateway, the model behind it, its customers, and a pager for who is on call."""

    services: list[Service]

    def __init__(
        self,
        settings: Settings,
        host: Host,
        *,
        token: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`token` is what faults are asked for with."""
        super().__init__("observability:index:Demo", "demo", None, opts)
        child = pulumi.ResourceOptions(parent=self)
        tag = picture(settings)
        built = docker.RemoteImage(
            "demo-image",
            name=tag.reference,
            build=docker.RemoteImageBuildArgs(context=CONTEXT, build_args={"BASE": image("demo").reference}),
            force_remove=True,
            # The old one goes when nothing runs it any more.
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=False),
        )
        secret = {TOKEN_FILE: token}
        pager = Service(spec(PAGER, tag, settings), host, built=built, opts=child)
        model = Service(spec(MODEL, tag, settings), host, built=built, secret_files=secret, opts=child)
        behind = pulumi.ResourceOptions(parent=self, depends_on=[model.ready])
        gateway = Service(spec(GATEWAY, tag, settings), host, built=built, secret_files=secret, opts=behind)
        before = pulumi.ResourceOptions(parent=self, depends_on=[gateway.ready])
        customers = Service(spec(LOAD, tag, settings), host, built=built, opts=before)
        self.services = [pager, model, gateway, customers]
        self.register_outputs({})


def picture(settings: Settings) -> Image:
    """Return the image that is built, tagged by what goes into it: other content is another image."""
    content = hashlib.sha256(image("demo").reference.encode())
    folder = Path(__file__).parent.parent / CONTEXT
    for path in sorted(folder.iterdir()):
        if path.is_file():
            content.update(f"{path.name}\0".encode() + path.read_bytes())
    return Image(f"{settings.prefix}-demo", content.hexdigest()[:12], "")


def spec(name: str, tag: Image, settings: Settings) -> ServiceSpec:
    """Return one of the four."""
    own = ServiceSpec(
        name=name,
        image=tag,
        user=USER,
        command=(_ROLES[name],),
        environment=_environment(name, settings),
        data="",
        files={},
        checker=(),
        health=("python", "-c", _ALIVE),
        health_interval=_INTERVAL,
        ports=(),
        ready_url="",
        limits=settings.limit(name),
        tmp_mib=16,
        stop_seconds=10,
    )
    if name == LOAD:  # serves nobody, so there is nobody to ask but its process
        return replace(own, health=("python", "-c", "import os; os.kill(1, 0)"))
    if name in PUBLISHED:
        port, asked = PUBLISHED[name]
        return replace(own, ports=(Port(PORT, settings.port(port)),), ready_url=f"{settings.address(port)}/{asked}")
    return own


def _environment(name: str, settings: Settings) -> Mapping[str, str]:
    return {
        # The three by which any application joins.
        "OTEL_SERVICE_NAME": name,
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        # Python's libraries still use older names for HTTP unless told otherwise.
        "OTEL_SEMCONV_STABILITY_OPT_IN": "http",
        "OTEL_METRIC_EXPORT_INTERVAL": str(milliseconds(settings.scrape_interval)),
        "DEMO_TOKEN_FILE": TOKEN_FILE,
        "DEMO_RATE": str(settings.demo_rate),
        "PYTHONUNBUFFERED": "1",
    }
