"""Why something failed, in words for people: what an exception says, without Python's spelling of it."""

from __future__ import annotations

import re
from typing import Final

_PYTHON: Final = re.compile(r"^\[Errno -?[0-9]+\] |^<urlopen error (?:\[Errno -?[0-9]+\] )?|>$")
_LONGEST: Final = 200


def reason(error: BaseException) -> str:
    """Return one line: of an error of the system its text, of one that hides another the innermost one's."""
    inner = _innermost(error)
    text = str(getattr(inner, "strerror", None) or getattr(inner, "explanation", None) or inner)
    first = (text.strip().splitlines() or [""])[0]
    return _PYTHON.sub("", first)[:_LONGEST] or type(inner).__name__


def _innermost(error: BaseException) -> BaseException:
    """Return what libraries wrapped: requests and urllib3 put it into `args` or `reason`, and its text into theirs."""
    seen: set[int] = set()
    while id(error) not in seen:
        seen.add(id(error))
        inside = [getattr(error, "reason", None), *error.args, error.__cause__]
        error = next((part for part in inside if isinstance(part, BaseException)), error)
    return error
