"""Every setting: its type, default and description."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal, get_args

from pydantic import Field, SecretStr, model_validator

from observability import topology
from observability.names import uids
from observability.names.labels import PROJECT
from observability.settings.alerting import AlertOverride, Thresholds
from observability.settings.exclusions import Exclusion
from observability.settings.parts import (
    DEFAULT_LIMITS,
    DEFAULT_PORTS,
    DEMO_PAGER_URL,
    DEMO_PORTS,
    PORTS,
    Limits,
)
from observability.settings.probes import Probe
from observability.settings.services import SecretName, WatchedService
from observability.settings.stores import ExternalStore, LogsStore, MetricsStore
from observability.settings.value_types import (
    BindAddress,
    Boolean,
    Certificate,
    ClockTime,
    Email,
    Frozen,
    Host,
    OptionalAddress,
    OptionalExactUrl,
    OptionalUrl,
    Origin,
    Owner,
    Port,
    PublishedAddress,
    RefusedError,
    SecretUrl,
    StoreUrl,
    Text,
    TimeZone,
    Weekday,
    duration,
    loopback,
    matching,
    one_of,
    text_of_length,
    whole,
)

LOOPBACK = "127.0.0.1"
Theme = Literal["dark", "light", "system"]
Deploy = Literal["stack", "content"]
StartTls = Literal["OpportunisticStartTLS", "MandatoryStartTLS", "NoStartTLS"]
FeatureToggle = Annotated[str, matching("letters and digits, the first a letter", r"[A-Za-z][A-Za-z0-9]*")]


class QuietHours(Frozen):
    """Hours in which tickets wait: daily from `start` to `end` (on the next day if that is earlier), and `weekdays`."""

    start: ClockTime | None = Field(None, description="When the quiet hours of a day begin")
    end: ClockTime | None = Field(None, description="When they end; on the next day if this is before start")
    weekdays: tuple[Weekday, ...] = Field((), description="Days that are quiet as a whole")
    timezone: TimeZone = Field("UTC", description="Time zone of these hours")

    @model_validator(mode="after")
    def _whole(self) -> QuietHours:
        if (self.start is None) != (self.end is None) or (self.start is not None and self.start == self.end):
            msg = "start and end together, as two different times like 18:00 and 08:00"
            raise RefusedError(msg)
        return self


class Team(Frozen):
    """The receiver of one owner's alerts: pages at once, tickets outside of its quiet hours."""

    owner: Owner = Field(description="The owner of services, SLOs and probes whose alerts it gets")
    email: tuple[Email, ...] = Field((), description="Its addresses, by the stack's mail server")
    contact_point: Annotated[str, text_of_length(0, 200)] = Field(
        "", alias="contactPoint", description="Or the name of a contact point in ownFolder: any kind, any field"
    )
    also_stack: Boolean = Field(
        default=False, alias="alsoStack", description="true: the stack's own contact points get its alerts too"
    )
    quiet_hours: QuietHours = Field(
        QuietHours(), alias="quietHours", description="When its tickets wait, instead of ticketQuietHours"
    )

    @model_validator(mode="after")
    def _one_way(self) -> Team:
        if bool(self.email) == bool(self.contact_point):
            msg = "either email or contactPoint"
            raise RefusedError(msg)
        return self


