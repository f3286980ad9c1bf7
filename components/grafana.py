"""Grafana as a server that content goes into, and what its container needs before it is replaced."""

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
    """A Grafana, wherever it runs: what its content, access and administrator depend on.

    Attributes:
        url: where this machine reaches its API.
        ca: CA certificate (PEM) for an https URL, "" if a public CA signed the server's.
        ready: nothing is written before it is done; None for a server that runs already.
        database: what the content goes with when it is deleted; None for a database that stays.
    """

    url: str
    ca: str
    ready: pulumi.Resource | None = None
    database: pulumi.Resource | None = None

    @property
    def shared(self) -> bool:
        """Whether others have content there too, which is theirs: its database is none of ours."""
        return self.database is None

    def options(self, *depends_on: pulumi.Resource, **options: object) -> pulumi.ResourceOptions:
        """Return the options of something in this Grafana, which need not be taken apart piece by piece with it."""
        awaited = [*([] if self.ready is None else [self.ready]), *depends_on]
        return pulumi.ResourceOptions(depends_on=awaited, deleted_with=self.database, **options)  # type: ignore[arg-type]


def of_stack(settings: Settings, service: Service) -> GrafanaServer:
    """Return the stack's own Grafana, which runs as `service`."""
    endpoint = endpoints.grafana(settings)
    return GrafanaServer(endpoint.url, endpoint.ca_certificate, service.ready, service.volume)


def existing(settings: Settings) -> GrafanaServer:
    """Return the Grafana that is there already, once nothing in it is in the way of the content."""
    endpoint = endpoints.grafana(settings)
    return GrafanaServer(endpoint.url, endpoint.ca_certificate)


def before_replacement(settings: Settings, secrets: Secrets, engine: str) -> BeforeReplacement:
    """Return what re-encrypts the stored secrets when the secret key changes; `engine` is docker:host."""
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
