"""The settings: read, checked and frozen once. Nothing else in the program reads configuration.

`Pulumi.<stack>.yaml` gives raw values; `load` turns them into a `Settings` or raises one `SettingsError` that lists
every problem (setting, value given, what is accepted). Nothing is created before it returns. Secrets are `SecretStr`:
neither `repr` nor an error ever shows one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import promql_parser
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)

PROJECT = "observability"
SERVICES = ("grafana", "prometheus", "loki", "jaeger", "collector")
"""The stack's own services: the names of their containers, volumes and limits."""
ENGINE_FILTER = "engine-filter"
"""Stands between the collector and the Docker engine's socket; not there where `dockerSocket` is empty."""
CONTAINERS = (*SERVICES, ENGINE_FILTER)
"""Every container that a stack may run."""
DEMO = ("inference-gateway", "inference-model", "demo-load", "demo-pager")
"""The containers of the demo, which is watched and no part of the stack."""
DEMO_PAGER_URL = "http://demo-pager:8000/"
DEMO_PORTS = ("demo", "demoPager")

MINIMUM_RETENTION_DAYS = 35
MAXIMUM_PORT = 65_535
ALL_PERCENT = 100
OPTIONAL_SECRETS = frozenset({"smtpPassword", "alertSlackUrl", "alertPagerdutyKey", "tlsKey", "oauthClientSecret"})
"""Given by somebody else, as long or short as they are; never required, never generated."""
MULTILINE_SECRETS = frozenset({"tlsKey"})
STAND_IN = "https://stand-in-for-a-secret-0123456789/"
"""What stands for a secret where the configuration is read without its passphrase. Some of them are URLs."""
WEAK_SECRETS = frozenset({"admin", "password", "changeme", "secret", "grafana", "prom-operator", "letmein"})
MINIMUM_SECRET_LENGTH = {False: 8, True: 16}
"""Shortest accepted secret, by whether the stack is production."""

_DURATION = re.compile(r"^(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$")
_DURATION_MS = (86_400_000, 3_600_000, 60_000, 1_000, 1)


def milliseconds(duration: str) -> int:
    """Return a Prometheus duration (`30d`, `1h30m`, `300ms`) in milliseconds; ValueError when it is not one."""
    match = _DURATION.match(duration)
    if not duration or match is None:
        msg = "a duration like 300ms, 15s, 5m, 1h or 30d"
        raise ValueError(msg)
    return sum(int(n) * unit for n, unit in zip(match.groups(default="0"), _DURATION_MS, strict=True))


def seconds(duration: str) -> float:
    """Return a Prometheus duration in seconds."""
    return milliseconds(duration) / 1000


def _duration(value: str) -> str:
    if milliseconds(value) <= 0:
        msg = "a duration above zero, like 300ms, 15s, 5m, 1h or 30d"
        raise ValueError(msg)
    return value


def _exact_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        msg = "a URL with its scheme, like https://grafana.example.org/"
        raise ValueError(msg)
    return value


def _url(value: str) -> str:
    return _exact_url(value).rstrip("/") + "/"


def _optional_exact_url(value: str) -> str:
    return _exact_url(value) if value else ""


def _secret_url(value: SecretStr) -> SecretStr:
    _exact_url(value.get_secret_value())
    return value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        msg = "a time zone's name, like Europe/Berlin"
        raise ValueError(msg) from None
    return value


def _optional_url(value: str) -> str:
    return _url(value) if value else ""


def _certificate(value: str) -> str:
    if not value:
        return value
    from observability.certificates import certificates  # noqa: PLC0415 - only where there is one

    try:
        certificates(value)
    except ValueError:
        msg = "one or more certificates as PEM, -----BEGIN CERTIFICATE----- and so on"
        raise ValueError(msg) from None
    return value.strip() + "\n"


def _selector(value: str) -> str:
    try:
        promql_parser.parse(f"up{{{value}}}")
    except ValueError as error:
        msg = f'PromQL label matchers, like service="checkout" ({str(error).splitlines()[0]})'
        raise ValueError(msg) from None
    return value


def _events(value: str) -> str:
    try:
        vector = _is_vector(promql_parser.parse(value))
    except ValueError as error:
        msg = f"PromQL for events per second, like sum(rate(orders_total[5m])) ({str(error).splitlines()[0]})"
        raise ValueError(msg) from None
    if not vector:
        msg = "PromQL that gives an instant vector: a counter like orders_total, or its rate"
        raise ValueError(msg)
    return value.strip()


