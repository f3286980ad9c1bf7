"""`digests`: writes the digest of every pinned tag and the checksums of the Pulumi CLI into versions.toml."""

from __future__ import annotations

import re
from typing import Final

import docker.errors

from cli.context import Context
from cli.errors import UserError
from observability import versions
from observability.failures import reason

PLATFORMS: Final = ("linux-x64", "linux-arm64", "darwin-x64", "darwin-arm64")


def run(context: Context) -> int:
    """Fill in the digests; nothing is written unless the registry answered for every image."""
    client = context.engine.client
    digests: dict[str, str] = {}
    for service, image in versions.images().items():
        reference = f"{image.name}:{image.tag}"
        try:
            digests[service] = client.images.get_registry_data(reference).id
        except docker.errors.APIError as error:
            msg = f"the registry returns no digest of {reference} ({error.explanation}); versions.toml is as it was"
            raise UserError(msg) from None
    checksums = _published(context)
    text = versions.FILE.read_text(encoding="utf-8")
    for platform, checksum in checksums.items():
        text = re.sub(rf'(\[pulumi\.sha256\][^\[]*?{platform} = )"[^"]*"', rf'\1"{checksum}"', text)
    for service, digest in digests.items():
        text = re.sub(rf'(\[images\.{service}\][^\[]*?digest = )"[^"]*"', rf'\1"{digest}"', text)
    versions.FILE.write_text(text, encoding="utf-8")
    rows = [*digests.items(), *((f"pulumi {platform}", checksum) for platform, checksum in checksums.items())]
    context.console.table("digests", ("image", "digest"), rows)
    context.console.say("written to versions.toml")
    return 0


def _published(context: Context) -> dict[str, str]:
    """Return the published checksums of the CLI's releases; UserError unless each platform has one."""
    release = versions.pulumi_cli()
    try:
        checksums = _checksums(context.pulumi.published_checksums(release))
    except OSError as error:
        msg = f"the checksums of Pulumi {release} could not be downloaded ({reason(error)}); versions.toml is as it was"
        raise UserError(msg) from None
    missing = [platform for platform in PLATFORMS if platform not in checksums]
    if missing:
        msg = f"Pulumi {release} has no published checksum for {', '.join(missing)}; versions.toml is as it was"
        raise UserError(msg)
    return checksums


def _checksums(text: str) -> dict[str, str]:
    """Return the SHA-256 of the CLI's releases by platform, from lines of `<sha256>  <file>`."""
    pairs = re.findall(
        r"^([0-9a-f]{64})  pulumi-v[0-9.]+-((?:linux|darwin)-(?:x64|arm64))\.tar\.gz$", text, re.MULTILINE
    )
    return {platform: checksum for checksum, platform in pairs}
