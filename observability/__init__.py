"""What computes: settings in; configuration files, recording rules and alerts out. Without Pulumi."""