class OAuth(Frozen):
    """Sign-in with an OAuth 2 or OpenID Connect provider; without `clientId` there is none.

    The client's secret is the setting `oauthClientSecret`.
    """

    name: Annotated[str, text_of_length(1, 64)] = Field(
        "OAuth", description="Name on the button of Grafana's sign-in page"
    )
    client_id: Text = Field("", alias="clientId", description="The client's ID at the provider")
    auth_url: OptionalExactUrl = Field("", alias="authUrl", description="Where people sign in")
    token_url: OptionalExactUrl = Field("", alias="tokenUrl", description="Where Grafana gets the token")
    api_url: OptionalExactUrl = Field("", alias="apiUrl", description="Where Grafana reads a person's profile")
    scopes: tuple[Text, ...] = Field(("openid", "profile", "email"), description="OAuth scopes that are asked for")
    role_attribute_path: Text = Field(
        "",
        alias="roleAttributePath",
        description="JMESPath over the person's profile; gives Admin, Editor or Viewer",
    )
    role_attribute_strict: Boolean = Field(
        default=False, alias="roleAttributeStrict", description="Refuse people for whom roleAttributePath gives no role"
    )
    allowed_domains: tuple[Host, ...] = Field(
        (), alias="allowedDomains", description="Domains of the e-mail addresses that may sign in; empty for all"
    )
    allow_sign_up: Boolean = Field(
        default=True, alias="allowSignUp", description="Let people in who have no account yet"
    )
    auto_login: Boolean = Field(
        default=False, alias="autoLogin", description="Go to the provider without Grafana's own page"
    )
    use_pkce: Boolean = Field(
        default=True, alias="usePkce", description="Use PKCE; without it oauthClientSecret is needed"
    )

    def __bool__(self) -> bool:
        """Return whether a provider is configured."""
        return bool(self.client_id)

    @model_validator(mode="after")
    def _whole(self) -> OAuth:
        needed = (self.client_id, self.auth_url, self.token_url)
        if self.model_fields_set and not all(needed):
            msg = "clientId, authUrl and tokenUrl together"
            raise RefusedError(msg)
        return self


FolderTitle = Annotated[str, text_of_length(1, 100)]
NetworkName = Annotated[str, matching("the name of a Docker network", r"[A-Za-z0-9][A-Za-z0-9_.-]*")]


