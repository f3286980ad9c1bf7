"""Every dashboard in a real Grafana and a real browser: measured, timed and photographed, over made-up data.

The measuring test (tests/dashboards/test_in_browser.py) and the command `pages` share this module. The sizes are those
of a laptop with Grafana's menu, a small laptop, a phone and a wall; one page is loaded twice for all four, because a
new width needs no new answers.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from cli import browser
from cli.errors import MissingToolError, UserError
from dashboards import style
from lab import preview
from lab.preview_data import SCENARIOS
from observability.names import uids

if TYPE_CHECKING:
    from playwright.sync_api import Browser, FloatRect, Page

    from cli.context import Context
    from lab.preview import Preview
    from lab.preview_data import Scenario

MEASURE: Final = (Path(__file__).parent / "page_measure.js").read_text(encoding="utf-8")
PAGES: Final = (*style.TITLES, uids.RUNBOOKS)
GRAPH_SHARE: Final = 0.65
"""Least share of a graph's panel that the graph itself takes, at every size but a phone's."""
FIRST_ON_A_PHONE: Final = 270
"""Pixels above the first panel of a phone, at most: title, two lines of pickers, and one of links."""
_TALL: Final = 9_000
"""Pixels: every panel is on the screen, so that none waits to be scrolled to."""
_PATIENCE_SECONDS: Final = 90
_DRAWN_MS: Final = 1_500
"""Milliseconds until the panels are drawn at a new width."""
_DATA: Final = ("/api/ds/query", "/api/datasources/", "/api/prometheus/")
"""Parts of the addresses of requests for data; those for panels first."""
_PANEL: Final = "[data-testid*='Panel header']"


@dataclass(frozen=True)
class Size:
    """A screen.

    Args:
        width: pixels.
        height: pixels that a person sees before scrolling.
        docked: whether Grafana's menu stays open at the left.
        kiosk: whether the page has no menu and no bar at all.

    """

    width: int
    height: int
    docked: bool = False
    kiosk: bool = False


SIZES: Final = {
    "laptop": Size(1440, 900, docked=True),
    "phone": Size(390, 844),
    "small laptop": Size(1280, 720),
    "wall": Size(1920, 1080, kiosk=True),
}
THEMES: Final = ("dark", "light")


@dataclass(frozen=True)
class Loading:
    """How long a page took, in seconds.

    Args:
        opened: from the request of the page to the answer of its last query.
        queried: from its first query to the answer of its last one.
        slowest: of its slowest single query.
        queries: how many requests for data it made.

    """

    opened: float
    queried: float
    slowest: float
    queries: int

    @property
    def ratio(self) -> float:
        """Return how many times the slowest query the page took from its first query on."""
        return self.queried / self.slowest if self.slowest else 0.0


class _Traffic:
    """The requests for data of one page: those under way, and when each was sent and answered."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._waiting: set[Any] = set()
        self._moved = time.monotonic()
        self.answers: list[tuple[float, float]] = []
        page.on("request", self._sent)
        page.on("requestfinished", self._answered)
        page.on("requestfailed", self._ended)

    def _sent(self, request: Any) -> None:  # noqa: ANN401 - Playwright's
        if any(part in request.url for part in _DATA):
            self._waiting.add(request)
            self._moved = time.monotonic()

    def _ended(self, request: Any) -> None:  # noqa: ANN401 - Playwright's
        if request in self._waiting:
            self._waiting.discard(request)
            self._moved = time.monotonic()

    def _answered(self, request: Any) -> None:  # noqa: ANN401 - Playwright's
        self._ended(request)
        if _DATA[0] in request.url:
            timing = request.timing
            began = timing["startTime"] / 1000
            self.answers.append((began + timing["requestStart"] / 1000, began + timing["responseEnd"] / 1000))

    def settle(self, *, quiet: float = 2.0) -> None:
        """Wait until nothing was asked or answered for `quiet` seconds."""
        end = time.monotonic() + _PATIENCE_SECONDS
        self._moved = time.monotonic()
        while time.monotonic() < end and (self._waiting or time.monotonic() - self._moved < quiet):
            self._page.wait_for_timeout(100)


@contextmanager
def opened(chromium: Browser, url: str, size: Size) -> Iterator[tuple[Page, Loading]]:
    """Open an address as tall as its panels, and wait for their answers."""
    context = chromium.new_context(viewport={"width": size.width, "height": _TALL})
    context.add_init_script(f"localStorage.setItem('grafana.navigation.docked', '{str(size.docked).lower()}')")
    page = context.new_page()
    traffic = _Traffic(page)
    began = time.time()
    try:
        page.goto(url, wait_until="load", timeout=1000 * _PATIENCE_SECONDS)
        page.wait_for_selector(_PANEL, timeout=1000 * _PATIENCE_SECONDS)
        traffic.settle()
        last = max((end for _, end in traffic.answers), default=began)
        first = min((start for start, _ in traffic.answers), default=began)
        slowest = max((end - start for start, end in traffic.answers), default=0.0)
        yield page, Loading(last - began, last - first, slowest, len(traffic.answers))
    finally:
        context.close()


