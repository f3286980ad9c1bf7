"""Who calls whom, and how often it fails: what the collector's service graph counts, as recorded series.

Jaeger has such a graph too, but with badger it looks at the newest 100 traces only: with one busy service the others
fall out of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from observability.names import series
from observability.rules.slo import RecordingRule, RuleGroup, to_yaml
from observability.rules.windows import BASE_WINDOW

if TYPE_CHECKING:
    from observability.settings import Settings

CALLS: Final = "service_graph:requests:rate5m"
"""Calls per second, by `client` and `server`."""
FAILED: Final = "service_graph:errors:rate5m"
"""Those of them that failed; 0 where none did."""
SPANS: Final = "service:spans:sum"
"""Spans that Jaeger has counted, by `service`; not there for one of which none came in for 15 minutes."""


def render(settings: Settings) -> dict[str, str]:
    """Return the rule files: their name and their YAML."""
    calls, failed = (
        f"sum by (client, server) (rate(traces_service_graph_request_{what}[{BASE_WINDOW}]))"
        for what in ("total", "failed_total")
    )
    spans = f'sum by (service) (label_replace({series.SPAN_CALLS}, "service", "$1", "service_name", "(.*)"))'
    rules = (
        RecordingRule(CALLS, calls, {}),
        RecordingRule(FAILED, f"{failed} or 0 * {calls}", {}),
        RecordingRule(SPANS, spans, {}),
    )
    return {"service-graph.yml": to_yaml(RuleGroup("service-graph", settings.rule_interval, rules))}