def _is_vector(expr: promql_parser.Expr) -> bool:
    if isinstance(expr, (promql_parser.ParenExpr, promql_parser.UnaryExpr)):
        return _is_vector(expr.expr)
    if isinstance(expr, promql_parser.BinaryExpr):
        return _is_vector(expr.lhs) or _is_vector(expr.rhs)
    if isinstance(expr, promql_parser.Call):
        return bool(expr.func.return_type == promql_parser.ValueType.Vector)
    return isinstance(expr, (promql_parser.VectorSelector, promql_parser.AggregateExpr))


def _address(value: str) -> str:
    if (
        not re.fullmatch(r"(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+):\d{1,5}", value)
        or not 0 < int(value.rsplit(":", 1)[1]) <= MAXIMUM_PORT
    ):
        msg = "host:port, like checkout:8000"
        raise ValueError(msg)
    return value


def _optional_address(value: str) -> str:
    return _address(value) if value else ""


def _objective(value: float | str) -> float | str:
    if isinstance(value, (int, float)) and not 0 < value < ALL_PERCENT:
        msg = "a percentage above 0 and below 100, like 99.5"
        raise ValueError(msg)
    return value


Duration = Annotated[str, AfterValidator(_duration)]
Url = Annotated[str, AfterValidator(_url)]
Selector = Annotated[str, AfterValidator(_selector)]
Address = Annotated[str, AfterValidator(_address)]
OptionalUrl = Annotated[str, AfterValidator(_optional_url)]
OptionalAddress = Annotated[str, AfterValidator(_optional_address)]
OptionalExactUrl = Annotated[str, AfterValidator(_optional_exact_url)]
SecretUrl = Annotated[SecretStr, AfterValidator(_secret_url)]
Certificate = Annotated[str, AfterValidator(_certificate)]
Email = Annotated[str, Field(pattern=r"^[^@\s,;<>]+@[^@\s,;<>]+$")]
Owner = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._@#/-]{0,63}$")]
OptionalOwner = Annotated[str, Field(pattern=r"^([A-Za-z0-9][A-Za-z0-9 ._@#/-]{0,63})?$")]
ClockTime = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
Objective = Annotated[float, BeforeValidator(_objective)]
Events = Annotated[str, AfterValidator(_events)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,38}$")]
Metric = Annotated[str, Field(pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]*$")]
Label = Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$")]
Port = Annotated[int, Field(ge=1, le=65535)]


class _Frozen(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, populate_by_name=True, defer_build=True
    )


class Slo(_Frozen):
    """A promise: `objective` percent of events are good over `window`.

    `alerting` off keeps the numbers and leaves the alerts out. `owner` is who answers for it, empty means the
    service's; `runbook` is where that person reads on, empty means this repository's.
    """

    objective: Objective
    window: Duration = "30d"
    alerting: bool = True
    owner: OptionalOwner = ""
    runbook: OptionalExactUrl = ""


class AvailabilitySlo(Slo):
    """Good: requests that do not fail."""

    objective: Objective = 99.5


class LatencySlo(Slo):
    """Good: requests answered within `threshold`.

    A classic histogram needs a bucket at exactly the threshold. A native one does not, and interpolates within the
    bucket that holds it.
    """

    objective: Objective = 99.0
    threshold: Duration = "300ms"
    histogram: Literal["classic", "native"] = "classic"
    window: Duration = "7d"


class CustomSlo(Slo):
    """Good: what `good` counts of `total`.

    Each is a counter's selector, which gets its 5-minute rate, or any other PromQL that gives events per second, such
    as a recorded series (known by the colon in its name).
    """

    name: Name
    good: Events
    total: Events


class MetricNames(_Frozen):
    """What the service calls the metrics of the contract; `duration` is the histogram's base name."""

    requests: Metric = "http_requests_total"
    duration: Metric = "http_request_duration_seconds"
    in_progress: Metric | None = Field("http_requests_in_progress", alias="inProgress")


class LabelNames(_Frozen):
    """What the service calls the labels of the contract; null where it has none."""

    endpoint: Label | None = "endpoint"
    method: Label | None = "method"
    status: Label = "status"

    @model_validator(mode="after")
    def _can_be_renamed(self) -> LabelNames:
        own = {"endpoint": self.endpoint, "method": self.method, "status": self.status}
        rename_order({contract: name for contract, name in own.items() if name is not None and name != contract})
        return self


def rename_order(renamed: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Order renames (new name to old) so that every label is read before another overwrites it.

    Raises ValueError for a circle.
    """
    left, ordered = dict(renamed), []
    while left:
        free = [new for new in left if all(new != old for other, old in left.items() if other != new)]
        if not free:
            msg = f"names that are not swapped in a circle, as {', '.join(left)} are: no rule can undo that"
            raise ValueError(msg)
        ordered.append((free[0], left.pop(free[0])))
    return tuple(ordered)


RESERVED_SLOS = ("availability", "latency")

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
"""OpenTelemetry's conventions for HTTP servers, as they are called in Prometheus. Its buckets: 0.25 s, then 0.5 s."""


class WatchedService(_Frozen):
    """One HTTP service to watch: how to scrape it, how to select its series, what it promises.

    `otlp` is one that pushes: its series are those whose `service.name` is `name`, by OpenTelemetry's conventions.
    """

    name: Name
    otlp: bool = False
    targets: tuple[Address, ...] = ()
    dns: tuple[Address, ...] = ()
    http_sd: tuple[Url, ...] = Field((), alias="httpSd")
    metrics_path: Annotated[str, Field(pattern=r"^/")] = Field("/metrics", alias="metricsPath")
    scheme: Literal["http", "https"] = "http"
    target_labels: Mapping[Label, str] = Field(default_factory=dict, alias="targetLabels")
    selector: Selector = ""
    errors: Annotated[str, Field(min_length=1)] = "5.."
    metrics: MetricNames = MetricNames()
    labels: LabelNames = LabelNames()
    availability: AvailabilitySlo | None = AvailabilitySlo()
    latency: LatencySlo | None = LatencySlo()
    slos: tuple[CustomSlo, ...] = ()
    buckets: tuple[Annotated[float, Field(gt=0)], ...] = ()
    """The histogram's upper bounds in seconds; given, the latency threshold has to be one of them."""
    owner: OptionalOwner = ""

    @property
    def promises(self) -> Mapping[str, Slo]:
        """Every SLO by the value of its `slo` label, each with its owner."""
        built_in = dict(zip(RESERVED_SLOS, (self.availability, self.latency), strict=True))
        named: dict[str, Slo | None] = {**built_in, **{slo.name: slo for slo in self.slos}}
        return {
            name: slo if slo.owner else slo.model_copy(update={"owner": self.owner})
            for name, slo in named.items()
            if slo is not None
        }

    @property
    def matchers(self) -> str:
        """The PromQL matchers that select this service's series."""
        return self.selector or f'service="{self.name}"'

    @model_validator(mode="before")
    @classmethod
    def _by_convention(cls, given: Any) -> Any:  # noqa: ANN401 - what pydantic checks next
        if not isinstance(given, dict) or given.get("otlp") is not True:
            return given
        conventions = {"metrics": OTLP_METRICS, "labels": OTLP_LABELS, "latency": OTLP_LATENCY}
        filled: dict[str, Any] = {"selector": f"service_name={json.dumps(given.get('name'))}"} | given
        for key, usual in conventions.items():
            own: Any = filled.get(key, {})
            if isinstance(own, dict):  # anything else is null, or wrong
                filled[key] = {**usual, **own}
        return filled

    @model_validator(mode="after")
    def _pushed_or_scraped(self) -> WatchedService:
        if self.otlp and (self.targets or self.dns or self.http_sd):
            msg = "otlp: false where there is something to scrape (targets, dns, httpSd)"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _regex(self) -> WatchedService:
        try:
            re.compile(self.errors)
        except re.error:
            msg = "errors: a regular expression over the status label, like 5.."
            raise ValueError(msg) from None
        return self


class QuietHours(_Frozen):
    """When tickets wait: every day from `start` to `end` (past midnight when it is the earlier one), and `weekdays`."""

    start: ClockTime | None = None
    end: ClockTime | None = None
    weekdays: tuple[Weekday, ...] = ()
    timezone: Annotated[str, AfterValidator(_zone)] = "UTC"

    @model_validator(mode="after")
    def _whole(self) -> QuietHours:
        if (self.start is None) != (self.end is None) or (self.start is not None and self.start == self.end):
            msg = "start and end together, as two different times like 18:00 and 08:00"
            raise ValueError(msg)
        return self


class OAuth(_Frozen):
    """Sign-in through an OAuth 2 or OpenID Connect provider; its secret is `oauthClientSecret`. Empty is none.

    `role_attribute_path` is a JMESPath over what the provider tells of a person, which gives Admin, Editor or Viewer.
    """

    name: Annotated[str, Field(min_length=1, max_length=64)] = "OAuth"
    client_id: str = Field("", alias="clientId")
    auth_url: OptionalExactUrl = Field("", alias="authUrl")
    token_url: OptionalExactUrl = Field("", alias="tokenUrl")
    api_url: OptionalExactUrl = Field("", alias="apiUrl")
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    role_attribute_path: str = Field("", alias="roleAttributePath")
    role_attribute_strict: bool = Field(default=False, alias="roleAttributeStrict")
    allowed_domains: tuple[str, ...] = Field((), alias="allowedDomains")
    allow_sign_up: bool = Field(default=True, alias="allowSignUp")
    auto_login: bool = Field(default=False, alias="autoLogin")
    use_pkce: bool = Field(default=True, alias="usePkce")

    def __bool__(self) -> bool:
        """Tell whether there is one."""
        return bool(self.client_id)

    @model_validator(mode="after")
    def _whole(self) -> OAuth:
        needed = (self.client_id, self.auth_url, self.token_url)
        if self.model_fields_set and not all(needed):
            msg = "clientId, authUrl and tokenUrl together"
            raise ValueError(msg)
        return self


class Limits(_Frozen):
    """What one container may use: `memory` in MiB, `cpus` in cores."""

    memory: Annotated[int, Field(ge=64, le=1_048_576)]
    cpus: Annotated[float, Field(gt=0, le=256)]


DEFAULT_LIMITS: dict[str, Limits] = {
    # An engine refuses more cores than it has, so the defaults fit the smallest host.
    "grafana": Limits(memory=768, cpus=1),
    "prometheus": Limits(memory=1024, cpus=1),
    "loki": Limits(memory=1024, cpus=1),
    "jaeger": Limits(memory=1024, cpus=1),
    "collector": Limits(memory=512, cpus=1),
    ENGINE_FILTER: Limits(memory=64, cpus=0.25),
    "inference-gateway": Limits(memory=256, cpus=1),
    "inference-model": Limits(memory=512, cpus=1),
    "demo-load": Limits(memory=256, cpus=0.5),
    "demo-pager": Limits(memory=128, cpus=0.25),
}
DEFAULT_PORTS: dict[str, int] = {
    "grafana": 3000,
    "prometheus": 9090,
    "loki": 3100,
    "jaeger": 16686,
    "otlpGrpc": 4317,
    "otlpHttp": 4318,
    "containerLogs": 4324,
    "collector": 13133,
    "demo": 8000,
    "demoPager": 8001,
}


class Settings(_Frozen):
    """Everything configurable. Field descriptions are the schema in Pulumi.yaml; a test keeps the two equal."""

    stack: str = Field(exclude=True)
    production: bool = Field(default=False, description="Production rules: secrets must be configured and strong")
    protect_data: bool = Field(
        default=False, alias="protectData", description="Refuse to delete the data volumes, destroy included"
    )
    bind_address: Annotated[str, Field(pattern=r"^[0-9a-fA-F:.]+$")] = Field(
        "127.0.0.1", alias="bindAddress", description="Address of the Docker host on which ports are published"
    )
    publish_reason: Annotated[str, Field(max_length=200, pattern=r"^[^\r\n]*$")] = Field(
        "",
        alias="publishReason",
        description="Why ports are published outside loopback: required where bindAddress is another, "
        "and a label of the containers",
    )
    access_host: Annotated[str, Field(pattern=r"^[A-Za-z0-9.:_-]+$")] = Field(
        "127.0.0.1", alias="accessHost", description="Name or address under which this machine reaches those ports"
    )
    port_offset: Annotated[int, Field(ge=0, le=50_000)] = Field(
        0,
        alias="portOffset",
        # Linux hands out ports from 32768 on to outgoing connections.
        description="Added to every port, so that stacks can share a Docker host, up to 16000 safely",
    )
    ports: Mapping[str, Port] = Field(
        default_factory=dict,
        description="Published ports that differ: grafana, prometheus, loki, jaeger, otlpGrpc, otlpHttp,"
        " containerLogs, collector (its health), demo, demoPager",
    )
    limits: Mapping[str, Limits] = Field(
        default_factory=dict,
        description="Container limits that differ, by service: {memory: MiB, cpus: cores}",
    )
    docker_socket: Annotated[str, Field(pattern=r"^(/[^:]+)?$")] = Field(
        "/var/run/docker.sock",
        alias="dockerSocket",
        description="The Docker engine's socket on its host, asked for each container's use through a filter that only"
        " lets reading calls through; empty for not at all",
    )
    health_interval: Duration = Field(
        "10s", alias="healthInterval", description="Time between two health checks of a container"
    )
    scrape_interval: Duration = Field("15s", alias="scrapeInterval", description="Time between two scrapes")
    rule_interval: Duration = Field(
        "1m", alias="ruleInterval", description="Time between two evaluations of the recording rules"
    )
    prometheus_retention: Duration = Field(
        "40d", alias="prometheusRetention", description="How long metrics are kept, at least 35d"
    )
    prometheus_retention_size: Annotated[str, Field(pattern=r"^[1-9][0-9]*(MB|GB|TB)$")] = Field(
        "20GB", alias="prometheusRetentionSize", description="Size limit of the metrics, like 20GB"
    )
    remote_write_receiver: bool = Field(
        default=False, alias="remoteWriteReceiver", description="Let others write to Prometheus (remote write)"
    )
    loki_retention: Duration = Field(
        "31d", alias="lokiRetention", description="How long logs are kept, at least 24h, in whole hours"
    )
    jaeger_retention: Duration = Field("72h", alias="jaegerRetention", description="How long traces are kept")
    grafana_root_url: OptionalUrl = Field(
        "", alias="grafanaRootUrl", description="The address people type; empty means the published one"
    )
    grafana_admin_user: Annotated[str, Field(pattern=r"^[A-Za-z0-9._@-]{1,64}$")] = Field(
        "admin", alias="grafanaAdminUser", description="Grafana's administrator"
    )
    grafana_admin_password: SecretStr | None = Field(
        None, alias="grafanaAdminPassword", description="Secret. Their password; generated when empty"
    )
    grafana_secret_key: SecretStr | None = Field(
        None, alias="grafanaSecretKey", description="Secret. Encrypts what Grafana stores; generated when empty"
    )
    tls_certificate: Certificate = Field(
        "",
        alias="tlsCertificate",
        description="Grafana's certificate as PEM, with those between it and its authority; empty for plain HTTP",
    )
    tls_key: SecretStr | None = Field(None, alias="tlsKey", description="Secret. The certificate's private key as PEM")
    tls_ca: Certificate = Field(
        "",
        alias="tlsCaCertificate",
        description="Who vouches for the certificate, as PEM, where it is nobody that machines know anyway",
    )
    oauth: OAuth = Field(
        OAuth(),
        description="Single sign-on by OAuth 2 or OpenID Connect: {clientId, authUrl, tokenUrl, apiUrl, …}, see README",
    )
    oauth_client_secret: SecretStr | None = Field(
        None, alias="oauthClientSecret", description="Secret. The client's secret at that provider"
    )
    grafana_theme: Literal["dark", "light", "system"] = Field(
        "dark", alias="grafanaTheme", description="Default theme: dark, light or system"
    )
    grafana_public_dashboards: bool = Field(
        default=False, alias="grafanaPublicDashboards", description="Let people publish dashboards without sign-in"
    )
    grafana_feature_toggles: tuple[Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9]*$")], ...] = Field(
        (), alias="grafanaFeatureToggles", description="Grafana feature toggles to turn on"
    )
    dashboards_editable: bool = Field(
        default=False, alias="dashboardsEditable", description="Dashboards can be edited in Grafana (development)"
    )
    smtp_host: OptionalAddress = Field(
        "", alias="smtpHost", description="Mail server as host:port; empty turns mail off"
    )
    smtp_user: str = Field("", alias="smtpUser", description="User name at the mail server")
    smtp_password: SecretStr | None = Field(
        None, alias="smtpPassword", description="Secret. Password at the mail server"
    )
    smtp_from: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$")] = Field(
        "grafana@localhost.localdomain", alias="smtpFrom", description="Sender of Grafana's mails"
    )
    smtp_start_tls: Literal["OpportunisticStartTLS", "MandatoryStartTLS", "NoStartTLS"] = Field(
        "MandatoryStartTLS",
        alias="smtpStartTls",
        description="STARTTLS policy: OpportunisticStartTLS, MandatoryStartTLS or NoStartTLS",
    )
    owner: Owner = Field("platform", description="Who owns the stack, and every service that names no other owner")
    alert_email: tuple[Email, ...] = Field(
        (), alias="alertEmail", description="Addresses that get pages and tickets, by the stack's mail server"
    )
    alert_webhook_url: OptionalExactUrl = Field(
        "", alias="alertWebhookUrl", description="Gets pages, tickets and the dead man's switch as JSON; empty for none"
    )
    alert_slack_url: SecretUrl | None = Field(
        None, alias="alertSlackUrl", description="Secret. Slack's incoming webhook, for pages and tickets"
    )
    alert_pagerduty_key: SecretStr | None = Field(
        None, alias="alertPagerdutyKey", description="Secret. Integration key of PagerDuty, for pages only"
    )
    alert_pagerduty_url: OptionalExactUrl = Field(
        "",
        alias="alertPagerdutyUrl",
        description="PagerDuty's events endpoint, empty for https://events.pagerduty.com/v2/enqueue; in the EU another",
    )
    ticket_quiet_hours: QuietHours = Field(
        QuietHours(),
        alias="ticketQuietHours",
        description="When tickets wait, pages never do: {start, end, weekdays, timezone}",
    )
    runbook_base_url: OptionalUrl = Field(
        "", alias="runbookBaseUrl", description="Where docs/runbooks is published; empty means the copy in Grafana"
    )
    watch_stack: bool = Field(
        default=True,
        alias="watchStack",
        description="Watch Grafana, Prometheus and Loki as services with SLOs too",
    )
    demo: bool = Field(
        default=False,
        description="Run and watch the demo: an inference gateway with customers, faults on demand and a pager",
    )
    demo_rate: Annotated[int, Field(ge=1, le=1_000)] = Field(
        5, alias="demoRate", description="The demo's requests per second at the busiest hour"
    )
    services: tuple[WatchedService, ...] = Field(
        (), description="The services to watch; see the README for the fields of one"
    )

    @property
    def prefix(self) -> str:
        """Start of every name on the Docker host: project and stack."""
        return f"{PROJECT}-{self.stack}"

    def port(self, name: str) -> int:
        """Return the published port of `name` (a key of DEFAULT_PORTS)."""
        return self.ports.get(name, DEFAULT_PORTS[name] + self.port_offset)

    @property
    def containers(self) -> tuple[str, ...]:
        """The containers that this stack runs."""
        return CONTAINERS if self.docker_socket else SERVICES

    @property
    def published(self) -> tuple[str, ...]:
        """The keys of DEFAULT_PORTS that this stack publishes."""
        return tuple(name for name in DEFAULT_PORTS if self.demo or name not in DEMO_PORTS)

    @property
    def webhook(self) -> str:
        """Who gets notifications as JSON: whoever is configured, else the demo's pager, else nobody ("")."""
        return self.alert_webhook_url or (DEMO_PAGER_URL if self.demo else "")

    def limit(self, service: str) -> Limits:
        """Return the limits of one of the stack's own services."""
        return self.limits.get(service, DEFAULT_LIMITS[service])

    def address(self, name: str) -> str:
        """Return the URL, without a trailing slash, under which this machine reaches the published port `name`."""
        host = f"[{self.access_host}]" if ":" in self.access_host else self.access_host
        scheme = "https" if name == "grafana" and self.tls_certificate else "http"
        return f"{scheme}://{host}:{self.port(name)}"

    @property
    def root_url(self) -> str:
        """Grafana's own idea of its address, with a trailing slash."""
        return self.grafana_root_url or self.address("grafana") + "/"


