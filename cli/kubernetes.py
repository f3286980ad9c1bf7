"""The same rules, dashboards, alerts and links as objects of Kubernetes, beside kube-prometheus-stack.

What a sidecar gives Grafana as provisioning files, Grafana expands: a `$` of ours is written as `$$` there, but for
annotations and queries of alerts, which it takes as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any, Final

import yaml

from cli.errors import UsageError
from dashboards.catalogue import dashboards, own_folders, titles
from observability import alerts, endpoints, own, rules, topology
from observability.alerts.links import alert_annotations
from observability.alerts.model import Alert, AlertGroup, OwnAlert
from observability.alerts.queries import CONDITION, queries
from observability.configs import prometheus
from observability.configs.correlations import CorrelationSpec, correlations
from observability.configs.datasources import DataSourceSpec, datasources
from observability.names.labels import PROJECT
from observability.settings import Settings
from observability.settings.stores import ExternalStore, MetricsStore
from observability.text import dump

VALUES: Final = "values.yaml"
KUSTOMIZATION: Final = "kustomization.yaml"
_JOBS_KEY: Final = "scrape.yaml"
_FOLDER_ANNOTATION: Final = "grafana_folder"
_OPERATED: Final = "http://prometheus-operated:9090"
"""The Service that the operator makes for every Prometheus, in its namespace."""
_LONGEST_NAME: Final = 200
_ONLY_BY_UP: Final = (
    "grafana_groups", "sources", "correlations", "contact_points", "mute_timings", "templates", "routes", "collector",
    "grafana"
)  # fmt: skip
"""What the team's own content may have that is not rendered here."""

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Object = Mapping[str, Any]


def files(settings: Settings) -> dict[str, str]:
    """Return the objects to apply, the kustomization that lists them, and values for kube-prometheus-stack.

    Raises:
        UsageError: a scrape job needs secrets or certificates, which these files do not hold.

    """
    _check_scrapes(settings)
    view = _in_a_cluster(settings)
    jobs = prometheus.jobs(settings.model_copy(update={"demo": False, "probes": ()}))
    objects = dict(_objects(view, jobs))
    written = {path: dump(document) for path, document in objects.items()}
    written[KUSTOMIZATION] = dump(
        {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": list(objects),
        }
    )
    written[VALUES] = dump(_values(view, scrapes=bool(jobs)))
    return written


def left_out(settings: Settings) -> tuple[str, ...]:
    """Return the settings whose effect is not in these files, by name."""
    content = own.read(settings)
    given = {
        "demo": settings.demo,
        "probes": settings.probes,
        "teams": settings.teams,
        "alertEmail": settings.alert_email,
        "alertWebhookUrl": settings.alert_webhook_url,
        "alertSlackUrl": settings.alert_slack_url,
        "alertPagerdutyKey": settings.alert_pagerduty_key,
        **{f"ownFolder ({kind.replace('_', ' ')})": getattr(content, kind) for kind in _ONLY_BY_UP},
    }
    return tuple(name for name, value in given.items() if value)


def _check_scrapes(settings: Settings) -> None:
    for index, service in enumerate(settings.services):
        if service.secret_names or service.tls:
            msg = (
                f"services[{index}]: basicAuth, bearerTokenSecret or tls; accepted with --format kubernetes: a"
                " ServiceMonitor of your own and a selector, because these files hold no secret"
            )
            raise UsageError(msg)


def _in_a_cluster(settings: Settings) -> Settings:
    """Return the settings of the same content over stores in a cluster: those given by URL, else by their usual names.

    A copy of metrics is no store to read from here: Prometheus in the cluster is.
    """
    metrics = settings.metrics
    if settings.runs_stack:
        metrics = MetricsStore.model_validate({"queryUrl": _OPERATED})
    return settings.model_copy(
        update={
            "deploy": "content",
            "demo": False,
            "probes": (),
            "teams": (),
            "grafana_url": settings.root_url.removesuffix("/"),
            "metrics": metrics,
            "metrics_password": None if settings.runs_stack else settings.metrics_password,
            "logs": settings.logs if settings.logs.query_url else _usual(topology.LOKI),
            "traces": settings.traces if settings.traces.query_url else _usual(topology.JAEGER),
        }
    )


