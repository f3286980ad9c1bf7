"""Checks between settings: problems that no single setting shows."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from observability import topology
from observability.names.alert_kinds import WATCHDOG, kinds
from observability.names.uids import FOLDERS
from observability.settings import production
from observability.settings.errors import HIDDEN, one_line, shown
from observability.settings.model import Settings, secrets_of
from observability.settings.parts import CONTAINERS, DEFAULT_LIMITS, DEFAULT_PORTS, DEMO, PUBLISHABLE
from observability.settings.probes import SLO as PROBE_SLO
from observability.settings.secret_rules import (
    GENERATED_SECRETS,
    MINIMUM_SECRET_LENGTH,
    MULTILINE_SECRETS,
    STAND_IN,
    WEAK_SECRETS,
)
from observability.settings.services import WatchedService
from observability.settings.slos import RESERVED_SLOS, SHORTEST_WINDOW
from observability.settings.value_types import MAXIMUM_PORT, loopback, milliseconds, seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import SecretStr

    from observability.settings.slos import Slo
    from observability.settings.stores import ExternalStore

RESERVED_NAMES = (*CONTAINERS, "span-metrics")
"""The stack's own containers and scrape jobs."""
WATCHED_BY_ITSELF = ("grafana", "prometheus", "loki")
"""The stack's own containers that `watchStack` watches as services; a test keeps this equal to `watched.STACK`."""
MOST_EXCLUSIONS = 50
"""Most exclusions of one service: each one is subtracted in every window of its SLOs."""
_BEARER = re.compile(r"[A-Za-z0-9._~+/=:-]+")
"""A bearer token without characters that have a meaning in nginx' configuration."""
_SECRET_KEY = re.compile(r"[!$-&(-:<-~]+")
"""A secret key without characters that have a meaning in a file of credentials: space, ", #, ' and ;."""
_HOUR_MS, _MINUTE_MS = 3_600_000, 60_000
_MOST_LISTED = 12
_DOCKERS_OWN_NETWORKS = ("bridge", "host", "none", "default")
"""Networks in which Docker resolves no container names, and `default`, a Compose file's word for its own network."""
_TOKEN: Final = re.compile(rf"[A-Za-z0-9.:_~+/=-]{{{MINIMUM_SECRET_LENGTH[True]},}}")
"""A token that needs no escaping in a header and in a password file."""


def across(settings: Settings) -> list[str]:
    """Return every problem between settings, one line each."""
    problems: list[str] = []
    problems += [
        f"{field}.{key}: no such {what}; accepted: {', '.join(accepted)}"
        for field, keys, accepted, what in (
            ("ports", settings.ports, tuple(DEFAULT_PORTS), "port"),
            ("addresses", settings.addresses, tuple(DEFAULT_PORTS), "port"),
            ("limits", settings.limits, tuple(DEFAULT_LIMITS), "service"),
        )
        for key in keys
        if key not in accepted
    ]
    problems += _alerts(settings)
    problems += _teams(settings)
    problems += _folders(settings)
    problems += _ports(settings)
    problems += _networks(settings)
    problems += _outside(settings)
    problems += _secrets(settings)
    problems += _services(settings)
    problems += _probes(settings)
    problems += _windows(settings)
    problems += _exclusions(settings)
    problems += _intervals(settings)
    problems += _tls(settings)
    problems += _oauth(settings)
    problems += _external_stores(settings)
    problems += production.problems(settings)
    if settings.smtp_user and settings.smtp_password is None:
        problems.append("smtpPassword: missing; accepted: the password of smtpUser, as a secret")
    if settings.smtp_password is not None and not settings.smtp_host:
        problems.append("smtpHost: ''; accepted: host:port, because smtpPassword is set")
    webhook = urlsplit("" if settings.alert_webhook_url is None else settings.alert_webhook_url.get_secret_value())
    if webhook.scheme == "https" and _is_address(webhook.hostname or ""):
        problems.append(f"alertWebhookUrl: {HIDDEN}; accepted: https with a host name, which its certificate can prove")
    if settings.alert_email and not settings.smtp_host and settings.runs_stack:
        problems.append("smtpHost: ''; accepted: host:port, because alertEmail is set")
    return problems


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _alerts(settings: Settings) -> list[str]:
    problems = [
        f"alerts.{one_line(kind)}: unknown kind of alert; accepted: {', '.join(kinds())}"
        for kind in settings.alerts
        if kind not in kinds()
    ]
    watchdog = settings.alerts.get(WATCHDOG)
    if watchdog is not None and (watchdog.severity or watchdog.pending):
        problems.append(f"alerts.{WATCHDOG}: an object; accepted: enabled alone, because it fires always")
    return problems


