"""The generated reference pages are those of this program."""

from __future__ import annotations

from lab import reference


def test_no_page_is_stale() -> None:
    for name, text in reference.pages().items():
        assert (reference.FOLDER / name).read_text(encoding="utf-8") == text, "run `make reference`"


def test_every_output_is_described() -> None:
    assert len(dict(reference.outputs())) > 10
    assert all(dict(reference.outputs()).values())
