"""The labels on everything that this program makes on a Docker host."""

from __future__ import annotations

from typing import Final

PROJECT: Final = "observability"
"""The Pulumi project's name: the prefix of everything that this program makes."""
STACK: Final = f"{PROJECT}.stack"
SERVICE: Final = f"{PROJECT}.service"
SPEC: Final = f"{PROJECT}.spec"
"""A digest of all that a service is made of; only the services' own containers have it."""
CONTENT: Final = f"{PROJECT}.content"
"""A digest of the files in a volume."""
PUBLISHED_BECAUSE: Final = f"{PROJECT}.published-because"
"""Why a container's ports can be reached from elsewhere than its host; on those that can."""