def resize(page: Page, size: Size) -> None:
    """Show the page at another size, without loading it anew."""
    page.set_viewport_size({"width": size.width, "height": _TALL})
    page.evaluate(
        """(kiosk) => {
          const url = new URL(location.href);
          if (kiosk) { url.searchParams.set("kiosk", "true"); } else { url.searchParams.delete("kiosk"); }
          history.pushState(history.state, "", url);
          dispatchEvent(new PopStateEvent("popstate", {state: history.state}));
        }""",
        size.kiosk,
    )
    page.wait_for_timeout(_DRAWN_MS)


def looks(
    chromium: Browser, shown: Preview, uid: str, theme: str, sizes: tuple[str, ...] = tuple(SIZES)
) -> Iterator[tuple[str, Page, Loading]]:
    """Yield the page at each size: those with the menu in one load, those without in another."""
    for docked in (True, False):
        names = [name for name in sizes if SIZES[name].docked is docked]
        if not names:
            continue
        with opened(chromium, shown.address(uid, more=f"theme={theme}&refresh="), SIZES[names[0]]) as (page, loading):
            for name in names:
                if name != names[0]:
                    resize(page, SIZES[name])
                yield name, page, loading


@dataclass(frozen=True)
class Measured:
    """One page at one size.

    Args:
        scenario: what was shown.
        uid: of the dashboard.
        size: a name of SIZES.
        theme: dark or light.
        panels: how many there are.
        loading: how long the page took.
        faults: what cannot be read, by kind.

    """

    scenario: Scenario
    uid: str
    size: str
    theme: str
    panels: int
    loading: Loading
    faults: dict[str, list[str]]

    HEADS: ClassVar = (
        *("services", "page", "size", "theme", "panels", "faults"),
        *("queries", "opened", "first to last answer", "slowest query", "ratio"),
    )

    def row(self) -> str:
        """Return a line of the table."""
        wrong = ", ".join(f"{len(values)} {kind}" for kind, values in self.faults.items()) or "none"
        cells = (
            *(self.scenario.services, self.uid, self.size, self.theme, self.panels, wrong, self.loading.queries),
            f"{self.loading.opened:.1f} s",
            f"{self.loading.queried:.1f} s",
            f"{self.loading.slowest:.2f} s",
            f"{self.loading.ratio:.1f}",
        )
        return f"| {' | '.join(map(str, cells))} |"


def table(measured: Iterable[Measured]) -> str:
    """Return the table of what was measured, in Markdown."""
    head = f"| {' | '.join(Measured.HEADS)} |\n|{' --- |' * len(Measured.HEADS)}"
    return "\n".join([head, *(one.row() for one in measured), ""])


def check(  # noqa: PLR0913, PLR0917 - what to look at, and how
    chromium: Browser,
    shown: Preview,
    uid: str,
    theme: str,
    sizes: tuple[str, ...] = tuple(SIZES),
    pictures: Path | None = None,
) -> Iterator[Measured]:
    """Yield what was measured of a page at each size, and write a picture of each to `pictures`."""
    for size, page, loading in looks(chromium, shown, uid, theme, sizes):
        found = measure(page)
        if pictures is not None:
            height = min(found["bottom"] + 16, _TALL)
            clip: FloatRect = {"x": 0, "y": 0, "width": SIZES[size].width, "height": height}
            name = f"{shown.scenario.name}-{uid}-{size.replace(' ', '-')}-{theme}.png"
            page.screenshot(path=pictures / name, clip=clip)
        yield Measured(shown.scenario, uid, size, theme, found["panels"], loading, faults(found, size))


def run(context: Context, names: list[str], folder: Path | None, *, everything: bool) -> int:
    """Measure the pages of these scenarios, print the table and each fault, and return 1 when there are any."""
    if (lacking := preview.missing()) is not None:
        raise MissingToolError(lacking)
    if unknown := [name for name in names if name not in SCENARIOS]:
        msg = f"no such scenario: {', '.join(unknown)}; there are {', '.join(SCENARIOS)}"
        raise UserError(msg)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    sizes = tuple(SIZES) if everything else ("laptop", "phone")
    measured: list[Measured] = []
    with browser.open_browser() as chromium:
        for name in names:
            with preview.shown(SCENARIOS[name]) as shown:
                for uid in PAGES:
                    for theme in THEMES if everything else THEMES[:1]:
                        for one in check(chromium, shown, uid, theme, sizes, folder):
                            measured.append(one)
                            for kind, values in one.faults.items():
                                context.console.say(f"{name}, {uid}, {one.size}, {theme}: {kind}: {'; '.join(values)}")
    context.console.say(table(measured))
    return int(any(one.faults for one in measured))


def measure(page: Page) -> dict[str, Any]:
    """Return what a person cannot read on the page, as lab/page_measure.js finds it."""
    found: dict[str, Any] = page.evaluate(MEASURE)
    return found


def faults(found: dict[str, Any], size: str) -> dict[str, list[str]]:
    """Return what is wrong with a measured page; empty when nothing is."""
    wrong = {what: found[what] for what in ("cut", "overlap", "sideways", "wrapped", "failing", "plainNoData")}
    if size == "phone":
        wrong["top"] = [f"{found['top']} px above the first panel"] if found["top"] > FIRST_ON_A_PHONE else []
    else:
        wrong["graphs"] = [
            f"{graph['title']}: {graph['share']:.0%}" for graph in found["graphs"] if graph["share"] < GRAPH_SHARE
        ]
    return {what: list(dict.fromkeys(values)) for what, values in wrong.items() if values}
