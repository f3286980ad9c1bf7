"""The tracked file of a stack stays as it is; Pulumi's salt goes into a copy."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.stack_file import StackFile

TEXT = "# a comment\nconfig:\n  observability:demo: true\n"
SALT = "encryptionsalt: v1:abc=:v1:def"


@pytest.fixture
def file(tmp_path: Path) -> StackFile:
    result = StackFile("dev", tmp_path / ".state", tmp_path)
    result.tracked.write_text(TEXT)
    return result


def rewritten(file: StackFile) -> None:
    """Do what `pulumi stack select --create` does."""
    file.tracked.write_text(f'# a comment\nconfig:\n  observability:demo: "true"\n{SALT}\n')


def create(file: StackFile) -> None:
    with file.options("stack") as options:
        assert options == ()
        rewritten(file)


def test_the_salt_of_a_new_stack_goes_into_the_copy(file: StackFile) -> None:
    create(file)
    assert file.tracked.read_text() == TEXT
    with file.options("up") as options:
        assert options == ("--config-file", str(file.copy))
        assert file.copy.read_text() == TEXT + SALT + "\n"


def test_the_copy_follows_the_tracked_file_and_keeps_the_salt(file: StackFile) -> None:
    create(file)
    file.tracked.write_text(TEXT.replace("true", "false"))
    with file.options("preview"):
        assert file.copy.read_text() == TEXT.replace("true", "false") + SALT + "\n"


def test_a_salt_that_pulumi_writes_into_the_copy_is_kept(file: StackFile) -> None:
    with file.options("up"):
        file.copy.write_text(f'config:\n  observability:demo: "true"\n{SALT}\n')
    with file.options("up"):
        assert file.copy.read_text() == TEXT + SALT + "\n"


@pytest.mark.parametrize("line", [SALT, "secretsprovider: awskms://x", "encryptedkey: abc"])
@pytest.mark.parametrize("command", ["up", "stack", "config"])
def test_a_file_with_a_secrets_provider_of_its_own_is_used_as_it_is(file: StackFile, line: str, command: str) -> None:
    file.tracked.write_text(f"{TEXT}{line}\n")
    with file.options(command) as options:
        assert options == ()
    assert file.tracked.read_text() == f"{TEXT}{line}\n"


def test_a_secret_that_is_set_goes_beside_its_salt(file: StackFile) -> None:
    create(file)
    with file.options("config") as options:
        assert options == ()
        assert file.tracked.read_text() == TEXT + SALT + "\n"


def test_a_stack_without_a_file_gets_none(file: StackFile) -> None:
    file.tracked.unlink()
    create(file)
    assert not file.tracked.exists()
    with file.options("up"):
        assert file.copy.read_text() == SALT + "\n"
