"""A watched service: how it is scraped, how its series are selected, and its SLOs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import Field, model_validator

from observability.settings.presets import PRESETS
from observability.settings.presets import filled as filled_from_preset
from observability.settings.promql import ErrorStatuses, Selector, looks_like_a_gauge, quoted, selects_one
from observability.settings.slos import RESERVED_SLOS, AvailabilitySlo, CustomSlo, LatencySlo, Slo
from observability.settings.value_types import (
    Accepts,
    Address,
    Boolean,
    Certificate,
    DiscoveryUrl,
    DnsAddress,
    Frozen,
    Host,
    Metric,
    OptionalOwner,
    Path,
    RefusedError,
    check_label,
    check_metric,
    duration,
    matching,
    number,
    one_of,
    text_of_length,
    to_boolean,
    to_text,
)

RESERVED_TARGET_LABELS: Final = ("service", "job", "instance", "le", "quantile", "slo", "stack")
"""Labels that the stack, Prometheus or a histogram sets, so that a service must not."""
RESERVED_SOURCES: Final = ("le", "quantile", "service", "slo", "stack")
"""Labels that tell buckets or services apart, and so describe no request."""
_NAME: Final = r"[a-z][a-z0-9-]{0,38}"
_NAME_TEXT: Final = "1 to 39 lower-case letters, digits and -, the first a letter, like checkout-api"
_LONGEST_TELEMETRY_NAME: Final = 200
_SUFFIXES: Final = ("_bucket", "_count", "_sum", "_total")
_MILLISECONDS: Final = ("_milliseconds", "_millis", "_ms")
_OTHER_UNITS: Final = ("_microseconds", "_micros", "_us", "_nanoseconds", "_nanos", "_ns", "_minutes", "_bytes")

Unit = Literal["seconds", "milliseconds"]
Scheme = Literal["http", "https"]


def _request_counter(value: object) -> str:
    metric = check_metric(value)
    if metric.endswith("_bucket"):
        raise RefusedError(f"a counter of requests, like {metric.removesuffix('_bucket')}_count")
    if metric.endswith("_sum"):
        raise RefusedError(
            f"a counter of requests, like {metric.removesuffix('_sum')}_count; _sum adds up what they took"
        )
    if looks_like_a_gauge(metric):
        raise RefusedError(f"a counter of requests, like http_requests_total; {metric} is named like a gauge")
    return metric


def _histogram(value: object) -> str:
    metric = check_metric(value)
    for suffix in _SUFFIXES:
        if metric.endswith(suffix):
            raise RefusedError(f"the histogram's name without {suffix}: {metric.removesuffix(suffix)}")
    if metric.endswith(_OTHER_UNITS):
        raise RefusedError(f"a histogram in seconds or milliseconds; {metric} is named after another unit")
    return metric


def _target_label(value: object) -> str:
    label = check_label(value)
    if label in RESERVED_TARGET_LABELS:
        reserved = ", ".join(RESERVED_TARGET_LABELS)
        raise RefusedError(f"a label of your own: {reserved} and names that start with __ are set by the stack")
    return label


def _source(value: object) -> str:
    label = check_label(value)
    if label in RESERVED_SOURCES:
        raise RefusedError(f"a label that tells requests apart, like status: none of {', '.join(RESERVED_SOURCES)}")
    return label


def _status(value: object) -> str:
    label = _source(value)
    if label in {"job", "instance"}:
        raise RefusedError(f"the label with the status of a request, like code; {label} says which target was asked")
    return label


def _service_name(value: object) -> str:
    """Return the name.

    Raises:
        RefusedError: only telemetry may have such a name; the message names the setting for it.

    """
    text = to_text(value)
    if re.fullmatch(_NAME, text):
        return text
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    if re.fullmatch(_NAME, plain):
        raise RefusedError(f"{_NAME_TEXT}: name: {plain} with serviceName: '{text}', if its telemetry says so")
    raise ValueError


def _parameter(value: object) -> tuple[str, ...]:
    values = value if isinstance(value, (list, tuple)) else [value]
    if not values:
        raise ValueError
    return tuple(to_text(v) for v in values)


def _telemetry_name(value: object) -> str:
    text = to_text(value)
    if text != text.strip() or len(text) > _LONGEST_TELEMETRY_NAME:
        raise ValueError
    return text


Source = Annotated[str, Accepts("a label's name, like status", _source)]
Status = Annotated[str, Accepts("a label's name, like status", _status)]
TargetLabel = Annotated[str, Accepts("a label's name, like team", _target_label)]
SecretName = Annotated[
    str, matching("the name of a secret in scrapeSecrets, like nodePassword", r"[A-Za-z][A-Za-z0-9_-]{0,62}")
]
Bucket = Annotated[float, number(1e-6, 86_400)]


class MetricNames(Frozen):
    """The service's names for the metrics of the metric contract (docs/reference)."""

    requests: Annotated[str, Accepts("a counter's name, like http_requests_total", _request_counter)] = Field(
        "http_requests_total", description="Counter of requests"
    )
    duration: Annotated[str, Accepts("a histogram's name, like http_request_duration_seconds", _histogram)] = Field(
        "http_request_duration_seconds", description="Histogram of response times: its name without _bucket"
    )
    unit: Annotated[Unit, one_of(*get_args(Unit))] = Field(
        "seconds", description="Unit of the histogram's buckets: seconds or milliseconds"
    )
    in_progress: Metric | None = Field(
        "http_requests_in_progress", alias="inProgress", description="Gauge of requests in progress; null for none"
    )

    @model_validator(mode="after")
    def _has_its_unit(self) -> MetricNames:
        if self.duration.endswith(_MILLISECONDS) and self.unit == "seconds":
            raise RefusedError(f"unit: milliseconds, because {self.duration} is named so")
        if self.duration.endswith("_seconds") and self.unit != "seconds":
            raise RefusedError(f"unit: seconds, because {self.duration} is named so")
        return self


