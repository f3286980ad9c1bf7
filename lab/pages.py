"""Every dashboard in a real Grafana and a real browser: measured, timed and photographed, over made-up data.

The measuring test (tests/dashboards/test_in_browser.py) and the command `pages` share this module. The sizes are those
of a laptop and a small one with Grafana's menu, a phone, which never has it open, and a wall; one page is loaded once
for all four, because a new width needs no new answers.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from cli import browser
from cli.errors import MissingToolError, UserError
from dashboards import style
from dashboards.catalogue import dashboards
from lab import preview
from lab.preview_data import SCENARIOS
from observability.names import uids

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, FloatRect, Page

    from cli.context import Context
    from lab.preview import Preview
    from lab.preview_data import Scenario

BUSY: Final = (Path(__file__).parent / "page_busy.js").read_text(encoding="utf-8")
MEASURE: Final = (Path(__file__).parent / "page_measure.js").read_text(encoding="utf-8")
PAGES: Final = (*style.TITLES, uids.RUNBOOKS)
GRAPH_SHARE: Final = 0.65
"""Least share of a graph's panel that the graph itself takes, at every size but a phone's."""
FIRST_ON_A_PHONE: Final = 190
"""Pixels above the first panel of a phone, at most: Grafana's two bars, a line of times, and one of links."""
PICKER_ON_A_PHONE: Final = 40
"""Pixels that each picker may take besides: two of them do not fit one line."""
_TALL: Final = 20_000
"""Pixels: every panel is on the screen, so that none waits to be scrolled to."""
_PATIENCE_SECONDS: Final = 300
_DRAWN_MS: Final = 1_500
"""Milliseconds between two looks at whether panels are drawn at a new width."""
_BOXES: Final = """() => [
    ...document.querySelectorAll("section[data-testid*='Panel header'], canvas, [role='gridcell']"),
  ].map((element) => element.getBoundingClientRect())
   .map((box) => [box.left, box.top, box.width, box.height].map(Math.round)).join(" ")"""
"""Where panels, graphs and cells are: the same twice when all are drawn."""
_DATA: Final = ("/api/ds/query", "/api/datasources/", "/api/prometheus/")
"""Parts of the addresses of requests for data; those for panels first."""
_PANEL: Final = "[data-testid*='Panel header']"


@dataclass(frozen=True)
class Size:
    """A screen.

    Args:
        width: pixels.
        height: pixels that a person sees before scrolling.
        kiosk: whether the page has no menu and no bar at all.

    """

    width: int
    height: int
    kiosk: bool = False


SIZES: Final = {
    "laptop": Size(1440, 900),
    "phone": Size(390, 844),
    "small laptop": Size(1280, 720),
    "wall": Size(1920, 1080, kiosk=True),
}
THEMES: Final = ("dark", "light")


@dataclass(frozen=True)
class Loading:
    """How long a page took, in seconds.

    Args:
        drawn: from the request of the page until its last panel is drawn.
        queried: from its first query until its last panel is drawn.
        slowest: of its slowest single query.
        queries: how many requests for data it made.
        load: processes that ran or waited to on this machine, on average over the last minute.

    """

    drawn: float
    queried: float
    slowest: float
    queries: int
    load: float

    @property
    def ratio(self) -> float:
        """Return how many times the slowest query it took from the first query to the last panel."""
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

    def settle(self, panels: int, *, quiet: float = 1.5) -> float:
        """Wait until all panels are drawn and nothing was asked or answered for `quiet` seconds.

        Returns:
            The time at which the last panel was drawn.

        Raises:
            RuntimeError: that takes too long.

        """
        end = time.monotonic() + _PATIENCE_SECONDS
        drawn = 0.0
        self._moved = time.monotonic()
        while time.monotonic() < end:
            busy = self._page.evaluate(BUSY, panels)
            if busy or self._waiting:
                drawn = 0.0
            elif not drawn:
                drawn = time.time()
            elif time.monotonic() - self._moved >= quiet and time.time() - drawn >= quiet:
                return drawn
            self._page.wait_for_timeout(250)
        msg = f"{self._page.url} is not drawn after {_PATIENCE_SECONDS} s: {busy or self._waiting}"
        raise RuntimeError(msg)