def _teams(settings: Settings) -> list[str]:
    """Return the problems of the alerts' receivers. `own_checks` checks contact points in the team's own files."""
    problems = []
    owners: set[str] = set()
    for index, team in enumerate(settings.teams):
        if team.owner in owners:
            problems.append(f"teams[{index}].owner: '{team.owner}'; accepted: an owner that no other team has")
        owners.add(team.owner)
        if team.email and not settings.smtp_host:
            problems.append(f"smtpHost: ''; accepted: host:port, because teams[{index}].email is set")
    if settings.teams and not settings.runs_stack:
        problems.append("teams: set; accepted: none, because deploy is content: the policy there is not this stack's")
    return problems


def _folders(settings: Settings) -> list[str]:
    problems = [
        f"folderTitles.{one_line(uid)}: no such folder; accepted: {', '.join(FOLDERS)}"
        for uid in settings.folder_titles
        if uid not in FOLDERS
    ]
    titles = [settings.folder_titles.get(uid, title) for uid, title in FOLDERS.items()]
    problems += [
        f"folderTitles: {shown(title)} twice; accepted: titles that differ, or Grafana takes them for one folder"
        for title in dict.fromkeys(titles)
        if titles.count(title) > 1
    ]
    return problems


def _ports(settings: Settings) -> list[str]:
    problems = []
    name_by_port: dict[int, str] = {}
    for name in settings.published:
        port = settings.port(name)
        if port > MAXIMUM_PORT:
            problems.append(
                f"portOffset: {settings.port_offset}; accepted: one that keeps {name} at or below {MAXIMUM_PORT}"
            )
        if port in name_by_port:
            problems.append(f"ports.{name}: {port}; accepted: a port of its own ({name_by_port[port]} has this one)")
        name_by_port.setdefault(port, name)
    return problems


def _networks(settings: Settings) -> list[str]:
    """Return the problems of further Docker networks that cannot be joined."""
    own = {f"{settings.prefix}{suffix}" for _, _, suffix in topology.NETWORKS}
    problems = []
    for index, network in enumerate(settings.networks):
        where = f"networks[{index}]: '{network}'; accepted:"
        if network in _DOCKERS_OWN_NETWORKS:
            problems.append(
                f"{where} a network made by docker network create or Docker Compose; in {network} no container has a"
                " name (an application on the Docker host is host.docker.internal)"
            )
        elif network in own:
            problems.append(f"{where} a network of others: the stack's own are joined anyway")
        elif network in settings.networks[:index]:
            problems.append(f"{where} each network once")
    return problems


def _outside(settings: Settings) -> list[str]:
    """Return what is missing for ports that are published outside of the Docker host."""
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
        if settings.otlp_token is None and not settings.otlp_senders and not settings.otlp_client_ca:
            problems.append(
                "otlpToken: missing; accepted: a secret that senders show, or otlpSenders, or otlpClientCaCertificate,"
                " because OTLP is published outside loopback"
            )
    if settings.otlp_token is not None and len(settings.otlp_token.get_secret_value()) < MINIMUM_SECRET_LENGTH[True]:
        problems.append(f"otlpToken: (hidden); accepted: at least {MINIMUM_SECRET_LENGTH[True]} characters")
    return problems + _senders(settings)


