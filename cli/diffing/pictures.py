"""Pictures of changed dashboards, before and after, from the running Grafana: in a folder that is gone afterwards."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cli import pulumi
from components.grafana_api import GrafanaApi, program
from lab import screenshots

Models = tuple[dict[str, Any], dict[str, Any]]
_NAMES = ("before", "after")


def take(changed: Mapping[str, Models], folder: Path) -> dict[str, tuple[str, str]]:
    """Write two pictures a dashboard below `folder`; return their paths by UID. UserError where nothing is up.

    Both show the data that is there now: what only the new version would record is not in either.
    """
    if not changed:
        return {}
    folder.mkdir(parents=True, exist_ok=True)
    pulumi.select()
    outputs = pulumi.outputs()
    found: dict[str, tuple[str, str]] = {}
    with _lent(program(outputs)) as upload, screenshots.open_browser() as browser:
        page = screenshots.sign_in(browser, outputs)
        for uid, models in changed.items():
            files = [folder / f"{uid}-{name}.png" for name in _NAMES]
            for model, file in zip(models, files, strict=True):
                lent = upload(model)
                screenshots.take(page, f"{outputs['grafanaUrl']}/d/{lent}?kiosk&from=now-30m&to=now", file)
            found[uid] = (str(files[0]), str(files[1]))
    return found


@contextmanager
def _lent(api: GrafanaApi) -> Iterator[Callable[[dict[str, Any]], str]]:
    """Make a folder; give what puts a dashboard there under a UID of its own; remove both, whatever happens."""
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
