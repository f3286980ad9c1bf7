"""The messages for wrong settings: setting, value, what is accepted, in one line and without any secret."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from difflib import get_close_matches
from math import isfinite, isnan
from typing import Any, Final, get_args, get_origin

from observability.names.labels import PROJECT
from observability.settings.annotations import is_model, plain
from observability.settings.model import Settings, secret_keys
from observability.settings.value_types import Accepts

HIDDEN: Final = "(hidden)"
_LONGEST: Final = 80
"""Most characters of a value that a message shows."""
_SECRET_NAME: Final = re.compile(r"(?i)pass|secret|token|credential|authorization|api.?key|private|\bpem\b")
"""Names of fields, known or not, whose value is never shown."""
_PROVIDERS: Final = frozenset({"docker", "grafana", "random", "pulumi", "pulumiverse-grafana"})
"""Namespaces of the configuration that other programs use."""


class SettingsError(ValueError):
    """A configuration with problems; `problems` has one line for each."""

    def __init__(self, stack: str, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        count = "1 setting" if len(problems) == 1 else f"{len(problems)} settings"
        lines = "\n".join(f"  - {p}" for p in problems)
        super().__init__(f"{count} of stack '{one_line(stack)}' cannot be used; nothing was created:\n{lines}")


def one_line(text: str) -> str:
    """Return `text` without line breaks and terminal codes, truncated to a readable length."""
    plain = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[: _LONGEST * 2])
    return plain if len(plain) <= _LONGEST and len(text) <= _LONGEST else plain[: _LONGEST - 1] + "…"


def shown(value: object) -> str:
    """Return a value in YAML; for lists and objects only their kind, because they may contain a secret."""
    if value is None:
        return "null"
    if isinstance(value, str):
        # User name and password in front of a URL's host.
        return f"'{one_line(re.sub(r'(?<=//)[^/@]*@', HIDDEN + '@', value))}'"
    if isinstance(value, (int, float)):
        return _number(value)
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, Iterable):
        return "a list"
    return one_line(str(value))


def _number(value: float) -> str:
    """Return a number or a boolean in YAML, without an exponent for small numbers."""
    if isinstance(value, float) and not isfinite(value):
        return ".nan" if isnan(value) else f"{'-' if value < 0 else ''}.inf"
    small = isinstance(value, float) and abs(value) < 1
    return format(Decimal(repr(value)), "f") if small else one_line(str(value).lower())


def unknown_field(name: str, names: Collection[str], *, kind: str = "field") -> str:
    """Return the message for an unknown name, with the most similar one and the whole list."""
    return f"unknown {kind}; {_suggestion(name, names)}{kind.capitalize()}s are: {', '.join(sorted(names))}"


def unknown_setting(key: str, names: Collection[str]) -> str:
    """Return the message for an unknown configuration key, with the whole list only if no setting is similar."""
    listed = f"settings are: {', '.join(sorted(names))}"
    return f"unknown setting; {_suggestion(key, names) or listed}".rstrip()


def foreign_keys(keys: Iterable[str]) -> list[str]:
    """Return the problems of full keys (`namespace:name`) whose namespace is a misspelt one of this project."""
    problems = []
    names = {f.alias or n for n, f in Settings.model_fields.items() if not f.exclude}
    for key in sorted(keys):
        namespace, _, name = key.partition(":")
        if namespace in _PROVIDERS | {PROJECT, ""}:
            continue
        if name in names or get_close_matches(namespace.lower(), [PROJECT], n=1, cutoff=0.7):
            problems.append(
                f"{one_line(key)}: unknown namespace '{one_line(namespace)}'; did you mean"
                f" `{PROJECT}:{one_line(name)}`?"
            )
    return problems


def _suggestion(name: str, names: Collection[str]) -> str:
    by_lower = {k.lower(): k for k in names}
    plain = name.lower().replace("_", "").replace("-", "")
    close = get_close_matches(plain, by_lower, n=1, cutoff=0.6)
    return f"did you mean `{by_lower[close[0]]}`? " if close else ""


_ACCEPTED: Final = {
    "tuple_type": "a list",
    "list_type": "a list",
    "model_type": "an object with named fields",
    "model_attributes_type": "an object with named fields",
    "mapping_type": "an object with named fields",
    "dict_type": "an object with named fields",
    "string_type": "text",
    "none_required": "null",
}


def describe(error: Any, values: Mapping[str, Any]) -> str:  # noqa: ANN401 - pydantic's ErrorDetails
    """Return `setting: value; accepted: …` for one of pydantic's errors, without any secret."""
    path = [p for p in error["loc"] if p != "[key]"]
    where = "".join(f"[{p}]" if isinstance(p, int) else f".{one_line(str(p))}" for p in path).lstrip(".")
    kind = error["type"]
    if kind == "extra_forbidden":
        return f"{where}: {unknown_field(str(path[-1]), _fields(path[:-1]))}"
    if kind == "missing":
        return f"{where}: missing; accepted: {_accepted_at(path)}"
    if kind in {"value_error", "assertion_error"}:
        accepted = str(error["ctx"]["error"])
    else:
        accepted = _ACCEPTED.get(kind) or error["msg"].removeprefix("Input should be ")
    if error["loc"] and error["loc"][-1] == "[key]":
        return f"{where}: a name; accepted: {accepted}"
    return f"{where}: {_shown_at(values, path)}; accepted: {accepted}"


def _shown_at(values: Any, path: Sequence[int | str]) -> str:  # noqa: ANN401 - walks arbitrary configuration
    if any(isinstance(p, str) and (p in secret_keys() or _SECRET_NAME.search(p)) for p in path):
        return HIDDEN
    for part in path:
        try:
            values = values[part]
        except (KeyError, IndexError, TypeError):
            break
    return shown(values)


def _fields(path: Sequence[int | str]) -> list[str]:
    """Return the field names of the model at `path`."""
    model = _type_at(path)
    return [f.alias or n for n, f in model.model_fields.items()] if is_model(model) else []


def _accepted_at(path: Sequence[int | str]) -> str:
    """Return what the required field at `path` accepts."""
    model, name = _type_at(path[:-1]), path[-1]
    if is_model(model):
        for field_name, field in model.model_fields.items():
            if name in {field_name, field.alias}:
                texts = [m.text for m in field.metadata if isinstance(m, Accepts)]
                return texts[0] if texts else str(field.description or "a value").lower()
    return "a value"


def is_collection(key: str) -> bool:
    """Return whether a setting is a list or an object."""
    annotation = _type_at((key,))
    return is_model(annotation) or get_origin(annotation) in {tuple, Mapping}


def _type_at(path: Sequence[int | str]) -> Any:  # noqa: ANN401 - any type of the model
    """Return the type of the setting at `path`."""
    annotation: Any = Settings
    for part in path:
        if is_model(annotation):
            field = next((f for n, f in annotation.model_fields.items() if part in {n, f.alias}), None)
            annotation = field.annotation if field is not None else None
        else:
            annotation = get_args(annotation)[0 if isinstance(part, int) else -1] if get_args(annotation) else None
        annotation = plain(annotation)
    return annotation