class LabelNames(Frozen):
    """The service's names for the labels of the metric contract; null for a label that it does not have."""

    endpoint: Source | None = Field("endpoint", description="Label with the route of a request; null for none")
    method: Source | None = Field("method", description="Label with the HTTP method; null for none")
    status: Status = Field("status", description="Label with the HTTP status code")

    @model_validator(mode="after")
    def _can_be_renamed(self) -> LabelNames:
        own = {"endpoint": self.endpoint, "method": self.method, "status": self.status}
        sources = [name for name in own.values() if name is not None]
        for name in sources:
            if sources.count(name) > 1:
                raise RefusedError(f"labels with a source each: {name} is given twice; null where the service has none")
        rename_order({contract: name for contract, name in own.items() if name is not None and name != contract})
        return self


def rename_order(renamed: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Order renames (new name to old) so that every label is read before another overwrites it.

    Raises:
        ValueError: the renames form a circle.

    """
    left, ordered = dict(renamed), []
    while left:
        free = [new for new in left if all(new != old for other, old in left.items() if other != new)]
        if not free:
            msg = f"names that are not swapped in a circle, as {', '.join(left)} are: no rule can undo that"
            raise ValueError(msg)
        ordered.append((free[0], left.pop(free[0])))
    return tuple(ordered)


class BasicAuth(Frozen):
    """User name and password for a target."""

    username: Annotated[str, text_of_length(1, 200)] = Field(description="User name")
    password_secret: SecretName = Field(
        alias="passwordSecret", description="Name of the password in the secret setting scrapeSecrets"
    )


class ScrapeTls(Frozen):
    """How a target's certificate is checked, and Prometheus' own client certificate."""

    ca: Certificate = Field("", description="Certificates (PEM) of the authority that signed the target's certificate")
    certificate: Certificate = Field("", description="Client certificate (PEM) that Prometheus shows to the target")
    key_secret: SecretName | None = Field(
        None, alias="keySecret", description="Name of the client certificate's key (PEM) in scrapeSecrets"
    )
    server_name: Host | None = Field(
        None, alias="serverName", description="Name in the target's certificate, where it is not the target's host"
    )
    insecure_skip_verify: Boolean = Field(
        default=False, alias="insecureSkipVerify", description="true does not check the target's certificate"
    )

    @model_validator(mode="after")
    def _whole(self) -> ScrapeTls:
        if bool(self.certificate) != (self.key_secret is not None):
            raise RefusedError("certificate and keySecret together")
        return self


OTLP_METRICS: Mapping[str, Any] = {
    "requests": "http_server_request_duration_seconds_count",
    "duration": "http_server_request_duration_seconds",
    "inProgress": "http_server_active_requests",
}
OTLP_LABELS: Mapping[str, Any] = {
    "endpoint": "http_route",
    "method": "http_request_method",
    "status": "http_response_status_code",
}
OTLP_LATENCY: Mapping[str, Any] = {"threshold": "500ms"}
"""OpenTelemetry's conventions for HTTP servers, with Prometheus' names. The buckets around the threshold are 0.25 s and
0.5 s."""


class WatchedService(Frozen):
    """A watched HTTP service: how to scrape it, how to select its series, and its SLOs.

    With `otlp` it pushes, by OpenTelemetry's conventions, and its series are those whose `service.name` is
    `serviceName`. Without any SLO (`availability: null`, `latency: null`) it is an exporter, which is only scraped.
    """

    name: Annotated[str, Accepts(_NAME_TEXT, _service_name)] = Field(
        description="Name in this stack: of its scrape job, its rules, its alerts and its panels"
    )
    service_name: Annotated[
        str, Accepts("one line of text of at most 200 characters, without spaces around it", _telemetry_name)
    ] = Field(
        "",
        alias="serviceName",
        description="Name that its telemetry carries (service.name, or the label service), like Shop.Checkout;"
        " empty means `name`",
    )
    preset: Annotated[str, one_of(*PRESETS)] | None = Field(
        None, description="Fills in the names and thresholds of a known server or library"
    )
    otlp: Boolean = Field(default=False, description="true: it pushes by OTLP, with OpenTelemetry's names")
    targets: tuple[Address, ...] = Field((), description="Addresses to scrape, host:port")
    dns: tuple[DnsAddress, ...] = Field((), description="DNS names to scrape, name:port; each address is a target")
    http_sd: tuple[DiscoveryUrl, ...] = Field(
        (), alias="httpSd", description="URLs of Prometheus' HTTP service discovery"
    )
    metrics_path: Path = Field("/metrics", alias="metricsPath", description="Path of the metrics")
    params: Mapping[
        Annotated[str, text_of_length(1, 200)],
        Annotated[tuple[str, ...], Accepts("one line of text, or a list of them", _parameter)],
    ] = Field(default_factory=dict, description="Query of each scrape, like {module: [http_2xx]}")
    scheme: Annotated[Scheme, one_of(*get_args(Scheme))] = Field("http", description="http or https")
    scrape_interval: Annotated[str, duration("1s", "2m", unit="1s")] | None = Field(
        None, alias="scrapeInterval", description="Time between two scrapes; empty means the stack's scrapeInterval"
    )
    scrape_timeout: Annotated[str, duration("1s", "2m", unit="1s")] | None = Field(
        None, alias="scrapeTimeout", description="Longest time of one scrape; by default the interval, at most 10s"
    )
    basic_auth: BasicAuth | None = Field(None, alias="basicAuth", description="User name and password of the targets")
    bearer_token_secret: SecretName | None = Field(
        None, alias="bearerTokenSecret", description="Name of the targets' bearer token in scrapeSecrets"
    )
    tls: ScrapeTls | None = Field(None, description="TLS of the targets; needs scheme: https")
    target_labels: Mapping[TargetLabel, Annotated[str, text_of_length(0, 200)]] = Field(
        default_factory=dict, alias="targetLabels", description="Labels that every series of the targets gets"
    )
    honor_labels: Boolean = Field(
        default=True,
        alias="honorLabels",
        description="true: a label of the targets' own series wins over one of the stack's, like service",
    )
    selector: Selector = Field(
        "", description='PromQL matchers of its series; empty means service="…", of one that pushes service_name="…"'
    )
    errors: ErrorStatuses = Field("5..", description="Regular expression (RE2) over the status of requests that failed")
    metrics: MetricNames = Field(MetricNames(), description="Names of its metrics")
    labels: LabelNames = Field(LabelNames(), description="Names of its labels")
    availability: AvailabilitySlo | None = Field(AvailabilitySlo(), description="Availability SLO; null for none")
    latency: LatencySlo | None = Field(LatencySlo(), description="Latency SLO; null for none")
    slos: tuple[CustomSlo, ...] = Field((), description="SLOs of its own")
    buckets: tuple[Bucket, ...] = Field(
        (), description="The histogram's upper bounds in seconds; given, the latency threshold has to be one of them"
    )
    owner: OptionalOwner = Field("", description="Who answers for it; empty means the stack's owner")
    absence_alerts: Boolean = Field(
        default=True,
        alias="absenceAlerts",
        description="false: no alert when the service, a target or its request counters are gone",
    )

    @property
    def slo_by_name(self) -> Mapping[str, Slo]:
        """Every SLO, with its owner, by the value of its label `slo`."""
        built_in = dict(zip(RESERVED_SLOS, (self.availability, self.latency), strict=True))
        named: dict[str, Slo | None] = {**built_in, **{slo.name: slo for slo in self.slos}}
        return {
            name: slo if slo.owner else slo.model_copy(update={"owner": self.owner})
            for name, slo in named.items()
            if slo is not None
        }

    @property
    def telemetry_name(self) -> str:
        """The service's name in its metrics, logs and traces."""
        return self.service_name or self.name

    @property
    def scraped(self) -> bool:
        """Whether Prometheus scrapes it."""
        return bool(self.targets or self.dns or self.http_sd)

    @property
    def counts_requests(self) -> bool:
        """Whether an SLO uses its counter or histogram of requests."""
        return self.availability is not None or self.latency is not None

    @property
    def may_push_native(self) -> bool:
        """Whether its requests are counted by a histogram that may be pushed as an exponential one.

        Prometheus stores such a histogram as a native one, without series `…_count` and `…_bucket`.
        """
        return self.otlp and self.metrics.requests == f"{self.metrics.duration}_count"

    @property
    def matchers(self) -> str:
        """The PromQL matchers that select this service's series."""
        label = "service_name" if self.otlp else "service"
        return self.selector or f"{label}={quoted(self.telemetry_name)}"

    @property
    def secret_names(self) -> tuple[tuple[str, str], ...]:
        """Field and name of every scrape secret that the service refers to."""
        named = (
            ("basicAuth.passwordSecret", self.basic_auth.password_secret if self.basic_auth else None),
            ("bearerTokenSecret", self.bearer_token_secret),
            ("tls.keySecret", self.tls.key_secret if self.tls else None),
        )
        return tuple((field, name) for field, name in named if name is not None)

    @model_validator(mode="before")
    @classmethod
    def _by_convention(cls, fields: Any) -> Any:  # noqa: ANN401 - what pydantic checks next
        if not isinstance(fields, dict):
            return fields
        if fields.get("preset"):
            label = "service_name" if PRESETS.get(str(fields["preset"]).lower(), {}).get("otlp") else "service"
            fields = filled_from_preset(
                fields, f"{label}={quoted(str(fields.get('serviceName') or fields.get('name')))}"
            )
        try:
            pushes = to_boolean(fields.get("otlp", False))
        except ValueError:
            return fields
        if not pushes:
            return fields
        filled: dict[str, Any] = dict(fields)
        for key, usual in {"metrics": OTLP_METRICS, "labels": OTLP_LABELS, "latency": OTLP_LATENCY}.items():
            own: Any = filled.get(key, {})
            if isinstance(own, dict):  # anything else is null, or wrong
                filled[key] = {**usual, **own}
        return filled

    @model_validator(mode="after")
    def _pushed_or_scraped(self) -> WatchedService:
        fields = ("targets", "dns", "http_sd", "params", "scrape_interval", "scrape_timeout", "basic_auth")
        if self.otlp and any(getattr(self, f) for f in (*fields, "bearer_token_secret", "tls")):
            msg = "otlp: false where there is something to scrape (targets, dns, httpSd and their options)"
            raise RefusedError(msg)
        if self.basic_auth and self.bearer_token_secret:
            raise RefusedError("basicAuth or bearerTokenSecret, not both")
        if self.preset == "nginx" and self.counts_requests:
            raise RefusedError("availability and latency: null for nginx, which tells neither status nor duration")
        if self.tls and self.scheme != "https":
            raise RefusedError("scheme: https, because tls is given")
        if self.availability is not None and selects_one(self.selector, self.labels.status):
            raise RefusedError(f"selector without {self.labels.status}: among requests of one status nothing can fail")
        contract = {name for name in (self.labels.endpoint, self.labels.method, self.labels.status) if name}
        if hidden := sorted(contract & set(self.target_labels)):
            raise RefusedError(f"targetLabels without {hidden[0]}, which tells the service's requests apart")
        return self
