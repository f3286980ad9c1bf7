"""The stack's secrets: configured ones, and generated ones, which the state keeps encrypted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pulumi
import pulumi_random as random
import yaml
from pydantic import SecretStr

from observability.configs import alert_history, external_stores, loki, otlp_outside, webhook_relay
from observability.configs.process import OwnText, ScrapeSecret, SettingSecret
from observability.own import secret_references
from observability.text import dump

if TYPE_CHECKING:
    from collections.abc import Mapping

    from observability.configs.process import Secret
    from observability.settings import Settings

_LENGTH = 32


@dataclass(frozen=True)
class Secrets:
    """Every secret, as a secret output; None for one that is neither configured nor generated.

    Attributes:
        files_key: key of the digests that name volumes of secrets.
        configured: secret settings, by their attribute of `Settings`.
        scrape: secrets of the services' targets, by their names in the setting `scrapeSecrets`.
        own: secrets of the team's own content, by their names in the setting `ownSecrets`.
    """

    admin_password: pulumi.Output[str]
    secret_key: pulumi.Output[str]
    metrics_password: pulumi.Output[str]
    history_password: pulumi.Output[str]
    files_key: pulumi.Output[str]
    otlp_senders: pulumi.Output[str] | None
    demo_token: pulumi.Output[str] | None
    webhook: pulumi.Output[str] | None
    logs_store_login: pulumi.Output[str] | None
    logs_object_store: pulumi.Output[str] | None
    traces_store_login: pulumi.Output[str] | None
    configured: Mapping[str, pulumi.Output[str]] = field(default_factory=dict)
    scrape: Mapping[str, pulumi.Output[str]] = field(default_factory=dict)
    own: Mapping[str, pulumi.Output[str]] = field(default_factory=dict)

    @property
    def history_login(self) -> pulumi.Output[str]:
        """Return the same for the reading proxy: what Grafana says to write the history of alerts."""
        return pulumi.Output.secret(self.history_password.apply(alert_history.login))

    def files(self, secrets: Mapping[str, Secret]) -> dict[str, pulumi.Output[str]]:
        """Return the text of each secret file by its path; a file without a secret is left out."""
        texts = {path: self._text(name) for path, name in secrets.items()}
        return {path: text for path, text in texts.items() if text is not None}

    def _text(self, secret: Secret) -> pulumi.Output[str] | None:
        if isinstance(secret, SettingSecret):
            return self.configured.get(secret.attribute)
        if isinstance(secret, ScrapeSecret):
            return self.scrape[secret.name]
        if isinstance(secret, OwnText):
            return filled_text(secret, self.own)
        found: pulumi.Output[str] | None = getattr(self, secret)
        return found


def filled_text(text: OwnText, secrets: Mapping[str, pulumi.Input[str]]) -> pulumi.Output[str]:
    """Return a text of the team's own content with its references replaced by the secrets, as a secret output."""

    def fill(known: Mapping[str, str]) -> str:
        if text.yaml:
            return dump(secret_references.replace(yaml.safe_load(text.template), known.__getitem__))
        return str(secret_references.replace(text.template, known.__getitem__))

    needed = {name: secrets[name] for name in sorted(secret_references.names(text.template))}
    return pulumi.Output.secret(pulumi.Output.all(**needed).apply(fill))


def filled_value(value: Any, secrets: Mapping[str, pulumi.Input[str]]) -> Any:  # noqa: ANN401 - JSON both ways
    """Return `value` with its references replaced by the secrets, as a secret output; unchanged without references."""
    needed = {name: secrets[name] for name in sorted(secret_references.names(value))}
    if not needed:
        return value
    filled = pulumi.Output.all(**needed).apply(lambda known: secret_references.replace(value, known.__getitem__))
    return pulumi.Output.secret(filled)


def secrets(settings: Settings, opts: pulumi.ResourceOptions) -> Secrets:
    """Return the configured secrets; generate, with `opts`, the required ones that are not configured."""
    return Secrets(
        admin_password=_configured_or_generated("grafana-admin-password", settings.grafana_admin_password, opts),
        secret_key=_configured_or_generated("grafana-secret-key", settings.grafana_secret_key, opts),
        metrics_password=_generated("grafana-metrics-password", opts),
        history_password=_generated("alert-history-password", opts),
        files_key=_generated("files-key", opts),
        otlp_senders=_text(otlp_outside.passwords(settings)),
        demo_token=_generated("demo-token", opts) if settings.demo else None,
        webhook=_text(webhook_relay.secret(settings)),
        logs_store_login=_text(external_stores.login("logs", settings)),
        logs_object_store=_text(loki.credentials(settings)),
        traces_store_login=_text(external_stores.login("traces", settings)),
        configured={
            name: _secret(value)
            for name in type(settings).model_fields
            if isinstance(value := getattr(settings, name), SecretStr)
        },
        scrape={name: _secret(value) for name, value in settings.scrape_secrets.items()},
        own=own_secrets(settings),
    )


def own_secrets(settings: Settings) -> dict[str, pulumi.Output[str]]:
    """Return the secrets of the team's own content, by name."""
    return {name: _secret(value) for name, value in settings.own_secrets.items()}


def _configured_or_generated(
    name: str, configured: SecretStr | None, opts: pulumi.ResourceOptions
) -> pulumi.Output[str]:
    return _generated(name, opts) if configured is None else _secret(configured)


def _text(value: str | None) -> pulumi.Output[str] | None:
    return None if value is None else pulumi.Output.secret(value)


def _secret(value: SecretStr) -> pulumi.Output[str]:
    return pulumi.Output.secret(value.get_secret_value())


def _generated(name: str, opts: pulumi.ResourceOptions) -> pulumi.Output[str]:
    # Letters and digits only: such a value needs no quoting in URLs, ini files and shells.
    return random.RandomPassword(name, length=_LENGTH, special=False, opts=opts).result
