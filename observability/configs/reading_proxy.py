"""The reading proxy's process: nginx in front of Prometheus, Loki and Jaeger, which passes on only requests that read.

These three have no login, and Grafana forwards any request of a signed-in user, even a Viewer, to Loki and Jaeger. So
Grafana's data sources and the published ports lead to this proxy. A request that is not listed is answered with 403 and
reaches no store. `Origin` is not passed on, so no store reflects it. External stores are read through the proxy too:
it knows their addresses, passwords and tenants, and Grafana does not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from observability import endpoints, topology
from observability.configs import alert_history, external_stores, webhook_relay
from observability.configs.process import WGET, Process, restarting
from observability.names.paths import CONFIG

if TYPE_CHECKING:
    from observability.settings import Settings

FILE: Final = f"{CONFIG}/nginx.conf"
_NAME: Final = "[A-Za-z0-9_.:-]+"


@dataclass(frozen=True)
class Place:
    """The addresses and paths of the proxy: in its container, or for a test on loopback.

    Attributes:
        backend: returns the endpoint of a store.
        port: returns the port on which the proxy serves a store.
        resolver: address of the name server.
        temporary: folder for temporary files.
        webhook: path of the secret file of the webhook's relay.
        folder: prefix of the paths of files that nginx reads, "" in the container.
        spans: where the collector takes Grafana's own spans.
    """

    backend: Callable[[topology.Part], topology.Endpoint] = endpoints.api
    port: Callable[[str], int] = topology.READING_PROXY.port
    resolver: str = "127.0.0.11"  # Docker's
    temporary: str = "/tmp"  # noqa: S108 - in memory, in its container
    webhook: str = webhook_relay.SECRET_FILE
    folder: str = ""
    spans: topology.Endpoint = field(default_factory=endpoints.takes_own)


@dataclass(frozen=True)
class Reads:
    """The paths of a store that only read, as anchored regular expressions.

    Attributes:
        get: paths for GET and HEAD.
        form: paths for POST too, with which Grafana sends long queries.
        stream: paths for a WebSocket.
        login: whether all of them need the password of Grafana's alert history.
    """

    get: tuple[str, ...] = ()
    form: tuple[str, ...] = ()
    stream: tuple[str, ...] = ()
    login: bool = False


READS: Final[dict[str, Reads]] = {
    topology.PROMETHEUS.name: Reads(
        form=(
            "/api/v1/(query|query_range|query_exemplars|series|labels|format_query|parse_query)",
            f"/api/v1/label/{_NAME}/values",
        ),
        # Grafana reads the version, and the rules for its alert pages.
        get=("/api/v1/(metadata|rules|status/buildinfo)", "/-/(healthy|ready)"),
    ),
    topology.LOKI.name: Reads(
        form=(
            "/loki/api/v1/(query|query_range|series|labels|format_query|patterns|detected_labels|detected_fields)",
            f"/loki/api/v1/(label|detected_field)/{_NAME}/values",
            "/loki/api/v1/index/(stats|volume|volume_range)",
        ),
        get=("/loki/api/v1/(status/buildinfo|drilldown-limits)", "/ready"),
        stream=("/loki/api/v1/tail",),
    ),
    topology.JAEGER.name: Reads(
        get=(
            "/api/(services|operations|traces|dependencies)",
            f"/api/services/{_NAME}/operations",
            "/api/traces/[0-9a-fA-F]+",
            "/api/v3/(services|operations|traces|dependencies)",
            "/api/v3/traces/[0-9a-fA-F]+",
            "/api/metrics/(latencies|calls|errors|minstep)",
        ),
    ),
}
"""The requests that each store may get."""
HISTORY: Final = Reads(form=("/loki/api/v1/push",), get=("/loki/api/v1/(query_range|labels)",), login=True)
"""Requests of Grafana's alert history to Loki, on a port that its data sources do not use."""
_ONLY_REMOTE_WRITE: Final = "      if ($http_content_encoding != snappy) { return 403; }\n"
"""Every remote write is compressed so; a notification cannot be, whatever headers an Editor gives it."""


