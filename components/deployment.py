"""One annotation in Grafana for each `up` that changed something, with the list of changes.

The state holds the release fingerprint of the last `up`; the annotation lists the facts that differ. Annotations are
history: no later run changes or deletes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult

from components.grafana_api import GrafanaApi
from observability.names.uids import DEPLOYMENT_TAG as TAG

if TYPE_CHECKING:
    from collections.abc import Mapping

    from components.grafana import GrafanaServer

_FIRST: Final = "first deployment"
_FACTS: Final = "facts"
"""Key of the release fingerprint in the state of every existing stack."""


def changes(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """Return what differs between two release fingerprints, in words, in the order of `new`."""
    changed = []
    for name in (*new, *(name for name in old if name not in new)):
        before, after = old.get(name), new.get(name)
        if before == after:
            continue
        if before is None or after is None:
            changed.append(f"{name} {'added' if before is None else 'removed'}")
            continue
        (was, _, _), (now, _, tells) = before.partition(" "), after.partition(" ")
        changed.append(f"{name} {was} → {now}" if tells and was != now else name)
    return changed


class DeploymentProvider(ResourceProvider):
    """Posts to `/api/annotations`. If Grafana refuses, the resource fails, and the next `up` tries again."""

    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Annotate the first deployment."""
        self._mark(props, [_FIRST])
        return CreateResult(id_=TAG, outs=props)

    def diff(self, _id: str, old: dict[str, Any], new: dict[str, Any]) -> DiffResult:
        """Return whether anything differs; nothing is ever replaced."""
        changed = any(old.get(key) != new.get(key) for key in (_FACTS, "url", "ca", "auth", "stack"))
        return DiffResult(changes=changed, replaces=[], stables=[], delete_before_replace=False)

    def update(self, _id: str, old: dict[str, Any], new: dict[str, Any]) -> UpdateResult:
        """Annotate what changed; a new password alone is no deployment."""
        if changed := changes(old[_FACTS], new[_FACTS]):
            self._mark(new, changed)
        return UpdateResult(outs=new)

    @staticmethod
    def _mark(props: dict[str, Any], changed: list[str]) -> None:
        body = {"text": f"pulumi up: {', '.join(changed)}", "tags": [TAG, f"stack:{props['stack']}"]}
        api = GrafanaApi(str(props["url"]), str(props["auth"]), str(props.get("ca", "")))
        api.request("POST", "/api/annotations", body)


class Deployment(Resource, module="grafana", name="Deployment"):
    """The annotation of the newest change."""

    def __init__(
        self,
        stack: str,
        facts: Mapping[str, str],
        *,
        grafana: GrafanaServer,
        auth: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Annotate the deployment.

        Args:
            stack: name of the Pulumi stack, for the annotation's tags.
            facts: the release fingerprint.
            grafana: server that gets the annotation.
            auth: token for its API.
            opts: make it depend on everything that the annotation speaks of.

        """
        props: dict[str, Any] = {
            "url": grafana.url,
            "ca": grafana.ca,
            "auth": pulumi.Output.secret(auth),
            "stack": stack,
            _FACTS: dict(facts),
        }
        super().__init__(DeploymentProvider(), "deployment", props, opts)
