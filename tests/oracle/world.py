"""Requests with known outcomes, and what Prometheus would see of them.

Time passes in steps of 5 seconds. In each, every replica answers requests; at its scrapes its counters are read. A
counter exists from its first increment on, as client libraries have it, unless the replica exports its zeros.
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

STEP = 5
STALE = float("-inf")
"""Prometheus' mark that a series has ended, in place of a value."""
Labels = tuple[tuple[str, str], ...]


def never(*_: object) -> bool:
    return False


@dataclass
class Replica:
    """One process: from `begins` to `ends`, in seconds; a restart makes a new one of the same instance."""

    instance: str
    begins: int = 0
    ends: int = 10**9
    history: tuple[int, int] = (0, 0)
    """Good and failed requests that it had answered before the first scrape."""
    phase: int = 0
    counters: dict[tuple[str, str], int] = field(default_factory=dict)
    created: dict[tuple[str, str], int] = field(default_factory=dict)
    """When a counter began at 0."""
    scraped: dict[tuple[str, str], int] = field(default_factory=dict)
    """The last that was read of a counter."""


@dataclass
class World:
    """A service and who scrapes it. Rates are for each replica and endpoint, in requests per second."""

    hours: float = 3
    rate: Callable[[int], float] = lambda _: 1.0
    failing: Callable[[int], float] = lambda _: 0.01
    endpoints: int = 1
    replicas: list[Replica] = field(default_factory=lambda: [Replica("a")])
    zeros: bool = False
    injected: bool = False
    """Whether Prometheus writes a zero at the time when a counter was created, or when a pushed stream began."""
    stale: bool = False
    """Whether a failed scrape, and one that lacks a series, ends series at once."""
    scrape: int = 15
    up: bool = True
    instances: bool = True
    unseen: Callable[[Replica, int], bool] = never
    """Whether a scrape fails, by replica and second."""
    away: Callable[[int], bool] = never
    """Whether Prometheus is."""
    unevaluated: Callable[[int], bool] = never
    """Whether an evaluation is missed although there are scrapes."""
    sample: Callable[[Labels, int, float], float | None] = lambda _labels, _second, value: value
    """What becomes of a sample."""
    names: Callable[[int], dict[str, str]] = lambda _: {}
    """Other names for labels, by second."""
    seed: int = 1
    requests: int = 0
    errors: int = 0
    known_requests: int = 0
    known_errors: int = 0
    """Those that scrapes have seen to come: not what a target had at its first, nor what it counted after its last."""
    counts: dict[Labels, dict[int, float]] = field(default_factory=lambda: defaultdict(dict))
    ups: dict[str, dict[int, float]] = field(default_factory=lambda: defaultdict(dict))

    def run(self) -> World:
        """Let the time pass. The last three minutes are quiet, so that every request has been scraped."""
        chance = random.Random(self.seed)  # noqa: S311 - traffic, not secrets
        quiet = self.seconds - 180
        for second in range(0, self.seconds + 1, STEP):
            for replica in self.replicas:
                if not replica.begins <= second < replica.ends:
                    continue
                if second == replica.begins:
                    self._begin(replica, second)
                if 0 < second < quiet:
                    self._answer(replica, second, chance)
                if (second + replica.phase) % self.scrape == 0 and not self.away(second):
                    self._scrape(replica, second)
        return self

    @property
    def known_ratio(self) -> float:
        return self.known_errors / self.known_requests if self.known_requests else 0.0

    @property
    def seconds(self) -> int:
        return round(self.hours * 3600)

    @property
    def ratio(self) -> float:
        return self.errors / self.requests if self.requests else 0.0

    def evaluations(self) -> list[bool]:
        """Return, for each step, whether rules are evaluated."""
        return [not (self.away(s) or self.unevaluated(s)) for s in range(0, self.seconds + 1, STEP)]

    def _begin(self, replica: Replica, second: int) -> None:
        replica.counters.clear()
        if self.stale:
            self._end(replica, second)
        for endpoint in range(self.endpoints):
            for status, before in zip(("200", "500"), replica.history, strict=True):
                if before or self.zeros:
                    replica.counters[f"/{endpoint}", status] = before

    def _answer(self, replica: Replica, second: int, chance: random.Random) -> None:
        for endpoint in range(self.endpoints):
            mean = self.rate(second) * STEP
            count = math.floor(mean) + (chance.random() < mean % 1)
            share = self.failing(second)
            bad = sum(chance.random() < share for _ in range(count)) if count < 2000 else round(count * share)
            for status, more in (("200", count - bad), ("500", bad)):
                if more:
                    key = (f"/{endpoint}", status)
                    replica.created.setdefault(key, second - STEP)
                    replica.counters[key] = replica.counters.get(key, 0) + more
            self.requests += count
            self.errors += bad

    def _scrape(self, replica: Replica, second: int) -> None:
        answers = not self.unseen(replica, second)
        new = not any(self.ups.get(replica.instance, {}).values()) and not self.injected
        self.ups[replica.instance][second] = float(answers)
        if not answers:
            if self.stale:
                self._end(replica, second)
            return
        names = self.names(second)
        for (endpoint, status), value in replica.counters.items():
            own = {"endpoint": endpoint, "status": status}
            if self.instances:
                own |= {"instance": replica.instance, "job": "shop"}
            labels = tuple(sorted((names.get(name, name), text) for name, text in own.items()))
            seen = self.sample(labels, second, float(value))
            if seen is not None:
                self.counts[labels][second] = seen
            if self.injected and (endpoint, status) not in replica.scraped and (endpoint, status) in replica.created:
                self.counts[labels].setdefault(replica.created[endpoint, status], 0.0)
            more = 0 if new else value - replica.scraped.get((endpoint, status), replica.history[status != "200"])
            self.known_requests += more
            self.known_errors += more * (status != "200")
            replica.scraped[endpoint, status] = value

    def _end(self, replica: Replica, second: int) -> None:
        """Mark the series of an instance as ended."""
        for labels, values in self.counts.items():
            if ("instance", replica.instance) in labels and values:
                values.setdefault(second, STALE)

    # What promtool reads.

    def series(self, metric: str = "http_requests_total") -> dict[str, str]:
        """Return the requests as counters."""
        return {
            written(metric, labels): notation(values, self.seconds) for labels, values in self.counts.items()
        } | self._ups()

    def histogram(self, metric: str, bound: str) -> dict[str, str]:
        """Return the same as a histogram: failed requests are those above `bound`."""
        count: dict[Labels, dict[int, float]] = defaultdict(dict)
        fast: dict[Labels, dict[int, float]] = defaultdict(dict)
        for labels, values in self.counts.items():
            rest = tuple(pair for pair in labels if pair[0] != "status")
            for second, value in values.items():
                count[rest][second] = count[rest].get(second, 0) + value
                fast[rest][second] = fast[rest].get(second, 0) + value * (("status", "200") in labels)
        result = {written(f"{metric}_count", labels): notation(v, self.seconds) for labels, v in count.items()}
        for labels, values in fast.items():
            result[written(f"{metric}_bucket", (*labels, ("le", bound)))] = notation(values, self.seconds)
        return result | self._ups()

    def _ups(self) -> dict[str, str]:
        if not self.up:
            return {}
        return {
            written("up", (("instance", name), ("job", "shop"))): notation(values, self.seconds)
            for name, values in self.ups.items()
        }


def written(metric: str, labels: Labels) -> str:
    matchers = ", ".join(f'{name}="{value}"' for name, value in (*labels, ("service", "shop")))
    return f"{metric}{{{matchers}}}"


def notation(values: dict[int, float], seconds: int) -> str:
    """Return samples in promtool's notation, one a step; none between scrapes and where one failed."""
    parts: list[str] = []
    gap = 0
    last = False
    for second in range(0, seconds + 1, STEP):
        value = values.get(second)
        if value is None:
            gap += 1
            continue
        if gap:
            parts += [f"_x{gap}"] if gap > 1 else ["_"]
            gap = 0
        parts.append("stale" if value == STALE else f"{value:.12g}")
        last = True
    return " ".join(parts) if last else f"_x{seconds // STEP}"
