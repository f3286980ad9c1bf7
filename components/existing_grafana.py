"""The check that an existing Grafana has none of the UIDs and names that this program is about to create.

It runs once, before anything is created; afterwards the state knows which content is ours. Content of others is never
taken over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider

from components.checks import CheckFailedError
from components.grafana_api import GrafanaApi
from components.placement import under
from dashboards.catalogue import dashboards, folders
from observability.configs.datasources import datasources

if TYPE_CHECKING:
    from components.grafana import GrafanaServer
    from observability.settings import Settings

Properties = dict[str, Any]


class VacancyProvider(ResourceProvider):
    """Fails if content of others has one of our UIDs or names."""

    serialize_as_secret_always = False

    def create(self, props: Properties) -> CreateResult:
        """Look for each UID and name; raise CheckFailedError with all that are taken."""
        api = GrafanaApi(str(props["url"]), str(props["auth"]), str(props["ca"]))
        taken = [f"{what} {uid}" for what, path, uid in _wanted(props) if api.find(path) is not None]
        if taken:
            msg = (
                f"Grafana at {props['url']} has content of its own with the same UID or name: {', '.join(taken)}."
                " Nothing was created. Rename or remove it there, or use another organisation of that Grafana."
            )
            raise CheckFailedError(msg)
        return CreateResult(id_="vacancy", outs=props)

    def diff(self, _id: str, _old: Properties, _new: Properties) -> DiffResult:
        """Return no change: what exists by now is in the state, or Grafana itself refuses it."""
        return DiffResult(changes=False, replaces=[], stables=[])


def _wanted(props: Properties) -> list[tuple[str, str, str]]:
    found = [("folder", f"/api/folders/{uid}", uid) for uid in props["folders"]]
    found += [("dashboard", f"/api/dashboards/uid/{uid}", uid) for uid in props["dashboards"]]
    for uid, name in props["sources"].items():
        found += [("data source", f"/api/datasources/uid/{uid}", uid)]
        found += [("data source", f"/api/datasources/name/{name}", name)]
    return found


class Vacancy(Resource, module="grafana", name="Vacancy"):
    """Exists once no content of others has one of our UIDs or names."""

    def __init__(
        self, settings: Settings, *, grafana: GrafanaServer, auth: pulumi.Input[str], parent: pulumi.Resource
    ) -> None:
        """Run the check; `auth` is a token for the API."""
        props: Properties = {
            "url": grafana.url,
            "ca": grafana.ca,
            "auth": pulumi.Output.secret(auth),
            "folders": sorted(folders()),
            "dashboards": [dashboard.uid for dashboard in dashboards(settings)],
            "sources": {spec.uid: spec.title for spec in datasources(settings)},
        }
        super().__init__(VacancyProvider(), "vacancy", props, under(parent))
