"""How long the real stack takes: from nothing, when nothing changes, after an edit; and what it costs at rest."""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import docker

from cli import stack_config
from cli.context import Context
from lab.bench_compose import compose, grafana_alone
from lab.ratios import Ratio, in_turns, timed
from lab.sandbox import Sandbox
from observability.settings import CONTAINERS

_RUNS = 5
_FRESH_RUNS = 3
_AT_REST_SECONDS = 120
_REST_MIB = 400
_REST_CORES = 0.06
_MEBIBYTE = 2**20
_EDITED = ("dashboards/home.py", "home", "Observability stack")
"""A dashboard's module, its UID, and one of its titles."""
_PROJECT = "name: bench\nruntime:\n  name: python\n  options: {toolchain: pip, virtualenv: %s}\n"
# As many resources as the stack has, by the same providers, and nothing in any of them.
_FLOOR = """
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
volumes = [pulumi_docker.Volume(f"volume{n}", name=f"observability-bench-floor-{n}") for n in range(%(docker)d)]
after = pulumi.ResourceOptions(depends_on=volumes[-1:])
gates = [Gate(Nothing(), f"nothing{n}", {"n": n}, after) for n in range(%(pulumi-python)d)]
auth = pulumi.Output.secret(os.environ["GRAFANA_AUTH"])
after = pulumi.ResourceOptions(depends_on=gates)
provider = grafana.Provider("grafana", url=os.environ["GRAFANA_URL"], auth=auth, opts=after)
for n in range(%(grafana)d):
    opts = pulumi.ResourceOptions(provider=provider)
    grafana.oss.Folder(f"folder{n}", uid=f"bench-floor-{n}", title=f"Bench {n}", opts=opts)
for n in range(%(observability)d):
    pulumi.ComponentResource("bench:index:Group", f"group{n}")
"""


def run(context: Context, folder: Path) -> Iterator[Ratio]:
    """Yield the figures of a stack of its own, staging's, in `folder`; all of it is gone afterwards."""
    client = docker.from_env()
    stack = Sandbox.make(folder / "stack", "bench", engine=client, base="staging")
    stack.configure(dashboardsEditable=True)  # which `watch` asks for
    try:
        fresh = statistics.median(_fresh(stack) for _ in range(_FRESH_RUNS))
        stack.expect_no_changes()
        yield from _unchanged(stack, folder)
        yield _watched(stack)
        yield from _at_rest(stack)
    finally:
        stack.sweep()
    settings = stack_config.settings("staging", stand_in=True)
    alone = statistics.median(grafana_alone(client, settings) for _ in range(_FRESH_RUNS))
    yield Ratio("`up` from nothing to healthy", "Grafana alone", fresh, alone, 4)
    if subprocess.run(["docker", "compose", "version"], check=False, capture_output=True).returncode:
        context.console.say("docker compose is not installed: that comparison is left out")
        return
    composed = statistics.median(compose(folder / f"compose{n}", settings) for n in range(_FRESH_RUNS))
    yield Ratio("`up` from nothing to healthy", "`docker compose up --wait`", fresh, composed, 1.2)


def _unchanged(stack: Sandbox, folder: Path) -> Iterator[Ratio]:
    kinds = dict.fromkeys(("docker", "pulumi-python", "grafana", "observability"), 0)
    for resource in json.loads(stack.pulumi("stack", "export").stdout)["deployment"]["resources"]:
        kind = resource["type"].partition(":")[0]
        if kind in kinds:
            kinds[kind] += 1
    empty = _program(stack, folder / "empty", "")
    floor = _program(stack, folder / "floor", _FLOOR % kinds)
    with_make, ours, nothing, least = in_turns(_RUNS, stack.up, lambda: _up(stack), empty, floor)
    yield Ratio("`pulumi up` that changes nothing", "an empty program's", ours, nothing, 2)
    yield Ratio("`pulumi up` that changes nothing", "that of as many empty resources", ours, least, 1.3)
    yield Ratio("`make up` that changes nothing", "`pulumi up`", with_make, ours, 1.15)


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
        while not all(stack.healthy(service) for service in CONTAINERS):
            time.sleep(0.05)

    return timed(run)


def _watched(stack: Sandbox) -> Ratio:
    """Compare an edit under `watch` with the bare call of Grafana's API that saves the same, each until it is seen."""
    api = stack.grafana()
    file, uid, title = _EDITED
    path = stack.folder / file
    text = path.read_text()
    shown = api.request("GET", f"/api/dashboards/uid/{uid}")

    def until_seen(now: str) -> None:
        while now not in json.dumps(api.request("GET", f"/api/dashboards/uid/{uid}")):
            time.sleep(0.01)

    def edited() -> None:
        path.write_text(text.replace(f'"{title}"', f'"{title}, edited"'))
        until_seen(f"{title}, edited")

    def called() -> None:
        dashboard = json.loads(json.dumps(shown["dashboard"]).replace(f'"{title}"', f'"{title}, saved"'))
        body = {"dashboard": dashboard, "folderUid": shown["meta"]["folderUid"], "overwrite": True}
        api.request("POST", "/api/dashboards/db", body)
        until_seen(f"{title}, saved")

    watch = stack.start("watch")
    try:
        assert watch.stdout is not None
        assert any(line.startswith("watching") for line in watch.stdout), "watch ended"
        saved = timed(called)
        return Ratio("a dashboard saved under `watch`, until Grafana has it", "a bare call", timed(edited), saved, 2)
    finally:
        os.killpg(watch.pid, signal.SIGTERM)
        watch.communicate()
        path.write_text(text)
        stack.up()


def _at_rest(stack: Sandbox) -> Iterator[Ratio]:
    """Yield memory and CPU of the idle stack, over their bounds."""

    def used() -> tuple[float, float]:
        found = [cast("dict[str, Any]", stack.container(service).stats(stream=False)) for service in CONTAINERS]
        memory = sum(f["memory_stats"]["usage"] - f["memory_stats"]["stats"].get("inactive_file", 0) for f in found)
        return memory / _MEBIBYTE, sum(f["cpu_stats"]["cpu_usage"]["total_usage"] for f in found) / 1e9

    _, before = used()
    began = time.monotonic()
    time.sleep(_AT_REST_SECONDS)
    memory, after = used()
    cores = (after - before) / (time.monotonic() - began)
    yield Ratio("memory of the idle stack", "the bound", memory, _REST_MIB, 1, "MiB")
    yield Ratio("processors that the idle stack uses", "the bound", cores, _REST_CORES, 1, "cores")
