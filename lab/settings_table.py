"""`make settings`: write the reference of every setting from the schema in Pulumi.yaml."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import yaml

from cli.bootstrap import ROOT
from cli.console import say

PAGE: Final = ROOT / "docs" / "reference" / "settings.md"
_BEGIN, _END = "<!-- settings: written by `make settings` -->\n", "<!-- end of settings -->\n"


def main(_arguments: list[str]) -> int:
    """Write the table where it belongs."""
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    say(f"{len(_rows())} settings written to {PAGE.name}")
    return 0


def written(text: str) -> str:
    """Return the page's text with the table as the schema has it now; ValueError when it has no place for it."""
    before, _, rest = text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not end:
        msg = f"no place for the settings: {_BEGIN.strip()} … {_END.strip()}"
        raise ValueError(msg)
    table = ["| setting | type | default | |", "|---|---|---|---|", *_rows()]
    return before + _BEGIN + "\n" + "\n".join(table) + "\n\n" + _END + after


def _rows(schema: Path = ROOT / "Pulumi.yaml") -> list[str]:
    config = yaml.safe_load(schema.read_text(encoding="utf-8"))["config"]
    return [
        f"| `{key}` | {entry['type']} | {_shown(entry.get('default'))} | {_cell(entry['description'])} |"
        for key, entry in config.items()
    ]


def _shown(value: object) -> str:
    return "" if value in ("", None) else f"`{_cell(value if isinstance(value, str) else json.dumps(value))}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
