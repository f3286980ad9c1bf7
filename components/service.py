"""One part of the stack on a Docker host: image, files, data volume, container, and the checks before and after it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

import pulumi
import pulumi_docker as docker

from components.checks import Preflight, PreflightArgs, Readiness, ReadinessArgs
from components.files import FileVolume, FileVolumeArgs
from components.run_once import ROOT, RunOnceArgs, run_once
from observability import endpoints, topology, versions
from observability.names import labels
from observability.names.paths import CONFIG, SECRETS, TOOLS
from observability.settings import Limits, loopback
from observability.versions import Image

if TYPE_CHECKING:
    from components.helper import Helper
    from observability.configs.process import HostSocket, Process
    from observability.settings import Settings
    from observability.topology import Part

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Port:
    """`internal` in the container, published as `external` on the Docker host's `address`."""

    internal: int
    external: int
    address: str = LOOPBACK


@dataclass(frozen=True)
class SocketMount:
    """A socket of the Docker host at `host`, in the container at `inside`, readable by the group that owns it."""

    host: str
    inside: str


@dataclass(frozen=True)
class ServiceSpec:
    """Everything about a container that is known before anything exists. Plain values only, no secret.

    Attributes:
        checker: command that accepts or refuses `files`; empty to take them as they are.
        ready_url: answers 200 when the service can be used, "" where its health check is all there is to ask.
        networks: Docker networks that the container is in, in the order of `Host.networks`.
        data_needs_owner: whether a job hands a new data volume to `user`, because the image has no directory of theirs.
    """

    name: str
    image: Image
    user: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    data: str
    files: Mapping[str, str]
    checker: tuple[str, ...]
    health: tuple[str, ...]
    health_interval: str
    networks: tuple[str, ...]
    ports: tuple[Port, ...]
    ready_url: str
    limits: Limits
    tmp_mib: int
    stop_seconds: int
    data_needs_owner: bool = False
    socket: SocketMount | None = None
    reaches_host: bool = False
    """Whether the name `host.docker.internal` leads to the Docker host."""
    others_networks: tuple[str, ...] = ()
    """Docker networks of other projects that the container joins too."""
    borrows_tools: bool = False
    """Whether the health check runs the helper's shell."""
    host_paths: Mapping[str, str] = field(default_factory=dict)
    """Paths of the Docker host, and where they are in the container, read-only."""

    def fingerprint(self) -> str:
        """Return a digest of the whole: as a label it forces the replacements that the provider would not make."""
        # The names and values of earlier versions, so that a container that did not change is not replaced.
        plain = asdict(self) | {"limits": self.limits.model_dump(), "files": "", "owner_image": ""}
        del plain["borrows_tools"], plain["data_needs_owner"]
        if not self.host_paths:
            del plain["host_paths"]
        if self.socket is not None:
            plain["socket"] = [self.socket.host, self.socket.inside]
        return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:16]


def service_spec(part: Part, process: Process, settings: Settings, *, image: Image | None = None) -> ServiceSpec:
    """Return what a part is on a Docker host; `image` is one that is built here, by default the pinned one."""
    return ServiceSpec(
        name=part.name,
        image=image or versions.image(part.name),
        user=part.user,
        command=process.command,
        environment=process.environment,
        data=part.data,
        files=process.uploads or process.files,
        checker=process.checker,
        health=process.health,
        health_interval=process.health_interval,
        networks=part.networks,
        ports=tuple(
            Port(
                part.published(name, outside=settings.otlp_outside),
                settings.port(port.key),
                settings.published_address(port.key),
            )
            for name, port in part.ports.items()
            if port.key in settings.published
        ),
        ready_url=endpoints.ready_url(part, settings),
        limits=settings.limit(part.name),
        tmp_mib=part.tmp_mib,
        stop_seconds=part.stop_seconds,
        data_needs_owner=part.data_needs_owner,
        socket=_socket_mount(process.socket),
        others_networks=settings.networks if part.reaches_applications else (),
        reaches_host=part.reaches_applications,
        borrows_tools=process.borrows_tools,
        host_paths=process.host_paths,
    )


def _socket_mount(socket: HostSocket | None) -> SocketMount | None:
    return None if socket is None else SocketMount(socket.host, socket.inside)


