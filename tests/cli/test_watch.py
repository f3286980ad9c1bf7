"""`watch`: which changes reach Grafana at once, and what is sent."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from cli import watch
from cli.bootstrap import ROOT
from components.grafana_api import GrafanaApi
from dashboards import catalogue
from observability.settings import Settings

SOURCE = """
from dashboards import DashboardBuilder

def build(settings):
    dashboard = DashboardBuilder(title="{title}", uid="watched-page")
    dashboard.add_timeseries_panel(title="Up", query="up", unit="short")
    return dashboard
"""


@dataclass(frozen=True)
class Recording(GrafanaApi):
    url: str = ""
    auth: str = ""
    sent: list[tuple[str, str, Any]] = field(default_factory=list)

    def request(self, method: str, path: str, body: Any = None) -> Any:  # noqa: ANN401
        self.sent.append((method, path, body))


def test_a_saved_page_is_sent_as_it_is_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings_of: Callable[[str], Settings]
) -> None:
    file = tmp_path / "watched_page.py"
    file.write_text(SOURCE.format(title="Before"))
    monkeypatch.syspath_prepend(str(tmp_path))
    page = catalogue.Page("ml-platform", cast("catalogue.PageModule", importlib.import_module("watched_page")))
    settings = settings_of("dev")
    grafana = Recording()
    try:
        file.write_text(SOURCE.format(title="After the edit"))
        watch._show(page, settings, grafana)
        file.write_text("def build(")
        with pytest.raises(SyntaxError):
            watch._show(page, settings, grafana)
    finally:
        del sys.modules["watched_page"]
    ((method, path, body),) = grafana.sent
    assert (method, path) == ("POST", "/api/dashboards/db")
    assert (body["dashboard"]["title"], body["dashboard"]["uid"]) == ("After the edit", "watched-page")
    assert (body["folderUid"], body["overwrite"]) == ("ml-platform", True)


@pytest.mark.parametrize(
    ("changed", "pages"),
    [
        (["dashboards/home.py"], ["home"]),
        (["dashboards/home.py", "dashboards/logs.py"], ["home", "logs"]),
        (["dashboards/home.py", "dashboards/builder.py"], []),  # which every page is built with
        (["observability/text.py"], []),
    ],
)
def test_only_a_page_of_its_own_is_shown_before_up(changed: list[str], pages: list[str]) -> None:
    found = watch._pages([ROOT / name for name in changed])
    assert [page.module.__name__ for page in found] == [f"dashboards.{name}" for name in pages]
