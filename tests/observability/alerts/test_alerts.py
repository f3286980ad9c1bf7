"""Every alert has what the person who gets it needs, and every bit of it leads somewhere."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import promql_parser as promql_ast
import pytest

from cli.verify import panels, variables
from dashboards import style
from dashboards.catalogue import dashboards
from observability import runbooks
from observability.alerts import groups
from observability.alerts.links import alert_annotations
from observability.alerts.model import UNCHANGED, Alert
from observability.alerts.services import evaluation_seconds
from observability.configs.datasources import datasources
from observability.names import series, uids
from observability.rules.windows import BURN_ALERTS
from observability.settings import Settings
from observability.watched import watched
from tests.dashboards.test_contracts import recorded, selectors
from tests.observability.alerts.conftest import SERVICES, promql, settings_of

ROOT = Path(__file__).parents[3]
ANNOTATIONS = {
    "summary", "runbook_url", "__dashboardUid__", "__panelId__", "panel_url", "service_url", "logs_url", "traces_url",
}  # fmt: skip
RAW = re.compile(
    r"up|target_info|grafana_datasource_request_total"
    r"|prometheus_rule_evaluation_failures_total|prometheus_rule_group_iterations_missed_total"
    r"|prometheus_tsdb_wal_corruptions_total"
    r"|prometheus_tsdb_(storage_blocks|wal_storage_size|head_chunks_storage_size|retention_limit)_bytes"
    r"|loki_discarded_samples_total|loki_request_duration_seconds_count|process_start_time_seconds"
    r"|otelcol_exporter_(send|enqueue)_failed_(metric_points|log_records|spans)"
    r"|otelcol_deltatocumulative_datapoints|collector_refused_items_total|scrape_samples_scraped"
    r"|traces_span_metrics_calls_total"
    r"|otelcol_exporter_queue_(size|capacity)"
    r"|otelcol_process_uptime\(_seconds\)\?\(_total\)\?"
)
"""What the stack's own services say of themselves, as the running ones were seen to."""


def one(alerts: list[Alert], kind: str, service: str, slo: str = "") -> Alert:
    (result,) = (a for a in alerts if (a.kind, a.service, a.slo) == (kind, service, slo))
    return result


def test_every_alert_says_everything(alerts: list[Alert], settings: Settings) -> None:
    for alert in alerts:
        assert {"severity", "service", "owner"} <= set(alert.labels), alert.title
        assert all(alert.labels.values()), alert.title
        texts = alert_annotations(alert, settings)
        assert set(texts) == ANNOTATIONS
        assert all(texts.values()), alert.title
        assert not re.search(r"\{words|\{self", texts["summary"]), alert.title


def test_every_summary_tells_values_that_are_asked(alerts: list[Alert]) -> None:
    for alert in alerts:
        referenced = set(re.findall(r'index \$values "(\w+)"', alert.summary))
        assert referenced <= set(alert.queries), alert.title
        assert alert.summary.count("{{") == alert.summary.count("}}"), alert.title
        assert set(re.findall(r"\$(\w+)", alert.condition)) <= set(alert.queries), alert.title


def test_every_panel_exists(alerts: list[Alert], settings: Settings) -> None:
    expected = {d.uid: json.loads(d.json) for d in dashboards(settings)}
    for alert in alerts:
        link = urlsplit(alert_annotations(alert, settings)["panel_url"])
        requests = parse_qs(link.query)
        model = expected[link.path.split("/")[2]]
        assert alert.panel is not None
        assert model["uid"] == alert.panel.uid
        shown = {f"panel-{p['id']}": p for p in panels(model) if p["type"] != "row"}
        assert requests["viewPanel"][0] in shown, alert.title
        chosen = {key.removeprefix("var-") for key in requests if key.startswith("var-")}
        assert chosen <= set(variables(model)), alert.title
        assert (requests["from"], requests["to"]) == (["now-1h"], ["now"])


def test_logs_and_traces_are_of_the_service(alerts: list[Alert], settings: Settings) -> None:
    for alert in alerts:
        texts = alert_annotations(alert, settings)
        for name, datasource in (("logs_url", "loki"), ("traces_url", "jaeger")):
            assert texts[name].startswith(f"{settings.root_url}explore?schemaVersion=1&")
            (pane,) = json.loads(parse_qs(urlsplit(texts[name]).query)["panes"][0]).values()
            (query,) = pane["queries"]
            assert pane["datasource"] == query["datasource"]["uid"] == datasource
            assert alert.service in (
                query.get("service"),
                query.get("expr", "").split('"')[-2:-1][0] if "expr" in query else "",
            )
            assert pane["range"] == {"from": "now-1h", "to": "now"}


def test_every_runbook_is_there_and_of_use(alerts: list[Alert], settings: Settings) -> None:
    assert {alert.kind for alert in alerts} == set(runbooks.shown(settings))
    everything = settings_of(
        services=SERVICES,
        metrics={"writeUrl": "https://mimir.example.org/api/v1/push"},
        probes=[{"name": "front", "target": "https://example.org/"}],
        logs={"objectStore": {"endpoint": "https://s3", "bucket": "logs", "user": "u", "from": "2027-01-01"}},
        logsPassword="a-secret-key-of-a-test",
    )
    assert set(runbooks.shown(everything)) == set(runbooks.kinds())
    assert {alert.kind for group in groups(everything) for alert in group.alerts} == set(runbooks.kinds())
    for kind in runbooks.kinds():
        text = runbooks.text(kind)
        for heading in ("# ", "## What it means", "## How to confirm", "## What to do", "## Who owns it"):
            assert heading in text, kind
        assert len(text) < 2_500, f"{kind} is too long for the night"
    shown = {d.uid: json.loads(d.json) for d in dashboards(settings)}[uids.RUNBOOKS]
    by_id = {f"panel-{p['id']}": p for p in panels(shown)}
    for alert in alerts:
        if not alert.runbook:
            requests = parse_qs(urlsplit(alert_annotations(alert, settings)["runbook_url"]).query)
            assert f"docs/runbooks/{alert.kind}.md" in by_id[requests["viewPanel"][0]]["description"]


