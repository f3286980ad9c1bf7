"""Pure functions from the settings to configuration files, recording rules and alerts. Nothing here imports Pulumi."""
