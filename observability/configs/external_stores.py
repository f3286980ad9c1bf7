"""External stores of logs and traces: how the collector writes to them, and the reading proxy reads.

Grafana gets neither their addresses nor their passwords, because it forwards any request of a Viewer to a data source,
with the password. The reading proxy adds the password only to requests that read.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from observability import endpoints, topology
from observability.configs.process import SettingSecret
from observability.configs.webhook_relay import AUTHORITIES
from observability.names.paths import CONFIG, SECRETS
from observability.settings import field_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from observability.configs.process import SecretName
    from observability.settings import Settings
    from observability.topology import Endpoint

TENANT_HEADER: Final = "X-Scope-OrgID"
_PASSED_ON: Final = {
    "Accept": "$http_accept",
    "Accept-Encoding": "$http_accept_encoding",
    "Content-Type": "$http_content_type",
    # Grafana's choice of how Loki tells labels from structured metadata in an answer.
    "X-Loki-Response-Encoding-Flags": "$http_x_loki_response_encoding_flags",
    "X-Query-Tags": "$http_x_query_tags",
}
"""The only headers that are passed on: no cookie, and no tenant or identity that a caller could make up."""
_STREAMED: Final = {
    "Upgrade": "$http_upgrade",
    "Connection": "upgrade",
    "Sec-WebSocket-Key": "$http_sec_websocket_key",
    "Sec-WebSocket-Version": "$http_sec_websocket_version",
    "Sec-WebSocket-Protocol": "$http_sec_websocket_protocol",
    "Sec-WebSocket-Extensions": "$http_sec_websocket_extensions",
}
"""Further headers of a WebSocket that are passed on."""


@dataclass(frozen=True)
class StoreCredentials:
    """The files with which the stack's processes sign in to an external store.

    Attributes:
        part: the part that the store replaces.
        signal: the setting that describes it.
        login: the secret with its password or token as an nginx directive.
    """

    part: topology.Part
    signal: str
    login: SecretName

    @property
    def ca_file(self) -> str:
        """Return the path of the CA certificate."""
        return f"{CONFIG}/{self.signal}-store-ca.crt"

    @property
    def password_file(self) -> str:
        """Return the path of the secret file that the collector reads."""
        return f"{SECRETS}/{self.signal}-store-password"

    @property
    def login_file(self) -> str:
        """Return the path of the secret file that the reading proxy reads."""
        return f"{SECRETS}/{self.signal}-store.conf"

    def ca(self, settings: Settings) -> dict[str, str]:
        """Return the CA certificate by its path, if the settings have one."""
        text = getattr(settings, self.signal).ca_certificate
        return {self.ca_file: text} if text else {}


LOGS: Final = StoreCredentials(topology.LOKI, "logs", "logs_store_login")
TRACES: Final = StoreCredentials(topology.JAEGER, "traces", "traces_store_login")
_ALL: Final = (LOGS, TRACES)


def used(settings: Settings) -> tuple[StoreCredentials, ...]:
    """Return the external stores that replace a part of this stack."""
    return tuple(store for store in _ALL if endpoints.external_store(store.part, settings) is not None)


def find(part: topology.Part, settings: Settings) -> StoreCredentials | None:
    """Return the external store that replaces `part`, None if the part runs here."""
    return next((store for store in used(settings) if store.part is part), None)


def files(settings: Settings) -> dict[str, str]:
    """Return the CA certificates by their paths."""
    return {path: text for store in used(settings) for path, text in store.ca(settings).items()}


# The collector


def passwords(settings: Settings) -> dict[str, SettingSecret]:
    """Return the collector's secret files, by path."""
    return {s.password_file: SettingSecret(f"{s.signal}_password") for s in used(settings)}


