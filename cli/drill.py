"""`drill`: breaks the demo, waits for the page, repairs the demo, and compares the times with the calculated ones.

After twice the calculated time it gives up and repairs the demo.
"""

from __future__ import annotations

import json
import re
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from cli import fault
from cli.bootstrap import ROOT
from cli.context import Context
from cli.errors import UserError
from cli.link_check import rows_of
from components.grafana_api import GrafanaApi, GrafanaError
from observability.names import series, uids
from observability.rules.windows import BURN_ALERTS, BurnAlert
from observability.settings import AvailabilitySlo, seconds
from observability.watched import DEMO

Json = dict[str, Any]

SERVICE: Final = DEMO[0]
SERVICE_NAME: Final = SERVICE.name
LONGEST_SECONDS: Final = 1_800
DELIVERY_SECONDS: Final = 20
"""The group's wait and Grafana's own interval, 10 each."""
TOLERANCE: Final = 0.02
"""How far the budget that Prometheus says was spent may be from the service's own count, as a share of it."""
PICTURE: Final = Path("build/drill/slo-overview.png")
_POLL_SECONDS: Final = 1.0
_REPORT_SECONDS: Final = 15.0
_SETTLE_SCRAPES: Final = 2


@dataclass(frozen=True)
class Row:
    """One line of the report; `passed` is None if nothing is required."""

    what: str
    measured: str
    expected: str
    passed: bool | None = None


@dataclass(frozen=True)
class Counts:
    """Requests that the service itself has counted since its start."""

    requests: float
    failed: float

    def __sub__(self, other: Counts) -> Counts:
        """Return the difference."""
        return Counts(self.requests - other.requests, self.failed - other.failed)


def run(context: Context) -> int:
    """Print the report, take a picture of the SLO Overview in the outage; return 1 if anything was late or missing."""
    settings = context.settings
    if settings.alert_webhook_url:
        raise UserError("alertWebhookUrl: (hidden); accepted: none, so that the demo's pager gets the page")
    gateway = fault.find(context)
    rows = _Drill(context, context.grafana(), gateway, context.pulumi.outputs()).run()
    context.console.table(
        f"fire drill of stack '{context.stack}'",
        ("what", "measured", "expected", "passed"),
        [(r.what, r.measured, r.expected, {True: "yes", False: "NO", None: ""}[r.passed]) for r in rows],
    )
    return 1 if any(r.passed is False for r in rows) else 0


def due_seconds(alert: BurnAlert, objective: float, known_seconds: float) -> float:
    """Return after how long a total outage fires one pair of windows, of a service known for `known` seconds.

    What the long window lacks of a younger service counts as good; of the short one only what there is counts. With a
    budget b, an outage of x seconds burns them at x / (b · long) and x / (b · min(short, known + x)), and fires where
    both reach the factor.
    """
    share = alert.factor * (1 - objective / 100)
    return max(share * seconds(alert.long), _until(share, seconds(alert.short), known_seconds))


def _until(share: float, window: float, known_seconds: float) -> float:
    """Return after how many seconds of total failure `share` of a window's requests have failed."""
    young = share * known_seconds / (1 - share)
    return young if known_seconds + young <= window else share * window


def links(message: str) -> dict[str, str]:
    """Return the links of a message by their titles."""
    pairs = (line.split(": ", 1) for line in message.splitlines() if ": http" in line)
    return {title: url.strip() for title, url in pairs}


