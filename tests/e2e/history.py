"""Thirty days that were not: the recorded series of one service, made by the names and labels of its own rules."""

from __future__ import annotations

import io
import json
import re
import subprocess
import tarfile
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import yaml

from components.grafana_api import GrafanaApi
from lab.sandbox import Sandbox
from observability import rules
from observability.names import series
from observability.settings import Settings, Slo, seconds
from observability.versions import image
from tests.e2e.conftest import wait_for

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
RATE = 10.0
"""Requests a second, at all times."""
USUALLY_BAD, BAD = 0.001, 0.5
"""Share of the requests that fail, and that come late, usually and in the outage."""


def outage(end: int) -> range:
    """Return the seconds of the outage, for a history that ends at `end`; whole within one of the report's parts."""
    start = (end - BROKEN_AGO) // (DAY // 4) * (DAY // 4) + 2 * BROKEN_FOR
    return range(start, start + BROKEN_FOR)


def tell(stack: Sandbox, service: str, end: int) -> None:
    """Give Loki the history of the one page that the outage was, as Grafana writes it."""
    labels = {"service": service, "slo": "availability", "severity": "page"}
    shown = {"schemaVersion": 1, "ruleTitle": "Budget is burning fast", "labels": labels}
    lines = [
        (at, json.dumps({**shown, "previous": previous, "current": current}))
        for at, previous, current in (
            (outage(end)[0] + 300, "Normal", "Alerting"),
            (outage(end)[-1] + 300, "Alerting", "Normal"),
        )
    ]
    stream = {"stream": {"from": "state-history"}, "values": [[f"{at}000000000", line] for at, line in lines]}
    loki = GrafanaApi(stack.direct("loki"), "")
    loki.request("POST", "/loki/api/v1/push", {"streams": [stream]})
    # What is older than 3 hours is looked for on disk, where a line that was written in its time is by then.
    loki.request("POST", "/flush")
    requests = urllib.parse.urlencode({"query": '{from="state-history"}', "start": end - 3 * DAY, "end": end - DAY})
    wait_for(lambda: loki.request("GET", f"/loki/api/v1/query_range?{requests}")["data"]["result"])


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
    promises = next(s for s in settings.services if s.name == service).slo_by_name
    names: dict[str, list[dict[str, str]]] = {}
    for rule in (rule for group in groups for rule in group["rules"]):
        for more in (
            [{"began": f"{broken.start}"}] if rule["record"] in OF_INCIDENT else SPREAD.get(rule["record"], ({},))
        ):
            names.setdefault(rule["record"], []).append({**rule["labels"], **more})
    for name, every in names.items():
        yield f"# TYPE {name} gauge\n"
        for labels in every:
            text = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
            promise = promises.get(labels.get("slo", ""))
            for at in range(start, start + DAY, STEP):
                if name in OF_INCIDENT and at not in broken:
                    continue
                value = _of_slo(name, promise, at, broken) if promise else _of_service(name, labels, at in broken)
                yield f"{name}{{{text}}} {value:.9g} {at}\n"
    yield "# EOF\n"


OF_INCIDENT = {
    *(series.INCIDENT_START, series.INCIDENT_ERRORS, series.INCIDENT_SECONDS),
    *(series.INCIDENT_WORST, series.INCIDENT_ALERT),
}
SINCE = 10**8
"""The totals began at the last multiple of so many seconds."""
PAGE_FACTOR = 14.4


def _bad(at: int, window: float, broken: range) -> float:
    """Return the share of bad requests in the `window` seconds before `at`."""
    outage = max(0.0, min(at, broken.stop) - max(at - window, broken.start)) / window
    return USUALLY_BAD + (BAD - USUALLY_BAD) * outage


def _of_slo(name: str, promise: Slo, at: int, broken: range) -> float:
    """Return what the rules would have recorded of an SLO."""
    budget = 1 - promise.objective / 100
    period = seconds(promise.window)
    shown = re.search(r"(\d+[mhd])$", name)
    window = seconds(shown[1]) if shown else period
    bad = _bad(at, window, broken)
    counted = RATE * (1 if name.endswith(":rate5m") else window)
    elapsed = at % SINCE
    total = RATE * elapsed
    told_by_name = {
        series.OBJECTIVE: 1 - budget,
        series.BUDGET: budget,
        series.WINDOW: period,
        series.THRESHOLD: seconds(getattr(promise, "threshold", "0s")),
        series.COVERAGE: 1.0,
        series.BUDGET_REMAINING: 1 - bad / budget,
        # The slots are whole when they end.
        **dict.fromkeys((series.SLO_REQUESTS_LATE, series.SLO_ERRORS_LATE), 0.0),
        **dict.fromkeys((series.SLO_REQUESTS_TOTAL, series.SLO_REQUESTS_MARK), total),
        **dict.fromkeys((series.SLO_ERRORS_TOTAL, series.SLO_ERRORS_MARK), total * _bad(at, elapsed, broken)),
        series.SLO_GOOD_TOTAL: total * (1 - _bad(at, elapsed, broken)),
        series.SLO_MEASURED: 1.0,
        series.FAILING_SECONDS: float(STEP if at in broken else 0),
        series.INCIDENT_SINCE: float(broken.start if at in broken else 0),
        series.INCIDENT_START: float(broken.start),
        series.INCIDENT_ERRORS: RATE * BAD * (at - broken.start),
        series.INCIDENT_SECONDS: float(at - broken.start),
        series.INCIDENT_WORST: BAD,
        series.INCIDENT_ALERT: 2.0,
        series.PAGE_RATIO: bad / budget / PAGE_FACTOR,
        series.TICKET_RATIO: bad / budget,
    }
    told_by_level = {
        "slo:requests:": counted,
        "slo:errors:": counted * bad,
        "slo:error_budget:burn_rate": bad / budget,
        "slo:error_budget:consumed": bad / budget * window / period,
        "slo:error:": bad,
    }
    of_level = (value for level, value in told_by_level.items() if name.startswith(level))
    return told_by_name.get(name, next(of_level, 1 - bad))


def _of_service(name: str, labels: dict[str, str], broken: bool) -> float:  # noqa: FBT001
    """Return what the rules would have recorded of a service, endpoint by endpoint."""
    bad = BAD if broken else USUALLY_BAD
    if "status" in labels:
        return RATE / 3 * (bad if labels["status"] == "500" else 1 - bad)
    if "le" in labels:
        quick = {"0.05": 0.4, "0.1": 0.8}.get(labels["le"], 1.0)
        return RATE * (quick * (1 - bad) if labels["le"] in ("0.05", "0.1", "0.3") else 1.0)
    if name.endswith(("_sum:rate5m", "_count:rate5m")):
        return RATE / 3 * (1 if "_count" in name else 0.6 if broken else 0.08)
    return {series.IN_PROGRESS: 3.0}.get(name, 0.6 if broken else 0.08)


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
