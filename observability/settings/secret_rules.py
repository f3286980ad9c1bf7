"""The secret settings, and how strong each has to be."""

from __future__ import annotations

GENERATED_SECRETS = frozenset({"grafanaAdminPassword", "grafanaSecretKey"})
"""Generated outside production, required in it. Every other secret is optional, and as long as its issuer makes it."""
MULTILINE_SECRETS = frozenset({"tlsKey", "scrapeSecrets", "ownSecrets"})
PLAIN_OUTSIDE_PRODUCTION = frozenset({"alertWebhookUrl"})
"""Settings that became secret later; outside production their value may still be stored in plain text."""
STAND_IN = "https://stand-in-for-a-secret-0123456789/"
"""Value in place of a secret when the configuration is read without the passphrase. It is a valid URL too."""
WEAK_SECRETS = frozenset({"admin", "password", "changeme", "secret", "grafana", "prom-operator", "letmein"})
MINIMUM_SECRET_LENGTH = {False: 8, True: 16}
"""Length of the shortest accepted secret, by whether the stack is for production."""
