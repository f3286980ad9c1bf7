"""`make bench`: speed, each figure a ratio of two things in one run; times alone mean little on a busy machine."""

from __future__ import annotations

import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import docker
import yaml
from docker import DockerClient

from cli import engine as docker_engine
from cli import stack_config
from cli.context import Context
from components.grafana_api import GrafanaApi, GrafanaError
from components.helper import HELPER_IMAGE, TOOL
from components.service import ServiceSpec, service_spec
from dashboards import DashboardBuilder
from lab import bench_collector, bench_slo
from lab.sandbox import Sandbox, free_offset, missing
from observability import processes, topology, versions
from observability.names.paths import CONFIG, SECRETS, TOOLS
from observability.settings import CONTAINERS, DEFAULT_PORTS, Settings

_NOOP_RUNS = 5
_FRESH_RUNS = 3
_PROJECT = "name: bench\nruntime:\n  name: python\n  options: {toolchain: pip, virtualenv: %s}\n"
# What no stack of these providers can be faster than: each plugin started, one resource looked at by each.
_ONE_OF_EACH_PROGRAM = """
import os
import pulumi
import pulumi_docker
import pulumi_random
import pulumiverse_grafana as grafana
from pulumi.dynamic import CreateResult, Resource, ResourceProvider


class Nothing(ResourceProvider):
    def create(self, props):
        return CreateResult("nothing", {})


class Gate(Resource, name="Gate"):
    pass


pulumi_random.RandomPassword("password", length=20)
pulumi_docker.Volume("volume", name="observability-bench-floor")
Gate(Nothing(), "nothing", {})
auth = pulumi.Output.secret(os.environ["GRAFANA_AUTH"])
provider = grafana.Provider("grafana", url=os.environ["GRAFANA_URL"], auth=auth)
grafana.oss.Folder("folder", uid="bench-floor", title="Bench", opts=pulumi.ResourceOptions(provider=provider))
"""
_STAND_IN = "a-stand-in-for-a-secret-0123456789"

Row = tuple[str, str, str, str, str, str]


def run(context: Context) -> int:
    """Run what can run here and print the table; a missed goal is shown, not hidden."""
    rows = [_building()]
    reason = missing()
    if reason is None:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            rows += _real(context, Path(folder))
    else:
        context.console.say(f"the stack itself is not measured here: {reason}")
    context.console.table("speed, as ratios in one run", ("what", "over what", "this", "that", "ratio", "goal"), rows)
    bench_collector.run()
    bench_slo.run()
    return 0


def _building() -> Row:
    def build(count: int) -> Callable[[], None]:
        def run() -> None:
            for number in range(count):
                _dashboard(number).to_json()

        return run

    build(10)()  # imports and caches belong to no dashboard
    ten, hundred = _fastest(build(10), 5), _fastest(build(100), 3)
    return _row("100 dashboards of 20 panels", "10 of them", hundred, ten, 10)


def _dashboard(number: int) -> DashboardBuilder:
    dashboard = DashboardBuilder(title=f"Bench {number}", uid=f"bench-{number}")
    for panel in range(20):
        dashboard.add_timeseries_panel(title=f"Panel {panel}", query=f"up{{n='{panel}'}}", unit="short")
    return dashboard


def _real(context: Context, folder: Path) -> list[Row]:
    client = docker.from_env()
    stack = Sandbox.make(folder / "stack", "bench", engine=client)
    rows = []
    try:
        fresh = [_fresh(stack) for _ in range(_FRESH_RUNS)]
        stack.expect_no_changes()
        empty = _program(stack, folder / "empty", "")
        floor = _program(stack, folder / "floor", _ONE_OF_EACH_PROGRAM)
        times: list[list[float]] = [[], [], []]
        for _ in range(_NOOP_RUNS):  # in turns, so that all run under the same load
            for measured, run in zip(times, (lambda: _up(stack), empty, floor), strict=True):
                measured.append(_timed(run))
        noop, nothing, least = map(_median, times)
        rows.append(_row("`up` that changes nothing", "an empty program's", noop, nothing, 1.5))
        rows.append(_row("… of one resource by each provider", "an empty program's", least, nothing))
    finally:
        stack.sweep()
    settings = stack_config.settings("dev")
    alone = [_grafana_alone(client, settings) for _ in range(_FRESH_RUNS)]
    rows.append(_row("`up` from nothing to healthy", "Grafana alone", _median(fresh), _median(alone), 2.5))
    if subprocess.run(["docker", "compose", "version"], check=False, capture_output=True).returncode:
        context.console.say("docker compose is not installed: that comparison is left out")
    else:
        composed = [_compose(folder / f"compose{n}", settings) for n in range(_FRESH_RUNS)]
        rows.append(_row("`up` from nothing to healthy", "compose up --wait", _median(fresh), _median(composed), 1.3))
    return rows


