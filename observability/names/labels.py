"""The labels of everything that this program creates on a Docker host."""

from __future__ import annotations

from typing import Final

PROJECT: Final = "observability"
"""Name of the Pulumi project, the prefix of every Docker name of this program."""
STACK: Final = f"{PROJECT}.stack"
SERVICE: Final = f"{PROJECT}.service"
SPEC: Final = f"{PROJECT}.spec"
"""Label with a digest of the service's specification; only containers of services have it."""
CONTENT: Final = f"{PROJECT}.content"
"""Label with a digest of the files in a volume."""
PUBLISHED_BECAUSE: Final = f"{PROJECT}.published-because"
"""Label with the reason why other machines can reach a container's ports; only if they can."""
