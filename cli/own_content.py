"""`own`: lists and checks the team's own content; and the checks of it in a running stack, for `verify`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from cli import link_check, stack_config
from cli.context import Context
from components.grafana_api import GrafanaApi, GrafanaError
from observability import own
from observability.names.uids import DATASOURCE_PROMETHEUS
from observability.settings import Settings

_RANGE: Final = {"from": "now-15m", "to": "now"}


def run(context: Context) -> int:
    """Print the own content and its warnings; raise InvalidSettingsError with every problem."""
    settings = stack_config.settings(context.stack, stand_in=True)
    content = own.read(settings)
    folder = own.folder(settings.own_folder)
    if not content:
        context.console.say(f"stack '{context.stack}' has no own content; it would be in {folder}")
        return 0
    context.console.table(f"own content of stack '{context.stack}'", ("kind", "name"), list(_rows(content)))
    for warning in content.warnings:
        context.console.say(f"note: {warning}")
    context.console.say(f"{len(content.files)} files in {folder} are accepted; {len(content.warnings)} notes")
    return 0


def _rows(content: own.Content) -> Iterator[tuple[str, str]]:
    yield from (("scrape job", str(scrape.job.get("job_name"))) for scrape in content.scrapes)
    yield from (("recording rules", name) for name in content.rules)
    yield from (("alert", alert.title) for group in content.alert_groups for alert in group.alerts)
    yield from (("Grafana's alert", str(r.get("title"))) for group in content.grafana_groups for r in group.rules)
    yield from (("dashboard", dashboard.uid) for dashboard in content.dashboards)
    yield from (("dashboard", file.name) for file in content.python_dashboards)
    yield from (("data source", source.uid) for source in content.sources)
    yield from (("correlation", correlation.label) for correlation in content.correlations)
    yield from (("contact point", f"{contact.name} ({contact.type})") for contact in content.contact_points)
    yield from (("mute timing", timing.name) for timing in content.mute_timings)
    yield from (("collector", name) for name in content.collector)
    yield from (("grafana.ini", f"[{section}] {key}") for section, keys in content.grafana.items() for key in keys)


def checks(api: GrafanaApi, settings: Settings) -> Iterator[tuple[str, str, bool, str]]:
    """Yield part, name, whether it works, and the answer, for what else the team's own content has in the stack."""
    content = own.read(settings)
    for scrape in content.scrapes:
        name = str(scrape.job["job_name"])
        up, there = (_value(api, f'{of}(up{{job="{name}"}})') for of in ("sum", "count"))
        yield "own job", name, bool(there) and up == there, f"{up or 0:g} of {there or 0:g} targets answer"
    names = {point.name for point in content.contact_points}
    if names:
        there_are = {row["name"] for row in api.request("GET", "/api/v1/provisioning/contact-points")}
        yield from (("own contact", n, n in there_are, "there" if n in there_are else "missing") for n in sorted(names))


def _value(api: GrafanaApi, expr: str) -> float | None:
    source = {"uid": DATASOURCE_PROMETHEUS, "type": DATASOURCE_PROMETHEUS}
    query = {"refId": "A", "datasource": source, "expr": expr, "instant": True}
    try:
        frames = api.request("POST", "/api/ds/query", {"queries": [query], **_RANGE})["results"]["A"].get("frames", ())
    except GrafanaError:
        return None
    columns: list[list[Any]] = [column for f in frames if link_check.rows_of(f) for column in f["data"]["values"][1:]]
    return float(columns[0][0]) if columns else None
