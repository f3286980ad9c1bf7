"""A stack's state, moved: to another name, another passphrase, another host, or onto data of another moment.

Grafana's database and the state belong together: IDs of correlations, the administrator's password, the key that
encrypts what Grafana stores. So a restore takes both from the archive. What the state knows of the Docker host is left
out: the next `up` makes it anew, and takes the data volumes as they are.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

from cli import state_check
from cli.context import Context
from cli.errors import UserError, WrongPassphraseError
from cli.pulumi import Pulumi
from observability.names.paths import SECRET_KEY
from observability.settings import PROJECT

Json = dict[str, Any]

_HOST_TYPES: Final = ("docker:", "pulumi:providers:docker", "pulumi-python:dynamic/gates:")
_NETWORK: Final = "docker:index/network:Network"
_SECRET: Final = "4dabf18193072939515e22adb298388d"  # noqa: S105 - how Pulumi marks one
_GENERATED: Final = {
    "grafanaAdminPassword": "grafana-admin-password",
    "grafanaSecretKey": "grafana-secret-key",
}
"""The settings that Grafana's database depends on, and what generates them where they are not configured."""


def decrypt_state(pulumi: Pulumi, state: str, passphrase: str | None) -> Json:
    """Return an archive's state under the stack's name, its secrets in plain; WrongPassphraseError if they stay closed.

    Plain in memory only: the temporary backend that Pulumi reads it in keeps them encrypted. The state has to be one
    that `state_check.require_own` accepts; its dynamic resources get this program's providers.
    """
    stack = pulumi.stack
    former = _stack_of(json.loads(state))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "Pulumi.yaml").write_text(f"name: {PROJECT}\nruntime: python\n")
        (folder / "backend").mkdir(mode=0o700)
        environment = pulumi.environment.for_pulumi(stack) | {"PULUMI_BACKEND_URL": f"file://{folder / 'backend'}"}
        if passphrase is not None:
            environment |= {"PULUMI_CONFIG_PASSPHRASE": passphrase}
            environment.pop("PULUMI_CONFIG_PASSPHRASE_FILE", None)

        def output(*arguments: str, stdin: str | None = None) -> str:
            return pulumi.output(*arguments, stdin=stdin, folder=folder, environment=environment)

        output("stack", "init", former)
        try:
            output("stack", "import", "--stack", former, stdin=state)
            if former != stack:
                output("stack", "rename", "--stack", former, stack)
            shown: Json = json.loads(output("stack", "export", "--stack", stack, "--show-secrets"))
        except UserError as error:
            msg = (
                f"the passphrase does not open the secrets of the archive's stack '{former}': put the one it was backed"
                f" up with into PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE. Nothing was touched."
                f" ({error})"
            )
            raise WrongPassphraseError(msg) from None
    return state_check.with_own_providers(shown)


def strip_host_resources(state: Json, *, keep: Json | None = None, networks: Collection[str] = ()) -> Json:
    """Return a state without what it knows of the Docker host, and without pending operations.

    Args:
        state: The state.
        keep: A state of the same stack whose networks stay known.
        networks: The IDs of the networks that stay: they exist, and other containers may be connected to them.
    """
    deployment: Json = dict(state["deployment"])
    resources: list[Json] = deployment.get("resources") or []
    gone = {str(r["urn"]) for r in resources if str(r["type"]).startswith(_HOST_TYPES)}
    left = [without_references(r, gone) for r in resources if r["urn"] not in gone]
    if keep is not None and left:
        known = {r["urn"] for r in left}
        # Behind the stack itself, which comes first, and before everything that depends on them.
        left[1:1] = [r for r in _networks(keep, networks) if r["urn"] not in known]
    deployment["resources"] = left
    deployment["pending_operations"] = []
    return state | {"deployment": deployment}


