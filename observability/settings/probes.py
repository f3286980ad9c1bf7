"""A probe: an address that the blackbox exporter checks regularly, with an SLO on its success."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal, get_args
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from observability import topology
from observability.settings.promql import Regex
from observability.settings.services import BasicAuth, ScrapeTls, SecretName, WatchedService
from observability.settings.slos import CustomSlo, Slo
from observability.settings.value_types import (
    Accepts,
    Address,
    Host,
    Name,
    Objective,
    OptionalExactUrl,
    RefusedError,
    duration,
    milliseconds,
    one_of,
    seconds,
    text_of_length,
    whole,
)

SLO: Final = "probe"
"""Name of a probe's SLO."""
Type = Literal["http", "tcp", "dns", "icmp"]
Method = Literal["GET", "HEAD", "OPTIONS", "POST"]
Record = Literal["A", "AAAA", "CAA", "CNAME", "MX", "NS", "SOA", "SRV", "TXT"]
IpVersion = Literal["4", "6"]
_REDIRECTS: Final = range(300, 400)

_ONLY_OF: Final[dict[str, tuple[Type, ...]]] = {
    "method": ("http",),
    "status": ("http",),
    "contains": ("http",),
    "basic_auth": ("http",),
    "bearer_token_secret": ("http",),
    "tls": ("http", "tcp"),
    "certificate_days": ("http", "tcp"),
    "server": ("dns",),
    "record": ("dns",),
    "answer": ("dns",),
}
"""Fields that only some types of probes accept."""


def _accepts(annotated: object) -> Accepts:
    """Return the converter and check of a type."""
    return next(found for found in get_args(annotated) if isinstance(found, Accepts))


_TARGETS: Final[dict[Type, tuple[Accepts, str]]] = {
    "http": (_accepts(OptionalExactUrl), "a URL, like https://shop.example.org/health"),
    "tcp": (_accepts(Address), "host:port, like shop.example.org:443"),
    "dns": (_accepts(Host), "the name to look up, like shop.example.org"),
    "icmp": (_accepts(Host), "a host name or an IP address, like shop.example.org"),
}


