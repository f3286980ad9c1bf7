"""What a command in the workshop prints, from an engine that sends it together with the headers of its answer."""

from __future__ import annotations

import json
import socketserver
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from docker import DockerClient

from cli.bootstrap import UserError
from cli.volumes import Workshop

PRINTED = b"x" * 100


def frame(stream: int, data: bytes) -> bytes:
    return struct.pack(">BxxxL", stream, len(data)) + data


class Engine(socketserver.StreamRequestHandler):
    """Answers what `exec` needs, everything in one piece, as happens where the client is late to read."""

    output = b""
    code = 0

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
                self.wfile.write(f"HTTP/1.1 200 OK\r\n{kind}".encode() + self.output)
                return
            body = json.dumps({"Id": "e", "ExitCode": self.code}).encode()
            self.wfile.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    path = str(tmp_path / "engine.sock")
    with socketserver.ThreadingUnixStreamServer(path, Engine) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        client = DockerClient(base_url=f"unix://{path}", version="1.41")
        yield Workshop(cast("Any", SimpleNamespace(id="c")), client)
        client.close()
        server.shutdown()


def test_what_comes_with_the_headers_is_not_lost(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Engine, "output", frame(1, PRINTED) + frame(2, b"careful") + frame(1, b"end"))
    assert workshop.run("true") == PRINTED.decode() + "end"


def test_a_failure_says_what_was_printed(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Engine, "output", frame(2, b"no such file"))
    monkeypatch.setattr(Engine, "code", 3)
    with pytest.raises(UserError, match="ended with 3 in the volumes: no such file"):
        workshop.run("cat x")


@pytest.mark.parametrize("cut", [4, 50])
def test_an_answer_that_ends_early_is_an_error(workshop: Workshop, monkeypatch: pytest.MonkeyPatch, cut: int) -> None:
    monkeypatch.setattr(Engine, "output", frame(1, PRINTED)[:cut])
    with pytest.raises(UserError, match="ended in the middle"):
        workshop.run("true")
