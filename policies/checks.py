"""What is checked of one resource: each check returns what is wrong, in words, and never a secret's value."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from ipaddress import ip_address
from typing import Final

from observability import topology
from observability.names.labels import CONTENT, PUBLISHED_BECAUSE, SERVICE
from observability.names.paths import HOST_NETWORK, SECRETS
from policies.resource import Resource, texts, unknown

CONTAINER: Final = "docker:index/container:Container"
IMAGE: Final = "docker:index/remoteImage:RemoteImage"
NETWORK: Final = "docker:index/network:Network"
READINESS: Final = "pulumi-python:dynamic/gates:Readiness"
VOLUME: Final = "docker:index/volume:Volume"
DASHBOARD: Final = "grafana:oss/dashboard:Dashboard"

SOCKET_PROXY: Final = topology.SOCKET_PROXY.name
BETWEEN: Final = frozenset(p.name for p in topology.PARTS if "backends" in p.networks and len(p.networks) > 1)
"""Prometheus, which scrapes and listens in the backends alone; the collector, to which applications send; the reading
proxy, by which Grafana and published ports reach the stores."""
_SUFFIXES: Final = {network: suffix for network, _, suffix in topology.NETWORKS}
BACKENDS: Final = _SUFFIXES["backends"]
_PARTS_ALONE: Final = (BACKENDS, _SUFFIXES["outside"])
"""How the names of networks end in which no application is, and no Grafana."""
_NO_NEW: Final = ("no-new-privileges", "no-new-privileges:true")

_DIGEST: Final = re.compile(r"(^|@)sha256:[0-9a-f]{64}$")
_TAG: Final = re.compile(r":(?P<tag>[\w][\w.-]*)$")
_MOVING: Final = frozenset({"latest", "main", "master", "edge", "nightly"})
_CREDENTIAL: Final = re.compile(r"(PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|CREDENTIALS?|_KEY|APIKEY)", re.IGNORECASE)
"""In the name of an environment entry that holds a secret."""
_BY_FILE: Final = re.compile(r"(\$__file\{[^}]+\}|/[^\s]*|)")
"""A value that only says where the secret lies; or nothing."""
_SECRET_INPUT: Final = re.compile(r"(^|\.)(auth|password|passphrase|token|integrationKey|apiKey|secretKey)$")
"""Inputs that are secrets whatever they hold."""


def image_is_pinned(resource: Resource) -> list[str]:
    """No image without a tag or digest that stays."""
    reference = resource.get({IMAGE: "name", CONTAINER: "image"}.get(resource.type, ""), "")
    if not reference or _DIGEST.search(reference):
        return []
    tag = _TAG.search(reference.rpartition("/")[2])
    if tag is None:
        return [f"image '{reference}' has neither tag nor digest: give it one in versions.toml"]
    if tag["tag"] in _MOVING:
        return [f"image '{reference}' has a tag that moves: give it a version in versions.toml"]
    return []


def image_has_a_digest(resource: Resource) -> list[str]:
    """Images by digest where the settings ask for it (`required` of the policy): a tag can be moved."""
    reference = resource.get("name", "") if resource.type == IMAGE else ""
    if not reference or not resource.settings.get("required") or _DIGEST.search(reference):
        return []
    return [f"image '{reference}' has no digest, which production needs: `make digests` fills in versions.toml"]


def ports_are_local_or_explained(resource: Resource) -> list[str]:
    """No published port outside loopback without a stated reason."""
    if resource.type != CONTAINER or resource.labels.get(PUBLISHED_BECAUSE, "").strip():
        return []
    return [
        f"port {int(port.get('external') or port['internal'])} is published on {port.get('ip') or 'every address'}"
        " without a reason: set publishReason, or bindAddress to 127.0.0.1"
        for port in resource.get("ports", ())
        if not _loopback(port.get("ip"))
    ]


def _loopback(address: str | None) -> bool:
    try:
        return ip_address(address or "0.0.0.0").is_loopback  # noqa: S104 - what Docker takes for none
    except ValueError:
        return False


def container_has_limits_and_health_check(resource: Resource) -> list[str]:
    """No container without memory limit; none that serves without CPU limit and health check."""
    if resource.type != CONTAINER:
        return []
    serves = not _one_shot(resource)
    missing = [
        limit
        for limit, present in (
            ("memory limit", resource.get("memory", 0) or not resource.known("memory")),
            ("CPU limit", not serves or _cores(resource) or not resource.known("cpus")),
            ("health check", not serves or _health(resource)),
        )
        if not present
    ]
    return [f"container '{resource.name}' has no {', no '.join(missing)}"] if missing else []


def _one_shot(resource: Resource) -> bool:
    """Say whether the container does one thing and ends, or is only filled: nothing it runs is kept running."""
    return resource.get("mustRun", True) is False and resource.get("restart", "no") == "no"


def _cores(resource: Resource) -> bool:
    return float(resource.get("cpus", 0) or 0) > 0 or resource.get("cpuQuota", 0) > 0


def _health(resource: Resource) -> bool:
    tests = resource.get("healthcheck", {}).get("tests") or []
    return bool(tests) and tests[0] != "NONE"


def container_is_confined(resource: Resource) -> list[str]:
    """No privileged container, none with the host's namespaces, devices or paths, or capabilities that it keeps."""
    if resource.type != CONTAINER:
        return []
    capabilities = resource.get("capabilities", {})
    kept = {c.removeprefix("CAP_") for c in capabilities.get("adds") or ()} - (
        {"CHOWN"} if _one_shot(resource) else set()
    )
    allowed = HOST_NETWORK if resource.labels.get(SERVICE) == topology.COLLECTOR.name else {}
    paths = {m["hostPath"] for m in resource.get("volumes", ()) if m.get("hostPath")}
    paths |= {m["source"] for m in resource.get("mounts", ()) if m.get("type") == "bind"}
    paths -= {path for path in allowed if _read_only(resource, path)}
    found = [
        said
        for said, wrong in (
            ("is privileged", resource.get("privileged", False)),
            ("has devices of the host", resource.get("devices", ())),
            ("can get more privileges: securityOpts needs no-new-privileges:true", not _keeps_privileges(resource)),
            ("does not drop all capabilities", "ALL" not in (capabilities.get("drops") or ())),
            (f"keeps capabilities: {', '.join(sorted(kept))}", kept),
            *(
                (f"has the host's {key.removesuffix('Mode')}", resource.get(key, "") == "host")
                for key in ("networkMode", "pidMode", "ipcMode", "usernsMode")
            ),
            (
                f"sees {', '.join(sorted(paths))} of the host, which the socket proxy alone may",
                paths and resource.labels.get(SERVICE) != SOCKET_PROXY,
            ),
        )
        if wrong
    ]
    return [f"container '{resource.name}' {said}" for said in found]


