"""Every dashboard in a real Grafana and a real browser, measured: nothing is cut off and nothing overlaps.

Runs where Grafana, Prometheus and Chromium are; the data is made up (`lab.preview`), so no Docker is needed. By default
a laptop and a phone with ten services, dark; PAGES=all measures every size, theme and number of services. The table of
what was measured is written to build/dashboards/measured.md.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

pytest.importorskip("playwright")

from cli import browser as browsers
from lab import pages, preview
from lab.preview_data import SCENARIOS

if TYPE_CHECKING:
    from playwright.sync_api import Browser

TABLE: Final = Path(__file__).parents[2] / "build" / "dashboards" / "measured.md"
EVERYTHING: Final = os.environ.get("PAGES") == "all"
SERVICES: Final = ("one", "ten", "fifty") if EVERYTHING else ("ten",)
SIZES: Final = tuple(pages.SIZES) if EVERYTHING else ("laptop", "phone")
THEMES: Final = pages.THEMES if EVERYTHING else pages.THEMES[:1]
_MISSING: Final = preview.missing() or (None if shutil.which("chromium") else "chromium is not on PATH")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(_MISSING is not None, reason=str(_MISSING)),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    # One Grafana and one Prometheus for all of them.
    pytest.mark.xdist_group("browser"),
]


@pytest.fixture(scope="module", params=SERVICES)
def shown(request: pytest.FixtureRequest) -> Iterator[preview.Preview]:
    with preview.shown(SCENARIOS[request.param]) as result:
        yield result


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browsers.open_browser() as result:
        yield result


@pytest.fixture(scope="module")
def measured() -> Iterator[list[pages.Measured]]:
    result: list[pages.Measured] = []
    yield result
    TABLE.parent.mkdir(parents=True, exist_ok=True)
    TABLE.write_text(f"{pages.table(result)}\n", encoding="utf-8")


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("uid", pages.PAGES)
def test_everything_on_the_page_can_be_read(
    chromium: Browser, shown: preview.Preview, measured: list[pages.Measured], uid: str, theme: str
) -> None:
    result = list(pages.check(chromium, shown, uid, theme, SIZES))
    measured += result
    wrong = {one.size: one.faults for one in result if one.faults}
    assert not wrong, json.dumps(wrong, indent=1, ensure_ascii=False)
