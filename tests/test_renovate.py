"""Renovate's configuration finds every version that this project pins, and holds what has to be held."""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any

import pytest

from cli import packages
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


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def pins() -> dict[str, list[str]]:
    """Return every direct dependency of pyproject.toml, by its group."""
    groups: dict[str, list[str]] = project()["dependency-groups"]
    return {"runtime": project()["project"]["dependencies"], **groups}


def test_every_list_of_packages_is_one_that_a_manager_reads() -> None:
    assert {"pep621", "pip_requirements"} <= set(CONFIG["enabledManagers"])
    assert CONFIG["pip_requirements"]["managerFilePatterns"] == [r"/^demo/requirements\.txt$/"]
    written = {str(p.relative_to(ROOT)) for p in ROOT.glob("*requirements*.txt")}
    assert written == set(CONFIG["ignorePaths"]) == set(packages.EXPORTS)


def test_every_direct_dependency_is_pinned_and_locked_at_that_version() -> None:
    locked = {p["name"]: p["version"] for p in tomllib.loads((ROOT / "uv.lock").read_text())["package"]}
    for pin in (pin for group in pins().values() for pin in group):
        name, _, version = pin.partition("==")
        assert locked[re.sub(r"[-_.]+", "-", name).lower()] == version, pin


def test_the_demo_s_image_and_its_tests_have_the_same_packages() -> None:
    lines = (ROOT / "demo" / "requirements.txt").read_text().splitlines()
    assert pins()["demo"] == [line for line in lines if not line.startswith("#")]


def test_the_files_for_pip_are_what_the_lock_says() -> None:
    assert packages.run(check=True) == 0


def test_no_file_names_an_index_but_the_public_one() -> None:
    for name in ("uv.lock", "requirements.txt", "requirements-dev.txt", "pyproject.toml"):
        hosts = set(re.findall(r"https?://([^/\s\"]+)", (ROOT / name).read_text()))
        assert hosts <= {"pypi.org", "files.pythonhosted.org"}, name


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
