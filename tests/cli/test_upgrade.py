"""What `make upgrade` and `make restore` refuse before anything is touched, and what they write into versions.toml."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import docker.errors
import pytest

from cli import archive, restore, upgrade
from cli.app import main
from cli.bootstrap import ROOT
from cli.errors import ExitCode, MissingToolError, NotConfirmedError, UsageError, UserError
from observability import versions
from observability.settings import CONTAINERS
from tests.cli import fakes


class Images:
    def get(self, reference: str) -> str:
        raise docker.errors.ImageNotFound(reference)

    def pull(self, reference: str) -> None:
        raise docker.errors.APIError("no", explanation=f"{reference} is unknown")


ENGINE = fakes.engine(images=Images())


@pytest.mark.parametrize("component", CONTAINERS)
def test_only_the_tag_and_the_digest_of_the_component_change(component: str) -> None:
    text = versions.FILE.read_text().replace('digest = ""', 'digest = "sha256:0"')
    before, after = (tomllib.loads(t) for t in (text, upgrade.pinned(text, component, "9.9.9")))
    assert after["images"].pop(component) == before["images"].pop(component) | {"tag": "9.9.9", "digest": ""}
    assert after == before


def test_an_image_that_is_not_in_there_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"no \[images\.tempo\]"):
        upgrade.pinned(versions.FILE.read_text(), "tempo", "1")


@pytest.mark.parametrize(
    ("component", "to", "said"),
    [
        ("", "1", "COMPONENT=: no such component; accepted: grafana, prometheus"),
        ("demo", "1", "COMPONENT=demo: no such component"),
        ("loki", "", "TO=: not a version"),
        ("loki", "3.8 --privileged", "not a version"),
        ("loki", versions.image("loki").tag, "pinned to that already"),
    ],
)
def test_what_cannot_be_is_one_sentence(component: str, to: str, said: str) -> None:
    with pytest.raises(UsageError, match=r"Nothing was changed\.") as refused:
        upgrade.check(component, to)
    assert said in str(refused.value)


def test_an_image_that_cannot_be_had_is_named() -> None:
    with pytest.raises(MissingToolError, match=r"grafana/loki:9\.9\.9 .*is unknown.*Nothing was changed"):
        ENGINE.pull_image("grafana/loki:9.9.9", "Is TO=9.9.9 right?")


def manifest(**tags: str) -> archive.Manifest:
    references = {s: f"{versions.image(s).name}:{t}" for s, t in tags.items()}
    return archive.Manifest("dev", "then", references, 0, 0, [], {})


def test_data_of_a_newer_version_is_refused() -> None:
    restore.refuse_newer(manifest(grafana=versions.image("grafana").tag, loki="3.1.0", prometheus="v2.55.1@sha256:0"))
    with pytest.raises(UserError, match=r"newer versions: loki 99\.0\.0 \(versions\.toml: .*Nothing was touched"):
        restore.refuse_newer(manifest(loki="99.0.0"))


def test_restore_needs_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in ("", str(tmp_path), str(tmp_path / "none")):
        assert main(["restore", path]) == ExitCode.USAGE
        assert "no such file; accepted: an archive of `make backup`" in capsys.readouterr().err


def test_restore_asks_where_there_is_data() -> None:
    context = fakes.context("dev")
    for given in ("staging", ""):
        with pytest.raises(NotConfirmedError, match="nothing was touched"):
            restore.confirm(context, manifest(), given=given)
    restore.confirm(context, manifest(), given="dev")


def test_without_a_terminal_restore_names_the_option() -> None:
    code = (
        "from cli.context import Context\nContext('dev').confirm('It holds data.', 'nothing was touched', given=None)"
    )
    done = subprocess.run([sys.executable, "-c", code], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          check=False, cwd=ROOT)  # fmt: skip
    assert "It holds data. Run this command in a terminal, or with YES=dev. Nothing was touched." in done.stderr


def test_the_archive_is_read_before_anything_is_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.tar").write_bytes(b"no archive")
    context = fakes.context("dev")
    assert main(["restore", str(tmp_path / "a.tar")], lambda _: context) == ExitCode.USAGE
    assert "is no archive of `make backup`. Nothing was touched." in capsys.readouterr().err
    assert fakes.calls(context) == []
