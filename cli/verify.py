"""`verify`: checks the running stack part by part. Prints a table; exit code 1 on any failure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

from cli import link_check, own_content, probe_check, store_check
from cli.context import Context
from cli.engine import health
from components.grafana_api import GrafanaApi, GrafanaError, program
from dashboards import targets
from dashboards.catalogue import dashboards
from observability import alerts, own
from observability.configs.correlations import CORRELATIONS
from observability.configs.datasources import datasources
from observability.names import labels
from observability.settings import DEMO, Settings
from observability.watched import watched

Json = dict[str, Any]

_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::\w+)?\}|(\w+))")
_NO_QUERY = {"row", "text", "dashlist", "alertlist", "news"}
_RANGE = {"from": "now-1h", "to": "now"}


@dataclass(frozen=True)
class Check:
    """One check and its result."""

    part: str
    name: str
    passed: bool
    detail: str


def run(context: Context, *, as_json: bool) -> int:
    """Check everything and print the results."""
    settings = context.settings
    context.pulumi.select()
    outputs = context.pulumi.outputs()
    checks = _check_containers(context) if settings.runs_stack else []
    with context.console.status("querying Grafana"):
        checks += check_grafana(program(outputs), settings, outputs)
    _show(context, checks, as_json=as_json)
    return 0 if all(c.passed for c in checks) else 1


def _check_containers(context: Context) -> list[Check]:
    settings, engine = context.settings, context.engine
    with context.console.status("waiting for health checks"):
        engine.settle()
    containers = engine.containers()
    checks = [Check("service", c.labels[labels.SERVICE], health(c) == "healthy", health(c)) for c in containers]
    missing = {*settings.containers, *(DEMO if settings.demo else ())} - {c.name for c in checks}
    return checks + [Check("service", name, passed=False, detail="no container") for name in sorted(missing)]


def check_grafana(api: GrafanaApi, settings: Settings, outputs: Mapping[str, str]) -> list[Check]:
    """Check data sources, correlations, panels, alerts and links through Grafana."""
    checks = [check_datasource(api, spec.uid) for spec in datasources(settings)]
    checks += [check_datasource(api, source.uid) for source in own.read(settings).sources]
    checks += [Check(*found) for found in own_content.checks(api, settings)]
    checks += [Check(*found) for found in probe_check.checks(api, settings)]
    checks += check_correlations(api)
    for dashboard in dashboards(settings):
        checks += check_dashboard(api, dashboard.uid, settings)
    checks += check_alerts(api, settings)
    if settings.metrics_copied:
        passed, answer = store_check.check_copy(api, settings, outputs)
        checks.append(Check("store", "the copy of the metrics", passed, answer))
    if settings.demo:
        return checks + check_links(api, link_check.demo_request(outputs["gatewayUrl"]), settings)
    if "otlpEndpoint" not in outputs or settings.otlp_outside:
        why = "OTLP is not published" if "otlpEndpoint" not in outputs else "OTLP asks senders who they are"
        return [*checks, Check("link", "a request", passed=True, detail=f"not tried: {why}")]
    return checks + check_links(api, link_check.pushed(outputs["otlpEndpoint"]), settings)


def _show(context: Context, checks: Sequence[Check], *, as_json: bool) -> None:
    if as_json:
        context.console.json({"stack": context.stack, "checks": [asdict(c) for c in checks]})
        return
    context.console.table(
        f"stack '{context.stack}'",
        ("part", "name", "works", "answer"),
        [(c.part, c.name, "yes" if c.passed else "NO", c.detail) for c in checks],
    )
    failed = [c for c in checks if not c.passed]
    empty = [c for c in checks if c.passed and c.part.startswith("panel") and c.detail.startswith("no data")]
    context.console.say(f"{len(checks) - len(failed)} of {len(checks)} work; {len(empty)} panels have no data yet")


def check_datasource(api: GrafanaApi, uid: str) -> Check:
    """Run the data source's own health check."""
    try:
        answer = api.request("GET", f"/api/datasources/uid/{uid}/health")
    except GrafanaError as error:
        return Check("data source", uid, passed=False, detail=str(error))
    return Check("data source", uid, answer.get("status") == "OK", str(answer.get("message", "")))


def check_correlations(api: GrafanaApi) -> list[Check]:
    """Check that every correlation exists once, between its data sources."""
    stored: list[Json] = (api.find("/api/datasources/correlations") or {}).get("correlations", [])
    checks = []
    for spec in CORRELATIONS:
        rows = [
            r
            for r in stored
            if (r["sourceUID"], r["targetUID"], r.get("label")) == (spec.source, spec.target, spec.label)
        ]
        checks.append(
            Check("correlation", spec.name, len(rows) == 1, f"{spec.source} → {spec.target}, {len(rows)} found")
        )
    return checks


