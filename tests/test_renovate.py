"""Renovate's configuration finds every version that this project pins, and holds what has to be held."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from cli.bootstrap import ROOT
from observability import versions

CONFIG: dict[str, Any] = json.loads((ROOT / "renovate.json").read_text())


def found(manager: dict[str, Any], text: str) -> list[dict[str, str]]:
    """Return what a custom manager finds, as Renovate does: JavaScript's names of groups, every match."""
    patterns = [p.replace("(?<", "(?P<") for p in manager["matchStrings"]]
    return [m.groupdict() for pattern in patterns for m in re.finditer(pattern, text)]


def managers(path: str) -> list[dict[str, Any]]:
    return [m for m in CONFIG["customManagers"] if any(re.search(p.strip("/"), path) for p in m["managerFilePatterns"])]


def rule(dependency: str, key: str) -> Any:  # noqa: ANN401 - JSON
    rules = [r for r in CONFIG["packageRules"] if dependency in r.get("matchDepNames", ()) and key in r]
    return rules[-1][key] if rules else None


def test_every_image_is_found_with_its_tag_and_digest() -> None:
    text = versions.FILE.read_text()
    images, _ = managers("versions.toml")
    seen = {(f["depName"], f["currentValue"], f["currentDigest"]) for f in found(images, text)}
    assert seen == {(i.name, i.tag, i.digest) for i in versions.images().values()}
    assert len(seen) == text.count("[images.")


def test_a_digest_is_found_and_what_is_written_is_read_again() -> None:
    images, _ = managers("versions.toml")
    template: str = images["autoReplaceStringTemplate"]
    new = {"depName": "grafana/loki", "newValue": "3.7.9", "newDigest": "sha256:" + "a" * 64}
    text = re.sub(r"\{\{\{(\w+)\}\}\}", lambda m: new[m[1]], template)
    assert found(images, text) == [
        {"depName": "grafana/loki", "currentValue": "3.7.9", "currentDigest": new["newDigest"]}
    ]


def test_the_cli_is_found() -> None:
    _, cli = managers("versions.toml")
    assert found(cli, versions.FILE.read_text()) == [{"currentValue": versions.pulumi_cli()}]


def test_every_list_of_packages_is_one_that_the_manager_reads() -> None:
    assert "pip_requirements" in CONFIG["enabledManagers"]
    usual = re.compile(r"(^|/)[\w-]*requirements([-._]\w+)?\.(txt|pip)$")  # Renovate's own pattern
    lists = [p for p in ROOT.rglob("*requirements*.txt") if not {".venv", "build"} & set(p.parts)]
    assert len(lists) == 3
    for path in lists:
        assert usual.search(str(path.relative_to(ROOT))), path
        for line in path.read_text().splitlines():
            assert not line.strip() or line.startswith(("#", "-r ")) or re.match(r"[\w.\-\[\]]+==[\w.]+$", line), line


@pytest.mark.parametrize(("name", "allowed"), [("grafana/grafana", "<13"), ("jaegertracing/jaeger", "<2.21")])
def test_what_has_to_be_held_is_held_where_it_is(name: str, allowed: str) -> None:
    assert rule(name, "allowedVersions") == allowed
    pinned = next(i for i in versions.images().values() if i.name == name)
    limit = tuple(map(int, allowed[1:].split(".")))
    assert tuple(map(int, pinned.tag.split(".")))[: len(limit)] < limit


def test_nothing_is_taken_on_its_first_days_and_everything_is_grouped() -> None:
    assert CONFIG["minimumReleaseAge"] == "7 days"
    assert CONFIG["internalChecksFilter"] == "strict"
    assert rule("grafana-foundation-sdk", "enabled") is False
    assert {r["groupName"] for r in CONFIG["packageRules"] if "groupName" in r} == {
        "images", "Python packages", "GitHub actions", "Pulumi",
    }  # fmt: skip
