"""`import`: manages the folders, data sources and dashboards that people made in Grafana, unchanged.

They are written to imported/ and imported into Pulumi's state as they are, so that `up` finds nothing to change. What
cannot be imported stays unmanaged, and is named.
"""

from __future__ import annotations

import json
import tempfile
from typing import Any

from cli.context import Context
from cli.errors import NotUpError, UserError
from cli.pull import fetch
from cli.pulumi import Pulumi
from cli.repair import prepare_stack
from components.grafana_api import GrafanaApi
from observability import imported

Json = dict[str, Any]

_FOLDER = "grafana:oss/folder:Folder"
_SOURCE = "grafana:oss/dataSource:DataSource"
_DASHBOARD = "grafana:oss/dashboard:Dashboard"
_COMPONENT = "observability:index:Content"
_HEADER = "httpHeaderName"


def run(context: Context) -> int:
    """Import everything that the program does not manage yet."""
    try:
        return _import_all(context)
    except imported.ImportedContentError as error:
        msg = f"Grafana of stack '{context.stack}' holds what cannot be imported: {error}. Nothing was written."
        raise UserError(msg) from None


def _import_all(context: Context) -> int:
    _ = context.settings
    prepare_stack(context)
    api = context.grafana()
    say = context.console.say
    resources: list[Json] = context.pulumi.exported()["deployment"].get("resources") or []
    managed = {(r["type"], _uid(r)) for r in resources if r["type"] in {_FOLDER, _SOURCE, _DASHBOARD}}
    skipped: list[str] = []
    folders = [f for f in _folders(api) if (_FOLDER, f.uid) not in managed]
    sources = [s for s in _sources(api, skipped) if (_SOURCE, s.uid) not in managed]
    dashboards = [d for d in _dashboards(api, skipped) if (_DASHBOARD, d) not in managed]
    new = [*((_FOLDER, f.uid) for f in folders), *((_SOURCE, s.uid) for s in sources)]
    new += [(_DASHBOARD, uid) for uid in dashboards]
    for line in skipped:
        say(f"stays unmanaged: {line}")
    if not new:
        say(f"Grafana of stack '{context.stack}' has nothing that the program does not manage")
        return 0
    with imported.writing(imported.files(folders, sources, [fetch(context.stack, api, uid) for uid in dashboards])):
        _import(context.pulumi, resources, new)
    rows = [(t.rsplit(":", 1)[-1], uid) for t, uid in new]
    context.console.table("managed from now on", ("kind", "uid"), rows)
    say(f"wrote imported/: {len(dashboards)} dashboards, {len(folders)} folders, {len(sources)} data sources.")
    say("Nothing in Grafana was changed. `make up` will change nothing about them but its own record of the release.")
    return 0


def _folders(api: GrafanaApi) -> list[imported.Folder]:
    """Return Grafana's folders, parents before children."""
    answers = [
        api.request("GET", f"/api/folders/{imported.require_uid(f['uid'])}") for f in _search(api, "dash-folder")
    ]
    folders = [imported.Folder(imported.require_uid(f["uid"]), f["title"], f.get("parentUid") or "") for f in answers]
    return list(imported.by_depth(folders))


def _sources(api: GrafanaApi, skipped: list[str]) -> list[imported.Source]:
    sources = []
    for source in api.request("GET", "/api/datasources"):
        if source.get("readOnly"):
            skipped.append(f"data source '{source['name']}', which Grafana was provisioned with")
            continue
        one = api.request("GET", f"/api/datasources/uid/{imported.require_uid(source['uid'])}")
        if any(key.startswith(_HEADER) for key in one["jsonData"]):
            skipped.append(f"data source '{one['name']}', whose HTTP headers Grafana never shows")
            continue
        sources.append(
            imported.Source(
                uid=imported.require_uid(one["uid"]),
                name=one["name"],
                type=one["type"],
                url=one["url"],
                access=one["access"],
                is_default=one["isDefault"],
                user=one.get("user", ""),
                database=one.get("database", ""),
                basic_auth=one.get("basicAuth", False),
                basic_auth_user=one.get("basicAuthUser", ""),
                json_data=json.dumps(one["jsonData"], sort_keys=True),
            )
        )
    return sources


def _dashboards(api: GrafanaApi, skipped: list[str]) -> list[str]:
    uids = []
    for item in _search(api, "dash-db"):
        one = api.request("GET", f"/api/dashboards/uid/{imported.require_uid(item['uid'])}")
        if one["meta"].get("provisioned"):
            skipped.append(f"dashboard '{item['title']}', which Grafana was provisioned with")
        else:
            uids.append(str(item["uid"]))
    return uids


def _search(api: GrafanaApi, kind: str) -> list[Json]:
    items: list[Json] = []
    while page := api.request("GET", f"/api/search?type={kind}&limit=1000&page={len(items) // 1000 + 1}"):
        items += page
        if len(page) < 1000:  # noqa: PLR2004 - the limit of the request
            break
    return items


def _uid(resource: Json) -> str:
    return str(resource["id"]).rsplit(":", 1)[-1]


def _import(pulumi: Pulumi, resources: list[Json], new: list[tuple[str, str]]) -> None:
    """Import them into the state, under the parent that `up` gives them."""
    parent = next((r["urn"] for r in resources if r["type"] == _COMPONENT), None)
    provider = next((r["urn"] for r in resources if r["type"] == "pulumi:providers:grafana"), None)
    if parent is None or provider is None:
        msg = f"stack '{pulumi.stack}' is not up: run `make up` first"
        raise NotUpError(msg)
    document = {
        "nameTable": {"content": parent, "grafana": provider},
        "resources": [
            {"type": type_, "name": uid, "id": f"1:{uid}", "parent": "content", "provider": "grafana"}
            for type_, uid in new
        ],
    }
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(document, file)
        file.flush()
        pulumi.output(
            "import", "--file", file.name, "--yes", "--skip-preview", "--protect=false", "--generate-code=false"
        )