def extensions(settings: Settings) -> dict[str, Any]:
    """Return the collector's extensions that sign in to the stores."""
    found: dict[str, Any] = {}
    for store in used(settings):
        endpoint = endpoints.writes(store.part, settings)
        if endpoint.secret and endpoint.user:
            login = {"username": endpoint.user, "password_file": store.password_file}
            found[_authenticator(store, endpoint)] = {"client_auth": login}
        elif endpoint.secret:
            found[_authenticator(store, endpoint)] = {"scheme": "Bearer", "filename": store.password_file}
    return found


def client(part: topology.Part, settings: Settings) -> dict[str, Any]:
    """Return an exporter's tenant, authenticator and CA for an external store; nothing for the stack's own part."""
    store = find(part, settings)
    if store is None:
        return {}
    endpoint = endpoints.writes(part, settings)
    fields: dict[str, Any] = {}
    if endpoint.tenant:
        fields["headers"] = {TENANT_HEADER: endpoint.tenant}
    if endpoint.secret:
        fields["auth"] = {"authenticator": _authenticator(store, endpoint)}
    if endpoint.ca_certificate:
        fields["tls"] = {"ca_file": store.ca_file}
    return fields


def _authenticator(store: StoreCredentials, endpoint: Endpoint) -> str:
    return f"{'basicauth' if endpoint.user else 'bearertokenauth'}/{store.signal}"


# The reading proxy


def logins(settings: Settings) -> dict[str, SecretName]:
    """Return the reading proxy's secret files, by path."""
    return {s.login_file: s.login for s in used(settings) if endpoints.writes(s.part, settings).secret}


def login(signal: str, settings: Settings) -> str | None:
    """Return the nginx directive that signs in to a store, None without a password.

    Base64, and the characters that the settings accept in a token, need no quoting in nginx.
    """
    store = getattr(settings, signal)
    secret = getattr(settings, field_of(f"{signal}Password") or "")
    if secret is None:
        return None
    password = secret.get_secret_value()
    basic = b64encode(f"{store.user}:{password}".encode()).decode()
    value = f"Basic {basic}" if store.user else f"Bearer {password}"
    return f'proxy_set_header Authorization "{value}";\n'


def proxy(store: StoreCredentials, endpoint: Endpoint, folder: str = "") -> str:
    """Return the nginx directives of a server that passes requests on to an external store.

    Args:
        store: files to sign in with.
        endpoint: where the store is queried.
        folder: prefix of the paths of these files, "" in the container.

    """
    return "".join(f"    {line}\n" for line in _directives(store, endpoint, folder))


def stream(store: StoreCredentials, endpoint: Endpoint, folder: str = "") -> str:
    """Return the headers of a WebSocket's location, which inherits none from its server."""
    return "".join(f"      {line}\n" for line in _headers(store, endpoint, folder, _STREAMED))


def _directives(store: StoreCredentials, endpoint: Endpoint, folder: str) -> Iterator[str]:
    yield "proxy_pass_request_headers off;"
    yield from _headers(store, endpoint, folder, {"Connection": ""})
    if endpoint.url.startswith("https://"):
        yield "proxy_ssl_server_name on;"
        yield f'proxy_ssl_name "{urlsplit(endpoint.url).hostname}";'
        yield "proxy_ssl_verify on;"
        yield "proxy_ssl_verify_depth 8;"
        authorities = f"{folder}{store.ca_file}" if endpoint.ca_certificate else AUTHORITIES
        yield f"proxy_ssl_trusted_certificate {authorities};"


def _headers(store: StoreCredentials, endpoint: Endpoint, folder: str, connection: dict[str, str]) -> Iterator[str]:
    sent = {"Host": f'"{endpoint.address}"', **_PASSED_ON, **{k: v or '""' for k, v in connection.items()}}
    if endpoint.tenant:
        sent[TENANT_HEADER] = f'"{endpoint.tenant}"'
    for name, value in sent.items():
        yield f"proxy_set_header {name} {value};"
    if endpoint.secret:
        # With the * nginx accepts a missing file: the check of the configuration has no secrets.
        yield f"include {folder}{store.login_file}*;"
