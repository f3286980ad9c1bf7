"""Where things are inside the containers."""

CONFIG = "/etc/observability"
"""Configuration files, mounted read-only. No image has this path, so nothing of the image is shadowed."""
SECRETS = "/run/observability"
"""Secret files, mounted read-only."""
