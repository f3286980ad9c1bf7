"""The model of an alert: small frozen values, independent of Pulumi and of Grafana's wire format."""

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
    """The state of an alert whose query returns nothing, or fails."""

    no_data: NoData
    exec_error: ExecError


UNCHANGED: Final = Missing("KeepLast", "KeepLast")
"""Keep the state, for most alerts. A missing answer proves neither a beginning nor an end, and other alerts are about
it (`service-gone`, `queries-failing`), so that one cause is one message."""
NOTHING_IS_FINE: Final = Missing("OK", "KeepLast")
"""For series that exist only after a failure."""
FIRES: Final = Missing("Alerting", "Alerting")
"""For the alerts on missing answers."""
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
        """Grafana's ID of the panel, which stays the same while the panel has its key."""
        return panel_ids.panel_id(self.uid, self.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One Grafana-managed alert rule.

    Args:
        kind: its subject, which is also the name of its runbook; the same for all services.
        title: unique in its folder, and the first line of its messages.
        severity: decides who is notified, and how soon.
        service: service whose series it reads; `{{ $labels.… }}` if the query returns it.
        owner: who acts on it.
        slo: name of the objective, "" if it is about none.
        queries: PromQL (LogQL if `datasource` is Loki) by name; their values are `$values.<name>` in `summary`.
        condition: expression over the queries that fires while it is true, like `$long >= 14.4 && $short >= 14.4`.
        summary: one sentence with the numbers, as a Go template.
        panel: panel to look at first; None for the first query in Explore.
        missing: what a missing answer means.
        pending: how long the condition has to hold before the alert fires.
        runbook: URL of a runbook outside of this repository, "" for the one of `kind`.
        datasource: UID of the data source of the queries.

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
        """UID that stays the same when the alert changes, so that links to it and its history remain."""
        digest = sha256(f"{self.service}/{self.slo}/{self.title}".encode()).hexdigest()
        return f"{self.kind}-{digest[:10]}"

    @property
    def labels(self) -> dict[str, str]:
        """Labels that route it, and name its service and owner."""
        labels = {"severity": self.severity, "service": self.service, "owner": self.owner, "kind": self.kind}
        return labels | ({"slo": self.slo} if self.slo else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnAlert(Alert):
    """An alert of the team's own rule files.

    Args:
        own_uid: its UID.
        own_labels: its labels in the rule file, possibly with service and owner.
        annotations: its annotations in the rule file; our links are added.
        keep_firing: how long it keeps firing after its condition has ended.

    """

    own_uid: str
    own_labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    keep_firing: str = ""

    @property
    def uid(self) -> str:
        """UID that depends on group and name only."""
        return self.own_uid

    @property
    def labels(self) -> dict[str, str]:
        """Its own labels, and those that route it."""
        return {**self.own_labels, "severity": self.severity, "owner": self.owner, "kind": self.kind}


@dataclass(frozen=True, slots=True)
class AlertGroup:
    """Alerts of one folder (a UID) that are evaluated together."""

    name: str
    folder: str
    interval_seconds: int
    alerts: tuple[Alert, ...]
