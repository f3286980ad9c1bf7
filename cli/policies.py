"""The policies that Pulumi runs with the program: their folder and their configuration for a stack."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cli.bootstrap import ROOT
from cli.errors import UserError
from observability import versions

if TYPE_CHECKING:
    from cli.context import Context
    from observability.settings import Settings

PACK = ROOT / "policies"


def config(settings: Settings) -> dict[str, Any]:
    """Return the policies' own configuration."""
    return {
        "data-is-protected": {"protected": settings.production or settings.protect_data},
        "images-have-digests": {"required": settings.production},
    }


def check_digests(settings: Settings) -> None:
    """Raise UserError if production would run an image without a digest, before the policy stops a run halfway."""
    used = {part.name for part in settings.parts} | ({"demo"} if settings.demo else set())
    missing = sorted(name for name, image in versions.images().items() if name in used and not image.digest)
    if settings.production and missing:
        msg = (
            f"versions.toml has no digest for {', '.join(missing)}, and production runs images by digest: a tag can"
            " be moved. `make digests` fills them in from the registry. Nothing was changed."
        )
        raise UserError(msg)


def arguments(context: Context) -> tuple[str, ...]:
    """Return the options that make the Pulumi CLI check the policies."""
    folder = context.environment.state
    folder.mkdir(mode=0o700, exist_ok=True)
    file = folder / f"policies.{context.stack}.json"
    file.write_text(json.dumps(config(context.settings)))
    return ("--policy-pack", str(PACK), "--policy-pack-config", str(file))