def _usual(part: topology.Part) -> ExternalStore:
    return ExternalStore.model_validate({"queryUrl": endpoints.api(part).url})


def _objects(view: Settings, jobs: list[dict[str, Any]]) -> Iterator[tuple[str, Object]]:
    """Yield every object and the path of its file."""
    for file, text in rules.render(view).items():
        stem = file.removesuffix(".yml")
        spec = yaml.load(text, _LOADER)  # noqa: S506 - a safe loader
        yield f"rules/{stem}.yaml", _object("monitoring.coreos.com/v1", "PrometheusRule", stem, view) | {"spec": spec}
    folders = titles(view) | own_folders(view)
    for dashboard in dashboards(view):
        annotations = {_FOLDER_ANNOTATION: folders[dashboard.folder]} if dashboard.folder else {}
        data = {f"{dashboard.uid}.json": dashboard.json}
        found = _config_map(f"dashboard-{dashboard.uid}", "grafana_dashboard", data, view, annotations)
        yield f"dashboards/{dashboard.uid}.yaml", found
    provisioned = {"apiVersion": 1, "datasources": [_source(spec, view) for spec in datasources(view)]}
    data = {f"{view.prefix}.yaml": dump(provisioned)}
    yield "datasources.yaml", _config_map("datasources", "grafana_datasource", data, view)
    for group in alerts.groups(view):
        name = f"{group.folder}-{group.name}"
        data = {f"{view.prefix}-{name}.yaml": dump({"apiVersion": 1, "groups": [_alerts(group, folders, view)]})}
        yield f"alerts/{_slug(name)}.yaml", _config_map(f"alerts-{name}", "grafana_alert", data, view)
    if jobs:
        secret = _object("v1", "Secret", "scrape-jobs", view)
        yield "scrape-jobs.yaml", {**secret, "type": "Opaque", "stringData": {_JOBS_KEY: yaml.safe_dump(jobs)}}


def _object(version: str, kind: str, name: str, view: Settings) -> dict[str, Any]:
    labels = {"app.kubernetes.io/managed-by": PROJECT, "app.kubernetes.io/instance": view.prefix}
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": _slug(f"{view.prefix}-{name}"), "labels": labels},
    }


def _config_map(
    name: str, label: str, data: Mapping[str, str], view: Settings, annotations: Mapping[str, str] | None = None
) -> Object:
    """Return what Grafana's sidecar looks for by that label."""
    found = _object("v1", "ConfigMap", name, view)
    found["metadata"]["labels"][label] = "1"
    if annotations:
        found["metadata"]["annotations"] = dict(annotations)
    return {**found, "data": dict(data)}


def _slug(name: str) -> str:
    """Return the name of an object: that one where it may be one, else one like it that no other has."""
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:_LONGEST_NAME]
    return plain if plain == name else f"{plain}-{sha256(name.encode()).hexdigest()[:8]}"


def _source(spec: DataSourceSpec, view: Settings) -> Object:
    """Return a data source as Grafana's provisioning takes it; passwords are variables of Grafana's environment."""
    endpoint = spec.endpoint or topology.Endpoint(spec.url)
    password = f"${{{_variable(endpoint.secret)}}}"
    headers = {"X-Scope-OrgID": _plain(endpoint.tenant)} if endpoint.tenant else {}
    secure: dict[str, str] = {}
    found: dict[str, Any] = {}
    json_data = dict(_escaped(spec.json_data))
    if endpoint.user:
        found |= {"basicAuth": True, "basicAuthUser": _plain(endpoint.user)}
        secure["basicAuthPassword"] = password
    elif endpoint.secret:
        headers["Authorization"] = f"Bearer {password}"
    for number, (header, value) in enumerate(headers.items(), start=1):
        json_data[f"httpHeaderName{number}"] = header
        secure[f"httpHeaderValue{number}"] = value
    if endpoint.ca_certificate:
        json_data["tlsAuthWithCACert"] = True
        secure["tlsCACert"] = endpoint.ca_certificate
    return {
        "uid": spec.uid,
        "name": spec.title,
        "type": spec.type or spec.uid,
        "url": _plain(spec.url),
        "access": "proxy",
        "isDefault": spec.default,
        **found,
        "jsonData": json_data,
        **({"secureJsonData": secure} if secure else {}),
        "correlations": [_correlation(c) for c in correlations(view) if c.source == spec.uid],
    }


