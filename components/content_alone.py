"""Only the content of an existing Grafana: no container, and no change of content that others made."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pulumi

from components import grafana
from components.content import Content
from components.existing_grafana import Vacancy

if TYPE_CHECKING:
    from observability.settings import Settings


def bring_up(settings: Settings) -> None:
    """Create the content in the Grafana of the setting `grafanaUrl`, and export its address."""
    token = "" if settings.grafana_token is None else settings.grafana_token.get_secret_value()
    server = grafana.existing(settings)
    vacancy = Vacancy(settings, grafana=server, auth=token)
    Content(settings, grafana=replace(server, ready=vacancy), auth=pulumi.Output.secret(token))
    pulumi.export("grafanaUrl", server.url)
    pulumi.export("grafanaToken", pulumi.Output.secret(token))
    if settings.tls_ca:
        pulumi.export("grafanaCaCertificate", settings.tls_ca)
