"""The names that the settings have as arguments of a component: Python's, where the configuration has JSON's.

`grafanaUrl` of the configuration is the argument `grafana_url`; in the languages of a generated SDK it is whatever is
usual there. Values are the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from keyword import iskeyword
from typing import Any, get_args, get_origin

from observability.settings.annotations import is_model, plain


def argument_name(key: str) -> str:
    """Return the argument for a key of the configuration; a word of Python's own gets an underscore."""
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", key).lower()
    return f"{name}_" if iskeyword(name) else name


def output_name(attribute: str) -> str:
    """Return the name of a stack's output for an attribute of a component."""
    first, *rest = attribute.split("_")
    return first + "".join(word.capitalize() for word in rest)


def as_configured(value: Any, annotation: Any) -> Any:  # noqa: ANN401 - any value of any setting
    """Return an argument's value as the configuration has it; `annotation` is the setting's.

    What is unknown stays as it is, so that the settings refuse it by the name it was given. A whole number is one,
    also where it comes as 5.0 from a language that has no other.
    """
    kind = plain(annotation)
    if isinstance(value, Mapping):
        if is_model(kind):
            fields = {argument_name(f.alias or n): (f.alias or n, f.annotation) for n, f in kind.model_fields.items()}
            known = {name: fields.get(name, (name, None)) for name in value}
            return {key: as_configured(value[name], inner) for name, (key, inner) in known.items()}
        inner = get_args(kind)[-1] if get_origin(kind) is Mapping else None
        return {name: as_configured(one, inner) for name, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        inner = get_args(kind)[0] if get_origin(kind) is tuple else None
        return [as_configured(one, inner) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
