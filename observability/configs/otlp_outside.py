"""The collector's receiver for senders outside of the Docker host: OTLP with TLS, and a token or a client certificate.

With one token for all senders, the collector cannot tell them apart. With a token for each sender it knows who sends,
and refuses telemetry of services that the sender may not send for (`intake`). Senders in the stack's networks, and on
the host's loopback address, use the plain receiver.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from observability import topology
from observability.configs import otelcol
from observability.configs.process import SettingSecret
from observability.names.paths import CONFIG, SECRETS

if TYPE_CHECKING:
    from observability.configs.process import Secret
    from observability.settings import Settings

CERTIFICATE_FILE: Final = f"{CONFIG}/tls.crt"
CLIENT_CA_FILE: Final = f"{CONFIG}/client-ca.crt"
KEY_FILE: Final = f"{SECRETS}/tls.key"
TOKEN_FILE: Final = f"{SECRETS}/otlp-token"
SENDERS_FILE: Final = f"{SECRETS}/otlp-senders"
RECEIVER: Final = "otlp/outside"
_TOKEN_FOR_ALL, _TOKEN_EACH = "bearertokenauth", "basicauth"


def files(settings: Settings) -> dict[str, str]:
    """Return the files that the receiver needs, by path; none is secret."""
    if not settings.otlp_outside:
        return {}
    client_ca = {CLIENT_CA_FILE: settings.otlp_client_ca} if settings.otlp_client_ca else {}
    return {CERTIFICATE_FILE: settings.tls_certificate, **client_ca}


def secrets(settings: Settings) -> dict[str, Secret]:
    """Return the secret files that the receiver needs, by path."""
    if not settings.otlp_outside:
        return {}
    senders: dict[str, Secret] = {SENDERS_FILE: "otlp_senders"} if settings.otlp_senders else {}
    return {KEY_FILE: SettingSecret("tls_key"), TOKEN_FILE: SettingSecret("otlp_token"), **senders}


def passwords(settings: Settings) -> str | None:
    """Return the secret file with each sender's token, in the format of `htpasswd`; None without senders.

    The tokens are in plain text, because a slow hash would be computed for every push. The file itself is secret.
    """
    if not settings.otlp_tokens:
        return None
    return "".join(f"{name}:{token.get_secret_value()}\n" for name, token in settings.otlp_tokens.items())


def added(settings: Settings, document: dict[str, Any]) -> dict[str, Any]:
    """Return the collector's configuration with this receiver added, if OTLP is published outside of the host."""
    if not settings.otlp_outside:
        return document
    service: dict[str, Any] = document["service"]
    pipelines = {
        name: {**pipeline, "receivers": [*pipeline["receivers"], RECEIVER]}
        if "otlp" in pipeline["receivers"]
        else pipeline
        for name, pipeline in service["pipelines"].items()
    }
    extensions = _authenticator(settings)
    return {
        **document,
        "service": {**service, "extensions": [*service["extensions"], *extensions], "pipelines": pipelines},
        "extensions": {**document["extensions"], **extensions},
        "receivers": {**document["receivers"], RECEIVER: _receiver(settings)},
    }


def _authenticator(settings: Settings) -> dict[str, Any]:
    if settings.otlp_senders:
        return {_TOKEN_EACH: {"htpasswd": {"file": SENDERS_FILE}}}
    if settings.otlp_token is not None:
        return {_TOKEN_FOR_ALL: {"scheme": "Bearer", "filename": TOKEN_FILE}}
    return {}


def _receiver(settings: Settings) -> dict[str, Any]:
    tls = {"cert_file": CERTIFICATE_FILE, "key_file": KEY_FILE, "min_version": "1.2"}
    if settings.otlp_client_ca:
        tls["client_ca_file"] = CLIENT_CA_FILE
    door: dict[str, Any] = {"tls": tls}
    for authenticator in _authenticator(settings):
        door["auth"] = {"authenticator": authenticator}
    return {
        "protocols": {
            protocol: {
                **otelcol.OTLP["protocols"][protocol],
                "endpoint": f"{otelcol.ALL}:{topology.COLLECTOR.port(f'otlp-{protocol}-outside')}",
                **door,
            }
            for protocol in ("grpc", "http")
        }
    }