class SettingsError(ValueError):
    """Every problem of a configuration; `problems` holds one line each."""

    def __init__(self, stack: str, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        count = "1 setting" if len(problems) == 1 else f"{len(problems)} settings"
        lines = "\n".join(f"  - {p}" for p in problems)
        super().__init__(f"{count} of stack '{stack}' cannot be used; nothing was created:\n{lines}")


def field_of(key: str) -> str | None:
    """Return the Settings field behind a configuration key, None when there is none."""
    return next((n for n, f in Settings.model_fields.items() if (f.alias or n) == key and n != "stack"), None)


def secret_keys() -> tuple[str, ...]:
    """Return the configuration keys that hold secrets."""
    return tuple(f.alias or n for n, f in Settings.model_fields.items() if "SecretStr" in str(f.annotation))


def parse_raw(key: str, text: str) -> Any:  # noqa: ANN401 - it is what pydantic checks next
    """Turn Pulumi's text for `key` into a value: JSON where the field is not text, else the text itself."""
    name = field_of(key)
    if name is None or Settings.model_fields[name].annotation is str or key in secret_keys():
        return text
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return (
        text
        if isinstance(value, (int, float))
        and not isinstance(value, bool)
        and "int" not in str(Settings.model_fields[name].annotation)
        else value
    )


def load(stack: str, raw: Mapping[str, str], secret: frozenset[str] = frozenset()) -> Settings:
    """Check the raw configuration of `stack` and freeze it.

    `raw` maps keys without the project's name to Pulumi's text; `secret` names the keys that are stored encrypted.
    An empty secret is one that is not configured.
    Raises SettingsError with every problem found.
    """
    problems: list[str] = []
    raw = {key: text for key, text in raw.items() if text or key not in secret_keys()}
    known = {f.alias or n for n, f in Settings.model_fields.items() if n != "stack"}
    values: dict[str, Any] = {"stack": stack}
    for key in sorted(raw):
        if key not in known:
            problems.append(f"{key}: no such setting; accepted: {_nearest(key, known)}")
        else:
            values[key] = parse_raw(key, raw[key])
    problems += [
        f"{key}: stored in plain text; accepted: a secret, set by `pulumi config set --secret {key}`"
        for key in secret_keys()
        if key in raw and key not in secret
    ]
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,38}", stack):
        problems.append(f"stack name: '{stack}'; accepted: lower-case letters, digits, '.', '_' and '-', at most 39")
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        found = error.errors()
        problems += [_describe(e, values) for e in found]
        # What is wrong by itself is left out, so that what is wrong between settings shows in the same list.
        wrong = {e["loc"][0] for e in found if e["loc"]}
        settings = Settings.model_validate({k: v for k, v in values.items() if k not in wrong})
    problems += _across(settings)
    if problems:
        raise SettingsError(stack, problems)
    return settings