def _program(stack: Sandbox, folder: Path, text: str) -> Callable[[], None]:
    """Return what runs `up` on a program of its own, which has been up once."""
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text(_PROJECT % (stack.folder / ".venv").resolve())
    (folder / "__main__.py").write_text(text)
    (folder / ".state").mkdir()
    neighbour = Sandbox(folder, "bench", stack.docker)
    outputs = stack.outputs()
    variables = {
        "GRAFANA_URL": outputs["grafanaUrl"],
        "GRAFANA_AUTH": f"{outputs['grafanaAdminUser']}:{outputs['grafanaAdminPassword']}",
    }
    neighbour.pulumi("stack", "init")

    def run() -> None:
        done = neighbour.pulumi("up", "--yes", "--skip-preview", **variables)
        assert done.returncode == 0, done.stdout + done.stderr

    run()
    return run


def _up(stack: Sandbox) -> None:
    done = stack.pulumi("up", "--yes", "--skip-preview")
    assert done.returncode == 0, done.stdout + done.stderr


def _fresh(stack: Sandbox) -> float:
    """Return the seconds from `pulumi up` on nothing to everything provisioned and called healthy by Docker."""
    stack.pulumi("stack", "init")  # no harm when it is there
    stack.pulumi("destroy", "--yes", "--skip-preview")
    stack.sweep()

    def run() -> None:
        _up(stack)
        while any(docker_engine.health(stack.container(s)) != "healthy" for s in CONTAINERS):
            time.sleep(0.05)

    return _timed(run)


def _grafana_alone(client: DockerClient, settings: Settings) -> float:
    """Return the seconds from starting a Grafana like ours, on nothing, to its API being healthy."""
    spec = _spec(topology.GRAFANA, settings)
    name, port = "observability-bench-alone", DEFAULT_PORTS["grafana"] + free_offset()
    # Without our files; what is in them makes no difference here.
    environment = {k: v for k, v in spec.environment.items() if "$__file" not in v and k != "GF_PATHS_CONFIG"}
    started = time.monotonic()
    container = client.containers.run(
        spec.image.reference,
        name=name,
        detach=True,
        user=spec.user,
        environment=environment,
        read_only=True,
        tmpfs={"/tmp": f"mode=1777,size={spec.tmp_mib}m"},  # noqa: S108 - in its container
        mem_limit=f"{spec.limits.memory}m",
        nano_cpus=int(spec.limits.cpus * 1e9),
        volumes={f"{name}-data": {"bind": spec.data}},
        ports={"3000/tcp": ("127.0.0.1", port)},
    )
    api = GrafanaApi(f"http://127.0.0.1:{port}", "")
    try:
        while not _answers(api):
            container.reload()
            assert container.status in {"created", "running"}, container.logs(tail=5).decode()
            time.sleep(0.05)
        return time.monotonic() - started
    finally:
        container.remove(force=True, v=True)
        client.volumes.get(f"{name}-data").remove()


def _answers(api: GrafanaApi) -> bool:
    try:
        return bool(api.request("GET", "/api/health"))
    except GrafanaError:
        return False


