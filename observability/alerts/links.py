"""The links of an alert: its panel, its runbook, its service's page, and the logs and traces of that time.

Their times are relative to now, which is right while the alert fires. Messages are read later, so they replace
RANGE_FROM and RANGE_TO by the times of the incident (`observability.alerts.messages`).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from observability import explore, runbooks
from observability.alerts.model import OwnAlert
from observability.names import uids
from observability.watched import telemetry_name

if TYPE_CHECKING:
    from observability.alerts.model import Alert
    from observability.settings import Settings

RANGE_FROM: Final = "now-1h"
RANGE_TO: Final = "now"


def alert_annotations(alert: Alert, settings: Settings) -> dict[str, str]:
    """Return the alert's annotations."""
    root = settings.root_url
    if isinstance(alert, OwnAlert):
        return _told_by_own(alert, settings)
    return {
        "summary": alert.summary,
        "runbook_url": alert.runbook or runbooks.url(alert.kind, settings),
        # Grafana uses these two for its link to the panel, and for annotations on the panel's graph.
        **_marks(alert),
        "panel_url": panel(alert, root),
        "service_url": page(alert.service, root),
        "logs_url": logs(telemetry_name(alert.service, settings), root),
        "traces_url": traces(telemetry_name(alert.service, settings), root),
    }


def _marks(alert: Alert) -> dict[str, str]:
    if alert.panel is None:
        return {}
    return {"__dashboardUid__": alert.panel.uid, "__panelId__": str(alert.panel.panel_id)}


def _told_by_own(alert: OwnAlert, settings: Settings) -> dict[str, str]:
    """Return the annotations of an alert of the team's own, with our links unless it has some of its own."""
    root = settings.root_url
    links = {"panel_url": panel(alert, root)}
    if alert.service:
        name = telemetry_name(alert.service, settings)
        links |= {
            "service_url": page(alert.service, root),
            "logs_url": logs(name, root),
            "traces_url": traces(name, root),
        }
    if "runbook" in alert.annotations:
        links["runbook_url"] = alert.annotations["runbook"]
    return {"summary": alert.summary} | links | dict(alert.annotations)


def panel(alert: Alert, root: str) -> str:
    """Return the URL of the alert's panel alone; without a panel, that of its query in Explore."""
    if alert.panel is None:
        query = {"expr": next(iter(alert.queries.values())), "range": True, "instant": False}
        return explore.address(root, alert.datasource, query, start=RANGE_FROM)
    chosen = {f"var-{name}": value for name, value in alert.panel.variables.items()}
    query = {"viewPanel": f"panel-{alert.panel.panel_id}", **chosen, "from": RANGE_FROM, "to": RANGE_TO}
    return f"{root}d/{alert.panel.uid}?{urlencode(query)}"


def page(service: str, root: str) -> str:
    """Return the address of the service's page: its signals, containers, traces, errors and neighbours."""
    query = {"var-service": service, "from": RANGE_FROM, "to": RANGE_TO}
    return f"{root}d/{uids.SERVICE_DETAIL}?{urlencode(query)}"


def logs(service: str, root: str) -> str:
    """Return the address of the service's log lines."""
    query = {"expr": f"{{service_name={json.dumps(service, ensure_ascii=False)}}}", "queryType": "range"}
    return explore.address(root, uids.DATASOURCE_LOKI, query, start=RANGE_FROM)


def traces(service: str, root: str) -> str:
    """Return the address of the service's traces."""
    query = {"queryType": "search", "service": service, "limit": 20}
    return explore.address(root, uids.DATASOURCE_JAEGER, query, start=RANGE_FROM)
