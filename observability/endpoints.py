"""Where a client finds each server: the only place that knows whether it is a container of this stack.

A server outside of this stack (a Loki elsewhere, an existing Grafana) becomes another `Endpoint` here, and no client
notices.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from observability import topology
from observability.settings import field_of
from observability.topology import Endpoint, Part

if TYPE_CHECKING:
    from observability.settings import Settings
    from observability.settings.stores import FarStore


_SIGNALS: Final = {topology.PROMETHEUS.name: "metrics", topology.LOKI.name: "logs", topology.JAEGER.name: "traces"}
"""The setting with the address of an external store, by the part that it replaces."""


def reads(part: Part, settings: Settings) -> Endpoint:
    """Return where Grafana queries a store.

    In a stack that is the reading proxy, wherever the store is: Grafana hands every path of a data source to every
    Viewer, with the password of the data source.
    """
    if not settings.runs_stack:
        return _external(part, "query_url", settings) or Endpoint("", external=True)
    return Endpoint(f"http://{topology.READING_PROXY.address(part.name)}")


def api(part: Part) -> Endpoint:
    """Return where a store answers whatever its API has: for parts that act for no person."""
    return Endpoint(f"http://{part.address('http')}")


def elsewhere(part: Part, settings: Settings) -> Endpoint | None:
    """Return where an external store answers for a part that this stack does not run, None for one that it runs."""
    if part in settings.parts or not settings.runs_stack:
        return None
    return _external(part, "query_url", settings)


def writes(part: Part, settings: Settings) -> Endpoint:
    """Return where a store takes what the collector sends."""
    if part not in settings.parts:
        return _external(part, "write_url", settings) or Endpoint("", external=True)
    port = "otlp-grpc" if "otlp-grpc" in part.ports else "http"
    return Endpoint(f"http://{part.address(port)}")


def alert_history() -> Endpoint:
    """Return where Grafana writes and reads the history of alerts, with a password that only Grafana has."""
    return Endpoint(f"http://{topology.READING_PROXY.address('alert-history')}")


def metrics_copy(settings: Settings) -> Endpoint | None:
    """Return where Prometheus sends a copy of everything, None where it keeps it to itself."""
    return _external(topology.PROMETHEUS, "write_url", settings)


def metrics_long_term(settings: Settings) -> Endpoint | None:
    """Return where Grafana reads that copy, None where it does not."""
    return _external(topology.PROMETHEUS, "query_url", settings) if settings.runs_stack else None


def _external(part: Part, field: Literal["write_url", "query_url"], settings: Settings) -> Endpoint | None:
    """Return the external store of what a part keeps, at that URL; None where the settings give none."""
    signal = _SIGNALS[part.name]
    store: FarStore = getattr(settings, signal)
    url, secret = getattr(store, field), f"{signal}Password"
    if not url:
        return None
    given = getattr(settings, field_of(secret) or secret) is not None
    return Endpoint(
        url,
        external=True,
        tenant=store.tenant,
        user=store.user,
        secret=secret if given else "",
        ca_certificate=store.ca_certificate,
    )


def pushes() -> Endpoint:
    """Return where applications in the stack's network send OTLP, over HTTP."""
    return Endpoint(f"http://{topology.COLLECTOR.address('otlp-http')}")


def pushes_own() -> Endpoint:
    """Return where Grafana sends its own spans, over gRPC."""
    return Endpoint(f"http://{topology.READING_PROXY.address('otlp-own')}")


def takes_own() -> Endpoint:
    """Return where the collector takes them: in the backends alone, so that applications do not reach it."""
    part = topology.COLLECTOR
    return Endpoint(f"http://{topology.LISTEN_NAMES[part.name]}:{part.port('otlp-own')}")


def socket_proxy() -> Endpoint:
    """Return where the collector reaches the Docker engine."""
    return Endpoint(f"tcp://{topology.SOCKET_PROXY.address('http')}")


def webhook() -> Endpoint:
    """Return where Grafana sends notifications for the webhook, whose own address it does not know."""
    return Endpoint(f"http://{topology.READING_PROXY.address('webhook')}/")


def ready_url(part: Part, settings: Settings) -> str:
    """Return the URL by which this machine sees that it can use a part, "" for parts that it does not use itself."""
    if part is topology.GRAFANA:
        return f"{settings.address('grafana')}/api/health"
    return ""


def grafana(settings: Settings) -> Endpoint:
    """Return where this machine reaches Grafana's API."""
    if not settings.runs_stack:
        return Endpoint(settings.grafana_url, external=True, ca_certificate=settings.tls_ca)
    return Endpoint(settings.address("grafana"), ca_certificate=settings.tls_ca)
