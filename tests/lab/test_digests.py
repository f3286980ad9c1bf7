"""`make digests` against a registry and a download server on loopback: what they publish goes into versions.toml."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from cli.context import Context
from cli.engine import Engine
from cli.errors import UserError
from cli.pulumi import Pulumi
from cli.release_archive import download
from lab import digests
from lab.sandbox import running_engine
from observability import versions
from tests.cli import fakes


@dataclass
class Registry:
    """A registry that has every image, and the checksums of every release of Pulumi's CLI."""

    address: str = ""
    missing: str = ""
    platforms: tuple[str, ...] = digests.PLATFORMS
    asked: list[str] = field(default_factory=list)

    def index(self, name: str, tag: str) -> bytes:
        """Return the list of an image's platforms, which is what a digest in production has to name."""
        manifests = [
            {
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "digest": f"sha256:{hashlib.sha256(f'{name}:{tag}:{machine}'.encode()).hexdigest()}",
                "size": 1_000,
                "platform": {"os": "linux", "architecture": machine},
            }
            for machine in ("amd64", "arm64")
        ]
        kind = "application/vnd.oci.image.index.v1+json"
        return json.dumps({"schemaVersion": 2, "mediaType": kind, "manifests": manifests}).encode()

    def checksums(self, release: str) -> bytes:
        return "".join(f"{self.checksum(p)}  pulumi-v{release}-{p}.tar.gz\n" for p in self.platforms).encode()

    @staticmethod
    def checksum(platform: str) -> str:
        return hashlib.sha256(platform.encode()).hexdigest()


@pytest.fixture
def registry() -> Iterator[Registry]:
    answers = Registry()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answers.asked.append(self.path)
            image = re.fullmatch(r"/v2/(.+)/manifests/([^/]+)", self.path)
            release = re.fullmatch(r"/pulumi-(.+)-checksums\.txt", self.path)
            if self.path == "/v2/":
                self._answer(b"{}", "application/json")
            elif image and image[1] != answers.missing:
                self._answer(answers.index(*image.groups()), "application/vnd.oci.image.index.v1+json")
            elif release:
                self._answer(answers.checksums(release[1]), "text/plain")
            else:
                self.send_error(404)

        def do_HEAD(self) -> None:
            self.do_GET()

        def _answer(self, body: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Docker-Content-Digest", f"sha256:{hashlib.sha256(body).hexdigest()}")
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    answers.address = f"127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield answers
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def file(registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of versions.toml whose images are in that registry."""
    path = tmp_path / "versions.toml"
    text = versions.FILE.read_text(encoding="utf-8")
    path.write_text(re.sub(r'(?m)^name = "', f'name = "{registry.address}/', text), encoding="utf-8")
    monkeypatch.setattr(versions, "FILE", path)
    versions._document.cache_clear()
    yield path
    versions._document.cache_clear()


@pytest.fixture
def context(registry: Registry) -> Context:
    client, refused = running_engine()
    if client is None:
        pytest.skip(f"no Docker engine answers ({refused[:120]})")

    def fetch(url: str) -> bytes:
        return download(f"http://{registry.address}/{url.rpartition('/')[2]}")

    pulumi = Pulumi("dev", fakes.context("dev").environment, download=fetch)
    return Context("dev", pulumi=pulumi, connect=lambda _: Engine(client, "dev"))


def test_every_digest_and_checksum_is_filled_in(context: Context, registry: Registry, file: Path) -> None:
    assert digests.run(context) == 0
    written = tomllib.loads(file.read_text(encoding="utf-8"))
    for service, image in written["images"].items():
        name = image["name"].partition("/")[2]
        index = registry.index(name, image["tag"])
        assert image["digest"] == f"sha256:{hashlib.sha256(index).hexdigest()}", service
    assert written["pulumi"]["sha256"] == {platform: registry.checksum(platform) for platform in digests.PLATFORMS}
    versions._document.cache_clear()
    assert all("@sha256:" in image.reference for image in versions.images().values())
    assert versions.pulumi_checksum("linux-x64") == registry.checksum("linux-x64")


def test_a_second_time_changes_nothing(context: Context, file: Path) -> None:
    digests.run(context)
    once = file.read_bytes()
    versions._document.cache_clear()
    digests.run(context)
    assert file.read_bytes() == once


def test_nothing_is_written_when_one_image_is_missing(context: Context, registry: Registry, file: Path) -> None:
    registry.missing, before = "grafana/loki", file.read_bytes()
    with pytest.raises(UserError, match=r"no digest of .*grafana/loki.*versions.toml is as it was"):
        digests.run(context)
    assert file.read_bytes() == before


def test_nothing_is_written_without_every_platforms_checksum(context: Context, registry: Registry, file: Path) -> None:
    registry.platforms, before = ("linux-x64",), file.read_bytes()
    with pytest.raises(UserError, match="no published checksum for linux-arm64, darwin-x64, darwin-arm64"):
        digests.run(context)
    assert file.read_bytes() == before
