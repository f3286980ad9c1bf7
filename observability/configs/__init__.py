"""The configuration files of the parts, rendered from the settings as plain text. Nothing here imports Pulumi."""