@dataclass(frozen=True)
class Host:
    """What all services of a stack share on the Docker host.

    Attributes:
        networks: the stack's Docker networks by their name in the table of parts.
        helper: what runs one-shot jobs and lends its shell.
        logs_port: port of the Docker host's loopback to which the engine sends what its containers print.
        publish_reason: why ports are published on an address that others reach.
        engine: docker:host, "" for the default.
        ca: CA certificate (PEM) of services that speak TLS, "" if a public CA signed theirs.
    """

    prefix: str
    stack: str
    access_host: str
    networks: Mapping[str, pulumi.Output[str]]
    helper: Helper
    secrets_key: pulumi.Output[str]
    protect_data: bool
    logs_port: int
    publish_reason: str = ""
    engine: str = ""
    ca: str = ""

    def labels(self, service: str) -> dict[str, str]:
        """Return the labels of everything that belongs to `service`."""
        return {labels.STACK: self.stack, labels.SERVICE: service}

    def published_labels(self, ports: Iterable[Port]) -> dict[str, str]:
        """Return the label that says why `ports` can be reached from elsewhere; none where they cannot."""
        reached = self.publish_reason and any(not loopback(port.address) for port in ports)
        return {labels.PUBLISHED_BECAUSE: self.publish_reason} if reached else {}


@dataclass(frozen=True)
class Replacement:
    """A container that is about to be made or replaced: its files and ports are accepted."""

    container: str
    image: pulumi.Output[str]
    volume: pulumi.Output[str]
    opts: pulumi.ResourceOptions


BeforeReplacement = Callable[[Replacement], pulumi.Resource]
"""Makes what has to be done last before the container is made or replaced."""


@dataclass(frozen=True)
class ServiceArgs:
    """What a service is made of.

    Attributes:
        secret_files: absolute paths below SECRETS to secret text.
        built: an image that no registry has.
        before: for a service with data.
        checker_stand_ins: path and stand-in of each secret file that has to exist for the checker.
    """

    spec: ServiceSpec
    host: Host
    secret_files: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    built: docker.RemoteImage | None = None
    before: BeforeReplacement | None = None
    checker_stand_ins: Mapping[str, str] = field(default_factory=dict)

    @property
    def container_name(self) -> str:
        """Return the container's name on the Docker host."""
        return f"{self.host.prefix}-{self.spec.name}"

    @property
    def labels(self) -> dict[str, str]:
        """Return the labels of everything that belongs to the service."""
        return self.host.labels(self.spec.name)


@dataclass
class _Prepared:
    """What is ready before the container starts: its mounts and groups, and the jobs that made them."""

    mounts: list[docker.ContainerVolumeArgs] = field(default_factory=list)
    groups: list[pulumi.Input[str]] = field(default_factory=list)
    jobs: list[pulumi.Resource] = field(default_factory=list)
    checked: docker.Container | None = None
    """The container in which the service's own checker read its files."""


def _data_volume(name: str, host: Host, parent: pulumi.Resource) -> docker.Volume:
    """Make the data volume of the part called `name`."""
    return docker.Volume(
        f"{name}-data",
        name=f"{host.prefix}-{name}-data",
        labels=[docker.VolumeLabelArgs(label=k, value=v) for k, v in host.labels(name).items()],
        # Any change of a volume's own properties would replace it, and its data with it.
        opts=pulumi.ResourceOptions(
            parent=parent,
            protect=host.protect_data,
            ignore_changes=["driver", "driverOpts", "labels"],
        ),
    )


class KeptData(pulumi.ComponentResource):
    """The data volume of a part that does not run because a store elsewhere is in its place.

    It is the volume that the part had and gets again on the way back: only `destroy` deletes it.
    """

    def __init__(self, name: str, host: Host, opts: pulumi.ResourceOptions | None = None) -> None:
        """Make the volume, under the name of the part's service."""
        super().__init__("observability:index:Service", name, None, opts)
        self.volume = _data_volume(name, host, self)
        self.register_outputs({})