def _senders(settings: Settings) -> list[str]:
    """Return the problems of senders with tokens of their own."""
    senders, tokens = settings.otlp_senders, settings.otlp_tokens
    problems = [
        f"otlpTokens.{name}: missing; accepted: the token of a sender in otlpSenders"
        f" (pulumi config set --secret --path otlpTokens.{name})"
        for name in senders
        if name not in tokens
    ]
    problems += [
        f"otlpSenders.{name}: missing; accepted: the services that this sender may send for, because otlpTokens has a"
        " token of it"
        for name in tokens
        if name not in senders
    ]
    if senders and settings.otlp_token is not None:
        problems.append("otlpToken: (hidden); accepted: nothing, because each of otlpSenders has a token of its own")
    problems += [
        f"otlpTokens.{name}: (hidden); accepted: at least {MINIMUM_SECRET_LENGTH[True]} of letters, digits and"
        " . : _ ~ + / = -"
        for name, token in tokens.items()
        if not _TOKEN.fullmatch(token.get_secret_value()) and token.get_secret_value() != STAND_IN
    ]
    reserved = sorted(RESERVED_NAMES)
    problems += [
        f"otlpSenders.{name}[{index}]: '{service}'; accepted: a service that is none of the stack's own:"
        f" {', '.join(reserved)}"
        for name, services in senders.items()
        for index, service in enumerate(services or (name,))
        if service in reserved
    ]
    return problems


def _secrets(settings: Settings) -> list[str]:
    problems = []
    shortest = MINIMUM_SECRET_LENGTH[settings.production]
    for key, value in secrets_of(settings):
        setting = key.partition(".")[0]
        if value is None:
            if settings.production and setting in GENERATED_SECRETS:
                problems.append(
                    f"{key}: missing; accepted: in production, a secret of at least {shortest} characters"
                    f" (pulumi config set --secret {key})"
                )
        elif setting in GENERATED_SECRETS and (
            len(value.get_secret_value()) < shortest or value.get_secret_value().lower() in WEAK_SECRETS
        ):
            problems.append(f"{key}: (hidden); accepted: at least {shortest} characters and not a common password")
        elif not value.get_secret_value():
            problems.append(f"{key}: (hidden); accepted: a secret that is not empty")
        elif setting not in MULTILINE_SECRETS and "\n" in value.get_secret_value():
            problems.append(f"{key}: (hidden); accepted: text without line breaks")
    return problems


def _tls(settings: Settings) -> list[str]:
    if not settings.runs_stack:  # the CA is that of the existing Grafana
        return []
    if not settings.tls_certificate:
        dependants = ("tlsKey", settings.tls_key), ("tlsCaCertificate", settings.tls_ca)
        return [
            f"tlsCertificate: missing; accepted: the certificate, because {key} is set" for key, v in dependants if v
        ]
    if settings.tls_key is None:
        return ["tlsKey: missing; accepted: the key of tlsCertificate, as a secret"]
    from observability.certificates import problems  # noqa: PLC0415 - only where there is one

    key = settings.tls_key.get_secret_value()
    reached = dict.fromkeys((settings.access_host, urlsplit(settings.root_url).hostname or ""))
    problems_ = problems(settings.tls_certificate, None if key == STAND_IN else key, tuple(reached))
    return [f"{setting}: {sentence}" for setting, sentence in problems_]


def _oauth(settings: Settings) -> list[str]:
    if settings.oauth and settings.oauth_client_secret is None and not settings.oauth.use_pkce:
        return ["oauthClientSecret: missing; accepted: the client's secret, because oauth.usePkce is off"]
    if settings.oauth_client_secret is not None and not settings.oauth:
        return [
            "oauth: missing; accepted: an object with clientId, authUrl and tokenUrl, because oauthClientSecret is set"
        ]
    return []


def _external_stores(settings: Settings) -> list[str]:
    """Return the problems of external stores, and of an existing Grafana."""
    problems = []
    stores = (
        ("metrics", settings.metrics, settings.metrics_password),
        ("logs", settings.logs, settings.logs_password),
        ("traces", settings.traces, settings.traces_password),
    )
    for signal, store, password in stores:
        key = f"{signal}Password"
        if store.user and password is None:
            problems.append(f"{key}: missing; accepted: the password of {signal}.user, as a secret")
        if password is not None and not store.configured and not (signal == "logs" and settings.logs.object_store):
            problems.append(f"{signal}.queryUrl: ''; accepted: whom {key} is for, because it is set")
    return problems + (_own_stack(settings) if settings.runs_stack else _only_content(settings))


