"""Commands that back a stack up and restore it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.bootstrap import ROOT
from cli.commands.options import DEFAULT_STACK, Stack, Yes, of

app = typer.Typer()


@app.command()
def backup(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="The folder to write the archive to.")] = Path("backups"),
    stack: Stack = DEFAULT_STACK,
    encrypt: Annotated[
        str, typer.Option(envvar="ENCRYPT", help="A public key (age1…, ssh-…), or a file of keys or of a passphrase.")
    ] = "",
) -> int:
    """Write everything that the stack holds at one moment into an archive."""
    from cli import backup as command
    from cli import encryption

    to = encryption.parse_encrypt(encrypt)
    return command.run(of(context, stack), ROOT / folder, to)


@app.command()
def restore(
    context: typer.Context,
    archive: Annotated[Path, typer.Argument(help="The archive.")],
    stack: Stack = DEFAULT_STACK,
    decrypt: Annotated[str, typer.Option(envvar="DECRYPT", help="A file of private keys or of a passphrase.")] = "",
    yes: Yes = None,
) -> int:
    """Replace what the stack holds with an archive, after a question where it holds data."""
    from cli import encryption
    from cli import restore as command

    return command.run(of(context, stack), archive, encryption.parse_decrypt(decrypt), confirmation=yes)
