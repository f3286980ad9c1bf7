"""No message shows how Python spells a value, whatever the configuration holds; and a few that have to help."""

from __future__ import annotations

import json
import re
from typing import Any, Final

import pytest

from observability.settings import SettingsError, load
from observability.settings.model import Settings
from observability.settings.services import WatchedService

VALUES: Final[tuple[Any, ...]] = (
    None, True, False, 0, -1, 1.5, "", " ", "x", "null", "None", "nan", "0x10", "1_000", "\uff11\uff12", "1e3", "99,9",
    "5 m", "a\nb", "\u202e", "\x00", "'", '"', "`", "${x}", [], {}, [None], [[]], {"a": None}, {"a": {"b": [1]}},
    ["a", "a"], [1, 2], {"": 1}, {"name": None}, {"name": "x", "objective": "99", "good": 1, "total": []},
    {"severity": 1, "factor": [], "long": None, "short": {}},
)  # fmt: skip
PYTHON: Final = re.compile(
    r"\b(None|True|False|NoneType|tuple|dict|str|int|float|list\[|Decimal|frozenset|pydantic|Traceback|nan|inf)\b"
    r"|<class|object at 0x|\(\)|\('|\['|\{'|\{\}|\[\]|[0-9]e[-+]?[0-9]|should be|Input|valid (string|dictionary|list)"
)
"""Spellings of Python's and of its libraries'. What the user wrote is in quotation marks, and no message of ours."""
NESTED: Final = ("availability", "latency", "metrics", "labels", "tls", "basic_auth")


def problems(settings: dict[str, Any]) -> tuple[str, ...]:
    """Return the problems of a configuration, none where it is accepted."""
    try:
        load("dev", {key: value if isinstance(value, str) else json.dumps(value) for key, value in settings.items()})
    except SettingsError as error:
        return error.problems
    return ()


def of_service(**fields: object) -> dict[str, Any]:
    return {"services": [{"name": "shop", "targets": ["shop:80"], **fields}]}


def python_in(said: tuple[str, ...]) -> list[str]:
    """Return the problems that are worded as Python spells."""
    return [line for line in said if PYTHON.search(re.sub(r"'[^']*'|\([^()]*\)$", "", line))]


FIELDS: Final = sorted(field.alias or name for name, field in WatchedService.model_fields.items())
SETTINGS: Final = sorted(field.alias or name for name, field in Settings.model_fields.items() if not field.exclude)


@pytest.mark.parametrize("field", FIELDS)
def test_no_python_about_a_field_of_a_service(field: str) -> None:
    said = [problems(of_service(**{field: value})) for value in VALUES]
    if field == "slos":
        said += [problems(of_service(slos=[value])) for value in VALUES]
    assert [found for one in said if (found := python_in(one))] == []


@pytest.mark.parametrize("outer", NESTED)
def test_no_python_about_a_nested_field(outer: str) -> None:
    inner: Any = WatchedService.model_fields[outer].annotation
    model = next((part for part in getattr(inner, "__args__", ()) if part is not type(None)), inner)
    fields = [field.alias or name for name, field in model.model_fields.items()]
    key = WatchedService.model_fields[outer].alias or outer
    said = [problems(of_service(**{key: {field: value}})) for field in fields for value in VALUES]
    said += [problems(of_service(**{outer: {"burnAlerts": [value]}})) for value in VALUES if outer == "availability"]
    assert [found for one in said if (found := python_in(one))] == []


@pytest.mark.parametrize("setting", SETTINGS)
def test_no_python_about_a_setting(setting: str) -> None:
    said = [problems({setting: value}) for value in VALUES]
    said += [problems({setting: {key: value}}) for key in ("x", "loki", "page") for value in VALUES[:8]]
    assert [found for one in said if (found := python_in(one))] == []


@pytest.mark.parametrize(
    ("name", "meant"),
    [("Shop.Checkout", "shop-checkout"), ("cart_api", "cart-api"), ("shop/checkout", "shop-checkout")],
)
def test_a_name_that_only_telemetry_has_leads_to_its_setting(name: str, meant: str) -> None:
    (said,) = problems(of_service(name=name))
    assert f"name: {meant} with serviceName: '{name}'" in said
    assert problems(of_service(name=meant, serviceName=name)) == ()


def test_a_share_is_asked_about_and_a_tiny_number_is_not() -> None:
    (said,) = problems(of_service(availability={"objective": 0.995}))
    assert "did you mean 99.5?" in said
    (said,) = problems(of_service(availability={"objective": 1e-9}))
    assert "did you mean" not in said
    assert "a percentage above 0 and below 100" in said
