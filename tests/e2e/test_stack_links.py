"""The demo, followed with a mouse: every link between the signals is clicked in a real browser, on a real stack."""

from __future__ import annotations

import json
import re
import sys
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from cli import browser, fault, link_check
from cli.bootstrap import ROOT
from cli.otlp import new_trace
from dashboards import queries
from dashboards.catalogue import dashboards
from lab.sandbox import Sandbox
from observability import explore
from observability.names import uids
from observability.names.panel_ids import panel_id
from observability.settings import DEMO, load
from tests.e2e.conftest import wait_for

GATEWAY, MODEL = DEMO[:2]
SPANS = 4
"""Of a request that is sent to the gateway: two of the gateway, two of the model."""
PICTURES = ROOT / "build" / "links"
"""Kept: what was seen before and after each click."""
PATIENCE_MS = 60_000
LATENCY, SERVICE_MAP = (panel_id(uids.SERVICE_DETAIL, key) for key in ("latency", "map"))
"""Panels of the service's page."""
AFTER_A_DAY = "Failed requests, 30 days"
"""A bar for each day that is over: says so until one is; `test_stack_dashboards` sees it over 30 days."""
TRACE = re.compile(r"[0-9a-f]{32}")


@pytest.fixture(scope="module")
def real(make_real: Callable[..., Sandbox]) -> Iterator[Sandbox]:
    stack = make_real("e2e-links")
    stack.configure(demo=True, demoRate=20)
    stack.up()
    yield stack
    stack.sweep()


@pytest.fixture(scope="module")
def page(real: Sandbox) -> Iterator[Page]:
    PICTURES.mkdir(parents=True, exist_ok=True)
    with browser.open_browser() as opened:
        page = browser.sign_in(opened, real.outputs())
        page.set_default_timeout(PATIENCE_MS)
        page.set_viewport_size({"width": 1600, "height": 1400})
        yield page


def keep(page: Page, name: str) -> None:
    page.wait_for_timeout(1_500)
    page.screenshot(path=str(PICTURES / f"{name}.png"))


def send(real: Sandbox) -> str:
    """Send a request with a trace ID of its own through the gateway; return it once its spans and lines are there."""
    trace = new_trace()
    link_check.demo_request(real.url("demo")).send(trace)
    api = real.grafana()
    jaeger, loki = (f"/api/datasources/proxy/uid/{uid}" for uid in (uids.DATASOURCE_JAEGER, uids.DATASOURCE_LOKI))
    query = urllib.parse.quote(f'{{service_name=~"inference-.*"}} |= `{trace}`')

    def spans() -> int:
        result = (api.find(f"{jaeger}/api/traces/{trace}") or {}).get("data") or [{"spans": []}]
        return len(result[0]["spans"])

    wait_for(lambda: spans() >= SPANS)
    wait_for(lambda: api.request("GET", f"{loki}/loki/api/v1/query_range?query={query}")["data"]["result"])
    return trace


def explore_(real: Sandbox, page: Page, source: str, query: dict[str, str]) -> None:
    page.goto(explore.address(f"{real.url('grafana')}/", source, query, start="now-15m"))


def line_of(real: Sandbox, page: Page, trace: str) -> None:
    """Open the details of the line that the gateway wrote about a request."""
    query = {"expr": f'{{service_name="{GATEWAY}"}} |= `{trace}`', "queryType": "range"}
    explore_(real, page, uids.DATASOURCE_LOKI, query)
    page.get_by_text('"predicted"').first.click()


def on_the_trace(page: Page, trace: str, *texts: str) -> None:
    """See the spans of this trace: those with these texts."""
    page.get_by_text("Service & Operation").wait_for()
    expect(page.get_by_role("button", name=trace).first).to_be_visible(timeout=PATIENCE_MS)
    for text in texts:
        expect(page.get_by_role("switch", name=re.compile(text)).first).to_be_visible(timeout=PATIENCE_MS)


def test_every_hop_is_there(real: Sandbox) -> None:
    """As `make verify` walks them, through Grafana's API."""
    done = real.run("verify")
    sys.stdout.write("\n" + "\n".join(line for line in done.stdout.splitlines() if "│ link " in line) + "\n")
    assert done.returncode == 0, done.stdout
    assert " NO " not in done.stdout


def test_the_dot_on_the_graph_leads_to_its_trace(real: Sandbox, page: Page) -> None:
    address = f"{real.url('grafana')}/d/{uids.SERVICE_DETAIL}?var-service={GATEWAY}&from=now-5m&to=now"
    page.goto(f"{address}&viewPanel=panel-{LATENCY}")
    dots = page.get_by_test_id("data-testid Exemplar marker").or_(page.get_by_test_id("Exemplar marker"))
    dots.last.wait_for()
    dots.last.hover()
    dots.last.click()
    link = page.get_by_role("link", name="Open the trace").first
    trace = TRACE.search(urllib.parse.unquote(str(link.get_attribute("href"))))
    assert trace
    keep(page, "1-a-dot-on-the-response-times")
    with page.context.expect_page() as opened:
        link.click()
    explored = opened.value
    on_the_trace(explored, trace.group(), GATEWAY)  # whichever request it was: not all of them reach the model
    keep(explored, "2-its-trace")
    explored.close()


