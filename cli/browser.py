"""A browser that opens Grafana as a person does: pictures of dashboards, and the report as a PDF."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cli.errors import MissingToolError
from observability.names import uids

try:
    from playwright.sync_api import Browser, Page, PdfMargins, ViewportSize, sync_playwright
except ImportError:
    raise MissingToolError(
        "pictures need the package playwright: `.venv/bin/python -m pip install -r requirements-dev.txt` installs it"
    ) from None

_WIDTH = 1600
_SETTLE_MS = 6_000
_PRINTED: ViewportSize = {"width": 1200, "height": 1700}
"""What a page of paper shows at 60 %."""
_MARGINS: PdfMargins = {"top": "10mm", "right": "10mm", "bottom": "10mm", "left": "10mm"}
# Chromium's own background traffic has nothing to do with the pages.
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Open a Chromium without a window, and close it after use."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=_FLAGS)
        try:
            yield browser
        finally:
            browser.close()


def chromium() -> str:
    """Return the path of a Chromium; MissingToolError where there is none."""
    executable = next(
        (p for name in ("chromium", "chromium-browser", "google-chrome") if (p := shutil.which(name))), None
    )
    if executable is None:
        msg = "no Chromium on PATH: install one (Debian: apt-get install chromium)"
        raise MissingToolError(msg)
    return executable


def sign_in(browser: Browser, outputs: dict[str, str]) -> Page:
    """Return a page on which the administrator is signed in."""
    # The browser has CA certificates of its own; that of the stack is not among them.
    own = "grafanaCaCertificate" in outputs
    page = browser.new_page(viewport={"width": _WIDTH, "height": 1000}, ignore_https_errors=own)
    page.goto(f"{outputs['grafanaUrl']}/login")
    page.fill("input[name=user]", outputs["grafanaAdminUser"])
    page.fill("input[name=password]", outputs["grafanaAdminPassword"])
    page.click("button[type=submit]")
    page.wait_for_url(lambda url: "/login" not in url)
    return page


def print_report(outputs: dict[str, str], file: Path, *, paper: str = "A4") -> None:
    """Print the report to a PDF as a person does: light, without menus, at 60 %."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=_FLAGS)
        page = sign_in(browser, outputs)
        page.set_viewport_size(_PRINTED)
        page.goto(f"{outputs['grafanaUrl']}/d/{uids.EXECUTIVE_SLO_REPORT}?kiosk&theme=light", wait_until="load")
        page.wait_for_selector("[data-testid*='Panel header']", timeout=60_000)
        page.wait_for_timeout(_SETTLE_MS)
        page.pdf(path=str(file), format=paper, print_background=True, scale=0.6, margin=_MARGINS)
        browser.close()


def take(page: Page, url: str, picture: Path) -> None:
    """Open `url` with the window as tall as its content, wait for the data, and save a picture."""
    page.set_viewport_size({"width": _WIDTH, "height": 1000})
    page.goto(url, wait_until="load")
    page.wait_for_selector("[data-testid*='Panel header']", timeout=60_000)
    # Panels below the window are not drawn: make it tall first, then as tall as they are.
    page.set_viewport_size({"width": _WIDTH, "height": 4000})
    page.wait_for_timeout(2_000)
    height = page.evaluate(
        # Panels that are not drawn yet have their place already.
        "Math.max(...[...document.querySelectorAll('.react-grid-item')].map(e => e.getBoundingClientRect().bottom))"
    )
    page.set_viewport_size({"width": _WIDTH, "height": min(int(height) + 40, 4000)})
    page.wait_for_timeout(_SETTLE_MS)
    page.screenshot(path=str(picture))
