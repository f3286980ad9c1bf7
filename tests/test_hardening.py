"""The tables of the hardening guide name every port and setting that there is, and nothing that is not."""

from __future__ import annotations

import re

from cli.bootstrap import ROOT
from observability.settings import DEFAULT_PORTS, Settings

TEXT = (ROOT / "docs" / "how-to" / "harden.md").read_text(encoding="utf-8")


def rows(title: str) -> list[list[str]]:
    section = TEXT.partition(f"## {title}\n")[2].partition("\n## ")[0]
    return [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| `")]


def test_every_port_is_in_the_table_with_its_number() -> None:
    shown = {
        key: number
        for row in rows("Published ports")
        for key, number in zip(re.findall(r"`(\w+)`", row[0]), row[1].split(", "), strict=True)
    }
    assert shown == {key: str(port) for key, port in DEFAULT_PORTS.items()}


def test_every_setting_of_the_table_is_one() -> None:
    expected = {field.alias or name for name, field in Settings.model_fields.items()}
    named = {key for row in rows("Settings") for key in re.findall(r"`(\w+)(?:: [^`]*)?`", row[0])}
    assert named - {"roleAttributePath", "allowedDomains"} <= expected | {"ENCRYPT", "ARCHIVE_KEY"}


def test_the_documents_link_to_what_is_there() -> None:
    for page in ("SECURITY.md", "docs/how-to/harden.md", "docs/explanation/threat-model.md"):
        path = ROOT / page
        for target in re.findall(r"\]\(([^)#]+)", path.read_text(encoding="utf-8")):
            assert (path.parent / target).exists(), f"{page}: {target}"