SenderName = Annotated[str, matching("the name of a sender, like shop", r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")]


class Settings(Frozen):
    """Every setting. The fields' descriptions are the schema in Pulumi.yaml; a test keeps the two equal."""

    stack: str = Field(exclude=True)
    name_prefix: Annotated[str, matching("the start of a Docker name, or empty", r"([A-Za-z0-9][A-Za-z0-9_.-]*)?")] = (
        Field("", exclude=True)
    )
    """Beginning of every name on the Docker host, if a calling program chooses it; empty for project and stack."""
    deploy: Annotated[Deploy, one_of(*get_args(Deploy))] = Field(
        "stack",
        description="stack: every container and Grafana's content; content: no container, only content for the Grafana"
        " at grafanaUrl, over metrics.queryUrl, logs.queryUrl and traces.queryUrl",
    )
    grafana_url: StoreUrl = Field(
        "", alias="grafanaUrl", description="The existing Grafana that gets the content, with deploy: content"
    )
    grafana_token: SecretStr | None = Field(
        None, alias="grafanaToken", description="Secret. Token of a service account there, with the role Admin"
    )
    production: Boolean = Field(default=False, description="Production rules: secrets must be configured and strong")
    protect_data: Boolean = Field(
        default=False, alias="protectData", description="Refuse to delete the data volumes, destroy included"
    )
    bind_address: BindAddress = Field(
        "127.0.0.1", alias="bindAddress", description="Address of the Docker host on which Grafana is published"
    )
    publish_reason: Annotated[str, text_of_length(0, 200)] = Field(
        "",
        alias="publishReason",
        description="Why a port is published outside loopback: required where bindAddress or one of addresses is"
        " another, and a label of the containers",
    )
    access_host: Host = Field(
        "127.0.0.1", alias="accessHost", description="Name or address under which this machine reaches those ports"
    )
    port_offset: Annotated[int, whole(0, 50_000)] = Field(
        0,
        alias="portOffset",
        # From 32768 on, Linux uses ports for outgoing connections.
        description="Added to every port, so that stacks can share a Docker host, up to 16000 safely",
    )
    ports: Mapping[Text, Port] = Field(
        default_factory=dict,
        description="Published ports that differ: grafana, prometheus, loki, jaeger, otlpGrpc, otlpHttp,"
        " containerLogs, collector (its health), remoteWrite, demo, demoPager",
    )
    addresses: Mapping[Text, PublishedAddress] = Field(
        default_factory=dict,
        description="Addresses of the Docker host on which single ports are published, by the names of ports; empty"
        " for not at all. Default: grafana on bindAddress; otlpGrpc, otlpHttp on 127.0.0.1; prometheus, loki, jaeger"
        " (reading requests only) and collector not at all",
    )
    limits: Mapping[Text, Limits] = Field(
        default_factory=dict,
        description="Container limits that differ, by service: {memory: MiB, cpus: cores}",
    )
    docker_socket: Annotated[str, matching("a path that starts with /, without :, or empty", r"(/[^:]+)?")] = Field(
        "/var/run/docker.sock",
        alias="dockerSocket",
        description="The Docker engine's socket on its host, from which the socket proxy reads each container's use;"
        " empty turns this off",
    )
    host_network: Boolean = Field(
        default=False,
        alias="hostNetwork",
        description="Measure the Docker host's network interfaces: the collector then sees the host's /proc/1/net",
    )
    health_interval: Annotated[str, duration("1s", "5m", unit="1s")] = Field(
        "10s", alias="healthInterval", description="Time between two health checks of a container"
    )
    scrape_interval: Annotated[str, duration("1s", "1m", unit="1s", reason=" (longer, 5-minute rates get thin)")] = (
        Field("15s", alias="scrapeInterval", description="Time between two scrapes")
    )
    rule_interval: Annotated[str, duration("1s", "5m", unit="1s")] = Field(
        "1m", alias="ruleInterval", description="Time between two evaluations of the recording rules"
    )
    prometheus_retention: Annotated[str, duration("35d", "10y", unit="1h")] = Field(
        "40d", alias="prometheusRetention", description="How long metrics are kept, at least 35d"
    )
    prometheus_retention_size: Annotated[
        str,
        matching(
            "a whole number with MB, GB or TB, like 20GB, at least 100MB",
            r"([1-9][0-9]{2,8}MB)|([1-9][0-9]{0,5}GB)|([1-9][0-9]{0,2}TB)",
        ),
    ] = Field("20GB", alias="prometheusRetentionSize", description="Size limit of the metrics, like 20GB")
    remote_write_receiver: Boolean = Field(
        default=False,
        alias="remoteWriteReceiver",
        description="Accept metrics that other programs write (remote write)",
    )
    metrics: MetricsStore = Field(
        MetricsStore(),
        description="Metrics kept elsewhere: {mode, writeUrl, queryUrl, tenant, user, caCertificate}; empty for this"
        " stack's Prometheus alone",
    )
    metrics_password: SecretStr | None = Field(
        None, alias="metricsPassword", description="Secret. Password of metrics.user, or a bearer token without one"
    )
    logs: LogsStore = Field(
        LogsStore(),
        description="Logs kept elsewhere: {writeUrl, queryUrl, tenant, user, caCertificate}, of a Loki; or"
        " {objectStore} for this stack's own; empty for its volume. With deploy: content, queryUrl alone",
    )
    logs_password: SecretStr | None = Field(
        None,
        alias="logsPassword",
        description="Secret. Password of logs.user, or a bearer token without one; of logs.objectStore, the secret key",
    )
    traces: ExternalStore = Field(
        ExternalStore(),
        description="Traces kept elsewhere: {writeUrl, queryUrl, tenant, user, caCertificate}; written by OTLP over"
        " HTTP, read by Jaeger's API; empty for this stack's own Jaeger. With deploy: content, queryUrl alone",
    )
    traces_password: SecretStr | None = Field(
        None, alias="tracesPassword", description="Secret. Password of traces.user, or a bearer token without one"
    )
    redaction: Boolean = Field(
        default=True,
        description="Mask passwords, tokens and keys in log lines and in attributes of spans, points and records",
    )
    cors_origins: tuple[Origin, ...] = Field(
        (),
        alias="corsOrigins",
        description="Origins of web pages that may push to OTLP/HTTP, like https://shop.example.org",
    )
    networks: tuple[NetworkName, ...] = Field(
        (),
        description="Docker networks that Prometheus and the collector join besides the stack's own, already there",
    )
    loki_retention: Annotated[str, duration("24h", "10y", unit="1h")] = Field(
        "31d", alias="lokiRetention", description="How long logs are kept, at least 24h, in whole hours"
    )
    jaeger_retention: Annotated[str, duration("1h", "1y", unit="1s")] = Field(
        "72h", alias="jaegerRetention", description="How long traces are kept, and how far back links look for one"
    )
    grafana_root_url: OptionalUrl = Field(
        "", alias="grafanaRootUrl", description="The address people type; empty means the published one"
    )
    grafana_admin_user: Annotated[str, matching("1 to 64 letters, digits and . _ @ -", r"[A-Za-z0-9._@-]{1,64}")] = (
        Field("admin", alias="grafanaAdminUser", description="Grafana's administrator")
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
        description="CA certificate (PEM) that signed tlsCertificate, if machines do not trust it already",
    )
    otlp_token: SecretStr | None = Field(
        None, alias="otlpToken", description="Secret. Bearer token of senders that reach OTLP from outside the host"
    )
    otlp_senders: Mapping[SenderName, tuple[Annotated[str, text_of_length(1, 200)], ...]] = Field(
        default_factory=dict,
        alias="otlpSenders",
        description="Instead of otlpToken: senders outside the host by name, each with the services (service.name) that"
        " it may send for, like {shop: [checkout, cart]}; [] means its own name",
    )
    otlp_tokens: Mapping[SenderName, SecretStr] = Field(
        default_factory=dict,
        alias="otlpTokens",
        description="Secret. The token of each of otlpSenders, by its name: the password of basic authentication",
    )
    otlp_client_ca: Certificate = Field(
        "",
        alias="otlpClientCaCertificate",
        description="CA certificate (PEM) of those senders' client certificates, beside or instead of otlpToken",
    )
    oauth: OAuth = Field(
        OAuth(),
        description="Single sign-on by OAuth 2 or OpenID Connect: {clientId, authUrl, tokenUrl, apiUrl, …}",
    )
    oauth_client_secret: SecretStr | None = Field(
        None, alias="oauthClientSecret", description="Secret. The client's secret at that provider"
    )
    grafana_theme: Annotated[Theme, one_of(*get_args(Theme))] = Field(
        "dark", alias="grafanaTheme", description="Default theme: dark, light or system"
    )
    grafana_public_dashboards: Boolean = Field(
        default=False,
        alias="grafanaPublicDashboards",
        description="Let people publish dashboards and snapshots without sign-in",
    )
    grafana_feature_toggles: tuple[FeatureToggle, ...] = Field(
        (), alias="grafanaFeatureToggles", description="Grafana feature toggles to turn on"
    )
    dashboards_editable: Boolean = Field(
        default=False, alias="dashboardsEditable", description="Dashboards can be edited in Grafana (development)"
    )
    smtp_host: OptionalAddress = Field(
        "", alias="smtpHost", description="Mail server as host:port; empty turns mail off"
    )
    smtp_user: Text = Field("", alias="smtpUser", description="User name at the mail server")
    smtp_password: SecretStr | None = Field(
        None, alias="smtpPassword", description="Secret. Password at the mail server"
    )
    smtp_from: Email = Field("grafana@localhost.localdomain", alias="smtpFrom", description="Sender of Grafana's mails")
    smtp_start_tls: Annotated[StartTls, one_of(*get_args(StartTls))] = Field(
        "MandatoryStartTLS",
        alias="smtpStartTls",
        description="STARTTLS policy: OpportunisticStartTLS, MandatoryStartTLS or NoStartTLS",
    )
    owner: Owner = Field("platform", description="Owner of the stack, and of every service without an owner of its own")
    alert_email: tuple[Email, ...] = Field(
        (), alias="alertEmail", description="Addresses that get pages and tickets, by the stack's mail server"
    )
    alert_webhook_url: SecretUrl | None = Field(
        None,
        alias="alertWebhookUrl",
        description="Secret. Address that gets pages, tickets and the dead man's switch as JSON; plain text is accepted"
        " outside production",
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
        description="PagerDuty's events endpoint, empty for https://events.pagerduty.com/v2/enqueue",
    )
    ticket_quiet_hours: QuietHours = Field(
        QuietHours(),
        alias="ticketQuietHours",
        description="When tickets wait, pages never do: {start, end, weekdays, timezone}",
    )
    teams: tuple[Team, ...] = Field(
        (),
        description="Who gets an owner's alerts instead of the stack's contact points: {owner, email, contactPoint, …}",
    )
    folder_titles: Mapping[Text, FolderTitle] = Field(
        default_factory=dict,
        alias="folderTitles",
        description="Titles of Grafana's folders that differ, by UID: ml-platform, infrastructure, executive",
    )
    home_dashboard: Annotated[str, matching("a dashboard's UID", r"[A-Za-z0-9_-]{1,40}")] = Field(
        uids.HOME, alias="homeDashboard", description="UID of the dashboard that opens first, yours too"
    )
    alerts: Mapping[Text, AlertOverride] = Field(
        default_factory=dict,
        description="Alerts that differ, by kind: {enabled, severity, pending}; see docs/reference/alerts.md",
    )
    thresholds: Thresholds = Field(
        Thresholds(),
        description="Limits of alerts, and those at which panels change colour: {diskFreeGib, budgetLowPercent, …}",
    )
    runbook_base_url: OptionalUrl = Field(
        "", alias="runbookBaseUrl", description="Where docs/runbooks is published; empty means the copy in Grafana"
    )
    watch_stack: Boolean = Field(
        default=True,
        alias="watchStack",
        description="Watch Grafana, Prometheus and Loki as services with SLOs too",
    )
    demo: Boolean = Field(
        default=False,
        description="Run and watch the demo: an inference gateway with customers, faults on demand and a pager",
    )
    demo_rate: Annotated[int, whole(1, 1_000)] = Field(
        5, alias="demoRate", description="The demo's requests per second at the busiest hour"
    )
    scrape_secrets: Mapping[SecretName, SecretStr] = Field(
        default_factory=dict,
        alias="scrapeSecrets",
        description="Secret. Passwords, tokens and keys of the services' targets, by the name that a service gives",
    )
    services: tuple[WatchedService, ...] = Field(
        (), description="The services to watch; the fields of one: docs/reference/settings.md"
    )
    probes: tuple[Probe, ...] = Field(
        (),
        description="Addresses to try from outside, each with an SLO: {name, type: http|tcp|dns|icmp, target, …}; any"
        " adds the blackbox exporter to the stack",
    )
    own_folder: Annotated[str, text_of_length(0, 1_000)] = Field(
        "",
        alias="ownFolder",
        description="Folder of your own scrape jobs, rules, dashboards, data sources, contact points; relative to the"
        " program or absolute; empty means own/, if it is there",
    )
    own_secrets: Mapping[SecretName, SecretStr] = Field(
        default_factory=dict,
        alias="ownSecrets",
        description="Secret. What the files in ownFolder refer to as ${secret:name}, by name",
    )
    own_dashboards_strict: Boolean = Field(
        default=False,
        alias="ownDashboardsStrict",
        description="Refuse dashboards in ownFolder that lack titles, descriptions or units, instead of a warning",
    )
    exclusions: tuple[Exclusion, ...] = Field(
        (), description="Times that count for no SLO: {start, end, reason, weekdays, services, slos}"
    )

    @property
    def prefix(self) -> str:
        """Beginning of every name on the Docker host."""
        return self.name_prefix or f"{PROJECT}-{self.stack}"

    def port(self, name: str) -> int:
        """Return the published port of `name` (a key of DEFAULT_PORTS)."""
        return self.ports.get(name, DEFAULT_PORTS[name] + self.port_offset)

    @property
    def parts(self) -> tuple[topology.Part, ...]:
        """The parts that this stack runs, without the demo."""
        if not self.runs_stack:
            return ()
        every = (*topology.PARTS, *topology.OPTIONAL)
        return tuple(part for part in every if not part.requires or getattr(self, part.requires))

    @property
    def configured_names(self) -> tuple[str, ...]:
        """Names of the configured services and probes, and so of their scrape jobs."""
        return (*(service.name for service in self.services), *(probe.name for probe in self.probes))

    @property
    def containers(self) -> tuple[str, ...]:
        """Names of the containers that this stack runs."""
        return tuple(part.name for part in self.parts)

    @property
    def runs_stack(self) -> bool:
        """Whether the stack has containers; otherwise it is only content in an existing Grafana."""
        return self.deploy == "stack"

    @property
    def scraped(self) -> tuple[str, ...]:
        """The parts of this stack with metrics about themselves."""
        return tuple(part.name for part in self.parts if part.metrics is not None)

    @property
    def with_data(self) -> tuple[str, ...]:
        """The parts of this stack with a data volume, which a backup copies."""
        return tuple(part.name for part in self.parts if part.data)

    @property
    def keeps_logs(self) -> bool:
        """Whether this stack has a Loki of its own."""
        return self.runs_stack and not self.logs.configured

    @property
    def logs_in_bucket(self) -> bool:
        """Whether this stack's Loki keeps lines in an object store."""
        return self.runs_stack and bool(self.logs.object_store)

    @property
    def keeps_traces(self) -> bool:
        """Whether this stack has a Jaeger of its own."""
        return self.runs_stack and not self.traces.configured

    @property
    def metrics_copied(self) -> bool:
        """Whether Prometheus sends a copy of all samples to an external store."""
        return self.runs_stack and bool(self.metrics.write_url)

    def published_address(self, name: str) -> str:
        """Return the address of the Docker host on which port `name` is published, "" if it is not."""
        port = PORTS[name]
        if not self.runs_stack:
            return ""
        if port.publish == "engine":
            return LOOPBACK
        if (port.requires and not getattr(self, port.requires)) or (name in DEMO_PORTS and not self.demo):
            return ""
        defaults = {"bindAddress": self.bind_address, "loopback": LOOPBACK, "never": ""}
        return self.addresses.get(name, defaults[port.publish])

    @property
    def published(self) -> tuple[str, ...]:
        """The keys of DEFAULT_PORTS that this stack publishes."""
        return tuple(name for name in DEFAULT_PORTS if self.published_address(name))

    @property
    def otlp_outside(self) -> bool:
        """Whether senders outside of the Docker host reach the collector, which then authenticates them."""
        addresses = (self.published_address(name) for name in ("otlpGrpc", "otlpHttp"))
        return any(address and not loopback(address) for address in addresses)

    @property
    def webhook(self) -> SecretStr | None:
        """URL that gets notifications as JSON: the configured one, else the demo's pager, else None."""
        return self.alert_webhook_url or (SecretStr(DEMO_PAGER_URL) if self.demo else None)

    def limit(self, service: str) -> Limits:
        """Return the limits of one of the stack's containers."""
        return self.limits.get(service, DEFAULT_LIMITS[service])

    def address(self, name: str) -> str:
        """Return the URL, without a trailing slash, by which this machine reaches the published port `name`."""
        host = f"[{self.access_host}]" if ":" in self.access_host else self.access_host
        secure = (name == "grafana" and self.tls_certificate) or (name.startswith("otlp") and self.otlp_outside)
        scheme = "https" if secure else "http"
        return f"{scheme}://{host}:{self.port(name)}"

    @property
    def root_url(self) -> str:
        """The URL that Grafana uses in links to itself, with a trailing slash."""
        own = self.address("grafana") if self.runs_stack else self.grafana_url
        return self.grafana_root_url or own + "/"


def field_of(key: str) -> str | None:
    """Return the name of the Settings field for a configuration key, None if there is none."""
    return next((n for n, f in Settings.model_fields.items() if (f.alias or n) == key and not f.exclude), None)


def secret_keys() -> tuple[str, ...]:
    """Return the configuration keys of secrets."""
    return tuple(f.alias or n for n, f in Settings.model_fields.items() if "SecretStr" in str(f.annotation))


def secrets_of(settings: Settings) -> Iterator[tuple[str, SecretStr | None]]:
    """Yield key and value of every secret, None if it is not configured; secrets of an object by `key.name`."""
    for key in secret_keys():
        value = getattr(settings, field_of(key) or key)
        if isinstance(value, Mapping):
            yield from ((f"{key}.{name}", secret) for name, secret in value.items())
        else:
            yield key, value
