"""Every dashboard in a real Grafana and a real browser, measured: nothing is cut off and nothing overlaps.

Runs where Grafana, Prometheus and Chromium are; the data is made up (`lab.preview`), so no Docker is needed. The table
of what was measured is written to build/dashboards/measured.md.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from dashboards import style
from lab import preview
from lab.preview_data import SCENARIOS
from observability.names import uids

pytest.importorskip("playwright")

from playwright.sync_api import Browser, Page, sync_playwright

ROOT: Final = Path(__file__).parents[2]
TABLE: Final = ROOT / "build" / "dashboards" / "measured.md"
MEASURE: Final = (ROOT / "lab" / "page_measure.js").read_text(encoding="utf-8")
SIZES: Final[dict[str, dict[str, Any]]] = {
    "laptop with the menu": {"width": 1440, "height": 900, "docked": True},
    "small laptop": {"width": 1280, "height": 720},
    "phone": {"width": 390, "height": 844},
    "wall": {"width": 1920, "height": 1080, "kiosk": True},
}
GRAPH_SHARE: Final = 0.65
FIRST_ON_A_PHONE: Final = 260
"""Pixels above the first panel, at most: title, pickers, and one line of links."""
TALL: Final = 6_000
LOOKS: Final = [(size, theme) for size in SIZES for theme in ("dark", "light")]
PAGES: Final = [*style.TITLES, uids.RUNBOOKS]
_MISSING: Final = preview.missing() or (None if shutil.which("chromium") else "chromium is not on PATH")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(_MISSING is not None, reason=str(_MISSING)),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture(scope="module", params=os.environ.get("PREVIEW_SCENARIOS", "one,ten,fifty").split(","))
def shown(request: pytest.FixtureRequest) -> Iterator[preview.Preview]:
    with preview.shown(SCENARIOS[request.param]) as result:
        yield result


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        binary = shutil.which("chromium")
        opened = playwright.chromium.launch(executable_path=binary, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@pytest.fixture(scope="module", autouse=True)
def table() -> Iterator[list[str]]:
    rows: list[str] = []
    yield rows
    columns = (
        *("services", "page", "size", "theme", "panels", "cut", "overlaps", "sideways"),
        *("smallest graph", "top", "last panel", "slowest query"),
    )
    head = f"| {' | '.join(columns)} |"
    TABLE.parent.mkdir(parents=True, exist_ok=True)
    TABLE.write_text("\n".join([head, "|" + " --- |" * len(columns), *rows, ""]), encoding="utf-8")


def opened(browser: Browser, shown: preview.Preview, uid: str, size: str, theme: str) -> tuple[Page, float, float]:
    """Open a page as tall as its panels; return it, the seconds to its last answer, and those of the slowest one."""
    look = SIZES[size]
    context = browser.new_context(viewport={"width": look["width"], "height": TALL})
    docked = "true" if look.get("docked") else "false"
    context.add_init_script(f"localStorage.setItem('grafana.navigation.docked', '{docked}')")
    page = context.new_page()
    used: list[tuple[float, float]] = []
    began = time.monotonic()

    def answered(request: Any) -> None:  # noqa: ANN401 - Playwright's
        if "/api/ds/query" in request.url:
            timing = request.timing
            used.append((time.monotonic() - began, max(timing["responseEnd"], 0) / 1000))

    page.on("requestfinished", answered)
    kiosk = "&kiosk" if look.get("kiosk") else ""
    page.goto(shown.address(uid, more=f"theme={theme}{kiosk}"), wait_until="load")
    page.wait_for_selector("[data-testid*='Panel header']", timeout=90_000)
    page.wait_for_load_state("networkidle", timeout=90_000)
    page.wait_for_timeout(1_000)
    return page, max((at for at, _ in used), default=0.0), max((seconds for _, seconds in used), default=0.0)


@pytest.mark.parametrize("uid", PAGES)
@pytest.mark.parametrize(("size", "theme"), LOOKS, ids=[f"{size}, {theme}" for size, theme in LOOKS])
def test_everything_on_the_page_can_be_read(  # noqa: PLR0917
    browser: Browser, shown: preview.Preview, table: list[str], uid: str, size: str, theme: str
) -> None:
    page, last, slowest = opened(browser, shown, uid, size, theme)
    result = page.evaluate(MEASURE)
    page.context.close()
    least = min((graph["share"] for graph in result["graphs"]), default=1.0)
    table.append(
        f"| {shown.scenario.services} | {uid} | {size} | {theme} | {result['panels']} | {len(result['cut'])} |"
        f" {len(result['overlap'])} | {len(result['sideways'])} | {least:.0%} |"
        f" {result['top']} px | {last:.1f} s | {slowest:.2f} s |"
    )
    problems = {what: result[what] for what in ("cut", "overlap", "sideways", "failing", "plainNoData") if result[what]}
    if size != "phone":
        small = [graph for graph in result["graphs"] if graph["share"] < GRAPH_SHARE]
        problems |= {"graphs": small} if small else {}
    if size == "phone" and result["top"] > FIRST_ON_A_PHONE:
        problems["top"] = result["top"]
    assert not problems, json.dumps(problems, indent=1, ensure_ascii=False)