@contextmanager
def opened(chromium: Browser, url: str, size: Size, panels: int) -> Iterator[tuple[Page, Loading]]:
    """Open an address as tall as its `panels`, and wait until they are drawn."""
    page = _person(chromium).new_page()
    page.set_viewport_size({"width": size.width, "height": _TALL})
    traffic = _Traffic(page)
    began = time.time()
    try:
        page.goto(url, wait_until="load", timeout=1000 * _PATIENCE_SECONDS)
        page.wait_for_selector(_PANEL, timeout=1000 * _PATIENCE_SECONDS)
        drawn = traffic.settle(panels)
        first = min((start for start, _ in traffic.answers), default=began)
        slowest = max((end - start for start, end in traffic.answers), default=0.0)
        yield page, Loading(drawn - began, drawn - first, slowest, len(traffic.answers), os.getloadavg()[0])
    finally:
        page.close()


def _person(chromium: Browser) -> BrowserContext:
    """Return the browser of a person who has Grafana's menu open, and loaded Grafana itself with the first page."""
    if chromium.contexts:
        return chromium.contexts[0]
    context = chromium.new_context()
    context.add_init_script("localStorage.setItem('grafana.navigation.docked', 'true')")
    return context


def model(scenario: Scenario, uid: str) -> dict[str, Any]:
    """Return the model of a dashboard."""
    found: dict[str, Any] = next(json.loads(file.json) for file in dashboards(scenario.settings) if file.uid == uid)
    return found


def resize(page: Page, size: Size) -> None:
    """Show the page at another size, without loading it anew."""
    page.set_viewport_size({"width": size.width, "height": _TALL})
    page.evaluate(
        """(kiosk) => {
          const url = new URL(location.href);
          if (kiosk) { url.searchParams.set("kiosk", "true"); } else { url.searchParams.delete("kiosk"); }
          history.pushState(history.state, "", url);
          dispatchEvent(new PopStateEvent("popstate", {state: history.state}));
          document.activeElement?.blur();
        }""",
        size.kiosk,
    )
    before = ""
    for _ in range(_PATIENCE_SECONDS):
        page.wait_for_timeout(_DRAWN_MS)
        drawn = page.evaluate(_BOXES)
        if drawn == before:
            return
        before = drawn


def looks(
    chromium: Browser, shown: Preview, uid: str, theme: str, sizes: tuple[str, ...] = tuple(SIZES)
) -> Iterator[tuple[str, Page, Loading]]:
    """Yield the page at each size, of one load."""
    panels = sum(panel["type"] != "row" for panel in model(shown.scenario, uid)["panels"])
    with opened(chromium, shown.address(uid, more=f"theme={theme}"), SIZES[sizes[0]], panels) as (page, loading):
        for name in sizes:
            if name != sizes[0]:
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
        *("state", "services", "page", "size", "theme", "panels", "faults"),
        *("queries", "last panel", "from the first query", "slowest query", "ratio", "load"),
    )

    def row(self) -> str:
        """Return a line of the table."""
        wrong = ", ".join(f"{len(values)} {kind}" for kind, values in self.faults.items()) or "none"
        cells = (
            *(
                self.scenario.name,
                self.scenario.services,
                self.uid,
                self.size,
                self.theme,
                self.panels,
                wrong,
                self.loading.queries,
            ),
            f"{self.loading.drawn:.1f} s",
            f"{self.loading.queried:.1f} s",
            f"{self.loading.slowest:.2f} s",
            f"{self.loading.ratio:.1f}",
            f"{self.loading.load:.0f}",
        )
        return f"| {' | '.join(map(str, cells))} |"


