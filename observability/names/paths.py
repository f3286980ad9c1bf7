"""Where things are inside the containers."""

CONFIG = "/etc/observability"
"""Configuration files, mounted read-only. No image has this path, so nothing of the image is shadowed."""
SECRETS = "/run/observability"
"""Secret files, mounted read-only."""
TOOLS = "/run/observability-tools"
"""Programs that a health check borrows from another image."""