def _nearest(key: str, known: set[str]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - only on the way to an error

    close = get_close_matches(key, known, n=1)
    return f"did you mean {close[0]}?" if close else ", ".join(sorted(known))


_ACCEPTED = {
    "missing": "it must be given",
    "extra_forbidden": "no such field",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_parsing": "a number",
    "string_type": "text",
    "tuple_type": "a list",
    "model_type": "an object with named fields",
    "model_attributes_type": "an object with named fields",
    "mapping_type": "an object with named fields",
    "dict_type": "an object with named fields",
}


def _describe(error: Any, values: Mapping[str, Any]) -> str:  # noqa: ANN401 - pydantic's ErrorDetails
    """Return `setting: value; accepted: …` for one of pydantic's errors, without echoing a secret."""
    path = [p for p in error["loc"] if not (isinstance(p, str) and p.startswith(("function-", "literal[")))]
    where = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path).lstrip(".")
    where = where.removesuffix(".constrained-str")
    kind, context = error["type"], error.get("ctx", {})
    if kind == "string_pattern_mismatch":
        accepted = f"text that matches {context['pattern']}"
    elif kind == "literal_error":
        accepted = str(context["expected"])
    elif kind in {"value_error", "assertion_error"}:
        accepted = str(context["error"])
    else:
        accepted = _ACCEPTED.get(kind) or error["msg"].removeprefix("Input should be ")
    if kind == "missing":
        return f"{where}: missing; accepted: {accepted}"
    shown = "(hidden)" if path and path[0] in secret_keys() else repr(_value_at(values, path))
    return f"{where}: {shown}; accepted: {accepted}"


