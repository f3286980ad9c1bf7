"""What a fresh stack is compared with: Grafana alone, and the same containers by Docker Compose."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import yaml
from docker import DockerClient

from components.grafana_api import GrafanaApi, GrafanaError
from components.helper import HELPER_IMAGE, TOOL
from components.service_spec import ServiceSpec, service_spec
from lab.ratios import timed
from lab.sandbox import free_offset
from observability import processes, topology, versions
from observability.names.paths import CONFIG, SECRETS, TOOLS
from observability.settings import CONTAINERS, DEFAULT_PORTS, Settings

_STAND_IN = "a-stand-in-for-a-secret-0123456789"


def grafana_alone(client: DockerClient, settings: Settings) -> float:
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


def compose(folder: Path, settings: Settings) -> float:
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
        return timed(up)
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
