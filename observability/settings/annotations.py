"""What the annotation of a setting says about its values."""

from __future__ import annotations

from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel


def plain(annotation: Any) -> Any:  # noqa: ANN401 - any type of the model
    """Return the type within `Annotated` and beside None."""
    while True:
        if hasattr(annotation, "__metadata__"):
            annotation = get_args(annotation)[0]
        elif get_origin(annotation) in {Union, UnionType}:
            annotation = next(a for a in get_args(annotation) if a is not type(None))
        else:
            return annotation


def is_model(annotation: Any) -> bool:  # noqa: ANN401 - any type of the model
    """Return whether it is an object with fields of its own."""
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
