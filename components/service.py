"""One service of the stack: image, files, data volume, container, and the gates before and after it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field

import pulumi
import pulumi_docker as docker

from components.checks import Preflight, Readiness
from components.files import FileVolume
from components.run_once import run_once
from observability.names import labels
from observability.names.paths import CONFIG, SECRETS
from observability.settings import Limits
from observability.versions import Image

LOOPBACK = "127.0.0.1"
ROOT = "0:0"
"""Of errands only."""


@dataclass(frozen=True)
class Port:
    """`internal` in the container, published as `external`; `engine_only` is for the Docker engine itself to reach."""

    internal: int
    external: int
    engine_only: bool = False


@dataclass(frozen=True)
class SocketMount:
    """A socket of the Docker host at `host`, in the container at `inside`, readable by the group that owns it.

    `group_image` has a `stat`, which finds that group out.
    """

    host: str
    inside: str
    group_image: Image


@dataclass(frozen=True)
class ServiceSpec:
    """Everything about a service that is known before anything exists. Plain values only, no secret."""

    name: str
    image: Image
    user: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    data: str
    files: Mapping[str, str]
    checker: tuple[str, ...]
    """The command that accepts or refuses `files`; none, and they are taken as they are."""
    health: tuple[str, ...]
    health_interval: str
    ports: tuple[Port, ...]
    ready_url: str
    limits: Limits
    tmp_mib: int
    stop_seconds: int
    owner_image: Image | None = None
    """Has a `chown`, and hands a new data volume to the user, where the service's image has no directory of theirs."""
    socket: SocketMount | None = None
    secret_paths: tuple[str, ...] = field(default=())
    networks: tuple[str, ...] = ()
    """Docker networks that the container joins besides the stack's own."""
    reaches_host: bool = False
    """Whether the name `host.docker.internal` leads to the Docker host."""

    def fingerprint(self) -> str:
        """Return a digest of the whole: as a label it forces the replacements that the provider would not make."""
        plain = asdict(self) | {"limits": self.limits.model_dump(), "files": "", "owner_image": ""}
        for name in ("networks", "reaches_host"):  # without them the digest is that of earlier versions
            if not plain[name]:
                del plain[name]
        if self.socket is not None:  # whose images only run errands
            plain["socket"] = [self.socket.host, self.socket.inside]
        return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Host:
    """What all services of a stack share on the Docker host."""

    prefix: str
    stack: str
    bind_address: str
    access_host: str
    network: pulumi.Output[str]
    secrets_key: pulumi.Output[str]
    protect_data: bool
    logs_port: int
    """Of the Docker host's loopback: where the engine sends what its containers print."""
    publish_reason: str = ""
    """Why ports are published on a `bind_address` that others reach."""
    ca: str = ""
    """Who vouches for a service that speaks TLS, as PEM; empty for whom this machine believes anyway."""

    def labels(self, service: str) -> dict[str, str]:
        """Return the labels of everything that belongs to `service`."""
        return {labels.STACK: self.stack, labels.SERVICE: service}

    def published_labels(self, ports: Iterable[Port]) -> dict[str, str]:
        """Return the label that says why `ports` can be reached from elsewhere; none where they cannot."""
        reached = self.publish_reason and any(not port.engine_only for port in ports)
        return {labels.PUBLISHED_BECAUSE: self.publish_reason} if reached else {}


@dataclass(frozen=True)
class Accepted:
    """A service whose files and ports are accepted, and whose container is about to be made or replaced."""

    container: str
    image: pulumi.Output[str]
    volume: pulumi.Output[str]
    opts: pulumi.ResourceOptions


Before = Callable[[Accepted], pulumi.Resource]
"""Makes what has to be done last before the container is made or replaced."""


