"""The check of an archive's state: a restore accepts only a state that this program could have made.

A state makes Pulumi act: it runs the Python in a dynamic resource's pickle, downloads providers from its URLs,
and calls the key service that it names. So types and providers are compared with a list, and every pickle is replaced
by the program's own.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from typing import Annotated, Any, Final

from pulumi.dynamic import ResourceProvider
from pulumi.dynamic.dynamic import PROVIDER_KEY, serialize_provider
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cli.errors import UserError
from components.access import AccessProvider
from components.administrator import AdministratorProvider
from components.checks import PreflightProvider, ReadinessProvider
from components.contact_points import ContactPointProvider
from components.correlations import CorrelationProvider
from components.deployment import DeploymentProvider
from components.secret_key import SecretKeyProvider
from observability.settings import PROJECT
from observability.settings.errors import shown

Json = dict[str, Any]

_DYNAMIC: Final = "pulumi-python:dynamic/"
PROVIDERS: Final[dict[str, type[ResourceProvider]]] = {
    f"{_DYNAMIC}gates:Preflight": PreflightProvider,
    f"{_DYNAMIC}gates:Readiness": ReadinessProvider,
    f"{_DYNAMIC}grafana:Access": AccessProvider,
    f"{_DYNAMIC}grafana:Administrator": AdministratorProvider,
    f"{_DYNAMIC}grafana:ContactPoint": ContactPointProvider,
    f"{_DYNAMIC}grafana:Correlation": CorrelationProvider,
    f"{_DYNAMIC}grafana:Deployment": DeploymentProvider,
    f"{_DYNAMIC}grafana:SecretKey": SecretKeyProvider,
}
"""The dynamic resources of this program, with the provider class of each."""
TYPES: Final = frozenset(
    {
        "pulumi:pulumi:Stack",
        "pulumi:providers:docker",
        "pulumi:providers:grafana",
        "pulumi:providers:random",
        "pulumi:providers:pulumi-python",
        "docker:index/container:Container",
        "docker:index/network:Network",
        "docker:index/remoteImage:RemoteImage",
        "docker:index/volume:Volume",
        "grafana:alerting/contactPoint:ContactPoint",
        "grafana:alerting/messageTemplate:MessageTemplate",
        "grafana:alerting/muteTiming:MuteTiming",
        "grafana:alerting/notificationPolicy:NotificationPolicy",
        "grafana:alerting/ruleGroup:RuleGroup",
        "grafana:oss/dashboard:Dashboard",
        "grafana:oss/dataSource:DataSource",
        "grafana:oss/folder:Folder",
        "grafana:oss/organizationPreferences:OrganizationPreferences",
        "random:index/randomPassword:RandomPassword",
        *PROVIDERS,
    }
)
"""Every type that this program registers or has registered, without its components."""
_COMPONENT: Final = re.compile(r"observability:index:[A-Za-z]+")
_PROVIDER_TYPE: Final = "pulumi:providers:"
_VERSION: Final = re.compile(r"[0-9][0-9A-Za-z.+-]*")
_DOWNLOADS: Final = {"pulumi:providers:grafana": "github://api.github.com/pulumiverse"}
"""Download servers of the plugins that do not come from Pulumi, as their packages name them."""
_INTERNAL: Final = "__internal"
_PLUGIN: Final = ("pluginDownloadURL", "pluginChecksums", "parameterization", "name")
"""Inputs of a provider that decide which program runs; Pulumi keeps them there or under `__internal`."""

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.][A-Za-z0-9_.-]{0,99}$")]


class _Resource(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)

    urn: Annotated[str, Field(pattern=rf"^urn:pulumi:[A-Za-z0-9_.][A-Za-z0-9_.-]*::{PROJECT}::.")]
    type: str
    provider: str = ""
    inputs: Json = {}
    outputs: Json = {}


class _Operation(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)

    resource: _Resource


class _SecretsProvider(BaseModel):
    model_config = ConfigDict(strict=True)

    type: str = ""
    state: Any = None


class _Deployment(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)

    resources: list[_Resource] | None = None
    pending_operations: list[_Operation] | None = None
    secrets_providers: _SecretsProvider | None = None


class _State(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)

    deployment: _Deployment


def require_own(state: str, services: Collection[str] = ()) -> None:
    """Raise UserError unless this program could have made the state of an archive.

    Args:
        state: The state as Pulumi exports it.
        services: The URLs of the services that may be asked for the key of the state's secrets: the chosen stack's.
    """
    try:
        deployment = _State.model_validate_json(state).deployment
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise _refused(f"it is no state of project '{PROJECT}': {shown(where[:100])}: {first['msg'][:200]}") from None
    resources = [*(deployment.resources or ()), *(o.resource for o in deployment.pending_operations or ())]
    problem = next(_problems(deployment, resources, services), None)
    if problem is not None:
        raise _refused(problem)


def with_own_providers(state: Json) -> Json:
    """Return a state whose dynamic resources have this program's providers, whatever came in their place."""
    deployment: Json = state["deployment"]
    return state | {"deployment": deployment | {"resources": [_own(r) for r in deployment.get("resources") or ()]}}


def _own(resource: Json) -> Json:
    provider = PROVIDERS.get(resource["type"])
    if provider is None:
        return resource
    pickle = serialize_provider(provider())
    changed = {
        part: resource[part] | {PROVIDER_KEY: pickle}
        for part in ("inputs", "outputs")
        if PROVIDER_KEY in (resource.get(part) or {})
    }
    return resource | changed


def _problems(deployment: _Deployment, resources: Sequence[_Resource], services: Collection[str]) -> Iterator[str]:
    secrets = deployment.secrets_providers or _SecretsProvider()
    url = secrets.state.get("url") if isinstance(secrets.state, dict) else None
    if secrets.type not in ("", "passphrase") and url not in services:
        yield f"its secrets are kept by a service ({shown(secrets.type[:40])}) that this stack does not use"
    if len({r.urn.split(":")[2] for r in resources}) > 1:
        yield "its resources are of more than one stack"
    providers = {r.urn for r in resources if r.type.startswith(_PROVIDER_TYPE)}
    for resource in resources:
        what = f"resource {shown(resource.urn.rsplit('::', 1)[-1][:60])} of type {shown(resource.type[:80])}"
        kind = resource.urn.split("::")[2].rsplit("$", 1)[-1]
        if resource.type not in TYPES and not _COMPONENT.fullmatch(resource.type):
            yield f"{what} is none that this program registers"
        if kind != resource.type:
            yield f"{what} has another type in its name"
        if resource.provider and resource.provider.rpartition("::")[0] not in providers:
            yield f"{what} names a provider that is not in the state"
        if PROVIDER_KEY in resource.inputs | resource.outputs and resource.type not in PROVIDERS:
            yield f"{what} brings code of its own"
        if resource.type.startswith(_PROVIDER_TYPE):
            yield from _problems_of_provider(what, resource)


def _problems_of_provider(what: str, resource: _Resource) -> Iterator[str]:
    for properties in (resource.inputs, resource.outputs):
        internal = properties.get(_INTERNAL) or {}
        for key in _PLUGIN:
            for value in (properties.get(key), internal.get(key) if isinstance(internal, dict) else internal):
                if value and (key, value) != ("pluginDownloadURL", _DOWNLOADS.get(resource.type)):
                    yield f"{what} says which program is to be run for it ({key})"
        if not _VERSION.fullmatch(str(properties.get("version") or "0")):
            yield f"{what} names no version"


def _refused(why: str) -> UserError:
    return UserError(f"the archive's state was not made by this program: {why}. Nothing was touched.")