def test_runbooks_can_be_published_elsewhere(alerts: list[Alert]) -> None:
    elsewhere = settings_of(runbookBaseUrl="https://git.example.org/stack/docs/runbooks")
    texts = alert_annotations(one(alerts, "watchdog", "grafana"), elsewhere)
    assert texts["runbook_url"] == "https://git.example.org/stack/docs/runbooks/watchdog.md"


def test_an_slo_may_have_its_own_owner_and_runbook(alerts: list[Alert], settings: Settings) -> None:
    alert = one(alerts, "slo-burning-fast", "billing", "availability")
    assert alert.owner == "billing team"
    assert alert_annotations(alert, settings)["runbook_url"] == "https://wiki.example.org/billing"
    assert one(alerts, "slo-burning-fast", "shop", "latency").owner == "shop team"
    assert one(alerts, "slo-burning-fast", "pushed", "availability").owner == "platform"
    assert one(alerts, "slo-burning-fast", "billing", "invoices")


def test_alerting_can_be_turned_off(alerts: list[Alert]) -> None:
    assert not [a for a in alerts if (a.service, a.slo) == ("billing", "latency")]


def test_every_condition_parses_and_reads_what_exists(alerts: list[Alert], settings: Settings) -> None:
    expected = recorded(settings)
    for alert in alerts:
        if alert.datasource != uids.DATASOURCE_PROMETHEUS:
            continue
        for selector, _ in selectors(promql_ast.parse(promql(alert))):
            result = {m.value for m in selector.matchers.matchers if m.name == "__name__"}
            for metric in [selector.name] if selector.name else result:
                parts = metric.split("|")
                assert set(parts) <= expected or RAW.fullmatch(metric), (alert.title, metric)


def test_limits_are_those_of_the_dashboards(alerts: list[Alert], settings: Settings) -> None:
    for severity, kind in (("page", "slo-burning-fast"), ("ticket", "slo-burning-slowly")):
        alert = one(alerts, kind, "shop", "availability")
        pairs = [a for a in BURN_ALERTS if a.severity == severity]
        assert alert.condition == "$near >= 1"
        for pair in pairs:
            query = alert.queries[f"over_{pair.long}"]
            assert {series.burn_rate(pair.long), series.burn_rate(pair.short)} <= set(
                re.findall(r"[\w:]+", query.split('"')[1])
            )
            assert query.startswith("min by (service, slo)")
    assert {a.factor for a in BURN_ALERTS} == {s[0] for s in style.burn_thresholds().steps if s[0] is not None}
    low = style.budget_thresholds(settings).steps[-1][0]
    assert f"< {low:g} " in one(alerts, "slo-budget-nearly-gone", "shop", "availability").condition


def test_each_service_has_an_alert_on_its_absence(alerts: list[Alert], settings: Settings) -> None:
    for service in watched(settings):
        kind = "target-down" if service.name in {"grafana", "prometheus", "loki"} else "service-gone"
        assert one(alerts, kind, service.name)
    assert "count(service:http_requests:rate5m" in one(alerts, "service-gone", "pushed").queries["there"]
    assert one(alerts, "service-uncounted", "shop").severity == "ticket"


def test_the_stack_watches_itself(alerts: list[Alert]) -> None:
    kinds = {a.kind for a in alerts if not a.slo}
    assert kinds >= {
        "watchdog", "queries-failing", "rules-failing", "target-down", "disk-nearly-full", "disk-filling",
        "metrics-size-limit", "loki-rejecting", "jaeger-dropping", "container-restarting", "container-memory",
        "metrics-repaired", "disk-full",
    }  # fmt: skip


def test_no_answer_changes_nothing_unless_it_is_the_point(alerts: list[Alert]) -> None:
    others = {a.kind: (a.missing.no_data, a.missing.exec_error) for a in alerts if a.missing != UNCHANGED}
    only_when_wrong = ("OK", "KeepLast")
    assert others == {
        "watchdog": ("OK", "OK"),
        "queries-failing": ("Alerting", "Alerting"),
        "sender-refused": only_when_wrong,
        "sender-over-limit": only_when_wrong,
    }


def test_titles_and_uids_are_their_own(settings: Settings) -> None:
    result = [(g.folder, a.title) for g in groups(settings) for a in g.alerts]
    assert len(set(result)) == len(result)
    ids = [a.uid for g in groups(settings) for a in g.alerts]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]{1,40}", uid) for uid in ids)
    assert {g.folder for g in groups(settings)} <= set(uids.FOLDERS)
    assert {a.datasource for g in groups(settings) for a in g.alerts} <= {d.uid for d in datasources(settings)}


@pytest.mark.parametrize(("rule", "every"), [("15s", 10), ("30s", 10), ("1m", 30), ("5m", 150)])
def test_alerts_are_evaluated_twice_as_often_as_the_rules(rule: str, every: int) -> None:
    assert evaluation_seconds(settings_of(ruleInterval=rule)) == every


def test_nothing_of_it_needs_pulumi() -> None:
    script = """
import sys
from observability import alerts, settings
from observability.alerts import messages, routing
given = settings.load("test", {})
alerts.groups(given), messages.templates(), routing.routes(given)
assert not [name for name in sys.modules if name.partition(".")[0].startswith("pulumi")]
"""
    subprocess.run([sys.executable, "-W", "error", "-c", script], cwd=ROOT, check=True)