def _object_store(settings: Settings) -> list[str]:
    """Return what keeps the own Loki from writing to its bucket."""
    secret = settings.logs_password
    if not settings.logs.object_store:
        return []
    if secret is None:
        return ["logsPassword: missing; accepted: the secret key of logs.objectStore.user, as a secret"]
    if not _SECRET_KEY.fullmatch(secret.get_secret_value()):
        return [f"logsPassword: {HIDDEN}; accepted: a secret key: printable characters without spaces, quotes, # and ;"]
    return []


def _own_stack(settings: Settings) -> list[str]:
    problems = []
    if settings.metrics.query_url and not settings.metrics.write_url:
        problems.append(
            "metrics.writeUrl: ''; accepted: where Prometheus sends its copy, because metrics.queryUrl is set"
        )
    problems += _object_store(settings)
    problems += _elsewhere(settings, "logs", settings.logs, settings.logs_password)
    problems += _elsewhere(settings, "traces", settings.traces, settings.traces_password)
    problems += [
        f"deploy: 'stack'; accepted: content, because {key} is set and the stack has a Grafana of its own"
        for key, given in (("grafanaUrl", settings.grafana_url), ("grafanaToken", settings.grafana_token))
        if given
    ]
    return problems


def _elsewhere(settings: Settings, signal: str, store: ExternalStore, password: SecretStr | None) -> list[str]:
    """Return the problems of an external store that is to replace the stack's own."""
    if not store.configured:
        return []
    part = next(part for part in topology.PARTS if part.store is not None and part.store.signal == signal)
    needed = {
        "writeUrl": (store.write_url, "where the collector sends"),
        "queryUrl": (store.query_url, "where it is read"),
    }
    problems = [
        f"{signal}.{key}: ''; accepted: {what}, because {signal} are kept elsewhere and no container has them"
        for key, (url, what) in needed.items()
        if not url
    ]
    problems += [
        f"{signal}.{key}: {shown(url)}; accepted: a URL without $ and ;, which the reading proxy would read as its own"
        for key, (url, _) in needed.items()
        if set(url) & set("$;")
    ]
    read = urlsplit(store.query_url)
    if read.scheme == "https" and _is_address(read.hostname or ""):
        problems.append(
            f"{signal}.queryUrl: {shown(store.query_url)}; accepted: https with a host name, which the certificate can"
            " prove"
        )
    if password is not None and not store.user and not _BEARER.fullmatch(password.get_secret_value()):
        problems.append(
            f"{signal}Password: {HIDDEN}; accepted: without {signal}.user, a token: letters, digits and . _ ~ + / = : -"
        )
    # jaegerRetention is used also then: it limits how far back links search for a trace.
    # Pulumi passes every default as a value, so only a different value shows that a setting was given.
    default = Settings.model_fields["loki_retention"].default
    unused = {
        "lokiRetention": part is topology.LOKI and settings.loki_retention != default,
        f"limits.{part.name}": part.name in settings.limits,
    }
    problems += [
        f"{key}: set; accepted: nothing, because {signal} are kept elsewhere and there is no {part.title} here"
        for key, given in unused.items()
        if given
    ]
    return problems


def _only_content(settings: Settings) -> list[str]:
    """Return the settings that `deploy: content` needs and lacks, and those that only apply to containers."""
    needed = {
        "grafanaUrl": (settings.grafana_url, "the existing Grafana's address"),
        "grafanaToken": (settings.grafana_token, "a service account's token, as a secret"),
        "metrics.queryUrl": (settings.metrics.query_url, "where Grafana reads metrics"),
        "logs.queryUrl": (settings.logs.query_url, "where Grafana reads logs"),
        "traces.queryUrl": (settings.traces.query_url, "where Grafana reads traces"),
    }
    problems = [
        f"{key}: missing; accepted: {what}, because deploy is content"
        for key, (given, what) in needed.items()
        if not given
    ]
    refused = {
        "demo": settings.demo,
        "hostNetwork": settings.host_network,
        "metrics.writeUrl": settings.metrics.write_url,
        "logs.writeUrl": settings.logs.write_url,
        "logs.objectStore": settings.logs.object_store,
        "traces.writeUrl": settings.traces.write_url,
        "remoteWriteReceiver": settings.remote_write_receiver,
        "tlsCertificate": settings.tls_certificate,
        "oauth": settings.oauth,
        "smtpHost": settings.smtp_host,
        "grafanaAdminPassword": settings.grafana_admin_password,
        "grafanaSecretKey": settings.grafana_secret_key,
    }
    problems += [
        f"{key}: set; accepted: nothing, because deploy is content: there is no container that it could be for"
        for key, given in refused.items()
        if given
    ]
    if settings.probes:
        problems.append("probes: set; accepted: none, because deploy is content, and a container makes the probes")
    problems += [
        f"services[{index}].{field}: set; accepted: selector or otlp, because deploy is content, which scrapes nothing"
        for index, service in enumerate(settings.services)
        for field, given in (("targets", service.targets), ("dns", service.dns), ("httpSd", service.http_sd))
        if given
    ]
    return problems


