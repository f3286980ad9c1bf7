"""The component Content: dashboards, SLO alerts and links for a Grafana that is there already.

The annotations are read when the program runs, to derive the schema for other languages: they cannot be text.
"""

from collections.abc import Mapping
from dataclasses import replace

import pulumi

from components import grafana
from components.arguments import ContentArgs
from components.component import Component, Outputs
from components.existing_grafana import Vacancy
from components.grafana_content import Filling
from observability import rules
from observability.settings import Settings


class Content(Component):
    """Dashboards, SLO alerts and links in a Grafana that is there already, over its Prometheus, Loki and Jaeger.

    No container runs, and nothing is changed that this component did not make. A program has one of it.
    """

    grafana_url: pulumi.Output[str]
    """Grafana's address"""
    recording_rules: pulumi.Output[Mapping[str, str]]
    """Prometheus' rule files by name, which every SLO reads: give them to that Prometheus as rule_files"""

    def __init__(
        self,
        name: str,
        args: ContentArgs,
        opts: pulumi.ResourceOptions | None = None,
        *,
        settings: Settings | None = None,
    ) -> None:
        """Make the content; `settings` are the arguments as this repository's program has them, checked already."""
        super().__init__("Content", name, opts)
        self.bring_up("content", args, settings, self._make)

    def _make(self, settings: Settings) -> Outputs:
        token = pulumi.Output.secret(
            "" if settings.grafana_token is None else settings.grafana_token.get_secret_value()
        )
        server = grafana.existing(settings)
        vacancy = Vacancy(settings, grafana=server, auth=token, parent=self)
        Filling(settings, grafana=replace(server, ready=vacancy), auth=token, parent=self)
        outputs: Outputs = {
            "grafanaUrl": server.url,
            "grafanaToken": token,
            "recordingRules": rules.render(settings),
        }
        return outputs | ({"grafanaCaCertificate": settings.tls_ca} if settings.tls_ca else {})
