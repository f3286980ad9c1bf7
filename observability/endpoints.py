"""Where a client finds each server, whether it is a container of this stack or an external one.

No other module makes that distinction: an external Loki or an existing Grafana is only a different `Endpoint`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from observability import topology
from observability.settings import field_of
from observability.topology import Endpoint, Part

if TYPE_CHECKING:
    from observability.settings import Settings
    from observability.settings.stores import ExternalStore


_SIGNALS: Final = {topology.PROMETHEUS.name: "metrics", topology.LOKI.name: "logs", topology.JAEGER.name: "traces"}
"""The setting with the address of an external store, by the part that it replaces."""


def reads(part: Part, settings: Settings) -> Endpoint:
    """Return where Grafana queries a store.

    That is the reading proxy, also for an external store: Grafana forwards any request of a Viewer to a data source,
    with the password of that data source. Without containers (`deploy: content`) it is the external store itself.
    """
    if not settings.runs_stack:
        return _external(part, "query_url", settings) or Endpoint("", external=True)
    return Endpoint(f"http://{topology.READING_PROXY.address(part.name)}")


def api(part: Part) -> Endpoint:
    """Return a store's whole API, for parts that do not pass on requests of people."""
    return Endpoint(f"http://{part.address('http')}")


def external_store(part: Part, settings: Settings) -> Endpoint | None:
    """Return where the external store in place of `part` is queried, None if this stack runs the part."""
    if part in settings.parts or not settings.runs_stack:
        return None
    return _external(part, "query_url", settings)


def writes(part: Part, settings: Settings) -> Endpoint:
    """Return where the collector sends the signal of a store."""
    if part not in settings.parts:
        return _external(part, "write_url", settings) or Endpoint("", external=True)
    port = "otlp-grpc" if "otlp-grpc" in part.ports else "http"
    return Endpoint(f"http://{part.address(port)}")


def alert_history() -> Endpoint:
    """Return where Grafana writes and reads its alert history, with a password that only Grafana has.

    Wherever Loki is, that is the reading proxy: for an external one it adds the token and trusts the CA.
    """
    return Endpoint(f"http://{topology.READING_PROXY.address('alert-history')}")


def metrics_copy(settings: Settings) -> Endpoint | None:
    """Return where Prometheus sends a copy of all samples, None without a copy."""
    return _external(topology.PROMETHEUS, "write_url", settings)


def metrics_long_term(settings: Settings) -> Endpoint | None:
    """Return where Grafana reads that copy, None if it does not."""
    return _external(topology.PROMETHEUS, "query_url", settings) if settings.runs_stack else None


def _external(part: Part, field: Literal["write_url", "query_url"], settings: Settings) -> Endpoint | None:
    """Return the external store for the signal of `part`, at the URL in `field`; None if the settings have none."""
    signal = _SIGNALS[part.name]
    store: ExternalStore = getattr(settings, signal)
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
    """Return where applications in the stack's networks send OTLP over HTTP."""
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
    """Return where Grafana sends notifications for the webhook: to the relay, which alone knows the webhook's URL."""
    return Endpoint(f"http://{topology.READING_PROXY.address('webhook')}/")


def ready_url(part: Part, settings: Settings) -> str:
    """Return the URL that answers 200 once this machine can use a part, "" for parts that it does not use itself."""
    if part is topology.GRAFANA:
        return f"{settings.address('grafana')}/api/health"
    return ""


def grafana(settings: Settings) -> Endpoint:
    """Return where this machine reaches Grafana's API."""
    if not settings.runs_stack:
        return Endpoint(settings.grafana_url, external=True, ca_certificate=settings.tls_ca)
    return Endpoint(settings.address("grafana"), ca_certificate=settings.tls_ca)
