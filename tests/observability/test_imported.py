"""What people made in Grafana becomes files that build the same JSON, whatever is in it, and that run nothing."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli import import_content, pull, stack_config
from cli.errors import UserError
from components.grafana_api import GrafanaApi
from dashboards.catalogue import DashboardFile, built, dashboards
from dashboards.errors import DashboardError
from observability import imported
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


TRAPS = ("team-a", "team_a", "Team-A", "TEAM-A", "team-A", "con", "CON", "nul", "-", "_", "a" * 40, "A" * 40)
_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


def written(root: Path, *found: imported.Dashboard) -> None:
    with imported.writing(imported.files(new_dashboards=found, root=root)):
        pass


def test_every_uid_has_a_file_of_its_own_also_where_capitals_make_no_difference(tmp_path: Path) -> None:
    names = {uid: imported.file_name(uid) for uid in TRAPS}
    assert len({name.casefold() for name in names.values()}) == len(TRAPS)
    assert names["team-a"] == "team-a.json"
    assert not {name.partition(".")[0] for name in names.values() if name.count(".") == 1} & {"con", "nul"}
    written(tmp_path, *(imported.Dashboard(uid, "", {"uid": uid}) for uid in TRAPS))
    assert {d.uid for d in imported.dashboards(tmp_path)} == set(TRAPS)
    assert len(list((tmp_path / "imported" / "dashboards").iterdir())) == len(TRAPS)


@given(st.lists(st.from_regex(r"[A-Za-z0-9_-]{1,40}", fullmatch=True), unique=True, min_size=2, max_size=20))
def test_no_two_uids_share_a_file(uids: list[str]) -> None:
    assert len({imported.file_name(uid).casefold() for uid in uids}) == len(uids)


EVIL = (
    "x'; import os;'",
    "", "../x", "..", "a/b", "a" * 41, "x\0", "x\n", "ü", "a b", ".hidden", "a.json", "__import__('os')",
    "\u202ex", None, 1, ["x"],
)  # fmt: skip


@pytest.mark.parametrize("uid", EVIL, ids=repr)
def test_what_no_grafana_has_as_a_uid_names_nothing(tmp_path: Path, uid: Any) -> None:  # noqa: ANN401 - from outside
    for act in (imported.require_uid, imported.file_name):
        with pytest.raises(imported.ImportedContentError, match=r"UID .*accepted"):
            act(uid)
    with pytest.raises(imported.ImportedContentError, match="UID"):
        written(tmp_path, imported.Dashboard(uid, "", {}))
    assert list(tmp_path.rglob("*.json*")) == []


@given(title=st.text(), rest=st.dictionaries(st.text(max_size=8), _JSON, max_size=4))
def test_any_model_comes_back_as_it_was(title: str, rest: Json) -> None:
    model = json.loads(json.dumps(rest | {"uid": "x", "title": title}))
    with tempfile.TemporaryDirectory() as folder:
        written(Path(folder), imported.Dashboard("x", "", model))
        assert imported.dashboards(Path(folder)) == (imported.Dashboard("x", "", model),)


def test_a_reader_of_the_file_sees_every_character(tmp_path: Path) -> None:
    title = "nul \0 override \u202e esc \x1b zero \u200b lone \ud800 line \u2028 umlaut ü"
    written(tmp_path, imported.Dashboard("x", "", {"title": title}))
    text = (tmp_path / "imported" / "dashboards" / "x.json").read_text(encoding="utf-8")
    assert "umlaut ü" in text
    for shown in ("\\u0000", "\\u202e", "\\u001b", "\\u200b", "\\ud800", "\\u2028"):
        assert shown in text
    assert imported.dashboards(tmp_path)[0].model == {"title": title}


def test_nothing_half_written_stays(tmp_path: Path) -> None:
    written(tmp_path, imported.Dashboard("old", "", {"title": "former"}))
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    changed = imported.files(
        [imported.Folder("f", "F")],
        new_dashboards=[imported.Dashboard("old", "", {"title": "new"}), imported.Dashboard("new", "", {})],
        root=tmp_path,
    )

    def interrupted() -> None:
        with imported.writing(changed):
            assert (tmp_path / "imported" / "dashboards" / "new.json").exists()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before
    unwritable = dict(changed) | {tmp_path / "imported" / "dashboards" / "bad.json": "\ud800"}
    with pytest.raises(UnicodeEncodeError), imported.writing(unwritable):
        raise AssertionError
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


@pytest.mark.parametrize(
    ("name", "text", "error"),
    [
        ("folders.json", "{", "folders.json cannot be read"),
        ("folders.json", '[{"uid": "a/b", "title": "x"}]', "UID 'a/b'"),
        ("folders.json", '[{"uid": "a", "title": 1}]', "folders.json cannot be read"),
        ("datasources.json", '[{"uid": "a"}]', "datasources.json cannot be read"),
        ("dashboards/x.json", "[]", "x.json cannot be read"),
        ("dashboards/x.json", '{"uid": "x", "folder": "", "dashboard": []}', "x.json cannot be read"),
        ("dashboards/x.json", '{"uid": "x", "folder": "a/b", "dashboard": {}}', "UID 'a/b'"),
        ("dashboards/x.json", '{"uid": "x", "folder": "", "dashboard": {"uid": "y"}}', "differ"),
    ],
)
def test_a_file_that_is_none_is_named(tmp_path: Path, name: str, text: str, error: str) -> None:
    path = tmp_path / "imported" / name
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(imported.ImportedContentError, match=error):
        (imported.folders(tmp_path), imported.sources(tmp_path), imported.dashboards(tmp_path))


def test_two_files_of_one_dashboard_are_refused(tmp_path: Path) -> None:
    written(tmp_path, imported.Dashboard("x", "", {}))
    folder = tmp_path / "imported" / "dashboards"
    (folder / "copy.json").write_bytes((folder / "x.json").read_bytes())
    with pytest.raises(imported.ImportedContentError, match="more than one file has the UID 'x'"):
        imported.dashboards(tmp_path)


def test_parents_come_before_children_and_a_circle_is_refused() -> None:
    inner, outer = imported.Folder("a", "A", "b"), imported.Folder("b", "B", "platform")
    assert imported.by_depth([inner, outer]) == (outer, inner)
    with pytest.raises(imported.ImportedContentError, match="inside itself"):
        imported.by_depth([imported.Folder("a", "A", "b"), imported.Folder("b", "B", "a")])


def test_what_a_clone_of_before_has_is_read_and_gives_way(tmp_path: Path) -> None:
    former = tmp_path / "adopted" / "dashboards"
    former.mkdir(parents=True)
    (former / "__init__.py").write_text("")
    (former / "d_team_a.py").write_text(
        'from typing import Any, Final\n\nUID: Final = "team-a"\nFOLDER: Final = "team"\n'
        'PANEL: Final = {"id": 1}\nDASHBOARD: Final[dict[str, Any]] = {"uid": "team-a", "panels": [PANEL]}\n'
    )
    (former.parent / "folders.json").write_text('[{"uid": "team", "title": "Team", "parent": ""}]')
    (former.parent / "datasources.json").write_text('[{"uid": "far", "name": "Far", "type": "prometheus"}]')
    assert imported.folders(tmp_path) == (imported.Folder("team", "Team"),)
    assert imported.sources(tmp_path) == (imported.Source("far", "Far", "prometheus"),)
    (result,) = imported.dashboards(tmp_path)
    assert result == imported.Dashboard("team-a", "team", {"uid": "team-a", "panels": [{"id": 1}]})
    written(tmp_path, imported.Dashboard("team-a", "", {"uid": "team-a", "title": "new"}))
    (result,) = imported.dashboards(tmp_path)
    assert result.model["title"] == "new"


class Answers:
    """A Grafana that is none: it answers what it likes."""

    def __init__(self, **answers: Any) -> None:  # noqa: ANN401 - JSON
        self.answers, self.asked = answers, list[str]()

    def request(self, _method: str, path: str) -> Any:  # noqa: ANN401 - JSON
        self.asked.append(path)
        if path.startswith("/api/search?type=dash-folder"):
            return self.answers.get("folders", [])
        if path.startswith("/api/search?type=dash-db"):
            return self.answers.get("dashboards", [])
        return self.answers.get("sources", []) if path == "/api/datasources" else self.answers["one"]

    def find(self, path: str) -> Any:  # noqa: ANN401 - JSON
        return self.request("GET", path)


@pytest.mark.parametrize("uid", ["../../admin/users", 'x"; import os; os.system("id")', "x\n", ""])
def test_a_false_grafana_is_asked_for_nothing_and_names_nothing(uid: str) -> None:
    for kind, act in (
        ("folders", import_content._folders),
        ("sources", lambda api: import_content._sources(api, [])),
        ("dashboards", lambda api: import_content._dashboards(api, [])),
    ):
        api = Answers(**{kind: [{"uid": uid, "name": "x", "title": "x"}]})
        with pytest.raises(imported.ImportedContentError, match="UID"):
            act(cast("GrafanaApi", api))
        assert not [path for path in api.asked if uid and uid in path]


def test_a_dashboard_that_says_to_be_another_is_refused() -> None:
    api = Answers(one={"dashboard": {"uid": "home"}, "meta": {}})
    with pytest.raises(UserError, match="answers with another dashboard"):
        pull.fetch("dev", cast("GrafanaApi", api), "x")


def import_(monkeypatch: pytest.MonkeyPatch, *found: imported.Dashboard) -> None:
    monkeypatch.setattr(imported, "dashboards", lambda: found)


def test_an_imported_dashboard_comes_as_it_is(
    settings_of: Callable[[str], Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    import_(monkeypatch, imported.Dashboard("by-hand", "", MODEL))
    for stack in ("dev", "prod"):
        settings = settings_of(stack)
        *ours, last = dashboards(settings)
        assert tuple(ours) == built(settings)
        assert last == DashboardFile("by-hand", "", last.json, imported=True)
        assert json.loads(last.json) == MODEL


def test_an_imported_dashboard_takes_the_place_of_a_built_one(
    settings_of: Callable[[str], Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    import_(monkeypatch, imported.Dashboard("home", "", MODEL | {"uid": "home"}))
    for stack, editable in (("dev", True), ("prod", False)):
        (result,) = (f for f in dashboards(settings_of(stack)) if f.uid == "home")
        assert json.loads(result.json) == MODEL | {"uid": "home", "editable": editable}
        assert not result.imported


_RUN = f"""
import runpy
from observability import imported
imported.dashboards = lambda: (imported.Dashboard("by-hand", "", {MODEL!r}),)
runpy.run_module("cli.mocked", run_name="__main__")
"""


def test_the_program_takes_one_that_lies_in_no_folder() -> None:
    values, secret = stack_config.filled("dev")
    given = json.dumps({"stack": "dev", "raw": values, "secret": sorted(secret)})
    done = subprocess.run([sys.executable, "-c", _RUN], input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (result,) = (r for r in json.loads(done.stdout) if r["name"] == "by-hand")
    assert "folder" not in result["inputs"]


def test_a_folder_that_nobody_knows_is_refused(
    settings_of: Callable[[str], Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    import_(monkeypatch, imported.Dashboard("by-hand", "nowhere", MODEL))
    with pytest.raises(DashboardError, match="FOLDER is 'nowhere'; accepted: one of ml-platform"):
        dashboards(settings_of("dev"))


def test_what_is_imported_here_can_be_read() -> None:
    assert len({f.uid for f in imported.folders()}) == len(imported.folders())
    assert len({s.uid for s in imported.sources()}) == len(imported.sources())
    assert len({d.uid for d in imported.dashboards()}) == len(imported.dashboards())
