"""Finding and installing the Pulumi CLI and its providers; every way it can fail is one sentence."""

from __future__ import annotations

import hashlib
import io
import platform
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.environment import Environment
from cli.errors import ExitCode, MissingToolError, UserError, WrongPassphraseError
from cli.pulumi import Pulumi, version
from lab import digests
from observability.versions import pulumi_cli
from tests.cli import fakes

pytestmark = [
    pytest.mark.optional,
    pytest.mark.skipif(
        (platform.system(), platform.machine()) != ("Linux", "x86_64"), reason="names of the release for this machine"
    ),
]


def archive() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        data = b"#!/bin/sh\necho v9.9.9\n"
        member = tarfile.TarInfo("pulumi/pulumi")
        member.size, member.mode = len(data), 0o755
        tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def bare(folder: Path, download: Callable[[str], bytes], pinned: str = "") -> Pulumi:
    """Return a CLI that is nowhere yet, with an empty folder for tools."""
    environment = Environment({"PATH": "/bin"}, tools=folder, state=folder / "state")
    return Pulumi("dev", environment, download=download, pinned_checksum={"linux-x64": pinned}.__getitem__)


def serving(data: bytes, checksum: str) -> Callable[[str], bytes]:
    name = f"pulumi-v{pulumi_cli()}-linux-x64.tar.gz"
    return lambda url: data if url.endswith(".tar.gz") else f"{checksum}  {name}\n".encode()


def test_the_cli_is_installed_when_its_checksum_is_the_published_one(tmp_path: Path) -> None:
    data = archive()
    pulumi = bare(tmp_path, serving(data, hashlib.sha256(data).hexdigest()))
    assert pulumi.executable == str(tmp_path / "pulumi" / "bin" / "pulumi")
    assert version(pulumi.executable) == (9, 9, 9)  # found now, not installed again


def test_another_checksum_installs_nothing(tmp_path: Path) -> None:
    with pytest.raises(MissingToolError, match="does not have its published checksum"):
        _ = bare(tmp_path, serving(archive(), "0" * 64)).executable
    assert not (tmp_path / "pulumi").exists()


def test_a_release_that_was_replaced_with_its_checksums_installs_nothing(tmp_path: Path) -> None:
    data = archive()
    serve = serving(data, hashlib.sha256(data).hexdigest())
    with pytest.raises(MissingToolError, match=r"the one that versions\.toml pins"):
        _ = bare(tmp_path, serve, pinned="0" * 64).executable
    assert not (tmp_path / "pulumi").exists()


def test_the_published_checksums_go_into_the_file_of_versions() -> None:
    text = f"{'a' * 64}  pulumi-v3.1.0-linux-x64.tar.gz\n{'b' * 64}  pulumi-v3.1.0-windows-x64.zip\n"
    assert digests._checksums(text) == {"linux-x64": "a" * 64}


def test_without_a_network_the_sentence_says_what_still_works(tmp_path: Path) -> None:
    def refuse(_url: str) -> bytes:
        msg = "Name or service not known"
        raise OSError(msg)

    with pytest.raises(MissingToolError, match=r"could not be downloaded.*`make plan` and `make render`") as caught:
        _ = bare(tmp_path, refuse).executable
    assert "\n" not in str(caught.value)
    assert caught.value.code == ExitCode.MISSING_TOOL


def test_a_missing_provider_is_named(tmp_path: Path) -> None:
    def refuse(*_arguments: str, **_: object) -> str:
        msg = "no route to host"
        raise UserError(msg)

    context = fakes.context("dev", variables={"PATH": "", "PULUMI_HOME": str(tmp_path)}, on_output=refuse)
    with pytest.raises(MissingToolError, match=r"provider docker \d.* could not be installed; is there a network\?"):
        context.pulumi.install_plugins()


def test_a_package_without_a_provider_needs_none(tmp_path: Path) -> None:
    package = tmp_path / "pulumi_policy"
    package.mkdir()
    (package / "pulumi-plugin.json").write_text('{ "resource": false }')
    context = fakes.context("dev", packages=tmp_path)
    context.pulumi.install_plugins()
    assert fakes.calls(context) == []


def test_a_wrong_passphrase_is_explained() -> None:
    error = fakes.context("dev").pulumi.error(("config",), "error: incorrect passphrase")
    assert isinstance(error, WrongPassphraseError)
    assert str(error).startswith("the passphrase does not open the secrets of stack 'dev'")
    assert "PULUMI_CONFIG_PASSPHRASE" in str(error)


@pytest.mark.parametrize("production", [True, False])
@pytest.mark.parametrize("text", ["", "\n", "  \n", None])
def test_an_empty_passphrase_is_refused_in_production(tmp_path: Path, text: str | None, *, production: bool) -> None:
    file = tmp_path / "passphrase"
    if text is not None:
        file.write_text(text)
    variables = {"PULUMI_CONFIG_PASSPHRASE_FILE": str(file), "PULUMI_BACKEND_URL": f"file://{tmp_path}"}
    context = fakes.context("dev", variables=variables, is_production=lambda _: production)
    if production or text is None:
        with pytest.raises(UserError, match=r"accepted: (in production, a passphrase|a file with a passphrase)"):
            context.pulumi.select()
        assert fakes.calls(context) == []
    else:
        context.pulumi.select()
        assert fakes.calls(context)
