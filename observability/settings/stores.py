"""External stores of metrics, logs and traces: their addresses and credentials."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from observability.settings.value_types import (
    Certificate,
    Frozen,
    RefusedError,
    StoreUrl,
    Text,
    matching,
    one_of,
)

MetricsMode = Literal["copy"]
Tenant = Annotated[
    str,
    matching(
        "a tenant's ID: at most 150 letters, digits and ! . _ * ' ( ) -, or empty",
        r"(?!\.{1,2}$)[A-Za-z0-9!._*'()-]{0,150}",
    ),
]


class ExternalStore(Frozen):
    """An external store. Its password or token is a secret setting of its own, like `metricsPassword`."""

    write_url: StoreUrl = Field(
        "", alias="writeUrl", description="Where this signal is sent; empty for the stack's own container alone"
    )
    query_url: StoreUrl = Field("", alias="queryUrl", description="Where Grafana reads it")
    tenant: Tenant = Field("", description="Value of the header X-Scope-OrgID; one tenant for each stack")
    user: Text = Field("", description="User name for basic authentication; empty with a password: a bearer token")
    ca_certificate: Certificate = Field(
        "", alias="caCertificate", description="CA certificate (PEM), if no public CA signed the server's"
    )

    @property
    def configured(self) -> bool:
        """Whether the settings have an external store for this signal."""
        return bool(self.write_url or self.query_url)

    @model_validator(mode="after")
    def _addressed(self) -> ExternalStore:
        if not self.configured and (self.tenant or self.user or self.ca_certificate):
            msg = "tenant, user and caCertificate together with writeUrl or queryUrl"
            raise RefusedError(msg)
        return self


class MetricsStore(ExternalStore):
    """An external store of metrics: a remote-write endpoint with Prometheus' query API."""

    mode: Annotated[MetricsMode, one_of(*get_args(MetricsMode))] = Field(
        "copy",
        description="copy: Prometheus keeps everything and sends a copy to writeUrl",
    )
