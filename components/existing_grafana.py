"""A Grafana that is there already: whether what this program is about to make is free there.

Asked once, before anything is made: afterwards the state knows what is ours. Nothing there is ever taken over.
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
    """Refuses to begin where content that is not ours has one of our UIDs or names."""

    serialize_as_secret_always = False

    def create(self, props: Properties) -> CreateResult:
        """Look for each; CheckFailedError with all that are taken."""
        api = GrafanaApi(str(props["url"]), str(props["auth"]), str(props["ca"]))
        taken = [f"{what} {uid}" for what, path, uid in _wanted(props) if api.find(path) is not None]
        if taken:
            msg = (
                f"Grafana at {props['url']} has content of its own with the same UID or name: {', '.join(taken)}."
                " Nothing was made. Rename or remove it there, or use another organisation of that Grafana."
            )
            raise CheckFailedError(msg)
        return CreateResult(id_="vacancy", outs=props)

    def diff(self, _id: str, _old: Properties, _new: Properties) -> DiffResult:
        """Say that nothing differs: what is there by now is in the state, or is refused by Grafana itself."""
        return DiffResult(changes=False, replaces=[], stables=[])


def _wanted(props: Properties) -> list[tuple[str, str, str]]:
    found = [("folder", f"/api/folders/{uid}", uid) for uid in props["folders"]]
    found += [("dashboard", f"/api/dashboards/uid/{uid}", uid) for uid in props["dashboards"]]
    for uid, name in props["sources"].items():
        found += [("data source", f"/api/datasources/uid/{uid}", uid)]
        found += [("data source", f"/api/datasources/name/{name}", name)]
    return found


class Vacancy(Resource, module="grafana", name="Vacancy"):
    """Done when no content that is not ours is in the way."""

    def __init__(
        self, settings: Settings, *, grafana: GrafanaServer, auth: pulumi.Input[str], parent: pulumi.Resource
    ) -> None:
        """`auth` is a token."""
        props: Properties = {
            "url": grafana.url,
            "ca": grafana.ca,
            "auth": pulumi.Output.secret(auth),
            "folders": sorted(folders()),
            "dashboards": [dashboard.uid for dashboard in dashboards(settings)],
            "sources": {spec.uid: spec.title for spec in datasources(settings)},
        }
        super().__init__(VacancyProvider(), "vacancy", props, under(parent))