def _read_only(resource: Resource, path: str) -> bool:
    return all(m.get("readOnly", False) for m in resource.get("volumes", ()) if m.get("hostPath") == path)


def _keeps_privileges(resource: Resource) -> bool:
    return any(str(opt).replace("=", ":") in _NO_NEW for opt in resource.get("securityOpts", ()))


def networks_are_separate(resource: Resource) -> list[str]:
    """No container in the network of the stack's own parts and in another one, but those that have to be."""
    if resource.type == NETWORK:
        name = str(resource.get("name", ""))
        if name.endswith(BACKENDS) and not resource.get("internal", False):
            return [f"network '{name}' leads outside: it needs internal: true"]
        return []
    if resource.type != CONTAINER:
        return []
    names = [str(n.get("name", "")) for n in resource.get("networksAdvanced", ())]
    others = [n for n in names if n and not unknown(n) and not n.endswith(_PARTS_ALONE)]
    if not others or not any(n.endswith(BACKENDS) for n in names) or resource.labels.get(SERVICE) in BETWEEN:
        return []
    return [f"container '{resource.name}' is in the backends' network and in {others[0]}: only one of both"]


def processes_are_limited(containers: Mapping[str, Resource], limited: Collection[str]) -> dict[str, list[str]]:
    """Return, by resource, the containers that serve and whose processes nothing limits.

    The provider has no such argument: the check that waits for a container (`components.checks.Readiness`) sets the
    limit. `limited` are the containers that have one.
    """
    return {
        urn: [f"container '{one.name}' has no process limit: it needs a Readiness check, which sets one"]
        for urn, one in containers.items()
        if not _one_shot(one) and one.get("name") not in limited
    }


def dashboard_has_a_folder(resource: Resource) -> list[str]:
    """No dashboard without a folder."""
    if resource.type != DASHBOARD or resource.get("folder") or not resource.known("folder"):
        return []
    return [f"dashboard '{resource.name}' lies in no folder: name one in dashboards/catalogue.py, or below imported/"]


def data_is_protected(resource: Resource) -> list[str]:
    """Data volumes protected where the settings ask for it (`protected` of the policy)."""
    if resource.type != VOLUME or CONTENT in resource.labels or resource.protected:
        return []
    if not resource.settings.get("protected"):
        return []
    return [f"data volume '{resource.name}' is not protected: production needs protectData"]


def secrets_are_kept(resource: Resource) -> list[str]:
    """No secret in plain text: neither in the state, nor in a container's environment or command."""
    problems = []
    if resource.type == CONTAINER:
        for entry in resource.get("envs", ()):
            name, _, value = str(entry).partition("=")
            if _CREDENTIAL.search(name) and not _BY_FILE.fullmatch(value) and value.lower() not in {"true", "false"}:
                problems.append(
                    f"environment entry {name} holds a credential, which `docker inspect` shows: use a file"
                )
    for path, value, hidden in texts(resource.inputs):
        if hidden or not value:
            continue
        if _SECRET_INPUT.search(path):
            problems.append(f"input {path} is a secret in plain text: make it a pulumi.Output.secret")
        elif path.endswith(".content") and _below_secrets(resource, path):
            problems.append(f"input {path} is a secret file in plain text: make it a pulumi.Output.secret")
    return problems


def _below_secrets(resource: Resource, path: str) -> bool:
    match = re.fullmatch(r"uploads\[(\d+)\]\.content", path)
    uploads = resource.get("uploads", ())
    return match is not None and str(uploads[int(match[1])].get("file", "")).startswith(f"{SECRETS}/")


def repeated_in_plain_text(hidden: dict[str, str], plain: dict[str, dict[str, str]]) -> dict[str, list[str]]:
    """Return, by resource, where a text that is a secret elsewhere stands in plain text.

    `hidden` maps each secret of the stack to where it is kept, `plain` each resource to its other texts by path.
    """
    distinctive = sorted((secret for secret in hidden if len(secret) >= SHORTEST), key=len, reverse=True)
    problems: dict[str, list[str]] = {}
    for urn, inputs in plain.items():
        for path, value in inputs.items():
            secret = next((secret for secret in distinctive if secret in value), None)
            if secret is not None:
                problems.setdefault(urn, []).append(f"input {path} repeats in plain text the secret {hidden[secret]}")
    return problems


WHERE: Final = re.compile(r"uploads\[\d+\]\.(file|permissions)")
"""Inputs that are hidden along with a secret beside them, and say only where it lies."""
SHORTEST: Final = 8
"""Characters of a secret that can be told from any other text."""