def _services(settings: Settings) -> list[str]:
    problems = []
    reserved = _reserved(settings)
    made: dict[str, str] = {}
    carried: dict[str, str] = {}
    for index, service in enumerate(settings.services):
        where, name = f"services[{index}]", service.name
        if name in reserved:
            problems.append(
                f"{where}.name: '{name}'; accepted: a name that no other service has; the stack's own are"
                f" {', '.join(sorted(reserved))}"
            )
        elif other := next((made[n] for n in resource_names(name) if n in made), None):
            problems.append(
                f"{where}.name: '{name}'; accepted: a name that no other service has, with or without -tickets at its"
                f" end: the groups of alerts of '{other}' are called the same"
            )
        if carried.get(service.telemetry_name, name) != name or (service.service_name in reserved):
            problems.append(
                f"{where}.serviceName: {shown(service.telemetry_name)}; accepted: a name that no other service carries"
            )
        made |= dict.fromkeys(resource_names(name), name)
        carried.setdefault(service.telemetry_name, name)
        problems += _measured(where, service, settings)
        problems += _scrape(where, service, settings)
        problems += _slos(where, service)
    return problems


def _reserved(settings: Settings) -> set[str]:
    """Return the names of the stack's own containers and scrape jobs, which no service may have."""
    return {*RESERVED_NAMES, *settings.containers, *(DEMO if settings.demo else ())}


def _probes(settings: Settings) -> list[str]:
    """Return the problems of the names and secrets of probes, which are services too."""
    made = {made: service.name for service in settings.services for made in resource_names(service.name)}
    made |= {service.telemetry_name: service.name for service in settings.services}
    problems = []
    for index, probe in enumerate(settings.probes):
        where = f"probes[{index}]"
        if probe.name in _reserved(settings) or any(name in made for name in (*resource_names(probe.name), probe.name)):
            problems.append(f"{where}.name: '{probe.name}'; accepted: a name that no other probe and no service has")
        made |= dict.fromkeys(resource_names(probe.name), probe.name)
        problems += _secrets_given(where, probe.secret_names, settings)
    return problems


def _secrets_given(where: str, names: tuple[tuple[str, str], ...], settings: Settings) -> list[str]:
    return [
        f"{where}.{field}: {HIDDEN}; accepted: the name of a secret in scrapeSecrets, set by"
        f" `pulumi config set --secret --path scrapeSecrets.NAME`"
        for field, name in names
        if name not in settings.scrape_secrets
    ]


def resource_names(service: str) -> tuple[str, ...]:
    """Return the names of a service's groups of rules and alerts."""
    return (f"slo-{service}", f"slo-{service}-tickets")


def _measured(where: str, service: WatchedService, settings: Settings) -> list[str]:
    """Return why a service can have no series."""
    if service.otlp or service.scraped or service.selector or settings.remote_write_receiver:
        return []
    there = "targets, dns or httpSd to scrape, otlp: true if it pushes, or the selector of series that come another way"
    return [f"{where}.targets: missing; accepted: what there is to measure: {there}"]


