"""What failed is said without Python's spelling."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import requests

from observability.failures import reason


def failure(error: type[BaseException], action: object) -> BaseException:
    with pytest.raises(error) as caught:
        action()  # type: ignore[operator]
    return caught.value


def closed() -> str:
    """Return the URL of a port that is free."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{listener.getsockname()[1]}/"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (failure(OSError, lambda: Path("/dev/null/x").write_text("")), "Not a directory"),
        (failure(OSError, lambda: urllib.request.urlopen(closed(), timeout=2)), "Connection refused"),
        (failure(requests.ConnectionError, lambda: requests.get(closed(), timeout=2)), "Connection refused"),
        (urllib.error.URLError("no host given"), "no host given"),
        (ValueError("one\ntwo"), "one"),
        (TimeoutError(), "TimeoutError"),
    ],
)
def test_the_reason_alone(error: BaseException, said: str) -> None:
    assert reason(error).endswith(said)
    assert "Errno" not in reason(error)
    assert "object at" not in reason(error)


def test_errors_that_hide_each_other_end() -> None:
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    assert reason(first)
