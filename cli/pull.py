"""`make pull UID=…`: a dashboard as it is in Grafana now becomes code that builds the same JSON.

The file is data in Python, a name for each panel, under adopted/dashboards. One of the catalogue's gives way to it.
"""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import adopted
from cli import context, engine, pulumi, stack_config
from cli.bootstrap import ROOT, UserError
from cli.console import say
from cli.repair import prepare_stack
from components.grafana_api import GrafanaApi, program
from dashboards.catalogue import dashboards, folders

Json = dict[str, Any]

_BY_GRAFANA = ("id", "version")
"""What Grafana numbers itself, anew on every stack."""
_TYPE = "grafana:oss/dashboard:Dashboard"


def main(arguments: list[str]) -> int:
    """Write the dashboard with the given UID; its JSON is compared before the file counts as written."""
    uid = arguments[0] if arguments else ""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,40}", uid):
        msg = f"UID: '{uid}'; accepted: a dashboard's, as in its address after /d/, like `make pull UID=home`"
        raise UserError(msg)
    settings = stack_config.current()
    prepare_stack(engine.connect())
    folder, model = fetch(program(pulumi.outputs()), uid)
    here = next((file for file in dashboards(settings) if file.uid == uid), None)
    if here is not None and here.folder == folder and _same(here.json, model):
        say(f"'{uid}' in Grafana is what the code builds already: nothing was written")
        return 0
    if folder and folder not in folders():
        msg = f"'{uid}' is in folder '{folder}', which is not the program's: `make import` takes both"
        raise UserError(msg)
    path = write(uid, folder, model)
    _refresh(uid)
    say(f"wrote {path.relative_to(ROOT)}: it builds what Grafana has. `make up` has nothing to change about it.")
    if here is not None and not here.by_hand:
        say("It takes the place of the one that the catalogue builds, on every stack; delete the file to go back.")
    return 0


def fetch(api: GrafanaApi, uid: str) -> tuple[str, Json]:
    """Return a dashboard's folder and model; UserError when there is none."""
    found = api.find(f"/api/dashboards/uid/{uid}")
    if found is None:
        msg = f"Grafana of stack '{context.stack()}' has no dashboard '{uid}'"
        raise UserError(msg)
    model = {key: value for key, value in found["dashboard"].items() if key not in _BY_GRAFANA}
    return str(found["meta"].get("folderUid") or ""), model


def write(uid: str, folder: str, model: Json) -> Path:
    """Write the module; UserError, and no file, when it does not build exactly `model`."""
    name = re.sub(r"[^a-z0-9]+", "_", uid.lower()).strip("_")
    path = adopted.DASHBOARDS / f"d_{name}.py"
    path.write_text(source(uid, folder, model), encoding="utf-8")
    subprocess.run(  # noqa: S603 - our own
        [sys.executable, "-m", "ruff", "format", "--quiet", str(path)], cwd=ROOT, check=False
    )
    importlib.invalidate_caches()
    module = importlib.import_module(f"adopted.dashboards.{path.stem}")
    built = importlib.reload(module).DASHBOARD
    if built != model:
        path.unlink()
        msg = f"what was written for '{uid}' does not build what Grafana has: a defect of `make pull`; nothing is left"
        raise UserError(msg)
    return path


def source(uid: str, folder: str, model: Json) -> str:
    """Return the module's text: a constant for each panel, named by its title, and the dashboard of them."""
    title = str(model.get("title", uid)).replace("\\", "").replace('"', "'")
    lines = [
        f'"""{title}: as it was in Grafana; `make pull UID={uid}` writes this file anew."""',
        "from __future__ import annotations",
        "from typing import Any, Final",
        f"UID: Final = {uid!r}\nFOLDER: Final = {folder!r}",
    ]
    shown = dict(model)
    panels: Sequence[Json] | None = model.get("panels")
    if panels:
        names = _names(panels)
        lines += [f"{name}: Final[dict[str, Any]] = {panel!r}" for name, panel in zip(names, panels, strict=True)]
        shown["panels"] = [_Name(name) for name in names]
    return "\n\n".join([*lines, f"DASHBOARD: Final[dict[str, Any]] = {shown!r}"]) + "\n"


class _Name(str):
    """A name in code, not a text."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _names(panels: Sequence[Json]) -> list[str]:
    """Return a constant's name for each panel, all different."""
    names: list[str] = []
    for panel in panels:
        kind = "ROW" if panel.get("type") == "row" else "PANEL"
        words = re.sub(r"[^A-Z0-9]+", "_", str(panel.get("title", "")).upper()).strip("_")
        base = f"{kind}_{words}".strip("_")[:60]
        count = sum(name == base or name.startswith(f"{base}__") for name in names)
        names.append(f"{base}__{count + 1}" if count else base)
    return names


def _same(text: str, model: Json) -> bool:
    return bool(json.loads(text) == model)


def _refresh(uid: str) -> None:
    """Let the state know what Grafana has: else `up` would write the same again, as another version."""
    resources = pulumi.exported()["deployment"].get("resources") or []
    found = [r["urn"] for r in resources if r["type"] == _TYPE and str(r["id"]).rsplit(":", 1)[-1] == uid]
    if found:
        pulumi.ask("refresh", "--yes", "--skip-preview", "--target", found[0])