def process(settings: Settings) -> Process:
    """Return the proxy's process."""
    command = ("nginx", "-e", "stderr", "-c", FILE)
    return Process(
        command=command,
        files={FILE: render(settings), **external_stores.files(settings)},
        checker=(*command, "-t"),
        secrets={
            alert_history.LOGIN_FILE: "history_login",
            **({webhook_relay.SECRET_FILE: "webhook"} if settings.webhook is not None else {}),
            **external_stores.logins(settings),
        },
        health=restarting(*WGET, f"http://{topology.READING_PROXY.local('health')}/"),
        health_interval=settings.health_interval,
    )


def render(settings: Settings, place: Place = Place()) -> str:
    """Return nginx.conf."""
    servers = [_store(topology.part(name), reads, place.port(name), settings, place) for name, reads in READS.items()]
    servers.append(_store(topology.LOKI, HISTORY, place.port("alert-history"), settings, place))
    servers.append(alert_history.spans(place.port("otlp-own"), place.spans.address))
    if settings.remote_write_receiver:
        backend = place.backend(topology.PROMETHEUS).url
        write = _location("/api/v1/write", backend, methods="POST", more=_ONLY_REMOTE_WRITE)
        servers.append(_server(place.port("remote-write"), [write]))
    servers.append(webhook_relay.server(settings, place.port("webhook"), place.resolver, file=place.webhook))
    servers.append(f"  server {{\n    listen {place.port('health')};\n    location = / {{ return 204; }}\n  }}\n")
    return f"""\
daemon off;
worker_processes 1;
pid {place.temporary}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  server_tokens off;
  default_type text/plain;
  resolver {place.resolver} valid=5s ipv6=off;
  client_body_temp_path {place.temporary}/body;
  proxy_temp_path {place.temporary}/proxy;
  fastcgi_temp_path {place.temporary}/fastcgi;
  uwsgi_temp_path {place.temporary}/uwsgi;
  scgi_temp_path {place.temporary}/scgi;
  client_max_body_size 8m;
  proxy_http_version 1.1;
  proxy_buffering off;
  proxy_read_timeout 120s;
  proxy_set_header Host $http_host;
  proxy_set_header Origin "";
  proxy_set_header Connection "";
  proxy_hide_header Access-Control-Allow-Origin;
  proxy_hide_header Access-Control-Allow-Credentials;
{"".join(servers)}}}
"""


def _store(part: topology.Part, reads: Reads, port: int, settings: Settings, place: Place) -> str:
    """Return the nginx server in front of a store, the stack's own or an external one."""
    login = alert_history.only_grafana(place.folder) if reads.login else ""
    store, endpoint = external_stores.find(part, settings), endpoints.external_store(part, settings)
    if store is None or endpoint is None:
        return _server(port, _locations(reads, place.backend(part).url), login)
    client = login + external_stores.proxy(store, endpoint, place.folder)
    return _server(port, _locations(reads, endpoint.url, external_stores.stream(store, endpoint, place.folder)), client)


def _server(port: int, locations: list[str], client: str = "") -> str:
    refused = '    location / { return 403 "Only reading requests are let through.\\n"; }\n'
    return f"  server {{\n    listen {port};\n{client}{''.join(locations)}{refused}  }}\n"


def _locations(reads: Reads, url: str, stream_headers: str = "") -> list[str]:
    return [
        *(_location(path, url, methods="GET POST") for path in reads.form),
        *(_location(path, url, methods="GET") for path in reads.get),
        *(_location(path, url, methods="GET", more=stream_headers or _UPGRADE) for path in reads.stream),
    ]


_UPGRADE: Final = (
    "      proxy_set_header Upgrade $http_upgrade;\n      proxy_set_header Connection upgrade;\n"
    '      proxy_set_header Host $http_host;\n      proxy_set_header Origin "";\n'
)


def _location(path: str, url: str, *, methods: str, more: str = "") -> str:
    # With a variable nginx resolves the name at each request, not only at its start. `$uri` passes on the path that was
    # matched (decoded, without dots), so that a store cannot understand it differently.
    return (
        f'    location ~ "^{path}$" {{\n      limit_except {methods} {{ deny all; }}\n{more}'
        f"      set $backend {url};\n      proxy_pass $backend$uri$is_args$args;\n    }}\n"
    )
