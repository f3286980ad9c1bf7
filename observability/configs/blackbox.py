"""The blackbox exporter's process and configuration, with one module (its word for a kind of check) for each probe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from observability import topology
from observability.configs.process import WGET, Process, ScrapeSecret, restarting
from observability.configs.target_client import TargetClient
from observability.names.paths import CONFIG
from observability.text import to_yaml

if TYPE_CHECKING:
    from observability.settings import Probe, Settings

FILE: Final = f"{CONFIG}/blackbox.yml"
BODY_LIMIT: Final = "10MB"
"""Longest body of an answer; a probe with a longer one fails, because the body is held in memory."""
_ANY_RECORD: Final = ".+"
_CLIENT: Final = TargetClient("probe")


def process(settings: Settings) -> Process:
    """Return the blackbox exporter's process. It pings with datagram sockets, for which it needs no capability."""
    return Process(
        command=(f"--config.file={FILE}", f"--web.listen-address=:{topology.BLACKBOX.port('http')}"),
        files={FILE: render(settings), **_CLIENT.certificates(settings.probes)},
        checker=("/bin/blackbox_exporter", "--config.check", f"--config.file={FILE}"),
        secrets={
            _CLIENT.secret_file(name): ScrapeSecret(name) for probe in settings.probes for _, name in probe.secret_names
        },
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
        found["fail_if_not_ssl"] = True  # if a redirect leads to plain HTTP
    if probe.contains:
        found["fail_if_body_not_matches_regexp"] = [probe.contains]
    return found | _CLIENT.login(probe) | _tls(probe)


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
    given = _CLIENT.tls(probe)
    return {"tls_config": given} if given else {}
