"""What was made by hand in Grafana becomes code that builds the same JSON, whatever is in it."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import adopted
from cli import pull, stack_config
from dashboards.catalogue import DashboardFile, built, dashboards
from dashboards.errors import DashboardError
from observability.settings import Settings

Json = dict[str, Any]
MODEL: Json = {
    "uid": "by-hand",
    "title": 'Quotes "and" backslashes \\ “as they are”',
    "editable": True,
    "panels": [
        {"id": 1, "type": "stat", "title": "A / B", "targets": [{"expr": 'rate(x{a="b"}[5m])', "hide": None}]},
        {"id": 2, "type": "row", "title": "A / B", "collapsed": True, "panels": [{"id": 3, "type": "text"}]},
        {"id": 4, "type": "stat", "title": "A / B"},
        {"id": 5, "type": "text"},
        {"id": 6, "type": "text"},
    ],
}


def executed(text: str) -> Json:
    names: Json = {}
    exec(compile(text, "module", "exec"), names)  # noqa: S102 - what was just written
    return names


def test_a_module_has_a_name_for_each_panel() -> None:
    module = executed(pull.source("by-hand", "team", MODEL))
    assert (module["UID"], module["FOLDER"], module["DASHBOARD"]) == ("by-hand", "team", MODEL)
    assert {n for n in module if n.startswith(("PANEL", "ROW"))} == {
        "PANEL_A_B", "ROW_A_B", "PANEL_A_B__2", "PANEL", "PANEL__2",
    }  # fmt: skip


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


@given(
    panels=st.lists(st.dictionaries(st.sampled_from(["title", "type", "targets"]), _JSON), max_size=4),
    rest=st.dictionaries(st.text(max_size=8), _JSON, max_size=4),
)
def test_any_model_is_built_as_it_was(panels: list[Json], rest: Json) -> None:
    model = json.loads(json.dumps({"uid": "x", "title": "t"} | rest | {"panels": panels}))
    assert executed(pull.source("x", "", model))["DASHBOARD"] == model


def test_every_dashboard_of_the_catalogue_can_be_written_down(
    settings_of: Callable[[str], Settings], tmp_path: Path
) -> None:
    for file in built(settings_of("dev")):
        model = json.loads(file.json)
        path = tmp_path / f"{file.uid}.py"
        path.write_text(pull.source(file.uid, file.folder, model))
        spec = importlib.util.spec_from_file_location("written", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        assert model == module.DASHBOARD


def adopt(monkeypatch: pytest.MonkeyPatch, *found: adopted.Dashboard) -> None:
    monkeypatch.setattr(adopted, "dashboards", lambda: found)


def test_an_adopted_dashboard_comes_as_it_is(
    settings_of: Callable[[str], Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    adopt(monkeypatch, adopted.Dashboard("by-hand", "", MODEL))
    for stack in ("dev", "prod"):
        settings = settings_of(stack)
        *ours, last = dashboards(settings)
        assert tuple(ours) == built(settings)
        assert last == DashboardFile("by-hand", "", last.json, by_hand=True)
        assert json.loads(last.json) == MODEL


def test_an_adopted_dashboard_takes_the_place_of_a_built_one(
    settings_of: Callable[[str], Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    adopt(monkeypatch, adopted.Dashboard("home", "", MODEL | {"uid": "home"}))
    for stack, editable in (("dev", True), ("prod", False)):
        (found,) = (f for f in dashboards(settings_of(stack)) if f.uid == "home")
        assert json.loads(found.json) == MODEL | {"uid": "home", "editable": editable}
        assert not found.by_hand


_RUN = f"""
import adopted, runpy
adopted.dashboards = lambda: (adopted.Dashboard("by-hand", "", {MODEL!r}),)
runpy.run_module("cli.mocked", run_name="__main__")
"""


def test_the_program_takes_one_that_lies_in_no_folder() -> None:
    values, secret = stack_config.filled("dev")
    given = json.dumps({"stack": "dev", "raw": values, "secret": sorted(secret)})
    done = subprocess.run([sys.executable, "-c", _RUN], input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (found,) = (r for r in json.loads(done.stdout) if r["name"] == "by-hand")
    assert "folder" not in found["inputs"]


def test_a_folder_that_nobody_knows_is_refused(
    settings_of: Callable[[str], Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    adopt(monkeypatch, adopted.Dashboard("by-hand", "nowhere", MODEL))
    with pytest.raises(DashboardError, match="FOLDER is 'nowhere'; accepted: one of ml-platform"):
        dashboards(settings_of("dev"))


def test_what_is_adopted_here_can_be_read() -> None:
    assert len({f.uid for f in adopted.folders()}) == len(adopted.folders())
    assert len({s.uid for s in adopted.sources()}) == len(adopted.sources())
    assert len({d.uid for d in adopted.dashboards()}) == len(adopted.dashboards())
