"""Finding and installing the Pulumi CLI and its providers; every way it can fail is one sentence."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from cli import context, pulumi, stack_config
from cli.bootstrap import UserError
from lab import digests
from observability import versions
from observability.versions import pulumi_cli


def archive() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        data = b"#!/bin/sh\necho v9.9.9\n"
        member = tarfile.TarInfo("pulumi/pulumi")
        member.size, member.mode = len(data), 0o755
        tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No Pulumi anywhere, and an empty folder for tools."""
    monkeypatch.setattr(context, "TOOLS", tmp_path)
    monkeypatch.setattr(context, "environment", lambda: {"PATH": f"{tmp_path}/pulumi/bin"})
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr("platform.system", lambda: "Linux")
    return tmp_path


def serve(monkeypatch: pytest.MonkeyPatch, data: bytes, checksum: str) -> None:
    name = f"pulumi-v{pulumi_cli()}-linux-x64.tar.gz"
    monkeypatch.setattr(
        pulumi, "_download", lambda url: data if url.endswith(".tar.gz") else f"{checksum}  {name}\n".encode()
    )


def test_the_cli_is_installed_when_its_checksum_is_the_published_one(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = archive()
    serve(monkeypatch, data, hashlib.sha256(data).hexdigest())
    assert pulumi.cli() == str(bare / "pulumi" / "bin" / "pulumi")
    assert pulumi._version(pulumi.cli()) == (9, 9, 9)  # found now, not installed again


def test_another_checksum_installs_nothing(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, archive(), "0" * 64)
    with pytest.raises(UserError, match="does not have its published checksum"):
        pulumi.cli()
    assert not (bare / "pulumi").exists()


def test_a_release_that_was_replaced_with_its_checksums_installs_nothing(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = archive()
    serve(monkeypatch, data, hashlib.sha256(data).hexdigest())
    monkeypatch.setattr(versions, "pulumi_checksum", lambda platform: "0" * 64 if platform == "linux-x64" else "")
    with pytest.raises(UserError, match=r"not the checksum that versions\.toml pins for linux-x64"):
        pulumi.cli()
    assert not (bare / "pulumi").exists()


def test_the_published_checksums_go_into_the_file_of_versions() -> None:
    text = f"{'a' * 64}  pulumi-v3.1.0-linux-x64.tar.gz\n{'b' * 64}  pulumi-v3.1.0-windows-x64.zip\n"
    assert digests._checksums(text) == {"linux-x64": "a" * 64}


@pytest.mark.usefixtures("bare")
def test_without_a_network_the_sentence_says_what_still_works(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_url: str) -> bytes:
        msg = "Name or service not known"
        raise OSError(msg)

    monkeypatch.setattr(pulumi, "_download", refuse)
    with pytest.raises(UserError, match=r"could not be downloaded.*`make plan` and `make render`") as caught:
        pulumi.cli()
    assert "\n" not in str(caught.value)


def test_a_missing_provider_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(context, "environment", lambda: {"PATH": str(tmp_path), "PULUMI_HOME": str(tmp_path)})

    def refuse(*_arguments: str, given: str | None = None) -> str:
        raise UserError(f"no route to host {given or ''}")

    monkeypatch.setattr(pulumi, "ask", refuse)
    with pytest.raises(UserError, match=r"provider docker \d.* could not be installed; is there a network\?"):
        pulumi.plugins()


def test_a_package_without_a_provider_needs_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = tmp_path / "pulumi_policy"
    package.mkdir()
    (package / "pulumi-plugin.json").write_text('{ "resource": false }')
    monkeypatch.setattr(pulumi, "site_packages", lambda: tmp_path)
    asked: list[tuple[str, ...]] = []
    monkeypatch.setattr(pulumi, "ask", lambda *arguments, **_: asked.append(arguments))
    pulumi.plugins()
    assert asked == []


def test_a_wrong_passphrase_is_explained() -> None:
    said = pulumi._explain(("config",), "error: incorrect passphrase")
    assert said.startswith("the passphrase does not open the secrets")
    assert "PULUMI_CONFIG_PASSPHRASE" in said


@pytest.mark.parametrize("production", ["true", "false"])
@pytest.mark.parametrize("text", ["", "\n", "  \n", None])
def test_an_empty_passphrase_is_refused_in_production(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, production: str, text: str | None
) -> None:
    file = tmp_path / "passphrase"
    if text is not None:
        file.write_text(text)
    asked: list[tuple[str, ...]] = []
    monkeypatch.setattr(context, "environment", lambda: {"PULUMI_CONFIG_PASSPHRASE_FILE": str(file)})
    monkeypatch.setattr(stack_config, "raw", lambda _: ({"production": production}, frozenset()))
    monkeypatch.setattr(pulumi, "ask", lambda *arguments: asked.append(arguments))
    if production == "true" or text is None:
        with pytest.raises(UserError, match=r"accepted: (in production, a passphrase|a file with a passphrase)"):
            pulumi.select()
        assert not asked
    else:
        pulumi.select()
        assert asked
