"""Grafana as a service: the pages, the alerts, and the API that its content is managed through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.secret_key import SecretKey
from components.service import Port, ServiceSpec
from observability.configs import grafana
from observability.versions import image

if TYPE_CHECKING:
    import pulumi

    from components.secrets import Secrets
    from components.service import Before
    from observability.settings import Settings

NAME = "grafana"
USER = "472:0"


def spec(settings: Settings) -> ServiceSpec:
    """Return Grafana's container: user 472, configured by environment, secrets from files."""
    return ServiceSpec(
        name=NAME,
        image=image(NAME),
        user=USER,
        command=(),
        environment=grafana.environment(settings),
        data=grafana.DATA,
        files=grafana.files(settings),
        checker=(),
        health=_health(settings),
        health_interval=settings.health_interval,
        ports=(Port(grafana.PORT, settings.port(NAME)),),
        ready_url=f"{settings.address(NAME)}/api/health",
        limits=settings.limit(NAME),
        tmp_mib=128,
        stop_seconds=30,
    )


def _health(settings: Settings) -> tuple[str, ...]:
    # The API's own health fails with its database. A certificate is made out to no loopback; whether it is the right
    # one is the readiness gate's business.
    scheme, flags = ("https", "-fsSk") if settings.tls_certificate else ("http", "-fsS")
    return ("curl", flags, "-o", "/dev/null", f"{scheme}://127.0.0.1:{grafana.PORT}/api/health")


def before(settings: Settings, secrets: Secrets, engine: str) -> Before:
    """Return what takes the stored secrets along when the secret key changes; `engine` is docker:host."""
    return lambda accepted: SecretKey(
        key=secrets.secret_key,
        stack=settings.stack,
        container=accepted.container,
        volume=accepted.volume,
        image=accepted.image,
        user=USER,
        engine=engine,
        opts=accepted.opts,
    )


def secret_files(secrets: Secrets) -> dict[str, pulumi.Output[str]]:
    """Return the secrets that Grafana reads from files."""
    files = {
        grafana.ADMIN_PASSWORD_FILE: secrets.admin_password,
        grafana.SECRET_KEY_FILE: secrets.secret_key,
        grafana.METRICS_PASSWORD_FILE: secrets.metrics_password,
    }
    if secrets.smtp_password is not None:
        files[grafana.SMTP_PASSWORD_FILE] = secrets.smtp_password
    if secrets.tls_key is not None:
        files[grafana.KEY_FILE] = secrets.tls_key
    if secrets.oauth_client_secret is not None:
        files[grafana.OAUTH_SECRET_FILE] = secrets.oauth_client_secret
    return files
