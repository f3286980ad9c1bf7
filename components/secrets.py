"""The stack's secrets: what the settings give, and generated ones, kept encrypted in the state, for the rest."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pulumi
import pulumi_random as random

from observability.configs import webhook_relay
from observability.configs.process import ScrapeSecret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import SecretStr

    from observability.configs.process import SecretName
    from observability.settings import Settings

_LENGTH = 32


@dataclass(frozen=True)
class Secrets:
    """Every secret, as secret outputs; `files_key` keys the digests that name volumes of secrets."""

    admin_password: pulumi.Output[str]
    secret_key: pulumi.Output[str]
    metrics_password: pulumi.Output[str]
    files_key: pulumi.Output[str]
    smtp_password: pulumi.Output[str] | None
    tls_key: pulumi.Output[str] | None
    oauth_client_secret: pulumi.Output[str] | None
    otlp_token: pulumi.Output[str] | None
    demo_token: pulumi.Output[str] | None
    webhook: pulumi.Output[str] | None
    metrics_store_password: pulumi.Output[str] | None
    scrape: Mapping[str, pulumi.Output[str]] = field(default_factory=dict)
    """Secrets of the services' targets, by their names in the settings."""

    def files(self, secrets: Mapping[str, SecretName | ScrapeSecret]) -> dict[str, pulumi.Output[str]]:
        """Return the text of each secret file by its path; one whose secret does not exist is left out."""
        texts = {
            path: self.scrape[name.name] if isinstance(name, ScrapeSecret) else getattr(self, name)
            for path, name in secrets.items()
        }
        return {path: text for path, text in texts.items() if text is not None}


def secrets(settings: Settings) -> Secrets:
    """Return the configured secrets, generating the ones that are not configured."""
    return Secrets(
        admin_password=_configured_or_generated("grafana-admin-password", settings.grafana_admin_password),
        secret_key=_configured_or_generated("grafana-secret-key", settings.grafana_secret_key),
        metrics_password=_generated("grafana-metrics-password"),
        files_key=_generated("files-key"),
        smtp_password=_configured(settings.smtp_password),
        tls_key=_configured(settings.tls_key),
        oauth_client_secret=_configured(settings.oauth_client_secret),
        otlp_token=_configured(settings.otlp_token),
        demo_token=_generated("demo-token") if settings.demo else None,
        webhook=_text(webhook_relay.secret(settings)),
        metrics_store_password=_configured(settings.metrics_password),
        scrape={name: _secret(value) for name, value in settings.scrape_secrets.items()},
    )


def _configured_or_generated(name: str, configured: SecretStr | None) -> pulumi.Output[str]:
    return _generated(name) if configured is None else _secret(configured)


def _configured(value: SecretStr | None) -> pulumi.Output[str] | None:
    return None if value is None else _secret(value)


def _text(value: str | None) -> pulumi.Output[str] | None:
    return None if value is None else pulumi.Output.secret(value)


def _secret(value: SecretStr) -> pulumi.Output[str]:
    return pulumi.Output.secret(value.get_secret_value())


def _generated(name: str) -> pulumi.Output[str]:
    # Letters and digits only: the value passes through URLs, ini files and shells unharmed.
    return random.RandomPassword(name, length=_LENGTH, special=False).result
