"""The services' own configuration, rendered from the settings as plain text. Never imports pulumi."""