class Service(pulumi.ComponentResource):
    """A hardened container with its data, its files and its checks.

    `ready` is done when the service answers; `volume` holds its data, if it has any, and outlives every change but
    `destroy`.
    """

    spec: ServiceSpec
    ready: pulumi.Resource
    volume: docker.Volume | None
    container: docker.Container

    def __init__(self, args: ServiceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Make the volumes, fill and check them, then make the container and wait until it serves."""
        super().__init__("observability:index:Service", args.spec.name, None, opts)
        self.spec = args.spec
        self._args = args
        image = args.built or _image(f"{args.spec.name}-image", args.spec.image, self)
        self._image_id = image.image_id
        prepared = _Prepared()
        self.volume = self._data_volume(prepared)
        self._socket(prepared)
        self._files(prepared)
        self._tools(prepared)
        prepared.mounts += [
            docker.ContainerVolumeArgs(host_path=path, container_path=inside, read_only=True)
            for path, inside in self.spec.host_paths.items()
        ]
        self.container = self._container(prepared, self._checks(prepared))
        self.ready = self._readiness()
        self.register_outputs({"container": self.container.id})

    def _data_volume(self, prepared: _Prepared) -> docker.Volume | None:
        """Make the data volume and hand it to the service's user."""
        spec = self.spec
        if not spec.data:
            return None
        volume = _data_volume(spec.name, self._args.host, self)
        prepared.mounts.append(docker.ContainerVolumeArgs(volume_name=volume.name, container_path=spec.data))
        if spec.data_needs_owner:
            job = RunOnceArgs(
                image=self._args.host.helper.image,
                command=("chown", spec.user, spec.data),
                mounts=tuple(prepared.mounts),
                labels=self._args.labels,
                user=ROOT,
                capabilities=("CHOWN",),
            )
            prepared.jobs.append(run_once(f"{self._args.container_name}-owner", job, self._job_options()))
        return volume

    def _socket(self, prepared: _Prepared) -> None:
        """Mount the socket, and put the service's user into the group that owns it."""
        socket = self.spec.socket
        if socket is None:
            return
        mount = docker.ContainerVolumeArgs(host_path=socket.host, container_path=socket.inside, read_only=True)
        job = RunOnceArgs(
            image=self._args.host.helper.image,
            command=("stat", "-c", "%g", socket.inside),
            mounts=(mount,),
            labels=self._args.labels,
            user=ROOT,
        )
        owner = run_once(f"{self._args.container_name}-socket", job, self._job_options())
        prepared.groups.append(owner.container_logs.apply(_group_id))
        prepared.mounts.append(mount)
        prepared.jobs.append(owner)

    def _files(self, prepared: _Prepared) -> None:
        """Make and fill the volumes of configuration and of secrets."""
        spec = self.spec
        if spec.files:
            config = self._file_volume("config", CONFIG, spec.files, checker=spec.checker)
            prepared.mounts.append(_read_only(config.name, CONFIG))
            prepared.jobs.append(config.checked)
            prepared.checked = config.checked if spec.checker else None
        if self._args.secret_files:
            key = self._args.host.secrets_key
            secrets = self._file_volume("secrets", SECRETS, self._args.secret_files, key=key)
            prepared.mounts.append(_read_only(secrets.name, SECRETS))
            prepared.jobs.append(secrets.checked)

    def _tools(self, prepared: _Prepared) -> None:
        """Mount the shell that the health check borrows."""
        if self.spec.borrows_tools:
            helper = self._args.host.helper
            prepared.jobs.append(helper.loaded)
            prepared.mounts.append(_read_only(helper.tools, TOOLS))

    def _file_volume(
        self,
        kind: str,
        mount: str,
        files: Mapping[str, pulumi.Input[str]],
        *,
        checker: tuple[str, ...] = (),
        key: pulumi.Output[str] | None = None,
    ) -> FileVolume:
        volume = FileVolumeArgs(
            prefix=self._args.host.prefix,
            mount=mount,
            files=files,
            image=self._image_id,
            labels=self._args.labels,
            user=self.spec.user,
            memory_mib=self.spec.limits.memory,
            key=key,
            checker=checker,
            stand_ins=self._args.checker_stand_ins if checker else {},
        )
        return FileVolume(f"{self.spec.name}-{kind}", volume, pulumi.ResourceOptions(parent=self))

    def _checks(self, prepared: _Prepared) -> list[pulumi.Resource]:
        """Make what the container waits for: the jobs, the preflight check, and what comes right before it."""
        preflight = Preflight(
            f"{self.spec.name}-preflight",
            PreflightArgs(
                service=self.spec.name,
                host=self._args.host.access_host,
                ports=[port.external for port in self.spec.ports],
                checked=prepared.checked,
            ),
            pulumi.ResourceOptions(parent=self, depends_on=prepared.jobs),
        )
        awaited: list[pulumi.Resource] = [preflight, *prepared.jobs]
        if self._args.before is not None and self.volume is not None:
            waits = pulumi.ResourceOptions(parent=self, depends_on=[preflight])
            replacement = Replacement(self._args.container_name, self._image_id, self.volume.name, waits)
            awaited.append(self._args.before(replacement))
        return awaited

    def _container(self, prepared: _Prepared, awaited: list[pulumi.Resource]) -> docker.Container:
        spec, host = self.spec, self._args.host
        container_labels = self._args.labels | host.published_labels(spec.ports) | {labels.SPEC: spec.fingerprint()}
        return docker.Container(
            spec.name,
            name=self._args.container_name,
            image=self._image_id,
            command=list(spec.command),
            envs=[f"{k}={v}" for k, v in sorted(spec.environment.items())],
            user=spec.user,
            group_adds=prepared.groups or None,
            read_only=True,
            capabilities=docker.ContainerCapabilitiesArgs(drops=["ALL"]),
            security_opts=["no-new-privileges:true"],
            tmpfs={"/tmp": f"rw,noexec,nosuid,nodev,size={spec.tmp_mib}m,mode=1777"},  # noqa: S108 - in its container
            memory=spec.limits.memory,
            memory_swap=spec.limits.memory,  # unset, the engine's own answer shows as a change on every `up`
            cpus=_cores(spec.limits.cpus),
            volumes=prepared.mounts,
            networks_advanced=[
                *(
                    docker.ContainerNetworksAdvancedArgs(
                        name=host.networks[network], aliases=list(topology.aliases(spec.name, network))
                    )
                    for network in spec.networks
                ),
                *(docker.ContainerNetworksAdvancedArgs(name=network) for network in spec.others_networks),
            ],
            hosts=[docker.ContainerHostArgs(host="host.docker.internal", ip="host-gateway")]
            if spec.reaches_host
            else None,
            ports=[
                docker.ContainerPortArgs(internal=p.internal, external=p.external, ip=p.address) for p in spec.ports
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
            labels=[docker.ContainerLabelArgs(label=k, value=v) for k, v in container_labels.items()],
            # Name and ports are fixed: the old one has to go first.
            opts=pulumi.ResourceOptions(parent=self, depends_on=awaited, delete_before_replace=True),
        )

    def _readiness(self) -> Readiness:
        return Readiness(
            f"{self.spec.name}-ready",
            ReadinessArgs(
                service=self.spec.name,
                url=self.spec.ready_url,
                container=self.container.id,
                container_name=self._args.container_name,
                engine=self._args.host.engine,
                ca=self._args.host.ca,
            ),
            pulumi.ResourceOptions(parent=self),
        )

    def _job_options(self) -> pulumi.ResourceOptions:
        # A job that is deleted before its replacement takes the container along, which depends on it.
        return pulumi.ResourceOptions(parent=self, delete_before_replace=False)


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


def _group_id(output: str | None) -> str:
    """Return the group's number from the output of `stat`; that of the group nogroup where there is none."""
    number = re.search(r"\d+", output or "")
    return number.group() if number else "65534"


def _cores(cpus: float) -> str:
    """Return `cpus` spelled as the provider reads it back: any other spelling is a change on every `up`.

    It mirrors nanoInt64ToDecimalString of terraform-provider-docker, oddities included ("1.0", "0.25", "10.").
    """
    text = f"{cpus:.9f}"
    return f"{cpus:.1f}" if text.count("0") == 9 else text.rstrip("0")  # noqa: PLR2004 - its own number


def _read_only(volume: pulumi.Output[str], path: str) -> docker.ContainerVolumeArgs:
    return docker.ContainerVolumeArgs(volume_name=volume, container_path=path, read_only=True)
