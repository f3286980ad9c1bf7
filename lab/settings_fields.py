"""The fields of the settings' model in words, for everything that is written from it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from observability.settings.annotations import is_model, plain
from observability.settings.value_types import Accepts

_NAMES: Final = {bool: "boolean", int: "integer", float: "number", str: "text", SecretStr: "text"}


def fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Return the fields of a model by the names that the configuration has for them."""
    return {f.alias or name: f for name, f in model.model_fields.items() if not f.exclude}


def accepted(field: FieldInfo) -> str:
    """Return in words what a field accepts, "" where its type says it all."""
    texts = [m.text for m in (*field.metadata, *_metadata(field.annotation)) if isinstance(m, Accepts)]
    kind = kind_of(field.annotation)
    text = texts[0] if texts else {"boolean": "true or false"}.get(kind, "")
    return cell({"list": "each ", "object": "each "}.get(kind, "") + text if text else "")


def _metadata(annotation: Any) -> tuple[Any, ...]:  # noqa: ANN401 - any type of the model
    """Return what is known of a type within a list, of the values in an object, or beside None."""
    inner = [a for a in get_args(annotation) if a is not Ellipsis and a is not type(None)]
    return tuple(m for a in inner[-1:] for m in getattr(a, "__metadata__", ()))


def shown(field: FieldInfo) -> str:
    """Return a field's default as the reference has it."""
    default = field.get_default(call_default_factory=True, validated_data={})
    if default is PydanticUndefined:
        return "required"
    if not default and default is not False and default != 0:
        return ""
    if kind_of(field.annotation) == "object":
        return ""
    return f"`{cell(default if isinstance(default, str) else json.dumps(default))}`"


def kind_of(annotation: Any) -> str:  # noqa: ANN401 - any type of the model
    """Return boolean, integer, number, text, list or object."""
    kind = plain(annotation)
    if kind in _NAMES:
        return _NAMES[kind]
    if get_origin(kind) is tuple:
        return "list"
    return "object" if is_model(kind) or get_origin(kind) is Mapping else "text"


def arguments(annotation: Any) -> tuple[Any, ...]:  # noqa: ANN401 - any type of the model
    """Return the types within a list or an object."""
    return get_args(plain(annotation))


def cell(text: str) -> str:
    """Return text as a cell of a table in Markdown."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