def _value_at(values: Any, path: Sequence[int | str]) -> Any:  # noqa: ANN401 - walks arbitrary configuration
    for part in path:
        try:
            values = values[part]
        except (KeyError, IndexError, TypeError):
            return values
    return values


def _across(settings: Settings) -> list[str]:
    """Problems that need more than one setting to see."""
    problems: list[str] = []
    problems += [
        f"{field}.{key}: no such {what}; accepted: {', '.join(accepted)}"
        for field, given, accepted, what in (
            ("ports", settings.ports, tuple(DEFAULT_PORTS), "port"),
            ("limits", settings.limits, tuple(DEFAULT_LIMITS), "service"),
        )
        for key in given
        if key not in accepted
    ]
    problems += _ports(settings)
    if not loopback(settings.bind_address) and not settings.publish_reason.strip():
        problems.append(
            f"publishReason: ''; accepted: why others should reach the ports, because bindAddress is"
            f" {settings.bind_address}"
        )
    problems += _secrets(settings)
    problems += _services(settings)
    problems += _retention(settings)
    problems += _tls(settings)
    problems += _oauth(settings)
    if settings.smtp_user and settings.smtp_password is None:
        problems.append("smtpPassword: missing; accepted: the password of smtpUser, as a secret")
    if settings.smtp_password is not None and not settings.smtp_host:
        problems.append("smtpHost: ''; accepted: host:port, because smtpPassword is set")
    if settings.alert_email and not settings.smtp_host:
        problems.append("smtpHost: ''; accepted: host:port, because alertEmail is set")
    return problems