def table(measured: Iterable[Measured]) -> str:
    """Return the table of what was measured, in Markdown."""
    head = f"| {' | '.join(Measured.HEADS)} |\n|{' --- |' * len(Measured.HEADS)}"
    return "\n".join([head, *(one.row() for one in measured)])


def check(  # noqa: PLR0913, PLR0917 - what to look at, and how
    chromium: Browser,
    shown: Preview,
    uid: str,
    theme: str,
    sizes: tuple[str, ...] = tuple(SIZES),
    pictures: Path | None = None,
) -> Iterator[Measured]:
    """Yield what was measured of a page at each size, and write a picture of each to `pictures`."""
    try:
        for size, page, loading in looks(chromium, shown, uid, theme, sizes):
            found = measure(page)
            if pictures is not None:
                height = min(found["bottom"] + 16, _TALL)
                clip: FloatRect = {"x": 0, "y": 0, "width": SIZES[size].width, "height": height}
                name = f"{shown.scenario.name}-{uid}-{size.replace(' ', '-')}-{theme}.png"
                page.screenshot(path=pictures / name, clip=clip)
            pickers = sum(not v.get("hide") for v in model(shown.scenario, uid)["templating"]["list"])
            yield Measured(shown.scenario, uid, size, theme, found["panels"], loading, faults(found, size, pickers))
    except RuntimeError as error:
        yield Measured(shown.scenario, uid, sizes[0], theme, 0, Loading(0, 0, 0, 0, 0), {"not drawn": [str(error)]})


def run(  # noqa: PLR0913 - what to look at, and how
    context: Context, names: list[str], uids_: list[str], folder: Path | None, theme: str, *, everything: bool
) -> int:
    """Measure these pages of these scenarios, print each row of the table and its faults; 1 when there are any."""
    if (lacking := preview.missing()) is not None:
        raise MissingToolError(lacking)
    for what, given, known in (
        ("scenario", names, tuple(SCENARIOS)),
        ("page", uids_, PAGES),
        ("theme", [theme] if theme else [], THEMES),
    ):
        if unknown := [name for name in given if name not in known]:
            msg = f"no such {what}: {', '.join(unknown)}; there are {', '.join(known)}"
            raise UserError(msg)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    sizes = tuple(SIZES) if everything else ("laptop", "phone")
    themes = (theme,) if theme else THEMES if everything else THEMES[:1]
    faulty = False
    with browser.open_browser() as chromium:
        for name in names:
            with preview.shown(SCENARIOS[name]) as shown:
                context.console.say(table(()))
                for uid in uids_ or PAGES:
                    for shade in themes:
                        for one in check(chromium, shown, uid, shade, sizes, folder):
                            # At once: who stops a long run keeps what it found.
                            context.console.say(one.row())
                            for kind, values in one.faults.items():
                                context.console.say(f"  {kind}: {'; '.join(values)}")
                            faulty |= bool(one.faults)
    return int(faulty)


def measure(page: Page) -> dict[str, Any]:
    """Return what a person cannot read on the page, as lab/page_measure.js finds it."""
    found: dict[str, Any] = page.evaluate(MEASURE)
    return found


def faults(found: dict[str, Any], size: str, pickers: int) -> dict[str, list[str]]:
    """Return what is wrong with a measured page that has so many `pickers`; empty when nothing is."""
    wrong = {what: found[what] for what in ("cut", "overlap", "sideways", "wrapped", "failing", "plainNoData")}
    if size == "phone":
        most = FIRST_ON_A_PHONE + PICKER_ON_A_PHONE * pickers
        wrong["top"] = [f"{found['top']} px above the first panel"] if found["top"] > most else []
    else:
        # On a phone Grafana's list leaves 130 px for an alert's name; it is whole in the name's tooltip.
        wrong["cut"] = [*wrong["cut"], *found["alerts"]]
        wrong["graphs"] = [
            f"{graph['title']}: {graph['share']:.0%}" for graph in found["graphs"] if graph["share"] < GRAPH_SHARE
        ]
    return {what: list(dict.fromkeys(values)) for what, values in wrong.items() if values}
