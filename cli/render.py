"""`make render OUT=…`: every dashboard, rule file and configuration file, for people who import by hand or review."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from cli import context, stack_config
from cli.console import say
from dashboards.catalogue import dashboards
from observability import alerts, processes, topology
from observability.configs import grafana as grafana_config
from observability.configs.correlations import CORRELATIONS
from observability.configs.datasources import datasources
from observability.names.paths import CONFIG
from observability.settings import Settings


def files(settings: Settings) -> dict[str, str]:
    """Return everything that can be rendered: path below the output folder → text."""
    rendered = {
        f"{part.name}/{path.removeprefix(CONFIG + '/')}": text
        for part in topology.PARTS
        for path, text in processes.process(part.name, settings).files.items()
    }
    rendered |= {
        "grafana/grafana.env": "".join(f"{k}={v}\n" for k, v in sorted(grafana_config.environment(settings).items())),
        "grafana/datasources.json": json.dumps(
            [dict(vars(spec)) for spec in datasources(settings)], indent=2, sort_keys=True
        )
        + "\n",
        "grafana/correlations.json": json.dumps([dict(vars(c)) for c in CORRELATIONS], indent=2, sort_keys=True) + "\n",
    }
    rendered["grafana/alerts.json"] = (
        json.dumps([asdict(group) for group in alerts.groups(settings)], indent=2, sort_keys=True) + "\n"
    )
    rendered |= {
        f"grafana/dashboards/{d.folder}/{d.uid}.json": json.dumps(json.loads(d.json), indent=2, ensure_ascii=False)
        + "\n"
        for d in dashboards(settings)
    }
    return rendered


def _readable(compact: str) -> str:
    return json.dumps(json.loads(compact), indent=2, ensure_ascii=False) + "\n"


def main(arguments: list[str]) -> int:
    """Write the files of the chosen stack below the folder that is the first argument."""
    out = Path(arguments[0] if arguments else "build/render").resolve()
    rendered = files(stack_config.current(stand_in=True))
    for path, text in rendered.items():
        target = out / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    say(f"{len(rendered)} files of stack '{context.stack()}' written to {out}")
    return 0
