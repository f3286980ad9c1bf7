"""What an `up` changed, as an annotation in Grafana: one mark for each run that changed something.

The state remembers what was deployed; the mark says in which of its parts the new differs. Marks are history: they
stay when the stack changes again, and nothing takes them back.
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


def changes(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """Return in words what differs, in the order of the new."""
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
    """Posts to `/api/annotations`; GrafanaError when Grafana refuses, and the next `up` tries again."""

    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Mark the first deployment."""
        self._mark(props, [_FIRST])
        return CreateResult(id_=TAG, outs=props)

    def diff(self, _id: str, old: dict[str, Any], new: dict[str, Any]) -> DiffResult:
        """Say whether anything differs; nothing is ever replaced."""
        changed = any(old.get(key) != new.get(key) for key in (_FACTS, "url", "ca", "auth", "stack"))
        return DiffResult(changes=changed, replaces=[], stables=[], delete_before_replace=False)

    def update(self, _id: str, old: dict[str, Any], new: dict[str, Any]) -> UpdateResult:
        """Mark what changed; another password alone is no deployment."""
        if changed := changes(old[_FACTS], new[_FACTS]):
            self._mark(new, changed)
        return UpdateResult(outs=new)

    @staticmethod
    def _mark(props: dict[str, Any], changed: list[str]) -> None:
        body = {"text": f"pulumi up: {', '.join(changed)}", "tags": [TAG, f"stack:{props['stack']}"]}
        api = GrafanaApi(str(props["url"]), str(props["auth"]), str(props.get("ca", "")))
        api.request("POST", "/api/annotations", body)


class Deployment(Resource, module="grafana", name="Deployment"):
    """The mark of the newest change."""

    def __init__(
        self,
        stack: str,
        facts: Mapping[str, str],
        *,
        grafana: GrafanaServer,
        auth: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`facts` are what is deployed (deployed.py); `opts` makes it wait for everything else."""
        props: dict[str, Any] = {
            "url": grafana.url,
            "ca": grafana.ca,
            "auth": pulumi.Output.secret(auth),
            "stack": stack,
            _FACTS: dict(facts),
        }
        super().__init__(DeploymentProvider(), "deployment", props, opts)
