"""Which alerts fire while something is broken, as somebody who looks at Grafana all the time would see it."""

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
    """What fired, by title; the dead man's switch left out."""

    fired: dict[str, Alarm] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    @property
    def pages(self) -> dict[str, Alarm]:
        """Those that wake somebody."""
        return {title: alarm for title, alarm in self.fired.items() if alarm.severity == "page"}

    def told(self, since: float = 0.0) -> str:
        """Return each alert, and after how many seconds it fired; `since` is on the clock of `began`."""
        return "; ".join(
            f"{alarm.severity} '{title}' after {after(alarm.began - since)}"
            + ("" if alarm.ended == float("inf") else f", over after {after(alarm.ended - since)}")
            for title, alarm in self.fired.items()
        )

    def now(self) -> float:
        """Return the seconds since the watch began."""
        return time.monotonic() - self.began

    def look(self, api: GrafanaApi) -> None:
        """Ask Grafana once; it may be what is broken."""
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
    """Watch the alerts until the end."""
    alarms, api, over = Alarms(), stack.grafana(), threading.Event()

    def watch() -> None:
        while not over.wait(_EVERY_SECONDS):
            alarms.look(api)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield alarms
    finally:
        over.set()
        watcher.join()
