"""Grafana as a service: the pages, the alerts, and the API that its content is managed through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.service import Port, ServiceSpec
from configs import grafana
from versions import image

if TYPE_CHECKING:
    import pulumi

    from components.secrets import Secrets
    from settings import Settings

NAME = "grafana"


def spec(settings: Settings) -> ServiceSpec:
    """Return Grafana's container: user 472, configured by environment, secrets from files."""
    return ServiceSpec(
        name=NAME,
        image=image(NAME),
        user="472:0",
        command=(),
        environment=grafana.environment(settings),
        data=grafana.DATA,
        files={},
        checker=(),
        # The API's own health fails with its database.
        health=("curl", "-fsS", "-o", "/dev/null", f"http://127.0.0.1:{grafana.PORT}/api/health"),
        health_interval=settings.health_interval,
        ports=(Port(grafana.PORT, settings.port(NAME)),),
        ready_url=f"{settings.address(NAME)}/api/health",
        limits=settings.limit(NAME),
        tmp_mib=128,
        stop_seconds=30,
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
    return files
