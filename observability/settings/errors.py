"""How a problem of the configuration is worded: setting, value, what is accepted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from observability.settings.model import secret_keys


class SettingsError(ValueError):
    """Every problem of a configuration; `problems` holds one line each."""

    def __init__(self, stack: str, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        count = "1 setting" if len(problems) == 1 else f"{len(problems)} settings"
        lines = "\n".join(f"  - {p}" for p in problems)
        super().__init__(f"{count} of stack '{stack}' cannot be used; nothing was created:\n{lines}")


def nearest(key: str, known: set[str]) -> str:
    """Return which of the `known` keys was meant, or all of them."""
    close = get_close_matches(key, known, n=1)
    return f"did you mean {close[0]}?" if close else ", ".join(sorted(known))


_ACCEPTED = {
    "missing": "it must be given",
    "extra_forbidden": "no such field",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_parsing": "a number",
    "string_type": "text",
    "tuple_type": "a list",
    "model_type": "an object with named fields",
    "model_attributes_type": "an object with named fields",
    "mapping_type": "an object with named fields",
    "dict_type": "an object with named fields",
}


def describe(error: Any, values: Mapping[str, Any]) -> str:  # noqa: ANN401 - pydantic's ErrorDetails
    """Return `setting: value; accepted: …` for one of pydantic's errors, without echoing a secret."""
    path = [p for p in error["loc"] if not (isinstance(p, str) and p.startswith(("function-", "literal[")))]
    where = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path).lstrip(".")
    where = where.removesuffix(".constrained-str")
    kind, context = error["type"], error.get("ctx", {})
    if kind == "string_pattern_mismatch":
        accepted = f"text that matches {context['pattern']}"
    elif kind == "literal_error":
        accepted = str(context["expected"])
    elif kind in {"value_error", "assertion_error"}:
        accepted = str(context["error"])
    else:
        accepted = _ACCEPTED.get(kind) or error["msg"].removeprefix("Input should be ")
    if kind == "missing":
        return f"{where}: missing; accepted: {accepted}"
    shown = "(hidden)" if path and path[0] in secret_keys() else repr(_value_at(values, path))
    return f"{where}: {shown}; accepted: {accepted}"


def _value_at(values: Any, path: Sequence[int | str]) -> Any:  # noqa: ANN401 - walks arbitrary configuration
    for part in path:
        try:
            values = values[part]
        except (KeyError, IndexError, TypeError):
            return values
    return values
