"""Every dashboard on the real stack with thirty days of data: nothing in error, bounded cost, one page to print."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import time
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cli import link_check, verify
from components.grafana_api import GrafanaApi
from dashboards.catalogue import dashboards
from dashboards.targets import MISSING
from lab.sandbox import Sandbox
from observability import versions
from observability.names import uids
from observability.names.panel_ids import panel_id
from observability.settings import SERVICES as SCRAPED
from observability.settings import Settings, load, milliseconds
from tests.e2e import history
from tests.e2e.conftest import wait_for, wait_healthy

pytestmark = pytest.mark.slow

SERVICE = "inference-gateway"
OWN_METRICS = Path(__file__).parents[1] / "dashboards" / "own_metrics.json"
POINTS = 1_000
"""Of a graph over half a screen, more or less."""
MOST_SAMPLES = {
    "home": 100_000,
    "slo-overview": 600_000,
    # What `@ end()` reads once, Prometheus counts again at each of the points.
    "application-performance": 1_000_000,
    "infrastructure-health": 100_000,
    "hosts": 100_000,
    "stack-health": 600_000,
    "executive-slo-report": 600_000,
    "runbooks": 0,
    "service-detail": 100_000,
    "logs": 0,
    "incident": 100_000,
}
"""What all queries of a dashboard may read when it is opened, with one service and the stack's three watched."""
PAPER = ("A4", "Letter")


@pytest.fixture(scope="module")
def settings() -> Settings:
    return load("e2e", {"services": json.dumps(CONFIGURED), "dashboardsEditable": "true"})


CONFIGURED = [{"name": SERVICE, "targets": ["127.0.0.1:9"]}]


@pytest.fixture(scope="module")
def real(
    make_real: Callable[..., Sandbox], settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Sandbox]:
    stack = make_real("e2e-dashboards")
    stack.configure(services=CONFIGURED)
    stack.up()
    began = time.monotonic()
    end = int(time.time()) // history.STEP * history.STEP
    samples = history.fill(stack, settings, SERVICE, tmp_path_factory.mktemp("history"), end=end)
    history.tell(stack, SERVICE, end)
    wait_healthy(stack)
    wait_for(lambda: said(stack, "count(slo:objective:ratio)"))
    report(f"{samples:,} samples of 30 days written in {time.monotonic() - began:.0f} s")
    yield stack
    stack.sweep()


