"""What a command in the helper container prints, from an engine that sends it together with its headers."""

from __future__ import annotations

import json
import socketserver
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from docker import DockerClient

from cli.errors import UserError
from cli.volumes import HelperContainer

PRINTED = b"x" * 100


def frame(stream: int, data: bytes) -> bytes:
    return struct.pack(">BxxxL", stream, len(data)) + data


def engine(output: bytes, code: int) -> type[socketserver.StreamRequestHandler]:
    """Return an engine that answers an `exec`, everything in one piece, as happens when the client reads late."""

    class Engine(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while line := self.rfile.readline():
                length = 0
                while (header := self.rfile.readline().strip()) != b"":
                    name, _, value = header.partition(b":")
                    length = int(value) if name.lower() == b"content-length" else length
                self.rfile.read(length)
                path = line.split()[1].decode()
                if path.endswith("/start"):
                    kind = "Content-Type: application/vnd.docker.raw-stream\r\nConnection: close\r\n\r\n"
                    self.wfile.write(f"HTTP/1.1 200 OK\r\n{kind}".encode() + output)
                    return
                body = json.dumps({"Id": "e", "ExitCode": code}).encode()
                self.wfile.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)

    return Engine


Serve = Callable[..., HelperContainer]


@pytest.fixture
def helper(tmp_path: Path) -> Iterator[Serve]:
    """Return a function that starts an engine with an output and an exit code, and returns a helper on it."""
    with ExitStack() as after:

        def serve(output: bytes, code: int = 0) -> HelperContainer:
            path = str(tmp_path / "engine.sock")
            server = after.enter_context(socketserver.ThreadingUnixStreamServer(path, engine(output, code)))
            threading.Thread(target=server.serve_forever, daemon=True).start()
            after.callback(server.shutdown)
            client = DockerClient(base_url=f"unix://{path}", version="1.41")
            after.callback(client.close)
            return HelperContainer(cast("Any", SimpleNamespace(id="c")), client)

        yield serve


def test_what_comes_with_the_headers_is_not_lost(helper: Serve) -> None:
    assert helper(frame(1, PRINTED) + frame(2, b"careful") + frame(1, b"end")).run("true") == PRINTED.decode() + "end"


def test_a_failure_says_what_was_printed(helper: Serve) -> None:
    with pytest.raises(UserError, match="ended with 3 in the volumes: no such file"):
        helper(frame(2, b"no such file"), 3).run("cat x")


@pytest.mark.parametrize("cut", [4, 50])
def test_an_answer_that_ends_early_is_an_error(helper: Serve, cut: int) -> None:
    with pytest.raises(UserError, match="ended in the middle"):
        helper(frame(1, PRINTED)[:cut]).run("true")
