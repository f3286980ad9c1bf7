"""`make import`: folders, data sources and dashboards that were made by hand come under the program, unchanged.

They are written down under adopted/ and taken into Pulumi's state as they are, so that `up` finds nothing to do about
them. What cannot be taken stays as it is, and is named.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import adopted
from cli import context, engine, pulumi, stack_config
from cli.bootstrap import UserError
from cli.console import say, table
from cli.pull import fetch, write
from cli.repair import prepare_stack
from components.grafana_api import GrafanaApi, program

Json = dict[str, Any]

_FOLDER = "grafana:oss/folder:Folder"
_SOURCE = "grafana:oss/dataSource:DataSource"
_DASHBOARD = "grafana:oss/dashboard:Dashboard"
_COMPONENT = "observability:index:Content"
_HEADER = "httpHeaderName"


def main(_arguments: list[str]) -> int:
    """Take everything that the program does not know yet."""
    stack_config.current()
    prepare_stack(engine.connect())
    api = program(pulumi.outputs())
    resources: list[Json] = pulumi.exported()["deployment"].get("resources") or []
    known = {(r["type"], _uid(r)) for r in resources if r["type"] in {_FOLDER, _SOURCE, _DASHBOARD}}
    left: list[str] = []
    folders = [f for f in _folders(api) if (_FOLDER, f.uid) not in known]
    sources = [s for s in _sources(api, left) if (_SOURCE, s.uid) not in known]
    dashboards = [d for d in _dashboards(api, left) if (_DASHBOARD, d) not in known]
    taken = [*((_FOLDER, f.uid) for f in folders), *((_SOURCE, s.uid) for s in sources)]
    taken += [(_DASHBOARD, uid) for uid in dashboards]
    for line in left:
        say(f"left as it is: {line}")
    if not taken:
        say(f"Grafana of stack '{context.stack()}' has nothing that the program does not know")
        return 0
    written = [write(uid, *fetch(api, uid)) for uid in dashboards]
    _add(adopted.FOLDERS_FILE, [asdict(f) for f in folders])
    _add(adopted.SOURCES_FILE, [asdict(s) for s in sources])
    _import(resources, taken)
    table("now the program's", ("kind", "uid"), [(t.rsplit(":", 1)[-1], uid) for t, uid in taken])
    say(f"wrote adopted/: {len(written)} dashboards, {len(folders)} folders, {len(sources)} data sources.")
    say("Nothing in Grafana was changed, and `make up` has nothing to change about them but its mark that they came.")
    return 0


def _folders(api: GrafanaApi) -> list[adopted.Folder]:
    """Return Grafana's folders, parents before children."""
    found = [api.request("GET", f"/api/folders/{f['uid']}") for f in _search(api, "dash-folder")]
    folders = [adopted.Folder(f["uid"], f["title"], f.get("parentUid") or "") for f in found]
    parents = {f.uid: f.parent for f in folders}

    def depth(uid: str) -> int:
        return 1 + depth(parents[uid]) if parents.get(uid) else 0

    return sorted(folders, key=lambda f: (depth(f.uid), f.uid))


def _sources(api: GrafanaApi, left: list[str]) -> list[adopted.Source]:
    sources = []
    for found in api.request("GET", "/api/datasources"):
        if found.get("readOnly"):
            left.append(f"data source '{found['name']}', which Grafana was provisioned with")
            continue
        one = api.request("GET", f"/api/datasources/uid/{found['uid']}")
        if any(key.startswith(_HEADER) for key in one["jsonData"]):
            left.append(f"data source '{one['name']}', whose HTTP headers Grafana shows to nobody")
            continue
        sources.append(
            adopted.Source(
                uid=one["uid"],
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


def _dashboards(api: GrafanaApi, left: list[str]) -> list[str]:
    uids = []
    for found in _search(api, "dash-db"):
        one = api.request("GET", f"/api/dashboards/uid/{found['uid']}")
        if one["meta"].get("provisioned"):
            left.append(f"dashboard '{found['title']}', which Grafana was provisioned with")
        else:
            uids.append(str(found["uid"]))
    return uids


def _search(api: GrafanaApi, kind: str) -> list[Json]:
    found: list[Json] = []
    while page := api.request("GET", f"/api/search?type={kind}&limit=1000&page={len(found) // 1000 + 1}"):
        found += page
        if len(page) < 1000:  # noqa: PLR2004 - as asked
            break
    return found


def _uid(resource: Json) -> str:
    return str(resource["id"]).rsplit(":", 1)[-1]


def _add(path: Path, new: list[Json]) -> None:
    if new:
        before = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps([*before, *new], indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _import(resources: list[Json], taken: list[tuple[str, str]]) -> None:
    """Take them into the state, as children of what `up` makes them children of."""
    parent = next((r["urn"] for r in resources if r["type"] == _COMPONENT), None)
    provider = next((r["urn"] for r in resources if r["type"] == "pulumi:providers:grafana"), None)
    if parent is None or provider is None:
        msg = f"stack '{context.stack()}' is not up: run `make up` first"
        raise UserError(msg)
    document = {
        "nameTable": {"content": parent, "grafana": provider},
        "resources": [
            {"type": type_, "name": uid, "id": f"1:{uid}", "parent": "content", "provider": "grafana"}
            for type_, uid in taken
        ],
    }
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(document, file)
        file.flush()
        pulumi.ask("import", "--file", file.name, "--yes", "--skip-preview", "--protect=false", "--generate-code=false")