def loopback(address: str) -> bool:
    """Say whether only the host itself reaches what is published on `address`."""
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def _ports(settings: Settings) -> list[str]:
    problems = []
    taken: dict[int, str] = {}
    for name in settings.published:
        port = settings.port(name)
        if port > MAXIMUM_PORT:
            problems.append(
                f"portOffset: {settings.port_offset}; accepted: one that keeps {name} at or below {MAXIMUM_PORT}"
            )
        if port in taken:
            problems.append(f"ports.{name}: {port}; accepted: a port of its own ({taken[port]} has this one)")
        taken.setdefault(port, name)
    return problems


def _secrets(settings: Settings) -> list[str]:
    problems = []
    shortest = MINIMUM_SECRET_LENGTH[settings.production]
    for key in secret_keys():
        name = field_of(key)
        value: SecretStr | None = getattr(settings, name) if name else None
        if value is None:
            if settings.production and key not in OPTIONAL_SECRETS:
                problems.append(
                    f"{key}: missing; accepted: in production, a secret of at least {shortest} characters"
                    f" (pulumi config set --secret {key})"
                )
        elif key not in OPTIONAL_SECRETS and (
            len(value.get_secret_value()) < shortest or value.get_secret_value().lower() in WEAK_SECRETS
        ):
            problems.append(f"{key}: (hidden); accepted: at least {shortest} characters and not a common password")
        elif key not in MULTILINE_SECRETS and "\n" in value.get_secret_value():
            problems.append(f"{key}: (hidden); accepted: text without line breaks")
    return problems


