"""What an alert is made of: small frozen values, free of Pulumi and of Grafana's wire format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, Literal

from observability.names import panel_ids, uids

Severity = Literal["page", "ticket", "watchdog"]
NoData = Literal["OK", "Alerting", "KeepLast"]
ExecError = Literal["OK", "Alerting", "KeepLast"]


@dataclass(frozen=True, slots=True)
class Missing:
    """What an alert becomes when its query finds nothing, or fails."""

    no_data: NoData
    exec_error: ExecError


UNCHANGED: Final = Missing("KeepLast", "KeepLast")
"""For most. No answer proves neither that it began nor that it is over, and it has alerts of its own
(`service-gone`, `queries-failing`): one cause, one message."""
NOTHING_IS_FINE: Final = Missing("OK", "KeepLast")
"""For series that exist only once something went wrong."""
FIRES: Final = Missing("Alerting", "Alerting")
"""For the alerts that are about getting no answer."""
FALLS_SILENT: Final = Missing("OK", "OK")
"""For the dead man's switch, whose silence is the message."""


@dataclass(frozen=True, slots=True)
class PanelRef:
    """One panel of one of our dashboards, by its key, with values for the dashboard's variables."""

    uid: str
    key: str
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def panel_id(self) -> int:
        """Grafana's id of the panel, the same for as long as the panel has its key."""
        return panel_ids.panel_id(self.uid, self.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One Grafana-managed alert rule.

    Args:
        kind: what it is about; the name of its runbook, one for all services.
        title: unique in its folder, and the first line of its messages.
        severity: who hears of it, and how soon.
        service: whose series it reads; `{{ $labels.… }}` where the query tells.
        owner: who acts.
        slo: the objective's name, "" when it is about none.
        queries: PromQL (LogQL where `datasource` is Loki) by name; the answers are `$values.<name>` in `summary`.
        condition: it fires where this expression over the queries is true: `$long >= 14.4 && $short >= 14.4`.
        summary: one sentence with the numbers; Go template.
        panel: what to look at first; None for the first query itself.
        missing: what no answer means.
        pending: how long the condition holds before it fires.
        runbook: address of another runbook than this repository's.
        datasource: the UID of the data source that answers the queries.

    """

    kind: str
    title: str
    severity: Severity
    service: str
    owner: str
    slo: str = ""
    queries: Mapping[str, str]
    condition: str
    summary: str
    panel: PanelRef | None
    missing: Missing = UNCHANGED
    pending: str = "0s"
    runbook: str = ""
    datasource: str = uids.DATASOURCE_PROMETHEUS

    @property
    def uid(self) -> str:
        """The same for the same alert, so that links to it and its history outlive every change of it."""
        digest = sha256(f"{self.service}/{self.slo}/{self.title}".encode()).hexdigest()
        return f"{self.kind}-{digest[:10]}"

    @property
    def labels(self) -> dict[str, str]:
        """What routes it, and whom it concerns."""
        labels = {"severity": self.severity, "service": self.service, "owner": self.owner, "kind": self.kind}
        return labels | ({"slo": self.slo} if self.slo else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnAlert(Alert):
    """An alert of the team's own rule files.

    Args:
        own_uid: its UID.
        own_labels: its labels, which tell service and owner if they are there.
        annotations: what it tells; our links are added.
        keep_firing: how long it goes on after its condition is over.

    """

    own_uid: str
    own_labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    keep_firing: str = ""

    @property
    def uid(self) -> str:
        """The same for the same group and name."""
        return self.own_uid

    @property
    def labels(self) -> dict[str, str]:
        """Its own labels, and what routes it."""
        return {**self.own_labels, "severity": self.severity, "owner": self.owner, "kind": self.kind}


@dataclass(frozen=True, slots=True)
class AlertGroup:
    """Alerts of one folder (a UID) that are evaluated together."""

    name: str
    folder: str
    interval_seconds: int
    alerts: tuple[Alert, ...]
