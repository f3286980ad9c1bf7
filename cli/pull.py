"""`pull`: writes a dashboard, as it is in Grafana now, to a file from which the program creates it.

The file is `imported/dashboards/<uid>.json`. It replaces a dashboard of the catalogue with the same UID.
"""

from __future__ import annotations

import json
from typing import Any

from cli.bootstrap import ROOT
from cli.context import Context
from cli.errors import UsageError, UserError
from cli.pulumi import Pulumi
from cli.repair import prepare_stack
from components.grafana_api import GrafanaApi
from dashboards.catalogue import dashboards, folders
from observability import imported

Json = dict[str, Any]

_BY_GRAFANA = ("id", "version")
"""Fields that Grafana numbers itself, differently on every stack."""
_TYPE = "grafana:oss/dashboard:Dashboard"


def run(context: Context, uid: str) -> int:
    """Write the dashboard with this UID."""
    try:
        imported.require_uid(uid)
    except imported.ImportedContentError as error:
        msg = f"{error}, as in a dashboard's address after /d/, like `make pull UID=home`"
        raise UsageError(msg) from None
    settings = context.settings
    prepare_stack(context)
    dashboard = fetch(context.stack, context.grafana(), uid)
    say = context.console.say
    here = next((file for file in dashboards(settings) if file.uid == uid), None)
    if here is not None and here.folder == dashboard.folder and json.loads(here.json) == dashboard.model:
        say(f"'{uid}' in Grafana is what the code builds already: nothing was written")
        return 0
    if dashboard.folder and dashboard.folder not in folders():
        msg = f"'{uid}' is in folder '{dashboard.folder}', which is not the program's: `make import` takes both"
        raise UserError(msg)
    changed = imported.files(new_dashboards=[dashboard])
    with imported.writing(changed):
        _refresh(context.pulumi, uid)
    (path,) = changed
    say(f"wrote {path.relative_to(ROOT)}: it builds what Grafana has. `make up` has nothing to change about it.")
    if here is not None and not here.imported:
        say("It replaces the one that the catalogue builds, on every stack; delete the file to go back.")
    return 0


def fetch(stack: str, api: GrafanaApi, uid: str) -> imported.Dashboard:
    """Return a dashboard as it is in Grafana; raise UserError if there is none."""
    answer = api.find(f"/api/dashboards/uid/{imported.require_uid(uid)}")
    if answer is None:
        msg = f"Grafana of stack '{stack}' has no dashboard '{uid}'"
        raise UserError(msg)
    model = {key: value for key, value in answer["dashboard"].items() if key not in _BY_GRAFANA}
    folder = answer["meta"].get("folderUid") or ""
    if model.get("uid", uid) != uid:
        msg = f"Grafana of stack '{stack}' answers with another dashboard than '{uid}': nothing was written"
        raise UserError(msg)
    return imported.Dashboard(uid, imported.require_uid(folder) if folder else "", model)


def _refresh(pulumi: Pulumi, uid: str) -> None:
    """Write the dashboard in Grafana to the state; otherwise `up` would write the same again, as a new version."""
    resources = pulumi.exported()["deployment"].get("resources") or []
    urns = [r["urn"] for r in resources if r["type"] == _TYPE and str(r["id"]).rsplit(":", 1)[-1] == uid]
    if urns:
        pulumi.output("refresh", "--yes", "--skip-preview", "--target", urns[0])
