"""Each command that measures has its section of the page, and writes nothing else of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.console import Console, PrintedTable, recorded
from cli.context import Context
from cli.errors import UsageError, UserError
from lab import measure
from tests.cli import fakes

TABLE = PrintedTable("speed", ("what", "ratio"), (("a | b", "1.5"),))


def test_the_page_has_a_section_of_every_command() -> None:
    page = measure.PAGE.read_text(encoding="utf-8")
    for what in measure.COMMANDS:
        written = measure.with_section(page, what, "new\n")
        assert written != page
        assert measure.with_section(written, what, "new\n") == written
    with pytest.raises(UserError, match="has no section"):
        measure.with_section(page, "other", "new\n")


def test_tables_are_recorded_as_they_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with recorded() as tables:
        Console().table(TABLE.title, TABLE.columns, TABLE.rows)
    Console().table("later", (), ())
    assert tables == [TABLE]
    assert "a | b" in capsys.readouterr().out
    assert measure.markdown(tables) == "Speed:\n\n| what | ratio |\n| --- | --- |\n| a \\| b | 1.5 |\n\n"


def test_a_command_writes_its_section(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "measurements.md"
    page.write_text("before\n<!-- make measure WHAT=bench -->\nold\n<!-- end -->\nafter\n")
    monkeypatch.setattr(measure, "ROOT", tmp_path)
    monkeypatch.setattr(measure, "PAGE", page)

    def bench(context: Context) -> int:
        context.console.table(TABLE.title, TABLE.columns, TABLE.rows)
        return 1

    monkeypatch.setattr(measure, "COMMANDS", {"bench": bench, "drill": lambda _: 0})
    context = fakes.context("dev")
    assert measure.run(context, "bench") == 1
    text = page.read_text()
    assert text.startswith("before\n<!-- make measure WHAT=bench -->\nMeasured on ")
    assert text.endswith("| a \\| b | 1.5 |\n\n<!-- end -->\nafter\n")
    with pytest.raises(UserError, match="measured nothing"):
        measure.run(context, "drill")
    with pytest.raises(UsageError, match="accepted: bench, drill"):
        measure.run(context, "other")