def check_alerts(api: GrafanaApi, settings: Settings) -> list[Check]:
    """Check that every group of alerts exists and that none of its rules fails."""
    rules_by_group = {
        g["name"]: g["rules"] for g in api.request("GET", "/api/prometheus/grafana/api/v1/rules")["data"]["groups"]
    }
    checks = []
    for group in alerts.groups(settings):
        rules: list[Json] = rules_by_group.get(group.name, [])
        failing = [f"{r['name']}: {r.get('lastError', '')}" for r in rules if r["health"] == "error"]
        firing = sum(r["state"] == "firing" for r in rules)
        detail = "; ".join(failing) or f"{len(rules)} of {len(group.alerts)} alerts, {firing} firing"
        checks.append(Check("alerts", group.name, len(rules) == len(group.alerts) and not failing, detail))
    return checks


def check_links(api: GrafanaApi, request: link_check.SyntheticTrace, settings: Settings) -> list[Check]:
    """Follow one request from signal to signal."""
    return [
        Check(
            "link",
            link.name,
            link.passed,
            f"{link.result}, after {link.seconds:.1f} s" if link.passed else f"{link.result}: {link.query}",
        )
        for link in link_check.check(api, request, settings)
    ]


def check_dashboard(api: GrafanaApi, uid: str, settings: Settings) -> list[Check]:
    """Query every panel of a dashboard through Grafana, as its page would."""
    answer: Json | None = api.find(f"/api/dashboards/uid/{uid}")
    if answer is None:
        return [Check("dashboard", uid, passed=False, detail="not in Grafana")]
    model: Json = answer["dashboard"]
    values = variables(model, {"service": next((s.name for s in watched(settings)), ".+")})
    return [
        check_panel(api, f"panel of {uid}", panel, values)
        for panel in panels(model)
        if panel["type"] not in _NO_QUERY and panel.get("targets") and _source(panel) != targets.PANEL.uid
    ]


def _source(panel: Json) -> str:
    """Return the UID of a panel's data source, "" where only its queries have one."""
    source = panel.get("datasource")
    return str(source.get("uid", "")) if isinstance(source, dict) else str(source or "")


def panels(model: Json) -> Iterator[Json]:
    """Yield the panels of a dashboard, those inside collapsed rows too."""
    for panel in model.get("panels", ()):
        yield panel
        yield from panel.get("panels") or ()


def variables(model: Json, first: Mapping[str, str] = MappingProxyType({})) -> dict[str, str]:
    """Return a value for each of a dashboard's variables: everything where "All" is offered, else the first of them."""
    values = {}
    for variable in model.get("templating", {}).get("list", ()):
        current = (variable.get("current") or {}).get("value")
        if variable.get("includeAll"):
            value = variable.get("allValue") or ".*"
        elif isinstance(current, list):
            value = "|".join(current)
        elif variable["type"] == "query":
            value = current or first.get(variable["name"], ".+")
        else:
            value = current or variable.get("query") or ""
        values[variable["name"]] = str(value)
    return values


def interpolate(value: Any, values: Mapping[str, str]) -> Any:  # noqa: ANN401 - JSON both ways
    """Replace `$name` and `${name}` in every text of a query; Grafana's own `$__…` are left to Grafana."""
    if isinstance(value, str):
        return _VARIABLE.sub(lambda m: values.get(m.group(1) or m.group(2), m.group(0)), value)
    if isinstance(value, list):
        return [interpolate(v, values) for v in value]
    if isinstance(value, dict):
        return {k: interpolate(v, values) for k, v in value.items()}
    return value


def check_panel(api: GrafanaApi, part: str, panel: Json, values: Mapping[str, str]) -> Check:
    """Run a panel's queries; it works when none answers with an error."""
    queries = [
        interpolate(t | {"datasource": t.get("datasource") or panel.get("datasource")}, values)
        | {"maxDataPoints": 200, "intervalMs": 15000}
        for t in panel["targets"]
    ]
    name = str(panel.get("title"))
    try:
        answer = api.request("POST", "/api/ds/query", {"queries": queries, **_RANGE})
    except GrafanaError as error:
        return Check(part, name, passed=False, detail=str(error))
    results: dict[str, Json] = answer["results"]
    errors = [f"{ref}: {r['error']}" for ref, r in results.items() if r.get("error")]
    if errors or not results:
        return Check(part, name, passed=False, detail="; ".join(errors) or json.dumps(answer)[:200])
    shown = (r for ref, r in results.items() if ref != targets.MISSING)
    rows = sum(link_check.rows_of(frame) for r in shown for frame in r.get("frames", ()))
    return Check(part, name, passed=True, detail=f"{rows} values" if rows else "no data")
