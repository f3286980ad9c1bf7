"""The reference of settings is the schema's."""

from __future__ import annotations

import pytest
import yaml

from cli.bootstrap import ROOT
from lab.settings_table import PAGE, written


def test_the_table_is_the_schema_s() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert written(text) == text, "run `make settings`"
    for key in yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]:
        assert f"\n| `{key}` | " in text


def test_a_page_without_a_place_for_it_is_refused() -> None:
    with pytest.raises(ValueError, match="no place for the settings"):
        written("# A page\n")
