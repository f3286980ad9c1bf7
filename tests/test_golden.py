"""The golden files are what the program renders: a change of them is a change that a reviewer has to see."""

from __future__ import annotations

import pytest

from lab import golden


@pytest.mark.parametrize("stack", golden.STACKS)
def test_the_golden_files_are_what_is_rendered(stack: str) -> None:
    expected, actual = golden.rendered(stack), golden.written(stack)
    assert sorted(actual) == sorted(expected), "run `make golden`"
    stale = [path for path, file in actual.items() if file.read_text(encoding="utf-8") != expected[path]]
    assert not stale, "run `make golden`"