def _tls(settings: Settings) -> list[str]:
    if not settings.tls_certificate:
        given = ("tlsKey", settings.tls_key), ("tlsCaCertificate", settings.tls_ca)
        return [f"tlsCertificate: missing; accepted: the certificate, because {key} is set" for key, v in given if v]
    if settings.tls_key is None:
        return ["tlsKey: missing; accepted: the key of tlsCertificate, as a secret"]
    from observability.certificates import problems  # noqa: PLC0415 - only where there is one

    key = settings.tls_key.get_secret_value()
    reached = dict.fromkeys((settings.access_host, urlsplit(settings.root_url).hostname or ""))
    found = problems(settings.tls_certificate, None if key == STAND_IN else key, tuple(reached))
    return [f"{setting}: {sentence}" for setting, sentence in found]


def _oauth(settings: Settings) -> list[str]:
    if settings.oauth and settings.oauth_client_secret is None and not settings.oauth.use_pkce:
        return ["oauthClientSecret: missing; accepted: the client's secret, because oauth.usePkce is off"]
    if settings.oauth_client_secret is not None and not settings.oauth:
        return ["oauth: {}; accepted: {clientId, authUrl, tokenUrl}, because oauthClientSecret is set"]
    return []


def _services(settings: Settings) -> list[str]:
    problems = []
    seen: set[str] = {*(SERVICES if settings.watch_stack else ()), *(DEMO if settings.demo else ())}
    for index, service in enumerate(settings.services):
        if service.name in seen:
            problems.append(f"services[{index}].name: '{service.name}'; accepted: a name that no other service has")
        seen.add(service.name)
        problems += _slos(f"services[{index}]", service)
    return problems