def report(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def prometheus(stack: Sandbox, path: str, **parameters: Any) -> Any:  # noqa: ANN401 - JSON
    """Ask Prometheus through Grafana, as a dashboard does."""
    requests = urllib.parse.urlencode(parameters, doseq=True)
    return stack.grafana().request("GET", f"/api/datasources/proxy/uid/prometheus/api/v1/{path}?{requests}")


def said(stack: Sandbox, expr: str) -> Any:  # noqa: ANN401 - JSON
    try:
        return prometheus(stack, "query", query=expr)["data"]["result"]
    except Exception:  # noqa: BLE001 - it is just starting
        return None


def test_no_panel_is_in_error(real: Sandbox) -> None:
    done = real.run("verify")
    assert done.returncode == 0, done.stdout + done.stderr
    assert " NO " not in done.stdout


def test_home_opens_first_and_stays(real: Sandbox, settings: Settings) -> None:
    preferences = real.grafana().request("GET", "/api/org/preferences")
    assert preferences["homeDashboardUID"] == "home"
    assert preferences["theme"] == settings.grafana_theme
    assert real.grafana().request("GET", "/api/dashboards/home") == {"redirectUri": "/d/home/home"}
    real.expect_no_changes()


def test_the_preferences_are_put_back(real: Sandbox) -> None:
    real.grafana().request("PATCH", "/api/org/preferences", {"homeDashboardUID": ""})
    drift = real.pulumi("refresh", "--preview-only", "--expect-no-changes")
    assert drift.returncode != 0, "a refresh must see the edit"
    real.up(refresh=True)
    assert real.grafana().request("GET", "/api/org/preferences")["homeDashboardUID"] == "home"
    real.expect_no_changes()


def provoke(stack: Sandbox) -> None:
    """Make the services write what they write only once it has happened."""
    old = {"stream": {"service_name": "old"}, "values": [[str(time.time_ns() - 90 * 86_400 * 10**9), "too old"]]}
    new = {"stream": {"service_name": "new"}, "values": [[str(time.time_ns()), "in time"]]}
    loki = GrafanaApi(stack.direct("loki"), "")
    loki.request("POST", "/loki/api/v1/push", {"streams": [new]})
    with pytest.raises(Exception, match="400"):
        loki.request("POST", "/loki/api/v1/push", {"streams": [old]})
    api = stack.grafana()
    for uid, path in (("loki", "loki/api/v1/labels"), ("jaeger", "api/services"), ("prometheus", "api/v1/labels")):
        api.request("GET", f"/api/datasources/proxy/uid/{uid}/{path}")
        api.request("GET", f"/api/datasources/uid/{uid}/health")


def exposed(stack: Sandbox) -> dict[str, dict[str, str]]:
    """Return the name and type of every metric that the four services expose now."""
    result: dict[str, dict[str, str]] = {}
    for job in SCRAPED:
        shown = prometheus(stack, "targets/metadata", match_target=f'{{job="{job}"}}')["data"]
        kinds = {row["metric"]: row["type"] for row in shown}
        names = prometheus(stack, "label/__name__/values", **{"match[]": f'{{job="{job}"}}'})["data"]
        result[job] = {name: kind_of(name, kinds) for name in names if ":" not in name and name != "ALERTS"}
    return result


def kind_of(name: str, kinds: dict[str, str]) -> str:
    if name in kinds or name.removesuffix("_total") in kinds:
        return kinds.get(name) or kinds[name.removesuffix("_total")]
    base = re.sub(r"_(bucket|sum|count)$", "", name)
    return "counter" if base != name and base in kinds else "gauge"


def test_the_services_expose_what_the_dashboards_read(real: Sandbox, settings: Settings) -> None:
    """WRITE_OWN_METRICS=1 writes the list anew, for the pinned images."""
    provoke(real)
    text = "".join(d.json for d in dashboards(settings))
    listed = json.loads(OWN_METRICS.read_text(encoding="utf-8"))
    expected = {name for names in listed["metrics"].values() for name in names}
    read = {name for name in expected if re.search(rf"\b{name}\b", text)}

    def missing() -> set[str]:
        return read - {name for names in exposed(real).values() for name in names}

    try:
        wait_for(lambda: not missing(), 45)
    except AssertionError:
        assert missing() == set()
    live = exposed(real)
    if os.environ.get("WRITE_OWN_METRICS"):
        images = {
            service: f"{image.name}:{image.tag}" for service, image in versions.images().items() if service in SCRAPED
        }
        content = {"images": images, "metrics": live}
        OWN_METRICS.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    report(f"{len(read)} metrics of the services' own are read, all exposed; {sum(map(len, live.values()))} in all")


def without_data(real: Sandbox, service: str) -> dict[str, str]:
    """Return what the lines of the service's page say that stand for lines or traces that are missing, by panel."""
    model = real.grafana().request("GET", f"/api/dashboards/uid/{uids.SERVICE_DETAIL}")["dashboard"]
    values = verify.variables(model) | {"service": service}
    output: dict[str, str] = {}
    for panel in verify.panels(model):
        queries = [verify.interpolate(t, values) for t in panel.get("targets") or () if t["refId"] == MISSING]
        if not queries:
            continue
        answer = real.grafana().request("POST", "/api/ds/query", {"queries": queries, "from": "now-5m", "to": "now"})
        frames = [f for f in answer["results"][MISSING].get("frames", ()) if link_check.rows_of(f)]
        output[panel["title"]] = json.dumps(frames)
        assert not frames or panel["fieldConfig"]["defaults"]["noValue"] in output[panel["title"]]
    return {title: text for title, text in output.items() if text != "[]"}


def test_what_a_service_does_not_send_is_said(real: Sandbox) -> None:
    assert {"Slowest traces", "Errors, newest first"} <= without_data(real, SERVICE).keys()
    assert "Slowest traces" not in without_data(real, "grafana")


def seconds_of(text: str) -> float:
    return milliseconds(text.removeprefix("now-")) / 1000


def cost(stack: Sandbox, model: dict[str, Any]) -> dict[str, int]:
    """Return the samples that each panel reads when the dashboard is opened, as Prometheus counts them."""
    now = time.time()
    values = verify.variables(model)
    result: dict[str, int] = {}
    for panel in verify.panels(model):
        window = seconds_of(panel.get("timeFrom") or model["time"]["from"])
        for target in panel.get("targets") or ():
            if target["datasource"]["type"] != "prometheus" or target.get("exemplar"):
                continue
            least = target.get("interval") or panel.get("interval") or "15s"
            step = max(window / (panel.get("maxDataPoints") or POINTS), seconds_of(least))
            expr = target["expr"].replace("$__rate_interval", f"{int(step + 60)}s")
            expr = verify.interpolate(expr.replace("$__range", f"{int(window)}s"), values)
            if target.get("instant"):
                answer = prometheus(stack, "query", query=expr, time=now, stats="all")
            else:
                end = now // step * step
                answer = prometheus(
                    stack, "query_range", query=expr, start=end - window, end=end, step=step, stats="all"
                )
            samples = answer["data"]["stats"]["samples"]["totalQueryableSamples"]
            result[panel["title"]] = result.get(panel["title"], 0) + samples
    return result


def test_opening_a_dashboard_costs_a_bounded_number_of_samples(real: Sandbox, settings: Settings) -> None:
    costs = {d.uid: cost(real, json.loads(d.json)) for d in dashboards(settings)}
    for uid, panels in costs.items():
        dearest = max(panels, key=lambda title: panels[title], default="")
        shown = f"; most: {dearest} {panels[dearest]:,}" if dearest else ""
        report(f"{uid}: {sum(panels.values()):,} samples of at most {MOST_SAMPLES[uid]:,}{shown}")
    assert {uid: sum(p.values()) for uid, p in costs.items() if sum(p.values()) > MOST_SAMPLES[uid]} == {}


@pytest.mark.parametrize("paper", PAPER)
def test_the_report_prints_on_one_page(real: Sandbox, tmp_path: Path, paper: str) -> None:
    if shutil.which("chromium") is None:
        pytest.skip("no Chromium on PATH (Debian: apt-get install chromium)")
    from cli import browser  # noqa: PLC0415 - needs Playwright

    file = tmp_path / f"{paper}.pdf"
    browser.print_report(real.outputs(), file, paper=paper)
    pages = len(re.findall(rb"/Type\s*/Page\b", file.read_bytes()))
    report(f"{paper}: {pages} page, {file.stat().st_size:,} bytes")
    assert pages == 1


def test_the_report_tells_the_incident_of_the_alert_history(real: Sandbox) -> None:
    """In one row: the page that Loki remembers, and what Prometheus recorded of the same six hours."""
    if shutil.which("chromium") is None:
        pytest.skip("no Chromium on PATH (Debian: apt-get install chromium)")
    from cli import browser  # noqa: PLC0415 - needs Playwright

    rows = {}
    with browser.open_browser() as opened:
        page = browser.sign_in(opened, real.outputs())
        for key in ("incidents", "incident-sizes"):
            panel = panel_id(uids.EXECUTIVE_SLO_REPORT, key)
            page.goto(f"{real.outputs()['grafanaUrl']}/d/executive-slo-report?kiosk&viewPanel=panel-{panel}")
            row = page.locator("[role=row]", has_text=f"{SERVICE} availability").first
            row.wait_for(timeout=60_000)
            rows[key] = row.inner_text().split("\n")
    report(f"the worst incident: {rows}")
    assert rows["incidents"][1:] == [f"{SERVICE} availability", "14%", "1"], "the budget that it used, and one alert"
    assert "50%" in rows["incident-sizes"], "the worst five minutes"
