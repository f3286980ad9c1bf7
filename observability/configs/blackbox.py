"""The blackbox exporter's process and configuration: one module for each probe, which only it uses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from observability import topology
from observability.configs.process import WGET, Process, ScrapeSecret, restarting
from observability.names.paths import CONFIG, SECRETS
from observability.text import to_yaml

if TYPE_CHECKING:
    from observability.settings import Probe, Settings

FILE: Final = f"{CONFIG}/blackbox.yml"
BODY_LIMIT: Final = "10MB"
"""Of a body that is longer the probe fails: it is held in memory."""
_ANY_RECORD: Final = ".+"


def process(settings: Settings) -> Process:
    """Return the blackbox exporter's process. It needs no capability: pings are datagrams, which the engine allows."""
    return Process(
        command=(f"--config.file={FILE}", f"--web.listen-address=:{topology.BLACKBOX.port('http')}"),
        files={FILE: render(settings), **_certificates(settings)},
        checker=("/bin/blackbox_exporter", "--config.check", f"--config.file={FILE}"),
        secrets={_secret_file(name): ScrapeSecret(name) for probe in settings.probes for _, name in probe.secret_names},
        health=restarting(*WGET, f"http://{topology.BLACKBOX.local('http')}/-/healthy"),
        health_interval=settings.health_interval,
    )


def render(settings: Settings) -> str:
    """Return blackbox.yml."""
    return to_yaml("blackbox", {"modules": {probe.name: _module(probe) for probe in settings.probes}})


def _module(probe: Probe) -> dict[str, Any]:
    addresses = {"preferred_ip_protocol": f"ip{probe.ip_version}"}
    options = {"http": _http, "tcp": _tcp, "dns": _dns}
    own = options[probe.type](probe) if probe.type in options else {}
    return {"prober": probe.type, "timeout": probe.timeout, probe.type: {**addresses, **own}}


def _http(probe: Probe) -> dict[str, Any]:
    found: dict[str, Any] = {"method": probe.method, "body_size_limit": BODY_LIMIT}
    if probe.status:
        found["valid_status_codes"] = list(probe.status)
    if not probe.follows_redirects:
        found["follow_redirects"] = False
    if probe.uses_tls:
        found["fail_if_not_ssl"] = True  # where a redirect leads to plain http
    if probe.contains:
        found["fail_if_body_not_matches_regexp"] = [probe.contains]
    if probe.basic_auth:
        password = _secret_file(probe.basic_auth.password_secret)
        found["basic_auth"] = {"username": probe.basic_auth.username, "password_file": password}
    if probe.bearer_token_secret:
        found["authorization"] = {"type": "Bearer", "credentials_file": _secret_file(probe.bearer_token_secret)}
    return found | _tls(probe)


def _tcp(probe: Probe) -> dict[str, Any]:
    return {"tls": True, **_tls(probe)} if probe.uses_tls else {}


def _dns(probe: Probe) -> dict[str, Any]:
    return {
        "query_name": probe.target,
        "query_type": probe.record,
        "valid_rcodes": ["NOERROR"],
        "validate_answer_rrs": {"fail_if_none_matches_regexp": [probe.answer or _ANY_RECORD]},
    }


def _tls(probe: Probe) -> dict[str, Any]:
    if probe.tls is None:
        return {}
    options = {
        "ca_file": _certificate_file(probe, "ca") if probe.tls.ca else None,
        "cert_file": _certificate_file(probe, "client") if probe.tls.certificate else None,
        "key_file": _secret_file(probe.tls.key_secret) if probe.tls.key_secret else None,
        "server_name": probe.tls.server_name,
        "insecure_skip_verify": probe.tls.insecure_skip_verify or None,
    }
    given = {name: value for name, value in options.items() if value is not None}
    return {"tls_config": given} if given else {}


def _certificates(settings: Settings) -> dict[str, str]:
    return {
        _certificate_file(probe, kind): text
        for probe in settings.probes
        if probe.tls is not None
        for kind, text in (("ca", probe.tls.ca), ("client", probe.tls.certificate))
        if text
    }


def _certificate_file(probe: Probe, kind: str) -> str:
    return f"{CONFIG}/probe-{probe.name}-{kind}.crt"


def _secret_file(name: str) -> str:
    return f"{SECRETS}/probe-{name}"
