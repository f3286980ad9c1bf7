"""Which secrets there may be, and how strong each has to be."""

from __future__ import annotations

GENERATED_SECRETS = frozenset({"grafanaAdminPassword", "grafanaSecretKey"})
"""Generated outside production, required in it. Every other secret is optional, and as long as its issuer makes it."""
MULTILINE_SECRETS = frozenset({"tlsKey", "scrapeSecrets", "ownSecrets"})
PLAIN_OUTSIDE_PRODUCTION = frozenset({"alertWebhookUrl"})
"""Was no secret once; outside production it may still be stored as it was."""
STAND_IN = "https://stand-in-for-a-secret-0123456789/"
"""What stands for a secret where the configuration is read without its passphrase. Some of them are URLs."""
WEAK_SECRETS = frozenset({"admin", "password", "changeme", "secret", "grafana", "prom-operator", "letmein"})
MINIMUM_SECRET_LENGTH = {False: 8, True: 16}
"""Shortest accepted secret, by whether the stack is production."""
