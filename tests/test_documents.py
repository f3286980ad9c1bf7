"""The documentation's form: one index, decisions in one form, a short README, no dead link."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cli.bootstrap import ROOT

DOCS = ROOT / "docs"
DECISIONS = sorted((DOCS / "decisions").glob("*.md"))
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]+)(?:#[^)]*)?\)")


def test_decisions_are_numbered_without_gaps() -> None:
    assert [int(path.name[:4]) for path in DECISIONS] == list(range(1, len(DECISIONS) + 1))


@pytest.mark.parametrize("path", DECISIONS, ids=lambda p: p.stem)
def test_a_decision_has_number_date_and_status(path: Path) -> None:
    text, number = path.read_text(encoding="utf-8"), int(path.name[:4])
    assert re.match(rf"# {number}\. .+\n\nDate: \d{{4}}-\d\d-\d\d\. Status: \w+", text)


@pytest.mark.parametrize("folder", ["tutorial", "how-to", "reference", "explanation"])
def test_the_index_has_every_page(folder: str) -> None:
    index = (DOCS / "README.md").read_text(encoding="utf-8")
    assert [p.name for p in (DOCS / folder).glob("*.md") if f"({folder}/{p.name})" not in index] == []


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").split()) <= 1_300


def test_every_link_between_documents_leads_somewhere() -> None:
    dead = [
        f"{path.relative_to(ROOT)}: {link}"
        for path in (*ROOT.glob("*.md"), *DOCS.rglob("*.md"))
        for link in LINK.findall(path.read_text(encoding="utf-8"))
        if not (path.parent / link).exists()
    ]
    assert dead == []
