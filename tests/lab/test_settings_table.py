"""The schema in Pulumi.yaml and the reference of settings are the model's."""

from __future__ import annotations

import pytest

from lab import component_arguments
from lab.settings_fields import fields
from lab.settings_table import PAGE, SCHEMA, page, schema
from observability.settings import Settings, WatchedService


def test_the_schema_is_the_model_s() -> None:
    text = SCHEMA.read_text(encoding="utf-8")
    assert schema(text) == text, "run `make settings`"


def test_the_arguments_of_the_components_are_the_model_s() -> None:
    assert component_arguments.MODULE.read_text(encoding="utf-8") == component_arguments.module(), "run `make settings`"


def test_the_reference_is_the_model_s() -> None:
    assert page() == PAGE.read_text(encoding="utf-8"), "run `make settings`"


def test_the_reference_has_every_field() -> None:
    text = page()
    for key in (*fields(Settings), *fields(WatchedService)):
        assert f"\n| `{key}` | " in text
    for where in (
        "services[]",
        "services[].availability",
        "services[].slos[]",
        "services[].tls",
        "limits.<name>",
        "oauth",
    ):
        assert f"\n## Fields of `{where}`\n" in text


def test_every_field_is_described() -> None:
    assert "|  |  |\n" not in page().replace("| accepted |", "")


def test_a_file_without_a_place_for_it_is_refused() -> None:
    with pytest.raises(ValueError, match="no place for the schema"):
        schema("name: x\n")
