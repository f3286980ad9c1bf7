"""The bill of materials names everything that is pinned, with the hashes that are known."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli import sbom
from cli.bootstrap import ROOT
from cli.pulumi import plugin_packages
from observability import versions
from tests.cli import fakes


def test_everything_that_is_pinned_is_in_it() -> None:
    components = {c["purl"]: c for c in sbom.document()["components"]}
    pins = sbom._PIN.findall(sbom._without_comments((ROOT / "requirements.txt").read_text()))
    assert {f"pkg:pypi/{sbom._normal(name)}@{version}" for name, version in pins} <= set(components)
    assert {f"pkg:docker/{i.name}@{i.tag}" for i in versions.images().values()} <= set(components)
    assert f"pkg:github/pulumi/pulumi@v{versions.pulumi_cli()}" in components
    assert {f"pkg:generic/pulumi-resource-{p['name']}@{p['version']}" for p in plugin_packages()} <= set(components)
    assert len(pins) > 5


def test_hashes_come_from_the_lock_and_the_digests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "requirements.txt").write_text(
        f"Some_Thing==1.2 \\\n    --hash=sha256:{'a' * 64}\n# x==9\nother[y]==2\n"
    )
    (tmp_path / "uv.lock").write_text(
        "[[package]]\nname = 'some-thing'\nversion = '1.2'\n"
        f"wheels = [{{ url = 'https://x.example/some_thing-1.2.whl', hash = 'sha256:{'a' * 64}' }}]\n"
    )
    monkeypatch.setattr(versions, "images", lambda: {"a": versions.Image("a/b", "1", f"sha256:{'b' * 64}")})
    result = {c["name"]: c for c in sbom.document(tmp_path)["components"]}
    assert result["some-thing"]["externalReferences"] == [
        {
            "type": "distribution",
            "url": "some_thing-1.2.whl",
            "hashes": [{"alg": "SHA-256", "content": "a" * 64}],
        }
    ]
    assert result["a/b"]["hashes"] == [{"alg": "SHA-256", "content": "b" * 64}]
    assert "x" not in result
    assert result["other"]["version"] == "2"


def test_it_is_the_same_each_time_and_goes_where_it_should(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sbom.document() == sbom.document()
    assert sbom.run(fakes.context("dev"), tmp_path / "sbom.json") == 0
    capsys.readouterr()
    assert sbom.run(fakes.context("dev"), None) == 0
    assert json.loads(capsys.readouterr().out) == json.loads((tmp_path / "sbom.json").read_text())
