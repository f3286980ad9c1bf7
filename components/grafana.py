"""A Grafana server, of this stack or an existing one, and the last step before its container is replaced."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi

from components.secret_key import SecretKey, SecretKeyArgs
from observability import endpoints, topology

if TYPE_CHECKING:
    from components.secrets import Secrets
    from components.service import BeforeReplacement, Service
    from observability.settings import Settings


@dataclass(frozen=True)
class GrafanaServer:
    """A Grafana server, wherever it runs. Content, access and administrator depend on this, not on a container.

    Attributes:
        url: URL of its API, as this machine reaches it.
        ca: CA certificate (PEM) for an https URL, "" if a public CA signed the server's.
        ready: resource that nothing is written before; None for a server that runs already.
        database: volume of the stack's own Grafana, whose deletion deletes the content; None for an existing server.
    """

    url: str
    ca: str
    ready: pulumi.Resource | None = None
    database: pulumi.Resource | None = None

    @property
    def shared(self) -> bool:
        """Whether the server may hold content of others, because this stack does not own it."""
        return self.database is None

    def options(self, *depends_on: pulumi.Resource, **options: object) -> pulumi.ResourceOptions:
        """Return the options of a resource in this Grafana, which is not deleted singly if the database goes."""
        awaited = [*([] if self.ready is None else [self.ready]), *depends_on]
        return pulumi.ResourceOptions(depends_on=awaited, deleted_with=self.database, **options)  # type: ignore[arg-type]


def of_stack(settings: Settings, service: Service) -> GrafanaServer:
    """Return the stack's own Grafana, which runs as `service`."""
    endpoint = endpoints.grafana(settings)
    return GrafanaServer(endpoint.url, endpoint.ca_certificate, service.ready, service.volume)


def existing(settings: Settings) -> GrafanaServer:
    """Return the existing Grafana of the setting `grafanaUrl`."""
    endpoint = endpoints.grafana(settings)
    return GrafanaServer(endpoint.url, endpoint.ca_certificate)


def before_replacement(settings: Settings, secrets: Secrets, engine: str) -> BeforeReplacement:
    """Return the step that re-encrypts Grafana's stored secrets for a new secret key; `engine` is docker:host."""
    return lambda replaced: SecretKey(
        SecretKeyArgs(
            key=secrets.secret_key,
            stack=settings.stack,
            container=replaced.container,
            volume=replaced.volume,
            image=replaced.image,
            user=topology.GRAFANA.user,
            engine=engine,
        ),
        replaced.opts,
    )
