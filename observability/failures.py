"""The message of an exception in words for people, without Python's class names."""

from __future__ import annotations

import re
from typing import Final

_PYTHON: Final = re.compile(r"^\[Errno -?[0-9]+\] |^<urlopen error (?:\[Errno -?[0-9]+\] )?|>$")
_LONGEST: Final = 200


def reason(error: BaseException) -> str:
    """Return one line: the text of a system error, or that of the innermost error that a library wrapped."""
    inner = _innermost(error)
    text = str(getattr(inner, "strerror", None) or getattr(inner, "explanation", None) or inner)
    first = (text.strip().splitlines() or [""])[0]
    return _PYTHON.sub("", first)[:_LONGEST] or type(inner).__name__


def _innermost(error: BaseException) -> BaseException:
    """Return the error that a library wrapped; requests and urllib3 keep it in `args` or `reason`."""
    seen: set[int] = set()
    while id(error) not in seen:
        seen.add(id(error))
        inside = [getattr(error, "reason", None), *error.args, error.__cause__]
        error = next((part for part in inside if isinstance(part, BaseException)), error)
    return error
