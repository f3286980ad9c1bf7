"""Records which alerts fire during a fault, by polling Grafana."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from components.grafana_api import GrafanaApi, GrafanaError
from lab.fault_injection import after
from lab.sandbox import Sandbox

_EVERY_SECONDS = 2.0
_RULES = "/api/prometheus/grafana/api/v1/rules"


@dataclass
class Alarm:
    """An alert that fired `began` seconds after the watch began, until `ended`, infinity while it fires."""

    severity: str
    summary: str
    began: float
    ended: float = float("inf")


@dataclass
class Alarms:
    """Alerts that fired, by title, without the watchdog."""

    fired: dict[str, Alarm] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    @property
    def pages(self) -> dict[str, Alarm]:
        """Return the alerts of severity page."""
        return {title: alarm for title, alarm in self.fired.items() if alarm.severity == "page"}

    def summary(self, since: float = 0.0) -> str:
        """Describe each alert and when it fired, in seconds after `since` (on the clock of `began`)."""
        return "; ".join(
            f"{alarm.severity} '{title}' after {after(alarm.began - since)}"
            + ("" if alarm.ended == float("inf") else f", resolved after {after(alarm.ended - since)}")
            for title, alarm in self.fired.items()
        )

    def now(self) -> float:
        """Return the seconds since the watch began."""
        return time.monotonic() - self.began

    def poll(self, api: GrafanaApi) -> None:
        """Poll Grafana once. An error is ignored: Grafana may be what the fault affects."""
        try:
            answer = api.request("GET", _RULES)
        except GrafanaError:
            return
        rules = [rule for group in answer["data"]["groups"] for rule in group["rules"] if rule["state"] == "firing"]
        firing = {rule["name"]: rule for rule in rules if rule["labels"].get("severity") != "watchdog"}
        for title, rule in firing.items():
            summary = next((a["annotations"].get("summary", "") for a in rule.get("alerts") or ()), "")
            self.fired.setdefault(title, Alarm(rule["labels"]["severity"], summary, self.now())).ended = float("inf")
        for title, alarm in self.fired.items():
            if title not in firing:
                alarm.ended = min(alarm.ended, self.now())


@contextmanager
def watched(stack: Sandbox) -> Iterator[Alarms]:
    """Record alerts until the block ends."""
    alarms, api, over = Alarms(), stack.grafana(), threading.Event()

    def watch() -> None:
        while not over.wait(_EVERY_SECONDS):
            alarms.poll(api)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield alarms
    finally:
        over.set()
        watcher.join()