def _slos(where: str, service: WatchedService) -> list[str]:
    problems = []
    seen = set(RESERVED_SLOS)
    for index, slo in enumerate(service.slos):
        if slo.name in seen:
            problems.append(f"{where}.slos[{index}].name: '{slo.name}'; accepted: a name that no other SLO here has")
        seen.add(slo.name)
    latency = service.latency
    if (
        latency is not None
        and latency.histogram == "classic"
        and service.buckets
        and seconds(latency.threshold) not in service.buckets
    ):
        bounds = ", ".join(f"{bound:g}s" for bound in sorted(service.buckets))
        problems.append(f"{where}.latency.threshold: '{latency.threshold}'; accepted: one of its buckets, {bounds}")
    return problems


def _retention(settings: Settings) -> list[str]:
    problems = []
    kept = milliseconds(settings.prometheus_retention)
    if kept < MINIMUM_RETENTION_DAYS * _DURATION_MS[0]:
        problems.append(
            f"prometheusRetention: '{settings.prometheus_retention}'; accepted: at least {MINIMUM_RETENTION_DAYS}d"
        )
    problems += [
        f"services[{index}].{where}.window: '{slo.window}'; accepted: at most prometheusRetention,"
        f" {settings.prometheus_retention}"
        for index, service in enumerate(settings.services)
        for where, slo in (
            ("availability", service.availability),
            ("latency", service.latency),
            *((f"slos[{number}]", custom) for number, custom in enumerate(service.slos)),
        )
        if slo is not None and milliseconds(slo.window) > kept
    ]
    loki = milliseconds(settings.loki_retention)
    if loki < _DURATION_MS[0] or loki % _DURATION_MS[1]:
        problems.append(f"lokiRetention: '{settings.loki_retention}'; accepted: at least 24h, in whole hours")
    rule, scrape = milliseconds(settings.rule_interval), milliseconds(settings.scrape_interval)
    if scrape > _DURATION_MS[2]:
        problems.append(
            f"scrapeInterval: '{settings.scrape_interval}'; accepted: at most 1m, or 5-minute rates get thin"
        )
    if not scrape <= rule <= 5 * _DURATION_MS[2]:
        problems.append(f"ruleInterval: '{settings.rule_interval}'; accepted: from scrapeInterval to 5m")
    return problems
