"""One part of the stack on a Docker host: image, files, data volume, container, and the checks before and after it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pulumi
import pulumi_docker as docker

from components.checks import Preflight, PreflightArgs, Readiness, ReadinessArgs
from components.files import FileVolume, FileVolumeArgs
from components.host import Host
from components.run_once import ROOT, RunOnceArgs, run_once
from components.service_spec import ServiceSpec
from observability import topology
from observability.names import labels
from observability.names.paths import CONFIG, SECRETS, TOOLS
from observability.periods import Periods
from observability.versions import Image


@dataclass(frozen=True)
class Replacement:
    """A container that is about to be created or replaced, after its files and ports were accepted."""

    container: str
    image: pulumi.Output[str]
    volume: pulumi.Output[str]
    opts: pulumi.ResourceOptions


BeforeReplacement = Callable[[Replacement], pulumi.Resource]
"""Create the resource that has to be done last before the container is created or replaced."""


@dataclass(frozen=True)
class ServiceArgs:
    """Arguments of a service.

    Attributes:
        spec: the container.
        host: where it runs.
        secret_files: absolute path below SECRETS to secret text.
        built: image that is built here, None to pull the one of `spec`.
        before: the last step before a container with data is replaced, None for none.
        checker_stand_ins: text of each file that the checker needs in place of a secret, by path.
        periods: where it keeps the lines of which day, None for its volume alone.
    """

    spec: ServiceSpec
    host: Host
    secret_files: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    built: docker.RemoteImage | None = None
    before: BeforeReplacement | None = None
    checker_stand_ins: Mapping[str, str] = field(default_factory=dict)
    periods: Periods | None = None

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
    """Mounts and groups of a container that does not exist yet, and the jobs that prepare them."""

    mounts: list[docker.ContainerVolumeArgs] = field(default_factory=list)
    groups: list[pulumi.Input[str]] = field(default_factory=list)
    jobs: list[pulumi.Resource] = field(default_factory=list)
    checked: docker.Container | None = None
    """The job in which the service's own checker read its files."""


def _data_volume(name: str, host: Host, parent: pulumi.Resource) -> docker.Volume:
    """Create the data volume of the part `name`."""
    return docker.Volume(
        f"{name}-data",
        name=f"{host.prefix}-{name}-data",
        labels=[docker.VolumeLabelArgs(label=k, value=v) for k, v in host.labels(name).items()],
        # A changed property of a volume replaces the volume, and with it the data.
        opts=pulumi.ResourceOptions(
            parent=parent,
            protect=host.protect_data,
            ignore_changes=["driver", "driverOpts", "labels"],
        ),
    )


class KeptData(pulumi.ComponentResource):
    """The data volume of a part that does not run, because an external store takes its place.

    The part gets the same volume again when it runs again. Only `destroy` deletes it.
    """

    def __init__(self, name: str, host: Host, opts: pulumi.ResourceOptions | None = None) -> None:
        """Create the volume, under the name of the part's service."""
        super().__init__("observability:index:Service", name, None, opts)
        self.volume = _data_volume(name, host, self)
        self.register_outputs({})


class Service(pulumi.ComponentResource):
    """A hardened container with its data, its files and its checks.

    Attributes:
        spec: the container's fields.
        ready: resource that exists once the service answers; what needs the service depends on it.
        volume: the data volume, None without data. Only `destroy` deletes it.
        container: the container.
    """

    spec: ServiceSpec
    ready: pulumi.Resource
    volume: docker.Volume | None
    container: docker.Container

    def __init__(self, args: ServiceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Create, fill and check the volumes, then create the container and wait until it serves."""
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
        """Create the data volume and give it to the service's user."""
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
        """Mount the socket, and add the group that owns it to the container."""
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
        """Create and fill the volumes of configuration and of secrets."""
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
        """Return what the container waits for: the jobs, the preflight check, and the step before a replacement."""
        preflight = Preflight(
            f"{self.spec.name}-preflight",
            PreflightArgs(
                service=self.spec.name,
                host=self._args.host.access_host,
                ports=[port.external for port in self.spec.ports],
                checked=prepared.checked,
                periods=self._args.periods,
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
            memory_swap=spec.limits.memory,  # if unset, the engine's default shows as a change on every `up`
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
            log_opts=host.log_options(),
            # Not "unless-stopped": an engine that was killed stops the containers itself, and then leaves them stopped.
            restart="always",
            stop_timeout=spec.stop_seconds,
            # Without it the provider kills the process at once, and data that was not flushed is lost.
            destroy_grace_seconds=spec.stop_seconds,
            labels=[docker.ContainerLabelArgs(label=k, value=v) for k, v in container_labels.items()],
            # Name and ports are fixed, so the old container has to go first.
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
        # A job that is deleted first would delete the container too, which depends on it.
        return pulumi.ResourceOptions(parent=self, delete_before_replace=False)


def _image(name: str, image: Image, parent: pulumi.Resource) -> docker.RemoteImage:
    return docker.RemoteImage(
        name,
        name=image.reference,
        keep_locally=True,
        # The service keeps running until the new image is there.
        opts=pulumi.ResourceOptions(parent=parent, delete_before_replace=False),
    )


def _group_id(output: str | None) -> str:
    """Return the group's number from the output of `stat`; without a number, that of the group nogroup."""
    number = re.search(r"\d+", output or "")
    return number.group() if number else "65534"


def _cores(cpus: float) -> str:
    """Return `cpus` as the provider reads it back; any other spelling is a change on every `up`.

    The spelling is that of nanoInt64ToDecimalString in terraform-provider-docker: "1.0", "0.25", "10.".
    """
    text = f"{cpus:.9f}"
    return f"{cpus:.1f}" if text.count("0") == 9 else text.rstrip("0")  # noqa: PLR2004 - its own number


def _read_only(volume: pulumi.Output[str], path: str) -> docker.ContainerVolumeArgs:
    return docker.ContainerVolumeArgs(volume_name=volume, container_path=path, read_only=True)
