"""Thirty days that were not: the recorded series of one service, made by the names and labels of its own rules."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import yaml

import rules
from components.grafana_api import GrafanaApi
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
BROKEN_AGO = 2 * DAY
BROKEN_FOR = 3_600
"""One outage: when it began, in seconds before the newest sample, and for how long half of all requests failed."""
VALUES = {"slo:objective:ratio": 0.995, "slo:error_budget:ratio": 0.005, "slo:window:seconds": 30 * DAY}


def outage(end: int) -> range:
    """Return the seconds of the outage, for a history that ends at `end`; whole within one of the report's parts."""
    start = (end - BROKEN_AGO) // (DAY // 4) * (DAY // 4) + 2 * BROKEN_FOR
    return range(start, start + BROKEN_FOR)


def tell(stack: Sandbox, service: str, end: int) -> None:
    """Give Loki the history of the one page that the outage was, as Grafana writes it."""
    labels = {"service": service, "slo": "availability", "severity": "page"}
    told = {"schemaVersion": 1, "ruleTitle": "Budget is burning fast", "labels": labels}
    lines = [
        (seconds, json.dumps({**told, "previous": previous, "current": current}))
        for seconds, previous, current in (
            (outage(end)[0] + 300, "Normal", "Alerting"),
            (outage(end)[-1] + 300, "Alerting", "Normal"),
        )
    ]
    stream = {"stream": {"from": "state-history"}, "values": [[f"{at}000000000", line] for at, line in lines]}
    GrafanaApi(stack.outputs()["lokiUrl"], "").request("POST", "/loki/api/v1/push", {"streams": [stream]})


def fill(stack: Sandbox, settings: Settings, service: str, work: Path, *, end: int, days: int = 30) -> int:
    """Give Prometheus `days` of the recorded series of `service` up to `end`; return how many samples that is."""
    written = 0
    for day in range(days):
        lines = list(_lines(settings, service, end - (days - day) * DAY, outage(end)))
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


def _lines(settings: Settings, service: str, start: int, broken: range) -> Iterator[str]:
    groups = yaml.safe_load(rules.render(settings)[f"slo-{service}.yml"])["groups"]
    names: dict[str, list[dict[str, str]]] = {}
    for rule in (rule for group in groups for rule in group["rules"]):
        for more in SPREAD.get(rule["record"], ({},)):
            names.setdefault(rule["record"], []).append({**rule["labels"], **more})
    for name, series in names.items():
        yield f"# TYPE {name} gauge\n"
        for labels in series:
            text = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
            usual = VALUES.get(name, 0.001 if "error" in name else 0.999)
            bad = usual if name in VALUES or "error" not in name else 0.5
            for at in range(start, start + DAY, STEP):
                yield f"{name}{{{text}}} {bad if at in broken else usual} {at}\n"
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
