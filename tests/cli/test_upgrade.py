"""What `make upgrade` and `make restore` refuse before anything is touched, and what they write into versions.toml."""

from __future__ import annotations

import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import docker.errors
import pytest
from docker import DockerClient

from cli import archive, restore, upgrade
from cli.bootstrap import UserError
from cli.commands import main
from observability import versions
from observability.settings import CONTAINERS


class Images:
    def get(self, reference: str) -> str:
        raise docker.errors.ImageNotFound(reference)

    def pull(self, name: str, tag: str) -> None:
        raise docker.errors.APIError("no", explanation=f"{name}:{tag} is unknown")


CLIENT = cast("DockerClient", SimpleNamespace(images=Images()))


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
        ("loki", "", "TO=: no version"),
        ("loki", "3.8 --privileged", "no version"),
        ("loki", versions.image("loki").tag, "pinned to that already"),
        ("loki", "9.9.9", "grafana/loki:9.9.9 is unknown"),
    ],
)
def test_what_cannot_be_is_one_sentence(component: str, to: str, said: str) -> None:
    with pytest.raises(UserError, match=r"Nothing was changed\.") as refused:
        upgrade._check(CLIENT, component, to)
    assert said in str(refused.value)


def manifest(**tags: str) -> archive.Manifest:
    references = {s: f"{versions.image(s).name}:{t}" for s, t in tags.items()}
    return archive.Manifest("dev", "then", references, 0, 0, [], {})


def test_data_of_a_newer_version_is_refused() -> None:
    restore._refuse_newer(manifest(grafana=versions.image("grafana").tag, loki="3.1.0", prometheus="v2.55.1@sha256:0"))
    with pytest.raises(UserError, match=r"newer versions: loki 99\.0\.0 \(versions\.toml: .*Nothing was touched"):
        restore._refuse_newer(manifest(loki="99.0.0"))


def test_restore_needs_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for given in ([], [""], [str(tmp_path)], [str(tmp_path / "none")]):
        assert main(["restore", *given]) == 1
        assert "no such file; accepted: an archive of `make backup`" in capsys.readouterr().err


@pytest.mark.parametrize("given", [None, "staging", ""])
def test_restore_asks_where_there_is_data(monkeypatch: pytest.MonkeyPatch, given: str | None) -> None:
    monkeypatch.delenv("YES", raising=False)
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: False))
    if given is not None:
        monkeypatch.setenv("YES", given)
    with pytest.raises(UserError, match=r"(?i)nothing was touched"):
        restore._confirm("dev", manifest())
    monkeypatch.setenv("YES", "dev")
    restore._confirm("dev", manifest())


def test_the_archive_is_read_before_anything_is_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.tar").write_bytes(b"no archive")
    touched: list[Any] = []
    monkeypatch.setattr("cli.engine.connect", lambda: None)
    for name in ("cli.pulumi.select", "cli.pulumi.run", "cli.pulumi.ask", "cli.volumes.build"):
        monkeypatch.setattr(name, lambda *_, **__: touched.append(1))
    monkeypatch.setenv("STACK", "dev")
    assert main(["restore", str(tmp_path / "a.tar")]) == 1
    assert "is no archive of `make backup`. Nothing was touched." in capsys.readouterr().err
    assert touched == []
