"""Presets: the metric names and labels of well-known servers and libraries, like `preset: traefik`.

A preset sets the fields that a service leaves out. Names, labels and buckets are the defaults of the server or library;
the latency threshold is always one of these buckets.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_EXPRESS: Final = {
    "requests": "http_request_duration_seconds_count",
    "duration": "http_request_duration_seconds",
    "inProgress": None,
}

PRESETS: Final[Mapping[str, Mapping[str, Any]]] = {
    # Metrics of Traefik's services. Traefik's own label `service` becomes `exported_service`.
    "traefik": {
        "metrics": {
            "requests": "traefik_service_requests_total",
            "duration": "traefik_service_request_duration_seconds",
            "inProgress": None,
        },
        "labels": {"endpoint": "exported_service", "method": "method", "status": "code"},
        "latency": {"threshold": "300ms"},
        "honorLabels": False,
    },
    # nginx-prometheus-exporter reads stub_status, which counts requests without their status or duration.
    "nginx": {"availability": None, "latency": None},
    "envoy": {
        "metricsPath": "/stats/prometheus",
        "selector": '{own}, envoy_http_conn_manager_prefix!="admin"',
        "metrics": {
            "requests": "envoy_http_downstream_rq_xx",
            "duration": "envoy_http_downstream_rq_time",
            "unit": "milliseconds",
            "inProgress": "envoy_http_downstream_rq_active",
        },
        "labels": {"endpoint": "envoy_http_conn_manager_prefix", "method": None, "status": "envoy_response_code_class"},
        "errors": "5",
        "latency": {"threshold": "250ms"},
    },
    # Client and server both report each request; the server's report is used.
    "istio": {
        "metricsPath": "/stats/prometheus",
        "selector": '{own}, reporter="destination"',
        "metrics": {
            "requests": "istio_requests_total",
            "duration": "istio_request_duration_milliseconds",
            "unit": "milliseconds",
            "inProgress": None,
        },
        "labels": {"endpoint": "destination_service_name", "method": None, "status": "response_code"},
        "latency": {"threshold": "250ms"},
    },
    # Every handler of a chain counts a request; `subroute` is the first of each site.
    "caddy": {
        "selector": '{own}, handler="subroute"',
        "metrics": {
            "requests": "caddy_http_request_duration_seconds_count",
            "duration": "caddy_http_request_duration_seconds",
            "inProgress": "caddy_http_requests_in_flight",
        },
        "labels": {"endpoint": "server", "method": "method", "status": "code"},
        "latency": {"threshold": "250ms"},
    },
    # The bucket needs `management.metrics.distribution.slo.http.server.requests: 300ms` in the application. Spring
    # counts scrapes and health checks as requests.
    "spring": {
        "metricsPath": "/actuator/prometheus",
        "selector": '{own}, uri!~"/actuator(/.*)?"',
        "metrics": {
            "requests": "http_server_requests_seconds_count",
            "duration": "http_server_requests_seconds",
            "inProgress": None,
        },
        "labels": {"endpoint": "uri", "method": "method", "status": "status"},
        "latency": {"threshold": "300ms"},
    },
    # promhttp's middleware, as client_golang's examples name its metrics.
    "go": {
        "metrics": {
            "requests": "http_requests_total",
            "duration": "http_request_duration_seconds",
            "inProgress": None,
        },
        "labels": {"endpoint": None, "method": "method", "status": "code"},
        "latency": {"threshold": "250ms"},
    },
    # express-prom-bundle, with includeMethod and includePath.
    "node": {
        "metrics": _EXPRESS,
        "labels": {"endpoint": "path", "method": "method", "status": "status_code"},
        "latency": {"threshold": "300ms"},
    },
    # prometheus-flask-exporter.
    "flask": {
        "metrics": {
            "requests": "flask_http_request_duration_seconds_count",
            "duration": "flask_http_request_duration_seconds",
            "inProgress": None,
        },
        "labels": {"endpoint": "path", "method": "method", "status": "status"},
        "latency": {"threshold": "250ms"},
    },
    # prometheus-fastapi-instrumentator, for FastAPI and Starlette: its statuses are 2xx to 5xx, and it counts scrapes.
    "fastapi": {
        "selector": '{own}, handler!="/metrics"',
        "metrics": {
            "requests": "http_requests_total",
            "duration": "http_request_duration_seconds",
            "inProgress": None,
        },
        "labels": {"endpoint": "handler", "method": "method", "status": "status"},
        "latency": {"threshold": "500ms"},
    },
    "otel": {"otlp": True},
    # The conventions before 1.21: milliseconds, and other names of the attributes.
    "otel-old": {
        "otlp": True,
        "metrics": {
            "requests": "http_server_duration_milliseconds_count",
            "duration": "http_server_duration_milliseconds",
            "unit": "milliseconds",
            "inProgress": "http_server_active_requests",
        },
        "labels": {"endpoint": "http_route", "method": "http_method", "status": "http_status_code"},
        "latency": {"threshold": "500ms"},
    },
}


def filled(fields: Mapping[str, Any], own: str) -> dict[str, Any]:
    """Return the fields of a service, with those of its preset for fields that it leaves out.

    Args:
        fields: fields of the service, as configured.
        own: PromQL matchers that select the service's series by its name.

    """
    preset = PRESETS.get(str(fields.get("preset", "")).lower(), {})
    result: dict[str, Any] = dict(fields)
    for key, usual in preset.items():
        if isinstance(usual, Mapping):
            chosen = result.get(key, {})
            if isinstance(chosen, Mapping):  # anything else is null, or wrong
                result[key] = {**usual, **chosen}
        else:
            result.setdefault(key, usual.replace("{own}", own) if isinstance(usual, str) else usual)
    return result
