"""`digests`: writes the digest of every pinned tag, from the registry, into versions.toml."""

from __future__ import annotations

import re

import docker.errors

from cli.context import Context
from cli.errors import UserError
from observability import versions


def run(context: Context) -> int:
    """Fill in the digests; nothing is written unless the registry answered for every image."""
    client = context.engine.client
    found: dict[str, str] = {}
    for service, image in versions.images().items():
        reference = f"{image.name}:{image.tag}"
        try:
            found[service] = client.images.get_registry_data(reference).id
        except docker.errors.APIError as error:
            msg = f"the registry returns no digest of {reference} ({error.explanation}); versions.toml is as it was"
            raise UserError(msg) from None
    text = versions.FILE.read_text(encoding="utf-8")
    for service, digest in found.items():
        text = re.sub(rf'(\[images\.{service}\][^\[]*?digest = )"[^"]*"', rf'\1"{digest}"', text)
    versions.FILE.write_text(text, encoding="utf-8")
    context.console.table("digests", ("image", "digest"), list(found.items()))
    context.console.say("written to versions.toml")
    return 0
