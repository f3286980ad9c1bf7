"""Prometheus' configuration: retention, rule files and scrape jobs."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import yaml

from observability import endpoints, own, topology
from observability.configs import span_metrics
from observability.configs.process import WGET, OwnText, Process, ScrapeSecret, Secret, SettingSecret, restarting
from observability.configs.target_client import TargetClient
from observability.names.paths import CONFIG, SECRETS
from observability.settings import seconds
from observability.text import dump, to_yaml
from observability.watched import applications

if TYPE_CHECKING:
    from observability.settings import Settings, WatchedService

DATA = topology.PROMETHEUS.data
FILE = f"{CONFIG}/prometheus.yml"
RULES = f"{CONFIG}/rules"
OWN_JOBS_FILE = f"{SECRETS}/own-scrape.yml"
CA_FILE = f"{CONFIG}/grafana-ca.crt"
LATE = "6h"
METRICS_USER = "prometheus"
"""User name with which Prometheus scrapes Grafana's metrics."""
METRICS_PASSWORD_FILE = f"{SECRETS}/grafana-metrics-password"
STORE_CA_FILE = f"{CONFIG}/metrics-store-ca.crt"
STORE_PASSWORD_FILE = f"{SECRETS}/metrics-store-password"
COPY = "copy"
"""Name of the remote write that sends a copy of all samples."""
COPY_SHARDS, COPY_BUFFER = 10, 10_000
"""Concurrent requests of the copy, and samples in memory for each: about 20 MiB. More samples wait in the WAL."""

_CLIENT = TargetClient("scrape")

_GROUPS = "groups:\n"
_GROUP_NAME = re.compile(r"^- name: (.+)$", re.MULTILINE)

SAMPLE_LIMIT = 50_000
"""Limits of one target. Beyond them the whole scrape fails, so that one target cannot fill Prometheus' memory."""
SCRAPE_LIMITS = {
    "sample_limit": SAMPLE_LIMIT,
    "target_limit": 500,
    "label_limit": 64,
    "label_name_length_limit": 256,
    "label_value_length_limit": 2_048,
    "body_size_limit": "64MB",
}

# Keeps the discovery's labels of a target on its series, so that people can filter by them.
_KEEP_DISCOVERY_LABELS = {"action": "labelmap", "regex": "__meta_(dns_name|docker_container_label_.+|http_sd_.+)"}

PROMOTED = ["service.name", "service.namespace", "service.version", "deployment.environment.name", "container.name"]
"""Attributes of who sent a point that become labels of its series; the others are in `target_info`."""
MOST_EXEMPLARS = 100_000

RUNTIME_LABELS = "collector_instance_id|otel_scope_.+|telemetry_.+|process_.+|os_.+"
"""Labels that the scrape job of span metrics drops."""


def command(settings: Settings) -> tuple[str, ...]:
    """Return Prometheus's command line (retention is in the file)."""
    flags = [
        f"--config.file={FILE}",
        f"--storage.tsdb.path={DATA}",
        "--enable-feature=exemplar-storage",
        "--web.enable-otlp-receiver",
        "--web.console.libraries=",
        "--web.console.templates=",
        # Listens in the network `backends` only, not in the applications' network, where it scrapes.
        f"--web.listen-address={topology.PROMETHEUS.local('http')}",
        f"--web.listen-address={topology.LISTEN_NAMES[topology.PROMETHEUS.name]}:{topology.PROMETHEUS.port('http')}",
        # Refuses requests of web pages of other origins.
        "--web.cors.origin=^$",
    ]
    if settings.remote_write_receiver:
        flags.append("--web.enable-remote-write-receiver")
    return tuple(flags)


def process(settings: Settings, rules: Mapping[str, str]) -> Process:
    """Return Prometheus' process, whose files promtool checks; `rules` are the rule files, name to text."""
    own_files = files(settings)
    return Process(
        command=command(settings),
        files={**own_files, **{f"{RULES}/{file}": text for file, text in rules.items()}},
        uploads={**own_files, f"{RULES}/rules.yml": joined(rules)},
        checker=("/bin/promtool", "check", "config", FILE),
        secrets={METRICS_PASSWORD_FILE: "metrics_password", **_scrape_secrets(settings), **_store_secrets(settings)},
        health=restarting(*WGET, f"http://{topology.PROMETHEUS.local('http')}/-/ready"),
        health_interval=settings.health_interval,
    )