def _scrape(where: str, service: WatchedService, settings: Settings) -> list[str]:
    problems = []
    interval = service.scrape_interval or settings.scrape_interval
    if service.slo_by_name and service.scrape_interval and milliseconds(interval) > _MINUTE_MS:
        problems.append(
            f"{where}.scrapeInterval: '{interval}'; accepted: at most 1m for a service with SLOs, or 5-minute rates"
            " get thin"
        )
    if service.scrape_timeout and milliseconds(service.scrape_timeout) > milliseconds(interval):
        problems.append(
            f"{where}.scrapeTimeout: '{service.scrape_timeout}'; accepted: at most scrapeInterval, {interval}"
        )
    return problems + _secrets_given(where, service.secret_names, settings)


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
        listed = [f"{bound:g}s" for bound in sorted(set(service.buckets))]
        bounds = ", ".join([*listed[:_MOST_LISTED], *(["…"] if len(listed) > _MOST_LISTED else [])])
        problems.append(f"{where}.latency.threshold: '{latency.threshold}'; accepted: one of its buckets, {bounds}")
    return problems


def _each_slo(settings: Settings) -> Iterator[tuple[str, Slo]]:
    """Yield every configured SLO and its path in the configuration."""
    for index, service in enumerate(settings.services):
        named: list[tuple[str, Slo | None]] = [("availability", service.availability), ("latency", service.latency)]
        named += [(f"slos[{number}]", custom) for number, custom in enumerate(service.slos)]
        yield from ((f"services[{index}].{where}", slo) for where, slo in named if slo is not None)
    yield from ((f"probes[{index}]", probe) for index, probe in enumerate(settings.probes))


def _windows(settings: Settings) -> list[str]:
    kept, every = milliseconds(settings.prometheus_retention), milliseconds(settings.rule_interval)
    problems = []
    for where, slo in _each_slo(settings):
        length = milliseconds(slo.length)
        if slo.calendar and length > kept:
            problems.append(
                f"{where}.window: '{slo.window}'; accepted: with prometheusRetention of at least {slo.length}; it is"
                f" {settings.prometheus_retention}"
            )
        elif not milliseconds(SHORTEST_WINDOW) <= length <= kept or length % _HOUR_MS:
            problems.append(
                f"{where}.window: '{slo.window}'; accepted: whole hours, at least {SHORTEST_WINDOW} (the"
                f" alerts look back that far) and at most prometheusRetention, {settings.prometheus_retention}"
            )
        if slo.each is not None and any(x.recurs for x in settings.exclusions):
            problems.append(
                f"{where}.each: beside an exclusion with weekdays; accepted: exclusions that happen once, because what"
                " recurs cannot be left out of the SLOs of single values"
            )
        if slo.time_slice is not None and milliseconds(slo.time_slice.length) % every:
            problems.append(
                f"{where}.timeSlice.length: '{slo.time_slice.length}'; accepted: a multiple of ruleInterval, which is"
                f" {settings.rule_interval}"
            )
    return problems


def _exclusions(settings: Settings) -> list[str]:
    """Return the exclusions of unknown services or SLOs, and services with too many of them."""
    itself = [name for name in WATCHED_BY_ITSELF if settings.watch_stack and name in settings.containers]
    own = [*(DEMO if settings.demo else ()), *itself]
    names = {**dict.fromkeys(own, RESERVED_SLOS), **{s.name: tuple(s.slo_by_name) for s in settings.services}}
    names |= {probe.name: (PROBE_SLO,) for probe in settings.probes}
    problems = []
    for index, exclusion in enumerate(settings.exclusions):
        where = f"exclusions[{index}]"
        problems += [
            f"{where}.services: '{name}'; accepted: names of services: {', '.join(sorted(names))}"
            for name in exclusion.services
            if name not in names
        ]
        slos = sorted({slo for name in exclusion.services or names for slo in names.get(name, ())})
        problems += [
            f"{where}.slos: '{slo}'; accepted: SLOs of these services: {', '.join(slos)}"
            for slo in exclusion.slos
            if slo not in slos
        ]
    if len(settings.exclusions) > MOST_EXCLUSIONS:
        problems.append(
            f"exclusions: {len(settings.exclusions)} of them; accepted: at most {MOST_EXCLUSIONS}; those that ended"
            f" longer ago than an SLO's window change nothing"
        )
    return problems


def _intervals(settings: Settings) -> list[str]:
    if milliseconds(settings.scrape_interval) > milliseconds(settings.rule_interval):
        return [f"ruleInterval: '{settings.rule_interval}'; accepted: from scrapeInterval to 5m"]
    return []