def _compose(folder: Path, settings: Settings) -> float:
    """Return the seconds of `docker compose up --wait` for the same containers, with the same files."""
    folder.mkdir()
    offset = free_offset()
    specs = [_spec(part, settings) for part in topology.PARTS]
    secrets = {part.name: list(processes.process(part.name, settings).secrets) for part in topology.PARTS}
    services = {s.name: _compose_service(folder, s, secrets.get(s.name, []), offset) for s in specs}
    # Badger's volume and the queues' have to belong to their user before the service starts, here as there.
    for spec in specs:
        if not spec.data_needs_owner:
            continue
        owner = f"{spec.name}-owner"
        services[spec.name]["depends_on"] = {owner: {"condition": "service_completed_successfully"}}
        services[owner] = {
            "image": versions.image(HELPER_IMAGE).reference,
            "user": "0:0",
            "entrypoint": ["chown", spec.user, spec.data],
            "volumes": [f"{spec.name}-data:{spec.data}"],
        }
    document = {
        "name": "observability-bench-compose",
        "services": services,
        "volumes": {f"{s.name}-data": {} for s in specs if s.data},
    }
    (folder / "compose.yaml").write_text(yaml.safe_dump(document))
    command = ["docker", "compose", "-f", str(folder / "compose.yaml")]

    def up() -> None:
        done = subprocess.run(
            [*command, "up", "-d", "--wait", *CONTAINERS], check=False, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr

    try:
        return _timed(up)
    finally:
        subprocess.run([*command, "down", "-v", "-t", "1"], check=False, capture_output=True)


def _spec(part: topology.Part, settings: Settings) -> ServiceSpec:
    return service_spec(part, processes.process(part.name, settings), settings)


def _compose_service(folder: Path, spec: ServiceSpec, secret_paths: list[str], offset: int) -> dict[str, object]:
    mounts = [f"{spec.name}-data:{spec.data}"] if spec.data else []
    groups: list[str] = []
    if spec.borrows_tools:
        mounts.append(f"{_tools(folder)}:{TOOLS}:ro")
    if spec.socket is not None:
        mounts.append(f"{spec.socket.host}:{spec.socket.inside}:ro")
        groups.append(str(Path(spec.socket.host).stat().st_gid))
    mounts += [f"{path}:{inside}:ro" for path, inside in spec.host_paths.items()]
    for root, files in ((CONFIG, spec.files), (SECRETS, dict.fromkeys(secret_paths, _STAND_IN))):
        for path, text in files.items():
            target = folder / spec.name / path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        if files:
            mounts.append(f"{folder / spec.name / root.lstrip('/')}:{root}:ro")
    return {
        "image": spec.image.reference,
        "user": spec.user,
        "group_add": groups,
        "command": list(spec.command) or None,
        "environment": {k: v.replace("$", "$$") for k, v in spec.environment.items()},
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "tmpfs": [f"/tmp:size={spec.tmp_mib}m,mode=1777"],  # noqa: S108 - in its container
        "mem_limit": f"{spec.limits.memory}m",
        "cpus": spec.limits.cpus,
        "volumes": mounts,
        "ports": [f"127.0.0.1:{p.external + offset}:{p.internal}" for p in spec.ports],
        "healthcheck": {
            "test": ["CMD", *spec.health],
            "interval": spec.health_interval,
            "timeout": "5s",
            "start_period": "30s",
            "retries": 3,
        },
    }


def _tools(folder: Path) -> Path:
    """Return a folder with the shell that health checks borrow."""
    tools = folder / "tools"
    if not tools.exists():
        tools.mkdir()
        copy = ["docker", "run", "--rm", "--user", "0", "-v", f"{tools}:{TOOLS}", "--entrypoint", "cp"]
        subprocess.run([*copy, versions.image(HELPER_IMAGE).reference, TOOL, TOOLS], check=True)
    return tools


def _row(what: str, over: str, this: float, that: float, goal: float | None = None) -> Row:
    ratio = this / that
    if goal is None:
        return (what, over, f"{this:.2f} s", f"{that:.2f} s", f"{ratio:.2f}", "for comparison")
    verdict = f"at most {goal:g}" + ("" if ratio <= goal else f": missed by {ratio - goal:.2f}")
    return (what, over, f"{this:.2f} s", f"{that:.2f} s", f"{ratio:.2f}", verdict)


def _timed(run: Callable[[], None]) -> float:
    started = time.monotonic()
    run()
    return time.monotonic() - started


def _fastest(run: Callable[[], None], times: int) -> float:
    return min(_timed(run) for _ in range(times))


def _median(times: list[float]) -> float:
    return statistics.median(times)