def joined(rules: Mapping[str, str]) -> str:
    """Return one rule file with all groups; of two groups with the same name, the second gets its file's name added.

    Args:
        rules: name to text, as `observability.text.dump` writes groups whose first field is their name.

    """
    taken: set[str] = set()

    def groups(file: str, text: str) -> str:
        def unique(match: re.Match[str]) -> str:
            name = match[1]
            if name in taken:
                name = json.dumps(f"{yaml.safe_load(name)} ({file.removesuffix('.yml')})")
            taken.add(name)
            return f"- name: {name}"

        return _GROUP_NAME.sub(unique, text.removeprefix(_GROUPS))

    return _GROUPS + "".join(groups(file, text) for file, text in rules.items())


def files(settings: Settings) -> dict[str, str]:
    """Return Prometheus' files by path, without the rules."""
    return {
        FILE: render(settings),
        **({CA_FILE: settings.tls_ca} if settings.tls_ca else {}),
        **({STORE_CA_FILE: settings.metrics.ca_certificate} if settings.metrics.ca_certificate else {}),
        **_CLIENT.certificates(applications(settings)),
    }


def _scrape_secrets(settings: Settings) -> dict[str, Secret]:
    """Return the file of every secret of a service's targets, and that of the team's own jobs with secrets, by path."""
    names = (name for service in applications(settings) for _, name in service.secret_names)
    found: dict[str, Secret] = {_CLIENT.secret_file(name): ScrapeSecret(name) for name in names}
    if jobs := _own_jobs_with_secrets(settings):
        found[OWN_JOBS_FILE] = OwnText(dump({"scrape_configs": jobs}), yaml=True)
    return found


def _own_jobs_with_secrets(settings: Settings) -> list[dict[str, Any]]:
    """Return the team's own jobs with secrets, as a file that only Prometheus can read."""
    return [scrape.job for scrape in own.read(settings).scrapes if scrape.secret]


def _store_secrets(settings: Settings) -> dict[str, Secret]:
    endpoint = endpoints.metrics_copy(settings)
    return {STORE_PASSWORD_FILE: SettingSecret("metrics_password")} if endpoint and endpoint.secret else {}


def _remote_write(settings: Settings) -> dict[str, Any]:
    """Return the remote write that sends a copy of all samples, nothing without an external store.

    Samples wait in the write-ahead log, of which Prometheus keeps the last two to three hours. A request that is
    answered with 429 or 5xx is repeated; any other 4xx is final, and its samples are missing in the copy.
    """
    endpoint = endpoints.metrics_copy(settings)
    if endpoint is None:
        return {}
    client: dict[str, Any] = {"name": COPY, "url": endpoint.url}
    if endpoint.tenant:
        client["headers"] = {"X-Scope-OrgID": endpoint.tenant}
    if endpoint.secret and endpoint.user:
        client["basic_auth"] = {"username": endpoint.user, "password_file": STORE_PASSWORD_FILE}
    elif endpoint.secret:
        client["authorization"] = {"type": "Bearer", "credentials_file": STORE_PASSWORD_FILE}
    if endpoint.ca_certificate:
        client["tls_config"] = {"ca_file": STORE_CA_FILE}
    client |= {
        "send_exemplars": True,
        "send_native_histograms": True,
        "queue_config": {
            "max_shards": COPY_SHARDS,
            "capacity": COPY_BUFFER,
            "max_samples_per_send": COPY_BUFFER // 5,
            "retry_on_http_429": True,
        },
    }
    return {"remote_write": [client]}


def render(settings: Settings) -> str:
    """Return prometheus.yml."""
    return to_yaml(
        "prometheus",
        {
            "global": {
                "scrape_interval": settings.scrape_interval,
                "scrape_timeout": min(settings.scrape_interval, "10s", key=seconds),
                "evaluation_interval": settings.rule_interval,
                # Dotted names get underscores, as pushed ones do: targets are asked for names with underscores.
                "metric_name_escaping_scheme": "underscores",
                # Labels of the copy only. With a tenant of its own, a stack's series need no other name there.
                **({} if settings.metrics.tenant else {"external_labels": {"stack": settings.stack}}),
            },
            "storage": {
                "tsdb": {
                    "retention": {
                        "time": settings.prometheus_retention,
                        "size": settings.prometheus_retention_size,
                    },
                    # Points that waited in the collector are older than those that arrived meanwhile.
                    "out_of_order_time_window": LATE,
                },
                "exemplars": {"max_exemplars": MOST_EXEMPLARS},
            },
            "otlp": {
                "promote_resource_attributes": PROMOTED,
            },
            **_remote_write(settings),
            "rule_files": [f"{RULES}/*.yml"],
            **({"scrape_config_files": [OWN_JOBS_FILE]} if _own_jobs_with_secrets(settings) else {}),
            "scrape_configs": [
                *_stack_jobs(settings),
                *jobs(settings),
            ],
        },
    )


