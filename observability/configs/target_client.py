"""The HTTP client of Prometheus and the blackbox exporter: how it signs in to a target and checks its certificate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from observability.names.paths import CONFIG, SECRETS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from observability.settings import Probe, WatchedService

    Target = WatchedService | Probe


@dataclass(frozen=True, slots=True)
class TargetClient:
    """The client of one of them; `kind` is the beginning of its files' names."""

    kind: str

    def secret_file(self, name: str) -> str:
        """Return the path of a secret of the setting `scrapeSecrets`."""
        return f"{SECRETS}/{self.kind}-{name}"

    def certificates(self, targets: Iterable[Target]) -> dict[str, str]:
        """Return the certificates in the targets' settings, PEM by path."""
        return {
            self._certificate_file(target, kind): text
            for target in targets
            if target.tls is not None
            for kind, text in (("ca", target.tls.ca), ("client", target.tls.certificate))
            if text
        }

    def login(self, target: Target) -> dict[str, Any]:
        """Return the options that sign in to a target; its secrets are read from files."""
        options: dict[str, Any] = {}
        if target.basic_auth:
            password = self.secret_file(target.basic_auth.password_secret)
            options["basic_auth"] = {"username": target.basic_auth.username, "password_file": password}
        if target.bearer_token_secret:
            token = self.secret_file(target.bearer_token_secret)
            options["authorization"] = {"type": "Bearer", "credentials_file": token}
        return options

    def tls(self, target: Target) -> dict[str, Any]:
        """Return `tls_config` of a target; empty without TLS settings."""
        if target.tls is None:
            return {}
        options = {
            "ca_file": self._certificate_file(target, "ca") if target.tls.ca else None,
            "cert_file": self._certificate_file(target, "client") if target.tls.certificate else None,
            "key_file": self.secret_file(target.tls.key_secret) if target.tls.key_secret else None,
            "server_name": target.tls.server_name,
            "insecure_skip_verify": target.tls.insecure_skip_verify or None,
        }
        return {name: value for name, value in options.items() if value is not None}

    def _certificate_file(self, target: Target, kind: str) -> str:
        return f"{CONFIG}/{self.kind}-{target.name}-{kind}.crt"