class Service(pulumi.ComponentResource):
    """A hardened container with its data, its files and its gates.

    `ready` opens when the service answers; `volume` holds its data, if it has any, and outlives every change but
    `destroy`.
    """

    spec: ServiceSpec
    ready: pulumi.Resource
    volume: docker.Volume | None
    container: docker.Container

    def __init__(  # noqa: PLR0913 - what a service may have besides its specification
        self,
        spec: ServiceSpec,
        host: Host,
        *,
        secret_files: Mapping[str, pulumi.Input[str]] | None = None,
        built: docker.RemoteImage | None = None,
        before: Before | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`secret_files` maps absolute paths below SECRETS to secret text; `built` is an image that no registry has.

        `before` is for a service with data.
        """
        super().__init__("observability:index:Service", spec.name, None, opts)
        self.spec = spec
        own = host.labels(spec.name)
        name = f"{host.prefix}-{spec.name}"
        child = pulumi.ResourceOptions(parent=self)
        # Deleted first, another errand would take the container along that depends on it.
        aside = pulumi.ResourceOptions(parent=self, delete_before_replace=False)

        image = built or _image(f"{spec.name}-image", spec.image, self)
        mounts: list[docker.ContainerVolumeArgs] = []
        loaders: list[pulumi.Resource] = []
        self.volume = self._data(spec, host, name) if spec.data else None
        if self.volume is not None:
            mounts.append(docker.ContainerVolumeArgs(volume_name=self.volume.name, container_path=spec.data))
            if spec.owner_image is not None:
                owner_image = image
                if spec.owner_image != spec.image:
                    owner_image = _image(f"{spec.name}-owner-image", spec.owner_image, self)
                loaders.append(
                    run_once(
                        f"{name}-owner",
                        image=owner_image.image_id,
                        command=("chown", spec.user, spec.data),
                        mounts=mounts,
                        labels=own,
                        user=ROOT,
                        capabilities=("CHOWN",),
                        opts=aside,
                    )
                )
        groups: list[pulumi.Input[str]] = []
        if spec.socket is not None:
            socket = docker.ContainerVolumeArgs(
                host_path=spec.socket.host, container_path=spec.socket.inside, read_only=True
            )
            owner = run_once(
                f"{name}-socket",
                image=_image(f"{spec.name}-socket-image", spec.socket.group_image, self).image_id,
                command=("stat", "-c", "%g", spec.socket.inside),
                mounts=[socket],
                labels=own,
                user=ROOT,
                opts=aside,
            )
            groups.append(owner.container_logs.apply(_group))
            mounts.append(socket)
            loaders.append(owner)
        exit_code: pulumi.Output[int] | None = None
        checker_output: pulumi.Output[str] | None = None
        if spec.files:
            config = FileVolume(
                f"{spec.name}-config",
                prefix=host.prefix,
                mount=CONFIG,
                files=spec.files,
                image=image.image_id,
                labels=own,
                checker=spec.checker,
                opts=child,
            )
            mounts.append(_read_only(config.name, CONFIG))
            loaders.append(config.checked)
            if spec.checker:
                exit_code, checker_output = config.checked.exit_code, config.checked.container_logs
        if secret_files:
            secrets = FileVolume(
                f"{spec.name}-secrets",
                prefix=host.prefix,
                mount=SECRETS,
                files=secret_files,
                image=image.image_id,
                labels=own,
                key=host.secrets_key,
                opts=child,
            )
            mounts.append(_read_only(secrets.name, SECRETS))
            loaders.append(secrets.checked)
        preflight = Preflight(
            f"{spec.name}-preflight",
            service=spec.name,
            host=host.access_host,
            ports=[p.external for p in spec.ports],
            exit_code=exit_code,
            checker_output=checker_output,
            opts=pulumi.ResourceOptions(parent=self, depends_on=loaders),
        )
        awaited: list[pulumi.Resource] = [preflight, *loaders]
        if before is not None and self.volume is not None:
            waits = pulumi.ResourceOptions(parent=self, depends_on=[preflight])
            awaited.append(before(Accepted(name, image.image_id, self.volume.name, waits)))
        self.container = docker.Container(
            spec.name,
            name=name,
            image=image.image_id,
            command=list(spec.command),
            envs=[f"{k}={v}" for k, v in sorted(spec.environment.items())],
            user=spec.user,
            group_adds=groups or None,
            read_only=True,
            capabilities=docker.ContainerCapabilitiesArgs(drops=["ALL"]),
            security_opts=["no-new-privileges:true"],
            tmpfs={"/tmp": f"rw,noexec,nosuid,nodev,size={spec.tmp_mib}m,mode=1777"},  # noqa: S108 - in its container
            memory=spec.limits.memory,
            memory_swap=spec.limits.memory,  # unset, the engine's own answer shows as a change on every `up`
            cpus=_cores(spec.limits.cpus),
            volumes=mounts,
            networks_advanced=[
                docker.ContainerNetworksAdvancedArgs(name=host.network, aliases=[spec.name]),
                *(docker.ContainerNetworksAdvancedArgs(name=network) for network in spec.networks),
            ],
            hosts=[docker.ContainerHostArgs(host="host.docker.internal", ip="host-gateway")]
            if spec.reaches_host
            else None,
            ports=[
                docker.ContainerPortArgs(
                    internal=p.internal, external=p.external, ip=LOOPBACK if p.engine_only else host.bind_address
                )
                for p in spec.ports
            ],
            healthcheck=docker.ContainerHealthcheckArgs(
                tests=["CMD", *spec.health],
                interval=spec.health_interval,
                timeout="5s",
                start_period="30s",
                retries=3,
            ),
            log_driver="fluentd",
            log_opts=_log_options(host),
            # An engine that was killed stops what still ran, and "unless-stopped" takes that for a person's doing.
            restart="always",
            stop_timeout=spec.stop_seconds,
            # Without it the provider kills at once, and what was not flushed is lost.
            destroy_grace_seconds=spec.stop_seconds,
            labels=[
                docker.ContainerLabelArgs(label=k, value=v)
                for k, v in (own | host.published_labels(spec.ports) | {labels.SPEC: spec.fingerprint()}).items()
            ],
            # Name and ports are fixed: the old one has to go first.
            opts=pulumi.ResourceOptions(parent=self, depends_on=awaited, delete_before_replace=True),
        )
        self.ready = self.container
        if spec.ready_url:
            self.ready = Readiness(
                f"{spec.name}-ready",
                service=spec.name,
                url=spec.ready_url,
                container=self.container.id,
                container_name=name,
                ca=host.ca,
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({"container": self.container.id})

    def _data(self, spec: ServiceSpec, host: Host, name: str) -> docker.Volume:
        return docker.Volume(
            f"{spec.name}-data",
            name=f"{name}-data",
            labels=[docker.VolumeLabelArgs(label=k, value=v) for k, v in host.labels(spec.name).items()],
            # Any change of a volume's own properties would replace it, and its data with it.
            opts=pulumi.ResourceOptions(
                parent=self,
                protect=host.protect_data,
                ignore_changes=["driver", "driverOpts", "labels"],
            ),
        )


def _image(name: str, image: Image, parent: pulumi.Resource) -> docker.RemoteImage:
    return docker.RemoteImage(
        name,
        name=image.reference,
        keep_locally=True,
        # As in files.py: the service stays until the new image is there.
        opts=pulumi.ResourceOptions(parent=parent, delete_before_replace=False),
    )


def _log_options(host: Host) -> dict[str, str]:
    """Return the options by which the engine sends a container's output to the collector and keeps a copy.

    The copy is what `docker logs` shows. Sending never holds a container up: what the collector misses waits in the
    engine's memory, up to a limit.
    """
    return {
        "fluentd-address": f"{LOOPBACK}:{host.logs_port}",
        "fluentd-async": "true",
        # Without it, what is sent while the collector starts goes into the port's proxy and is lost.
        "fluentd-request-ack": "true",
        "fluentd-sub-second-precision": "true",
        "tag": "{{.Name}}",
        "labels": f"{labels.STACK},{labels.SERVICE}",
        "cache-max-size": "10m",
        "cache-max-file": "3",
    }


def _group(said: str | None) -> str:
    """Return the group's number from what `stat` said; nobody's where it said nothing."""
    found = re.search(r"\d+", said or "")
    return found.group() if found else "65534"


def _cores(cpus: float) -> str:
    """Return `cpus` spelled as the provider reads it back: any other spelling is a change on every `up`.

    It mirrors nanoInt64ToDecimalString of terraform-provider-docker, oddities included ("1.0", "0.25", "10.").
    """
    text = f"{cpus:.9f}"
    return f"{cpus:.1f}" if text.count("0") == 9 else text.rstrip("0")  # noqa: PLR2004 - its own number


def _read_only(volume: pulumi.Output[str], path: str) -> docker.ContainerVolumeArgs:
    return docker.ContainerVolumeArgs(volume_name=volume, container_path=path, read_only=True)
