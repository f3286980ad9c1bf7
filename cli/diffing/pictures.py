"""Pictures of changed dashboards, before and after, from the running Grafana: in a folder that is gone afterwards."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cli import browser
from cli.context import Context
from components.grafana_api import GrafanaApi

Models = tuple[dict[str, Any], dict[str, Any]]
_NAMES = ("before", "after")


def take(context: Context, changed: Mapping[str, Models], folder: Path) -> dict[str, tuple[str, str]]:
    """Write two pictures a dashboard below `folder`; return their paths by UID. NotUpError where nothing is up.

    Both show the data that is there now: what only the new version would record is not in either.
    """
    if not changed:
        return {}
    folder.mkdir(parents=True, exist_ok=True)
    context.pulumi.select()
    outputs = context.pulumi.outputs()
    paths: dict[str, tuple[str, str]] = {}
    with _temporary_folder(context.grafana()) as upload, browser.open_browser() as opened:
        page = browser.sign_in(opened, outputs)
        for uid, models in changed.items():
            files = [folder / f"{uid}-{name}.png" for name in _NAMES]
            for model, file in zip(models, files, strict=True):
                uid_of_copy = upload(model)
                browser.take(page, f"{outputs['grafanaUrl']}/d/{uid_of_copy}?kiosk&from=now-30m&to=now", file)
            paths[uid] = (str(files[0]), str(files[1]))
    return paths


@contextmanager
def _temporary_folder(api: GrafanaApi) -> Iterator[Callable[[dict[str, Any]], str]]:
    """Create a folder; yield a function that uploads a dashboard there under a UID of its own; delete both."""
    place = f"diff-{secrets.token_hex(6)}"
    api.request("POST", "/api/folders", {"uid": place, "title": f"make diff {place}"})

    def upload(model: dict[str, Any]) -> str:
        uid = f"{place}-{secrets.token_hex(4)}"
        own = {**model, "uid": uid, "id": None, "title": f"{model['title']} {uid}"}
        api.request("POST", "/api/dashboards/db", {"dashboard": own, "folderUid": place, "overwrite": True})
        return uid

    try:
        yield upload
    finally:
        api.request("DELETE", f"/api/folders/{place}?forceDeleteRules=true")
