"""The rule files as Prometheus' container gets them: one file, for the provider compares each file with each other."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import yaml

from observability import processes, rules
from observability.configs import prometheus
from observability.text import dump

if TYPE_CHECKING:
    from pathlib import Path

    from observability.settings import Settings


def test_one_file_has_every_group_of_all_files(settings: Settings) -> None:
    files = rules.render(settings)
    groups = [group for text in files.values() for group in yaml.safe_load(text)["groups"]]
    assert yaml.safe_load(prometheus.joined(files))["groups"] == groups


def test_the_container_gets_no_other_rules(settings: Settings) -> None:
    process = processes.process("prometheus", settings)
    of_rules = {path: text for path, text in process.uploads.items() if path.startswith(f"{prometheus.RULES}/")}
    assert list(of_rules.values()) == [prometheus.joined(rules.render(settings))]
    others = {path: text for path, text in process.files.items() if not path.startswith(f"{prometheus.RULES}/")}
    assert {path: text for path, text in process.uploads.items() if path not in of_rules} == others


def test_groups_of_one_name_in_two_files_stay_two_groups(promtool: str, tmp_path: Path) -> None:
    def file(*groups: tuple[str, str]) -> str:
        return dump(
            {"groups": [{"name": n, "rules": [{"record": series, "expr": "vector(1)"}]} for n, series in groups]}
        )

    files = {
        "a.yml": file(("shop", "a:a"), ("it's: two", "a:b")),
        "own-b.yml": file(("it's: two", "b:a"), ("shop", "b:b")),
    }
    joined = prometheus.joined(files)
    (tmp_path / "rules.yml").write_text(joined)
    checked = subprocess.run([promtool, "check", "rules", "rules.yml"], cwd=tmp_path, capture_output=True, check=False)
    assert checked.returncode == 0, checked
    names = [group["name"] for group in yaml.safe_load(joined)["groups"]]
    assert names == ["shop", "it's: two", "it's: two (own-b)", "shop (own-b)"]