def _networks(state: Json, networks: Collection[str]) -> list[Json]:
    """Return the networks of a state and what they refer to, in the state's order."""
    resources: list[Json] = state["deployment"].get("resources") or []
    by_urn = {str(r["urn"]): r for r in resources}
    wanted: set[str] = set()
    pending = [str(r["urn"]) for r in resources if r["type"] == _NETWORK and r["id"] in networks]
    while pending:
        urn = pending.pop()
        if urn not in wanted and urn in by_urn:
            wanted.add(urn)
            resource = by_urn[urn]
            pending += [str(resource.get("parent") or ""), str(resource.get("provider") or "").rpartition("::")[0]]
            pending += resource.get("dependencies") or []
    return [r for r in resources if r["urn"] in wanted]


def without_references(resource: Json, urns: set[str]) -> Json:
    """Return `resource` without references to the resources that left the state."""
    kept = dict(resource)
    if kept.get("deletedWith") in urns:
        del kept["deletedWith"]
    if "dependencies" in kept:
        kept["dependencies"] = [u for u in kept["dependencies"] if u not in urns]
    if "propertyDependencies" in kept:
        kept["propertyDependencies"] = {
            key: [u for u in values or [] if u not in urns] for key, values in kept["propertyDependencies"].items()
        }
    return kept


def secrets(state: Json) -> dict[str, str]:
    """Return the secrets that Grafana's database depends on, by setting, from a state in plain text."""
    try:
        secrets_ = _secrets(state)
    except (KeyError, TypeError, ValueError):
        secrets_ = {}
    if len(secrets_) != len(_GENERATED) + 1:
        msg = "the archive's state does not contain the secrets of its Grafana. Nothing was touched."
        raise UserError(msg)
    return secrets_


def _secrets(state: Json) -> dict[str, str]:
    resources: list[Json] = state["deployment"].get("resources") or []
    secrets_: dict[str, str] = {}
    for resource in resources:
        for upload in _plain((resource.get("inputs") or {}).get("uploads")) or ():
            if upload["file"] == SECRET_KEY:
                secrets_["grafanaSecretKey"] = str(_plain(upload["content"]))
        outputs: Json = resource.get("outputs") or {}
        if resource["type"] == "pulumi:pulumi:Stack" and "grafanaAdminPassword" in outputs:
            secrets_["grafanaAdminPassword"] = str(_plain(outputs["grafanaAdminPassword"]))
            secrets_["grafanaAdminUser"] = str(_plain(outputs["grafanaAdminUser"]))
    return secrets_


def configure_secrets(context: Context, state: Json, wanted: dict[str, str], configured: frozenset[str]) -> list[str]:
    """Make the stack's next `up` use these secrets; return the settings that were written for it.

    A secret that the state generates needs nothing. One of the `configured` settings that differs is set, over
    standard input.
    """
    pulumi = context.pulumi
    generated = {
        str(r["urn"]).rsplit("::", 1)[-1]: str(_plain(r["outputs"]["result"]))
        for r in state["deployment"].get("resources") or ()
        if str(r["type"]).endswith(":RandomPassword")
    }
    written = []
    for setting, name in _GENERATED.items():
        now = pulumi.output("config", "get", setting).strip() if setting in configured else generated.get(name)
        if now != wanted[setting]:
            pulumi.output("config", "set", "--secret", setting, stdin=wanted[setting])
            written.append(setting)
    return written


def install(pulumi: Pulumi, state: Json, *, like: Json) -> None:
    """Make this the stack's state, with its secrets encrypted like those of `like`, the stack's own."""
    deployment: Json = state["deployment"] | {"secrets_providers": like["deployment"]["secrets_providers"]}
    pulumi.output("stack", "import", "--force", stdin=json.dumps(state | {"deployment": deployment}))


def _stack_of(state: Json) -> str:
    for resource in state["deployment"].get("resources") or ():
        return str(resource["urn"]).split(":")[2]
    msg = "the archive's state is empty. Nothing was touched."
    raise UserError(msg)


def _plain(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Return a value out of Pulumi's envelope around a secret."""
    if isinstance(value, dict) and _SECRET in value:
        return json.loads(value["plaintext"])
    return value