class Probe(Slo):
    """An address that is probed; the SLO is that `objective` percent of the probes succeed over `window`.

    In dashboards and alerts it is a service with this name and the SLO `probe`.
    """

    objective: Objective = Field(99.5, description="Percentage of probes that have to succeed")
    name: Name = Field(description="Name of the probe, and of the service that it is on dashboards and in alerts")
    type: Annotated[Type, one_of(*get_args(Type))] = Field("http", description="http, tcp, dns or icmp (ping)")
    target: Annotated[str, text_of_length(1, 1_000)] = Field(
        description="http: a URL; tcp: host:port; dns: the name to look up; icmp: a host"
    )
    interval: Annotated[str, duration("5s", "1m", unit="1s")] = Field("30s", description="Time between two probes")
    timeout: Annotated[str, duration("1s", "1m", unit="1s")] = Field(
        "5s", description="A probe that takes longer has failed; at most the interval"
    )
    ip_version: Annotated[IpVersion, one_of(*get_args(IpVersion))] = Field(
        "4", alias="ipVersion", description="4 or 6: preferred where the target has addresses of both"
    )
    method: Annotated[Method, one_of(*get_args(Method))] = Field("GET", description="http: method of the request")
    status: tuple[Annotated[int, whole(100, 599)], ...] = Field(
        (), description="http: statuses that are good, like [200, 401]; empty for 200 to 299, redirects followed"
    )
    contains: Regex | None = Field(
        None, description="http: regular expression (RE2) that has to match somewhere in the body"
    )
    basic_auth: BasicAuth | None = Field(
        None, alias="basicAuth", description="http: user name and password that the target asks for"
    )
    bearer_token_secret: SecretName | None = Field(
        None, alias="bearerTokenSecret", description="http: name of the target's bearer token in scrapeSecrets"
    )
    tls: ScrapeTls | None = Field(
        None, description="TLS of an https URL; with type: tcp, {} asks for TLS, which plain tcp does not"
    )
    certificate_days: Annotated[int, whole(1, 365)] | None = Field(
        14, alias="certificateDays", description="Ticket when a certificate expires within so many days; null for none"
    )
    server: Address | None = Field(None, description="dns: the server that is asked, host:port, like 1.1.1.1:53")
    record: Annotated[Record, one_of(*get_args(Record))] = Field("A", description="dns: type of the record")
    answer: Regex | None = Field(
        None, description="dns: regular expression (RE2) that has to match one record; null for any record"
    )

    @property
    def uses_tls(self) -> bool:
        """Whether the target has a certificate."""
        return self.target.startswith("https:") if self.type == "http" else self.tls is not None

    @property
    def follows_redirects(self) -> bool:
        """Whether redirects are followed: not if a redirect's status is expected."""
        return not any(status in _REDIRECTS for status in self.status)

    @property
    def address(self) -> str:
        """The target that the blackbox exporter gets; for dns the name server."""
        return self.server or self.target

    @property
    def secret_names(self) -> tuple[tuple[str, str], ...]:
        """Field and name of every scrape secret that the probe refers to."""
        named = (
            ("basicAuth.passwordSecret", self.basic_auth.password_secret if self.basic_auth else None),
            ("bearerTokenSecret", self.bearer_token_secret),
            ("tls.keySecret", self.tls.key_secret if self.tls else None),
        )
        return tuple((field, name) for field, name in named if name is not None)

    @property
    def service(self) -> WatchedService:
        """The probe as a service that is scraped from the blackbox exporter, with one SLO."""
        promised = {field: getattr(self, field) for field in Slo.model_fields}
        longest = min(seconds(self.timeout) + 1, seconds(self.interval))
        return WatchedService(
            name=self.name,
            targets=(topology.BLACKBOX.address("http"),),
            metrics_path="/probe",
            params={"module": (self.name,), "target": (self.address,)},
            scrape_interval=self.interval,
            scrape_timeout=f"{longest:.0f}s",
            honor_labels=False,
            availability=None,
            latency=None,
            slos=(CustomSlo(name=SLO, gauge=f'probe_success{{service="{self.name}"}}', **promised),),
            owner=self.owner,
            absence_alerts=False,  # one alert for all probes says that they do not run
        )

    @model_validator(mode="after")
    def _whole_probe(self) -> Probe:
        given = self.model_fields_set
        for field, types in _ONLY_OF.items():
            if field in given and self.type not in types:
                name = type(self).model_fields[field].alias or field
                raise RefusedError(f"no {name} with type: {self.type}; it is for {' and '.join(types)} only")
        self._check_target()
        if milliseconds(self.timeout) > milliseconds(self.interval):
            raise RefusedError(f"timeout: at most the interval, {self.interval}")
        if self.type == "dns" and self.server is None:
            raise RefusedError("server, because type is dns: who is asked, like 1.1.1.1:53")
        if self.basic_auth and self.bearer_token_secret:
            raise RefusedError("basicAuth or bearerTokenSecret, not both")
        if self.type == "http" and self.tls and not self.uses_tls:
            raise RefusedError("target: an https URL, because tls is given")
        if "certificate_days" in given and self.certificate_days and not self.uses_tls:
            raise RefusedError("certificateDays: for a target with a certificate: an https URL, or tcp with tls")
        return self

    def _check_target(self) -> None:
        accepts, accepted = _TARGETS[self.type]
        try:
            accepts(self.target)
        except ValueError:
            raise RefusedError(f"target: {accepted}, because type is {self.type}") from None
        if self.type == "http" and "@" in urlsplit(self.target).netloc:
            raise RefusedError("target: a URL without user name and password; use basicAuth with passwordSecret")
        if self.type == "dns" and re.fullmatch(r"[0-9.]+|.*:.*", self.target):
            raise RefusedError("target: the name to look up; the server that is asked is `server`")