def jobs(settings: Settings) -> list[dict[str, Any]]:
    """Return the scrape jobs of services and probes, and those of the team's own that hold no secret."""
    instances = {probe.name: probe.target for probe in settings.probes}
    return [
        *(_job(service, instances.get(service.name, "")) for service in applications(settings) if not service.otlp),
        *(scrape.job for scrape in own.read(settings).scrapes if not scrape.secret),
    ]


def _stack_jobs(settings: Settings) -> list[dict[str, Any]]:
    return [
        # The first job, with an address that never changes.
        _static(topology.PROMETHEUS.name, f"localhost:{topology.PROMETHEUS.port('http')}"),
        *(_stack_job(part, settings) for part in settings.parts if part.metrics and part is not topology.PROMETHEUS),
        # Series about other services, which `service_name` names. Labels that describe their runtime, or change with
        # every restart, would only make more series.
        _static("span-metrics", span_metrics.counted_by(settings).address(span_metrics.PORT))
        | {"metric_relabel_configs": [{"action": "labeldrop", "regex": RUNTIME_LABELS}]},
    ]


def _stack_job(part: topology.Part, settings: Settings) -> dict[str, Any]:
    job = _static(part.name, part.address(part.metrics.port if part.metrics else "http"))
    if part is not topology.GRAFANA:
        return job
    job["basic_auth"] = {"username": METRICS_USER, "password_file": METRICS_PASSWORD_FILE}
    return job | (_grafana_tls(settings) if settings.tls_certificate else {})


def _grafana_tls(settings: Settings) -> dict[str, Any]:
    # The certificate is issued for the name by which Grafana is reached from outside.
    tls = {"server_name": settings.access_host} | ({"ca_file": CA_FILE} if settings.tls_ca else {})
    return {"scheme": "https", "tls_config": tls}


def _static(name: str, target: str) -> dict[str, Any]:
    return {
        "job_name": name,
        "static_configs": [{"targets": [target], "labels": {"service": name}}],
    }


def _job(service: WatchedService, instance: str = "") -> dict[str, Any]:
    """Return a service's job; `instance` is the label of its series if they do not describe the scraped target."""
    labels = {"service": service.telemetry_name, **service.target_labels}
    job: dict[str, Any] = {
        "job_name": service.name,
        "metrics_path": service.metrics_path,
        "scheme": service.scheme,
        "honor_labels": service.honor_labels,  # true: the metric contract's own `service` label wins
        **SCRAPE_LIMITS,
    }
    job |= _scrape_options(service)
    if service.latency is not None and service.latency.histogram == "native":
        # Both kinds: percentiles of the rules, and buckets with exemplars, are classic.
        job |= {"scrape_native_histograms": True, "always_scrape_classic_histograms": True}
    if service.targets:
        job["static_configs"] = [{"targets": list(service.targets), "labels": labels}]
    if service.dns:
        job["dns_sd_configs"] = [
            {"names": [host], "type": "A", "port": int(port)}
            for host, port in (address.rsplit(":", 1) for address in service.dns)
        ]
    if service.http_sd:
        job["http_sd_configs"] = [{"url": url} for url in service.http_sd]
    job["relabel_configs"] = [
        _KEEP_DISCOVERY_LABELS,
        *({"target_label": name, "replacement": value.replace("$", "$$")} for name, value in sorted(labels.items())),
        *([{"target_label": "instance", "replacement": instance.replace("$", "$$")}] if instance else []),
    ]
    return job


def _scrape_options(service: WatchedService) -> dict[str, Any]:
    """Return a service's own scrape options; its secrets are read from files."""
    options: dict[str, Any] = {}
    if service.scrape_interval:
        options["scrape_interval"] = service.scrape_interval
    if service.scrape_timeout:
        options["scrape_timeout"] = service.scrape_timeout
    if service.params:
        options["params"] = {name: list(values) for name, values in service.params.items()}
    options |= _CLIENT.login(service)
    if service.tls:
        options["tls_config"] = _CLIENT.tls(service)
    return options
