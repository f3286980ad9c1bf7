"""Thirty days that were not: the recorded series of one service, made by the names and labels of its own rules."""

from __future__ import annotations

import io
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import yaml

import rules
from ops.sandbox import Sandbox
from settings import Settings
from versions import image

STEP = 300
DAY = 86_400
SPREAD: dict[str, tuple[dict[str, str], ...]] = {
    "service:http_requests:rate5m": tuple(
        {"endpoint": endpoint, "method": "GET", "status": status} for endpoint in "abc" for status in ("200", "500")
    ),
    "service:http_request_duration_seconds_bucket:rate5m": tuple(
        {"le": le} for le in ("0.05", "0.1", "0.3", "1.0", "+Inf")
    ),
    "service:http_request_duration_seconds_sum:rate5m": tuple({"endpoint": endpoint} for endpoint in "abc"),
    "service:http_request_duration_seconds_count:rate5m": tuple({"endpoint": endpoint} for endpoint in "abc"),
}
"""What the rules write more than one series of, by the labels that tell these apart."""
VALUES = {"slo:objective:ratio": 0.995, "slo:error_budget:ratio": 0.005, "slo:window:seconds": 30 * DAY}


def fill(stack: Sandbox, settings: Settings, service: str, work: Path, *, days: int = 30) -> int:
    """Give Prometheus `days` of the recorded series of `service`; return how many samples that is."""
    end = int(time.time()) // STEP * STEP
    written = 0
    for day in range(days):
        lines = list(_lines(settings, service, end - (days - day) * DAY))
        written += sum(not line.startswith("#") for line in lines)
        file = work / f"{day}.txt"
        file.write_text("".join(lines))
        subprocess.run(
            ["promtool", "tsdb", "create-blocks-from", "openmetrics", "-q", str(file), str(work / "blocks")],
            check=True,
            capture_output=True,
        )
        file.unlink()
    _put(stack, work / "blocks")
    return written


def _lines(settings: Settings, service: str, start: int) -> Iterator[str]:
    groups = yaml.safe_load(rules.render(settings)[f"slo-{service}.yml"])["groups"]
    names: dict[str, list[dict[str, str]]] = {}
    for rule in (rule for group in groups for rule in group["rules"]):
        for more in SPREAD.get(rule["record"], ({},)):
            names.setdefault(rule["record"], []).append({**rule["labels"], **more})
    for name, series in names.items():
        yield f"# TYPE {name} gauge\n"
        for labels in series:
            text = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
            value = VALUES.get(name, 0.001 if "error" in name else 0.999)
            yield from (f"{name}{{{text}}} {value} {start + step * STEP}\n" for step in range(DAY // STEP))
    yield "# EOF\n"


def _put(stack: Sandbox, blocks: Path) -> None:
    """Copy blocks into the data volume, through a container that never runs, as Prometheus's own user."""

    def owned(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = 65_534
        return member

    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(blocks, arcname=".", filter=owned)
    prometheus = stack.container("prometheus")
    volume = f"observability-{stack.name}-prometheus-data"
    prometheus.stop()
    carrier = stack.docker.containers.create(
        image("prometheus").reference, volumes={volume: {"bind": "/prometheus", "mode": "rw"}}
    )
    try:
        carrier.put_archive("/prometheus", packed.getvalue())
    finally:
        carrier.remove()
    prometheus.start()
