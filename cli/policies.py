"""The policies that run beside the program: where they are, and what the chosen stack's settings ask of them."""

from __future__ import annotations

import json
from typing import Any

from cli import context
from cli.bootstrap import ROOT
from observability.settings import Settings

PACK = ROOT / "policies"


def config(settings: Settings) -> dict[str, Any]:
    """Return the policies' own configuration."""
    return {
        "data-is-protected": {"protected": settings.production or settings.protect_data},
        "images-have-digests": {"required": settings.production},
    }


def arguments(settings: Settings) -> tuple[str, ...]:
    """Return the CLI's options that make it check the policies."""
    context.STATE.mkdir(mode=0o700, exist_ok=True)
    file = context.STATE / f"policies.{settings.stack}.json"
    file.write_text(json.dumps(config(settings)))
    return ("--policy-pack", str(PACK), "--policy-pack-config", str(file))
