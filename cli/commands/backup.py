"""Commands that back a stack up and restore it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.bootstrap import ROOT
from cli.commands.options import DEFAULT_STACK, Stack, Yes, of

app = typer.Typer()


ArchiveKey = Annotated[
    str,
    typer.Option(envvar="ARCHIVE_KEY", help="The file of the key that signs archives; .state/archive-key by default."),
]


@app.command()
def backup(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="The folder to write the archive to.")] = Path("backups"),
    stack: Stack = DEFAULT_STACK,
    encrypt: Annotated[
        str, typer.Option(envvar="ENCRYPT", help="A public key (age1…, ssh-…), or a file of keys or of a passphrase.")
    ] = "",
    archive_key: ArchiveKey = "",
) -> int:
    """Write everything that the stack holds at one moment into an archive."""
    from cli import backup as command
    from cli import encryption

    keys = command.Keys(encryption.recipients(encrypt), archive_key)
    return command.run(of(context, stack), ROOT / folder, keys)


@app.command()
def restore(
    context: typer.Context,
    archive: Annotated[Path, typer.Argument(help="The archive.")],
    stack: Stack = DEFAULT_STACK,
    decrypt: Annotated[str, typer.Option(envvar="DECRYPT", help="A file of private keys or of a passphrase.")] = "",
    archive_key: ArchiveKey = "",
    accept_unsigned: Annotated[
        str, typer.Option(envvar="ACCEPT_UNSIGNED", help="`yes`: restore an archive without a valid signature.")
    ] = "",
    yes: Yes = None,
) -> int:
    """Replace what the stack holds with an archive, after a question where it holds data."""
    from cli import archive_key as key
    from cli import encryption
    from cli import restore as command
    from cli.errors import UsageError

    command.require_archive(archive)
    if accept_unsigned not in {"", "yes"}:
        msg = f"ACCEPT_UNSIGNED={accept_unsigned}; accepted: yes, which restores an archive without a valid signature"
        raise UsageError(msg)
    opened = of(context, stack)
    source = command.Source(
        archive,
        encryption.identities(decrypt),
        key.read(opened.environment, archive_key),
        accept_unsigned=bool(accept_unsigned),
    )
    return command.run(opened, source, confirmation=yes)