def _correlation(spec: CorrelationSpec) -> Object:
    config: dict[str, Any] = {"field": spec.field, "target": spec.query}
    if spec.transformations:
        config["transformations"] = list(spec.transformations)
    texts = {"label": spec.label, "description": spec.description, "type": "query", "config": config}
    return {"targetUID": spec.target, **_escaped(texts)}


def _alerts(group: AlertGroup, folders: Mapping[str, str], view: Settings) -> Object:
    return {
        "orgId": 1,
        "name": _plain(group.name),
        "folder": _plain(folders[group.folder]),
        "interval": f"{group.interval_seconds}s",
        "rules": [_alert(alert, view) for alert in group.alerts],
    }


def _alert(alert: Alert, view: Settings) -> Object:
    keep = {"keepFiringFor": alert.keep_firing} if isinstance(alert, OwnAlert) and alert.keep_firing else {}
    return {
        "uid": alert.uid,
        "condition": CONDITION,
        "for": alert.pending,
        **keep,
        "noDataState": alert.missing.no_data,
        "execErrState": alert.missing.exec_error,
        **_escaped({"title": alert.title, "labels": alert.labels}),
        "annotations": alert_annotations(alert, view),
        "data": [
            {
                "refId": query.ref_id,
                "datasourceUid": query.datasource,
                "queryType": query.model.get("queryType", ""),
                "relativeTimeRange": {"from": query.look_back_seconds, "to": 0},
                "model": dict(query.model),
            }
            for query in queries(alert)
        ],
    }


def _escaped(value: Any) -> Any:  # noqa: ANN401 - YAML
    """Return a value with every text as Grafana's provisioning has to find it."""
    if isinstance(value, str):
        return _plain(value)
    if isinstance(value, Mapping):
        return {key: _escaped(each) for key, each in value.items()}
    return [_escaped(each) for each in value] if isinstance(value, list | tuple) else value


def _plain(text: str) -> str:
    return text.replace("$", "$$")


def _variable(secret: str) -> str:
    """Return the variable of Grafana's environment that holds a secret setting."""
    words = re.sub(r"([A-Z])", r"_\1", secret)
    return f"OBSERVABILITY_{words.upper()}"


def _values(view: Settings, *, scrapes: bool) -> Object:
    """Return values for the chart kube-prometheus-stack: sidecars, the data sources' passwords, what the rules need."""
    secrets = sorted({spec.endpoint.secret for spec in datasources(view) if spec.endpoint and spec.endpoint.secret})
    of_secrets = {
        _variable(key): {"secretKeyRef": {"name": _slug(f"{view.prefix}-secrets"), "key": key}} for key in secrets
    }
    grafana: dict[str, Any] = {
        "grafana.ini": {"server": {"root_url": view.root_url}},
        **({"envValueFrom": of_secrets} if of_secrets else {}),
        "sidecar": {
            "alerts": {"enabled": True, "label": "grafana_alert", "labelValue": "1"},
            "dashboards": {
                "folderAnnotation": _FOLDER_ANNOTATION,
                "provider": {"foldersFromFilesStructure": True},
            },
            # Its UID is prometheus, as that of the one in datasources.yaml, which links to traces.
            "datasources": {"defaultDatasourceEnabled": False},
        },
    }
    spec: dict[str, Any] = {
        "scrapeInterval": view.scrape_interval,
        "evaluationInterval": view.rule_interval,
        "retention": view.prometheus_retention,
        "retentionSize": view.prometheus_retention_size,
        "nameEscapingScheme": "Underscores",
        "enableFeatures": ["exemplar-storage"],
        "exemplars": {"maxSize": prometheus.MOST_EXEMPLARS},
        "enableOTLPReceiver": True,
        "otlp": {"promoteResourceAttributes": prometheus.PROMOTED},
        "tsdb": {"outOfOrderTimeWindow": prometheus.LATE},
        "ruleSelectorNilUsesHelmValues": False,
    }
    if scrapes:
        secret = {"enabled": True, "name": _slug(f"{view.prefix}-scrape-jobs"), "key": _JOBS_KEY}
        spec["additionalScrapeConfigsSecret"] = secret
    return {"grafana": grafana, "prometheus": {"prometheusSpec": spec}}
