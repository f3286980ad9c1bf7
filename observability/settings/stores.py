"""External stores of metrics, logs and traces: their addresses and credentials."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, model_validator

from observability.settings.value_types import (
    Accepts,
    Certificate,
    Frozen,
    RefusedError,
    StoreUrl,
    Text,
    matching,
    one_of,
    to_text,
)

MetricsMode = Literal["copy"]
Tenant = Annotated[
    str,
    matching(
        "a tenant's ID: at most 150 letters, digits and ! . _ * ' ( ) -, or empty",
        r"(?!\.{1,2}$)[A-Za-z0-9!._*'()-]{0,150}",
    ),
]


def _day(value: Any) -> str:  # noqa: ANN401 - raw configuration
    text = to_text(value)
    return date.fromisoformat(text).isoformat() if text else ""


Day = Annotated[str, Accepts("a day like 2027-01-31, or empty", _day)]
Bucket = Annotated[
    str,
    matching("a bucket's name: 3 to 63 lower-case letters, digits, . and -", r"([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])?"),
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


class ObjectStore(Frozen):
    """A bucket of an S3 server that keeps what the stack's own Loki stores; its secret key is `logsPassword`."""

    endpoint: StoreUrl = Field("", description="The S3 server's URL")
    bucket: Bucket = Field("", description="A bucket that is there already; one for each stack")
    region: Text = Field("us-east-1", description="Its region")
    user: Text = Field("", description="Access key ID; its secret key is logsPassword")
    first_day: Day = Field(
        "", alias="from", description="The first day (UTC) whose lines it keeps; tomorrow or later when it is new"
    )
    until: Day = Field("", description="The first day whose lines the stack's own volume keeps again: the way back")
    ca_certificate: Certificate = Field(
        "", alias="caCertificate", description="CA certificate (PEM), if no public CA signed the server's"
    )

    def __bool__(self) -> bool:
        """Tell whether there is one."""
        return bool(self.endpoint)

    @model_validator(mode="after")
    def _whole(self) -> ObjectStore:
        if self.model_fields_set and not all((self.endpoint, self.bucket, self.user, self.first_day)):
            raise RefusedError("endpoint, bucket, user and from together")
        if self.until and self.until <= self.first_day:
            raise RefusedError("until: a day after from")
        return self


class LogsStore(ExternalStore):
    """A store of logs: a Loki elsewhere, or a bucket for the stack's own."""

    object_store: ObjectStore = Field(
        ObjectStore(),
        alias="objectStore",
        description="Instead of these: where the stack's own Loki keeps lines: {endpoint, bucket, region, user, from,"
        " until, caCertificate}, of an S3 server",
    )

    @model_validator(mode="after")
    def _one_way(self) -> LogsStore:
        if self.configured and self.object_store:
            raise RefusedError("objectStore, for the stack's own Loki, or writeUrl and queryUrl of another; not both")
        return self