class _Drill:
    def __init__(self, context: Context, api: GrafanaApi, gateway: fault.Gateway, outputs: dict[str, str]) -> None:
        self.settings, self.console = context.settings, context.console
        self.api, self.gateway, self.outputs = api, gateway, outputs

    def run(self) -> list[Row]:
        """Break, wait, repair; return the report. The demo is repaired whatever happens."""
        rule = seconds(self.settings.rule_interval)
        objective = AvailabilitySlo().objective
        known_seconds = self._number(f"count_over_time({series.SLO_REQUESTS}{{{self._own}}}[6h])") * rule
        pages = [a for a in BURN_ALERTS if a.severity == "page"]
        due = min(due_seconds(a, objective, known_seconds) for a in pages)
        burning = self._number(f"{series.burn_rate('1h')}{{{self._own}}}")
        if burning >= min(a.factor for a in pages):
            msg = (
                f"{SERVICE_NAME} burns its budget {burning:.1f} times too fast already: nothing was injected, try later"
            )
            raise UserError(msg)
        before, began = self._counts(), time.time()
        self.console.say(
            f"{SERVICE_NAME} has been known for {known_seconds:.0f} s; a total outage is due to page after {due:.0f} s"
        )
        self.gateway.inject("errors", LONGEST_SECONDS, share=1)
        try:
            page = self._wait("page", lambda: self._note("firing", began), 2 * due + 120)
            rows = self._paged(page, began, due, rule)
        finally:
            self.gateway.inject("errors", 0)
        ended = time.time()
        over = self._wait("end", lambda: self._note("resolved", began), seconds("30m") + 120)
        (alert,) = over["notification"]["alerts"][:1]
        resolved = _at(alert["endsAt"]) - ended
        short = max(seconds(a.short) for a in pages)
        rows += [
            Row("resolved, after the repair", f"{resolved:.0f} s", f"{short:.0f} s at most", resolved <= short + rule),
            Row("end received, after the repair", f"{over['received'] - ended:.0f} s", ""),
        ]
        return rows + self._spent(before, objective)

    @property
    def _own(self) -> str:
        return f'service="{SERVICE_NAME}", slo="{series.SLO_AVAILABILITY}"'

    def _paged(self, page: Json, began: float, due: float, rule: float) -> list[Row]:
        (alert,) = page["notification"]["alerts"][:1]
        fired = _at(alert["startsAt"]) - began
        received = page["received"] - began
        limit = due + 2 * rule + seconds(self.settings.scrape_interval)
        rows = [
            Row("alert fired", f"{fired:.0f} s", f"{due:.0f} s, {limit:.0f} s at the latest", fired <= limit),
            Row("page received", f"{received:.0f} s", f"{fired + DELIVERY_SECONDS:.0f} s at the latest",
                received <= fired + DELIVERY_SECONDS),
        ]  # fmt: skip
        self._photograph()
        for title, url in links(page["notification"]["message"]).items():
            answer, works = self._open(url)
            rows.append(Row(f"link {title}", answer, "opens with data", works))
        return rows

    def _spent(self, before: Counts, objective: float) -> list[Row]:
        """Compare what is left of the budget with what the service itself counted since it started."""
        time.sleep(2 * seconds(self.settings.rule_interval) + _SETTLE_SCRAPES * seconds(self.settings.scrape_interval))
        counts = self._counts()
        during = counts - before
        left = self._number(f"{series.BUDGET_REMAINING}{{{self._own}}}")
        counted = 1 - counts.failed / (counts.requests * (1 - objective / 100))
        return [
            Row("requests that failed in the drill", f"{during.failed:.0f} of {during.requests:.0f}", ""),
            Row(
                "budget spent since the service started",
                f"{1 - left:.1%}",
                f"{1 - counted:.1%} by its own count",
                abs(left - counted) <= TOLERANCE * abs(1 - counted),
            ),
        ]

    def _wait(self, what: str, query: Callable[[], Json | None], most: float) -> Json:
        began = reported = time.monotonic()
        while time.monotonic() - began < most:
            if (answer := query()) is not None:
                self.console.say(f"{time.monotonic() - began:4.0f} s  {what} received")
                return answer
            if time.monotonic() - reported >= _REPORT_SECONDS:
                reported = time.monotonic()
                failing = self._number(f"{series.error_ratio('5m')}{{{self._own}}}")
                burn = self._number(f"{series.burn_rate('1h')}{{{self._own}}}")
                self.console.say(
                    f"{reported - began:4.0f} s  {failing:.0%} of the last 5 minutes fail,"
                    f" the last hour burns {burn:.1f} times too fast"
                )
            time.sleep(_POLL_SECONDS)
        msg = f"no {what} within {most:.0f} s; the demo has been repaired"
        raise UserError(msg)

    def _note(self, status: str, since: float) -> Json | None:
        """Return the first page about the gateway's availability with this status that came since then."""
        with urllib.request.urlopen(f"{self.outputs['pagerUrl']}/notifications", timeout=10) as answer:  # noqa: S310 - ours
            notes: list[Json] = json.load(answer)
        wanted = {"service": SERVICE_NAME, "slo": series.SLO_AVAILABILITY, "severity": "page"}
        return next(
            (
                note
                for note in notes
                if note["received"] > since
                and note["notification"]["status"] == status
                and any(wanted.items() <= alert["labels"].items() for alert in note["notification"]["alerts"])
            ),
            None,
        )

    def _counts(self) -> Counts:
        with urllib.request.urlopen(f"{self.gateway.url}/metrics", timeout=10) as answer:  # noqa: S310 - ours
            rows = re.findall(
                r'^http_requests_total\{.*status="(\d+)".*\} (\S+)$', answer.read().decode(), re.MULTILINE
            )
        failed = re.compile(SERVICE.errors)
        return Counts(
            sum(float(value) for _, value in rows), sum(float(v) for code, v in rows if failed.fullmatch(code))
        )

    def _number(self, expr: str) -> float:
        query = {"refId": "A", "datasource": {"uid": uids.DATASOURCE_PROMETHEUS}, "expr": expr, "instant": True}
        result = self.api.request("POST", "/api/ds/query", {"queries": [query], "from": "now-5m", "to": "now"})[
            "results"
        ]
        for frame in result["A"].get("frames", ()):
            if rows_of(frame):
                return float(frame["data"]["values"][-1][-1])
        return 0.0

    def _open(self, url: str) -> tuple[str, bool]:
        """Run the queries of the page behind a link."""
        parts = urlsplit(url)
        parameters = parse_qs(parts.query)
        try:
            if "panes" in parameters:
                (pane,) = json.loads(parameters["panes"][0]).values()
                range_ = {"from": pane["range"]["from"], "to": str(int(time.time() * 1000))}
                answer = self.api.request("POST", "/api/ds/query", {"queries": pane["queries"], **range_})
                rows = sum(rows_of(f) for r in answer["results"].values() for f in r.get("frames", ()))
                return f"{rows} rows", rows > 0
            answer = self.api.request("GET", f"/api/dashboards/uid/{parts.path.split('/d/')[1].split('/')[0]}")
        except (GrafanaError, IndexError, KeyError, ValueError) as error:
            return str(error), False
        return str(answer["dashboard"]["title"]), True

    def _photograph(self) -> None:
        picture = ROOT / PICTURE
        picture.parent.mkdir(parents=True, exist_ok=True)
        try:
            from cli import browser  # noqa: PLC0415 - a drill works without a picture

            with browser.open_browser() as opened:
                page = browser.sign_in(opened, self.outputs)
                browser.take(
                    page, f"{self.outputs['grafanaUrl']}/d/{uids.SLO_OVERVIEW}?kiosk&from=now-15m&to=now", picture
                )
        except UserError as error:
            self.console.say(f"no picture: {error}")
        else:
            self.console.say(f"the SLO Overview during the outage: {PICTURE}")


def _at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
