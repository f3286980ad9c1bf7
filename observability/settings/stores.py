"""Stores of metrics, logs and traces outside of this stack: their addresses, and the credentials for them."""

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


class FarStore(Frozen):
    """A store by its addresses. Its password or token is a secret of its own at the top level, like metricsPassword."""

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
    def far(self) -> bool:
        """Whether there is a store elsewhere."""
        return bool(self.write_url or self.query_url)

    @model_validator(mode="after")
    def _addressed(self) -> FarStore:
        if not self.far and (self.tenant or self.user or self.ca_certificate):
            msg = "tenant, user and caCertificate together with writeUrl or queryUrl"
            raise RefusedError(msg)
        return self


class MetricsStore(FarStore):
    """A store of metrics: any remote-write endpoint, with the query API of Prometheus."""

    mode: Annotated[MetricsMode, one_of(*get_args(MetricsMode))] = Field(
        "copy",
        description="copy: Prometheus keeps everything and sends a copy to writeUrl",
    )
