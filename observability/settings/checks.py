"""Problems that need more than one setting to see."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import SecretStr

from observability.settings.model import Settings, field_of, secret_keys
from observability.settings.parts import DEFAULT_LIMITS, DEFAULT_PORTS, DEMO, PUBLISHABLE, SERVICES
from observability.settings.secret_rules import (
    MINIMUM_SECRET_LENGTH,
    MULTILINE_SECRETS,
    OPTIONAL_SECRETS,
    STAND_IN,
    WEAK_SECRETS,
)
from observability.settings.services import WatchedService
from observability.settings.slos import RESERVED_SLOS
from observability.settings.value_types import MAXIMUM_PORT, loopback, milliseconds, seconds

MINIMUM_RETENTION_DAYS = 35
_DAY_MS, _HOUR_MS, _MINUTE_MS = 86_400_000, 3_600_000, 60_000


def across(settings: Settings) -> list[str]:
    """Return the problems that need more than one setting to see."""
    problems: list[str] = []
    problems += [
        f"{field}.{key}: no such {what}; accepted: {', '.join(accepted)}"
        for field, given, accepted, what in (
            ("ports", settings.ports, tuple(DEFAULT_PORTS), "port"),
            ("addresses", settings.addresses, tuple(DEFAULT_PORTS), "port"),
            ("limits", settings.limits, tuple(DEFAULT_LIMITS), "service"),
        )
        for key in given
        if key not in accepted
    ]
    problems += _ports(settings)
    problems += _outside(settings)
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


def _outside(settings: Settings) -> list[str]:
    """Return what is missing before ports are published outside of the Docker host."""
    addresses = {name: settings.published_address(name) for name in settings.published}
    outside = {name: address for name, address in addresses.items() if not loopback(address)}
    problems = []
    if outside and not settings.publish_reason.strip():
        ports = ", ".join(f"{name} is published on {address}" for name, address in outside.items())
        problems.append(f"publishReason: ''; accepted: why others should reach the ports, because {ports}")
    problems += [
        f"addresses.{name}: '{address}'; accepted: an address of loopback, like 127.0.0.1, because it asks for no login"
        for name, address in outside.items()
        if name not in PUBLISHABLE
    ]
    if "grafana" in outside and not (settings.tls_certificate or settings.root_url.startswith("https://")):
        problems.append(
            f"tlsCertificate: missing; accepted: a certificate with tlsKey, or an https address as grafanaRootUrl,"
            f" because Grafana is published on {outside['grafana']} and passwords would go there in plain text"
        )
    if settings.otlp_outside:
        if not settings.tls_certificate:
            problems.append(
                "tlsCertificate: missing; accepted: a certificate with tlsKey, because OTLP is published"
                " outside loopback"
            )
        if settings.otlp_token is None and not settings.otlp_client_ca:
            problems.append(
                "otlpToken: missing; accepted: a secret that senders show, or otlpClientCaCertificate, because OTLP is"
                " published outside loopback"
            )
    if settings.otlp_token is not None and len(settings.otlp_token.get_secret_value()) < MINIMUM_SECRET_LENGTH[True]:
        problems.append(f"otlpToken: (hidden); accepted: at least {MINIMUM_SECRET_LENGTH[True]} characters")
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
    if kept < MINIMUM_RETENTION_DAYS * _DAY_MS:
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
    if loki < _DAY_MS or loki % _HOUR_MS:
        problems.append(f"lokiRetention: '{settings.loki_retention}'; accepted: at least 24h, in whole hours")
    rule, scrape = milliseconds(settings.rule_interval), milliseconds(settings.scrape_interval)
    if scrape > _MINUTE_MS:
        problems.append(
            f"scrapeInterval: '{settings.scrape_interval}'; accepted: at most 1m, or 5-minute rates get thin"
        )
    if not scrape <= rule <= 5 * _MINUTE_MS:
        problems.append(f"ruleInterval: '{settings.rule_interval}'; accepted: from scrapeInterval to 5m")
    return problems
