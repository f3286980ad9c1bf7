"""`render`: every dashboard, rule file and configuration file, to review or to import elsewhere."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import Final, Literal

from cli import kubernetes, stack_config
from cli.context import Context
from cli.errors import UsageError
from dashboards.catalogue import dashboards
from observability import alerts, own, processes, rules
from observability.configs import grafana as grafana_config
from observability.configs.correlations import correlations
from observability.configs.datasources import DataSourceSpec, datasources
from observability.names.paths import CONFIG
from observability.settings import Settings

Format = Literal["files", "kubernetes"]
MANIFEST: Final = ".rendered.json"
"""File with the names of the files of the last rendering, so that the next one can delete obsolete ones."""


_OWN_SHOWN: Final = (
    "sources", "correlations", "grafana_groups", "contact_points", "mute_timings", "templates", "routes"
)  # fmt: skip
"""File with the team's own content of Grafana, without dashboards and alerts; secrets are references."""


def files(settings: Settings) -> dict[str, str]:
    """Return everything that can be rendered: path below the output folder → text."""
    if not settings.runs_stack:
        return {f"prometheus/rules/{name}": text for name, text in rules.render(settings).items()} | _grafana(settings)
    rendered = {
        f"{part.name}/{path.removeprefix(CONFIG + '/')}": text
        for part in settings.parts
        for path, text in processes.process(part.name, settings).files.items()
    }
    rendered["grafana/grafana.env"] = "".join(
        f"{k}={v}\n" for k, v in sorted(grafana_config.environment(settings).items())
    )
    return rendered | _grafana(settings)


def _grafana(settings: Settings) -> dict[str, str]:
    """Return Grafana's content."""
    rendered = {
        "grafana/datasources.json": json.dumps(
            [_shown(spec) for spec in datasources(settings)], indent=2, sort_keys=True
        )
        + "\n",
        "grafana/correlations.json": json.dumps(
            [dict(vars(c)) for c in correlations(settings)], indent=2, sort_keys=True
        )
        + "\n",
    }
    rendered["grafana/alerts.json"] = (
        json.dumps([asdict(group) for group in alerts.groups(settings)], indent=2, sort_keys=True) + "\n"
    )
    if content := own.read(settings):
        plain = {key: value for key, value in vars(content).items() if key in _OWN_SHOWN and value}
        rendered["grafana/own.json"] = json.dumps(plain, indent=2, sort_keys=True, default=vars) + "\n"
    rendered |= {
        f"grafana/dashboards/{d.folder}/{d.uid}.json": json.dumps(json.loads(d.json), indent=2, ensure_ascii=False)
        + "\n"
        for d in dashboards(settings)
    }
    return rendered


def _shown(spec: DataSourceSpec) -> dict[str, object]:
    """Return a data source as it is reviewed: of a server elsewhere, who Grafana is to it, and no secret."""
    shown = dict(vars(spec))
    endpoint = shown.pop("endpoint")
    shown |= {} if endpoint is None else {"endpoint": asdict(endpoint)}
    return {name: value for name, value in shown.items() if name != "type" or value}


def run(context: Context, out: Path, form: Format = "files") -> int:
    """Write the stack's files below the folder `out`; delete those of an earlier rendering that are no longer made.

    Args:
        context: the stack.
        out: a folder.
        form: files as each program reads them, or objects of Kubernetes.
    """
    if out == Path():  # `OUT=`, or `.`: files of a rendering belong into no clone
        msg = "OUT is empty or the current folder; accepted: a folder for these files alone, like build/render"
        raise UsageError(msg)
    out = out.expanduser().resolve()
    if out.exists() and not out.is_dir():
        msg = f"OUT={out}: this is a file; accepted: a folder, which is created when it is missing"
        raise UsageError(msg)
    settings = stack_config.settings(context.stack, stand_in=True)
    rendered = kubernetes.files(settings) if form == "kubernetes" else files(settings)
    try:
        removed = _remove(out, _manifest(out) - rendered.keys())
        for path, text in rendered.items():
            target = out / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        (out / MANIFEST).write_text(json.dumps(sorted(rendered), indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        msg = f"OUT={out}: cannot be written ({error.strerror}: {error.filename}); accepted: a folder of your own"
        raise UsageError(msg) from None
    context.console.say(f"{len(rendered)} files of stack '{context.stack}' written to {out}")
    if removed:
        context.console.say(f"{removed} files of an earlier rendering deleted")
    if form == "kubernetes" and (missing := kubernetes.left_out(settings)):
        context.console.say(f"note: not in these files: {', '.join(missing)}")
    return 0


def _manifest(out: Path) -> set[str]:
    """Return the files of the last rendering; other files in the folder are left alone."""
    try:
        manifest = json.loads((out / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return set()
    plain = [p for p in manifest if isinstance(p, str) and not PurePosixPath(p).is_absolute()]
    return {p for p in plain if ".." not in PurePosixPath(p).parts}


def _remove(out: Path, paths: set[str]) -> int:
    removed = 0
    for path in sorted(paths):
        if (out / path).is_file():
            (out / path).unlink()
            removed += 1
        for folder in (out / path).parents:
            if folder == out or not folder.is_dir() or any(folder.iterdir()):
                break
            folder.rmdir()
    return removed