def test_the_span_leads_to_its_lines(real: Sandbox, page: Page) -> None:
    trace = send(real)
    explore_(real, page, uids.DATASOURCE_JAEGER, {"query": trace})
    page.get_by_text("predict batch").first.click()
    page.get_by_role("button", name="Links").first.click()
    keep(page, "3-what-a-span-leads-to")
    page.get_by_text("Logs for this span").first.click()
    for text in ('"batch answered"', '"predicted"'):
        expect(page.get_by_text(text).first).to_be_visible(timeout=PATIENCE_MS)
    keep(page, "4-its-lines")


def test_the_line_leads_to_its_trace(real: Sandbox, page: Page) -> None:
    trace = send(real)
    line_of(real, page, trace)
    keep(page, "5-what-a-line-leads-to")
    page.get_by_role("link", name="Open the trace").first.click()
    on_the_trace(page, trace, GATEWAY, "predict batch")
    keep(page, "6-the-trace-of-the-line")


def test_the_correlation_leads_to_the_service_s_requests(real: Sandbox, page: Page) -> None:
    line_of(real, page, send(real))
    page.get_by_role("link", name="Requests of this service").first.click()
    expect(page.get_by_text("service:http_requests:rate5m").first).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_text('{status="200"}').first).to_be_visible(timeout=PATIENCE_MS)
    keep(page, "7-its-service-s-requests")


def test_a_node_of_the_map_leads_to_its_service_s_page(real: Sandbox, page: Page) -> None:
    address = f"{real.url('grafana')}/d/{uids.SERVICE_DETAIL}?var-service={GATEWAY}&from=now-5m&to=now"
    page.goto(f"{address}&viewPanel=panel-{SERVICE_MAP}")
    page.get_by_test_id(f"node-click-rect-{MODEL}").click()
    keep(page, "8-a-node-of-the-service-map")
    page.get_by_text("Everything about this service").first.click()
    page.wait_for_url(re.compile(f"var-service={MODEL}"))
    expect(page.get_by_text("What exactly happened?").first).to_be_visible(timeout=PATIENCE_MS)


def test_a_new_model_version_is_marked_on_every_dashboard(real: Sandbox) -> None:
    token = real.outputs()["demoToken"]
    request = urllib.request.Request(
        f"{real.url('demo')}/v1/models/digits/version",
        json.dumps({"version": "2"}).encode(),
        headers={"Content-Type": "application/json", "Authorization": f"Bearer {token}"},
        method="PUT",
    )
    with urllib.request.urlopen(request, timeout=10):
        pass
    api = real.grafana()
    for uid in {d.uid for d in dashboards(load("e2e", {"demo": "true"}))} - {uids.RUNBOOKS}:  # which has no graph
        shown = api.request("GET", f"/api/dashboards/uid/{uid}")["dashboard"]["annotations"]["list"]
        assert {"Deployments", "Model versions"} <= {a["name"] for a in shown}, uid
    result = urllib.parse.quote(queries.new_versions())
    path = f"/api/datasources/proxy/uid/{uids.DATASOURCE_PROMETHEUS}/api/v1/query?query={result}"
    wait_for(lambda: [r["metric"]["version"] for r in api.request("GET", path)["data"]["result"]] == ["2"])


def test_what_up_changed_is_marked_once(real: Sandbox) -> None:
    def marks() -> list[str]:
        result = real.grafana().request("GET", f"/api/annotations?tags={uids.DEPLOYMENT_TAG}&limit=100")
        return [mark["text"] for mark in result]

    assert marks() == ["pulumi up: first deployment"]
    real.edit("dashboards/logs.py", "No error matches in this time range.", "No error matches in these hours.")
    real.up()
    real.up()
    assert marks() == ["pulumi up: dashboard logs", "pulumi up: first deployment"]
    real.expect_no_changes()


@pytest.mark.slow
def test_no_panel_is_empty_while_the_demo_has_an_outage(real: Sandbox) -> None:
    """Errors, so that panels of errors have some; the alert's history comes with the page that follows."""
    fault.Gateway(real.url("demo"), real.outputs()["demoToken"]).inject("errors", 1_800, share=0.7)

    def empty() -> list[str]:
        done = real.run("verify")
        assert done.returncode == 0, done.stdout
        lines = [line for line in done.stdout.splitlines() if "no data" in line and "│ panel of" in line]
        return [line for line in lines if AFTER_A_DAY not in line]

    try:
        wait_for(lambda: not empty(), 480)
    except AssertionError:
        assert not empty()
