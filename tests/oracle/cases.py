"""Hostile cases: what happens to a service and to who scrapes it, and what the SLO has to show.

`right` cases are those in which the counters know. In the others the SLO has to show less coverage or nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Any, Literal

from tests.oracle.world import Labels, Replica, World

HOUR = 3600
PEERS = ('http_requests_total{status=~"5.."}', "http_requests_total")
Truth = Literal["right", "less coverage", "nothing", "right or less coverage"]


@dataclass(frozen=True)
class Case:
    """A world, the service's configuration, and how its requests are written down."""

    name: str
    world: Callable[[], World]
    truth: Truth = "right"
    service: Mapping[str, Any] = field(default_factory=lambda: {"latency": None})
    slo: str = "availability"
    inputs: Callable[[World], dict[str, str]] = World.series
    interval: str = "1m"
    fast: bool = False
    nightly: bool = False
    peers: tuple[str, str] | None = PEERS
    close: float = 0.01
    """Of the error ratio, relative, and of the remaining budget, in parts of the whole: of what happened, or of what of
    it scrapes can have seen."""


def replicas(count: int, *deploys: int, rename: bool = True, **more: Any) -> list[Replica]:  # noqa: ANN401
    """Return replicas that a deploy replaces one after another, a minute apart, by processes of new names or not."""
    result = []
    for number in range(count):
        edges = [0, *(at + 60 * number for at in deploys), 10**9]
        for life, (begins, ends) in enumerate(pairwise(edges)):
            name = f"pod-{number}-{life}" if rename else f"pod-{number}"
            result.append(Replica(name, begins, ends, phase=5 * (number % 3), **(more if life == 0 else {})))
    return result


def between(begin: float, end: float) -> Callable[[int], bool]:
    return lambda second: begin <= second < end


def outage(begin: float, end: float, share: float = 1.0, else_share: float = 0.001) -> Callable[[int], float]:
    return lambda second: share if begin <= second < end else else_share


def at(moment: int, text: float, status: str = "200") -> Callable[[Labels, int, float], float]:
    """Return what puts one bad sample into the series of a status."""
    return lambda labels, second, value: text if second == moment and ("status", status) in labels else value


def bursts(second: int) -> float:
    return 40.0 if second % 2400 < 300 else 0.05


def rarely(second: int) -> float:
    return 0.2 if second % 900 == 300 else 0.0


def custom(good: str, total: str, **more: str) -> dict[str, Any]:
    slo = {"name": "own", "objective": 99.5, "good": good, "total": total, **more}
    return {"availability": None, "latency": None, "slos": [slo]}


def latency(**more: str) -> dict[str, Any]:
    return {"availability": None, "latency": {"threshold": "1s", **more}}


def bad(errors: str, total: str) -> dict[str, Any]:
    slo = {"name": "own", "objective": 99.5, "bad": errors, "total": total}
    return {"availability": None, "latency": None, "slos": [slo]}


def every(*begins: int, length: int) -> Callable[[int], bool]:
    return lambda second: any(begin <= second < begin + length for begin in begins)


TIMED = "http_request_duration_seconds"
TIMED_PEERS = (f"{TIMED}_count", f"{TIMED}_count")


def two_writers(world: World) -> dict[str, str]:
    """Another process writes the same series in between, with its own history."""
    result = {}
    for name, values in world.series().items():
        parts = values.split(" ")
        if not name.startswith("up"):
            number = 0
            for index, part in enumerate(parts):
                if not part.startswith("_"):
                    number += 1
                    parts[index] = f"{float(part) / 2:g}" if number % 2 else part
        result[name] = " ".join(parts)
    return result


def in_flight(world: World) -> dict[str, str]:
    """Every request is counted when it begins, and as good two minutes later."""
    count = world.seconds // 5
    last = count - 100
    begun = " ".join(str(min(n, last) // 12 * 100) for n in range(count))
    done = " ".join(str(max(min(n - 24, last), 0) // 12 * 100) for n in range(count))
    world.requests, world.errors = last // 12 * 100, 0
    return {'begun_total{service="shop"}': begun, 'done_total{service="shop"}': done}


def without_bucket(world: World) -> dict[str, str]:
    """A second endpoint has no bucket at the threshold."""
    other = 'endpoint="/other", service="shop"'
    steps = world.seconds // 5
    return world.histogram(TIMED, "1.0") | {
        f"{TIMED}_count{{{other}}}": f"0+5x{steps}",
        f'{TIMED}_bucket{{{other}, le="0.25"}}': f"0x{steps}",
    }


def native(world: World) -> dict[str, str]:
    """99 of 100 requests are faster than a second, and one takes up to two."""
    both = "{{schema:0 count:100 sum:100 buckets:[99 1]}}"
    world.requests, world.errors = 100 * (world.seconds // 60 - 2), world.seconds // 60 - 2
    minutes = world.seconds // 60
    values = " ".join(
        "_x11 " + both.replace("100", str(100 * n)).replace("[99 1]", f"[{99 * n} {n}]") for n in range(1, minutes - 2)
    )
    world.requests, world.errors = 100 * (minutes - 3), minutes - 3
    return {f'{TIMED}{{service="shop"}}': f"{{{{schema:0}}}} {values}", 'up{job="shop"}': f"1x{world.seconds // 5}"}


def probed(world: World) -> dict[str, str]:
    """Two targets are probed every 15 seconds; one fails for 20 minutes, and is not scraped for 10 more."""
    steps = world.seconds // 15
    world.requests, world.errors = 2 * steps - 40 - 8, 80  # those of the last minute are not counted yet
    fails = f"1 {' '.join('_ _ 1' for _ in range(199))} {' '.join('_ _ 0' for _ in range(80))} _x120"
    rest = " ".join("_ _ 1" for _ in range(steps - 320))
    return {
        'probe_success{instance="a"}': f"1 {' '.join('_ _ 1' for _ in range(steps))}",
        'probe_success{instance="b"}': f"{fails} {rest}",
    }


def minutes(world: World) -> dict[str, str]:
    """30 of the minutes are worse than 5 %, and many are as bad as 4 %: 100 requests in each."""
    world.requests = world.seconds // 60 - 1  # the last is not over
    world.errors = 30
    bad = [0]
    for minute in range(world.seconds // 60):
        bad.append(bad[-1] + (6 if 60 <= minute < 90 else 4))
    gap = " _x11 "
    return {
        'http_requests_total{service="shop", status="500"}': gap.join(str(n) for n in bad),
        'http_requests_total{service="shop", status="200"}': gap.join(str(100 * i - n) for i, n in enumerate(bad)),
    }


def written_as(part: str, renamed_to: str) -> Callable[[World], dict[str, str]]:
    """Return what writes a part of the series' names otherwise."""
    return lambda world: {name.replace(part, renamed_to): values for name, values in world.series().items()}


def in_milliseconds(world: World) -> dict[str, str]:
    return world.histogram("http_request_duration_milliseconds", "1000")


def statusless_for_a_while(second: int) -> dict[str, str]:
    return {"status": "state"} if 4000 <= second < 7000 else {}


def renamed(second: int) -> dict[str, str]:
    return {"status": "code"} if second >= 1.5 * HOUR else {}


CASES = (
    Case("steady, zeros exported", lambda: World(zeros=True, failing=lambda _: 0.002), fast=True),
    Case(
        "30 endpoints, 4 replicas, a deploy, errors born with their series",
        lambda: World(hours=3, endpoints=30, rate=lambda _: 0.05, failing=lambda _: 0.002, replicas=replicas(4, HOUR)),
    ),
    Case(
        "12 endpoints, 2 replicas, deploys under the same names",
        lambda: World(
            endpoints=12, rate=lambda _: 0.1, failing=lambda _: 0.004, replicas=replicas(2, HOUR, 6000, rename=False)
        ),
        fast=True,
    ),
    Case(
        "a deploy every 20 minutes",
        lambda: World(replicas=replicas(3, *range(1200, 10_000, 1200), rename=False), failing=lambda _: 0.01),
    ),
    Case("one error, born in the middle", lambda: World(failing=outage(6000, 6006, 0.2, 0)), fast=True),
    Case("an endpoint is born failing", lambda: World(endpoints=1, failing=outage(5000, 5005, 1.0, 0))),
    Case("one request in 15 minutes, some fail", lambda: World(rate=rarely, failing=lambda _: 0.3, seed=4), fast=True),
    Case("idle, then its first requests ever", lambda: World(rate=lambda s: 0.0 if s < 6000 else 0.5), fast=True),
    Case("bursts between quiet hours", lambda: World(rate=bursts, failing=lambda s: 0.05 if s % 2400 < 200 else 0)),
    Case("a total outage of 10 minutes", lambda: World(failing=outage(5000, 5600)), fast=True),
    Case(
        "errors in the first minute of a series", lambda: World(failing=outage(0, 120, 0.5, 0.0), replicas=replicas(1))
    ),
    Case("5,000 requests a second", lambda: World(hours=1, rate=lambda _: 5000, failing=lambda _: 0.001)),
    Case("scraped once a minute", lambda: World(scrape=60, failing=lambda _: 0.01)),
    Case(
        "one scrape in five fails",
        lambda: World(unseen=lambda _r, s: hash((s, 7)) % 5 == 0, failing=lambda _: 0.01),
    ),
    Case(
        "one of two replicas is not scraped exactly while it fails, 20 minutes",
        lambda: World(
            replicas=replicas(2),
            failing=outage(5000, 6200, 0.5),
            unseen=lambda r, s: r.instance == "pod-0-0" and 5000 <= s < 6260,
        ),
        fast=True,
    ),
    Case(
        "none is scraped exactly while they fail, 10 minutes",
        lambda: World(replicas=replicas(2), failing=outage(5000, 5600), unseen=lambda _r, s: 4995 <= s < 5640),
    ),
    Case("one evaluation in eight is missed", lambda: World(unevaluated=lambda s: hash((s // 60, 3)) % 8 == 0)),
    Case(
        "Prometheus restarts at the end of each slot",
        lambda: World(unevaluated=lambda s: s % 300 in {0, 295, 290}, failing=lambda s: 0.1 if s % 300 > 240 else 0),
        fast=True,
    ),
    Case("Prometheus is away for 2 minutes", lambda: World(away=between(5000, 5120), failing=outage(4900, 5300))),
    Case(
        "Prometheus is away for an hour, with an outage in it",
        lambda: World(hours=4, away=between(5000, 8600), failing=outage(6000, 6600)),
        fast=True,
    ),
    Case(
        "Prometheus is away for an hour; new series meanwhile",
        lambda: World(
            hours=4, endpoints=8, rate=lambda _: 0.1, away=between(5000, 8600), failing=outage(6000, 7800, 0.3, 0)
        ),
    ),
    Case(
        "Prometheus is away for an hour after a deploy",
        lambda: World(
            hours=4, away=between(5000, 8600), failing=outage(6000, 6600), replicas=replicas(2, 3000, rename=False)
        ),
    ),
    Case(
        "away for an hour, and the process restarts in it",
        lambda: World(hours=4, away=between(5000, 8600), replicas=replicas(1, 7000, rename=False)),
        truth="less coverage",
    ),
    Case(
        "its only target is away for 3 hours",
        lambda: World(hours=5, unseen=lambda _r, s: 3600 <= s < 14_400, failing=outage(4000, 9000, 0.5)),
        truth="less coverage",
    ),
    Case("a sample is NaN", lambda: World(sample=at(6000, float("nan")), scrape=60), fast=True),
    Case("a sample is Inf", lambda: World(sample=at(6000, float("inf")), scrape=60)),
    Case("an error sample is NaN", lambda: World(sample=at(6000, float("nan"), "500"), scrape=15)),
    Case("a sample is too low", lambda: World(sample=at(6000, 3.0), scrape=60), fast=True),
    Case("an error sample is 0", lambda: World(sample=at(6000, 0.0, "500"), scrape=15)),
    Case(
        "a sample is too low after a deploy",
        lambda: World(sample=at(9000, 3.0), replicas=replicas(1, 6000, rename=False), scrape=60),
    ),
    Case("two replicas write one series", World, truth="right", inputs=two_writers, fast=True),
    Case(
        "a new service with a history",
        lambda: World(replicas=[Replica("a", begins=3600, history=(10**6, 5 * 10**5))], rate=lambda _: 1),
        fast=True,
    ),
    Case(
        "a target with a history joins a known service",
        lambda: World(replicas=[Replica("a"), Replica("b", begins=3600, history=(10**6, 5 * 10**5))]),
    ),
    Case(
        "scaled from 1 to 8",
        lambda: World(replicas=[Replica("a"), *(Replica(f"b{n}", 5000 + n) for n in range(0, 35, 5))]),
    ),
    Case(
        "scaled from 4 to 1",
        lambda: World(replicas=[Replica("a"), *(Replica(f"b{n}", 0, 5000 + n) for n in (0, 5, 10))]),
    ),
    Case(
        "the service is removed",
        lambda: World(replicas=[Replica("a", 0, 5000)], failing=lambda s: 0.02 if s < 4900 else 0),
        truth="right or less coverage",
    ),
    Case("the status label is renamed half-way", lambda: World(names=renamed), truth="less coverage"),
    Case(
        "requests without a status",
        lambda: World(names=lambda _: {"status": "state"}),
        truth="nothing",
        fast=True,
    ),
    Case("pushed once a minute, without up", lambda: World(scrape=60, up=False, endpoints=5, rate=lambda _: 0.1)),
    Case("pushed without an instance", lambda: World(scrape=60, up=False, instances=False, endpoints=5)),
    Case("rules every 15 seconds", lambda: World(hours=1), interval="15s"),
    Case("rules every 5 minutes", lambda: World(rate=lambda s: 1.0 if s < 10_200 else 0.0), interval="5m"),
    Case(
        "a crash every 7 minutes",
        lambda: World(failing=lambda _: 0.01, replicas=replicas(2, *range(420, 10_000, 420), rename=False)),
    ),
    Case(
        "counted when it begins, good 2 minutes later",
        World,
        service=custom("done_total", "begun_total"),
        slo="own",
        inputs=in_flight,
        peers=None,
        fast=True,
    ),
    Case(
        "good is total without errors, none yet",
        lambda: World(failing=lambda _: 0.0),
        service=custom(
            'sum(rate(http_requests_total[5m])) - sum(rate(http_requests_total{status="500"}[5m]))',
            "http_requests_total",
        ),
        slo="own",
        fast=True,
    ),
    Case(
        "good is total without errors, born one by one",
        lambda: World(endpoints=10, rate=lambda _: 0.2, failing=lambda _: 0.002),
        service=custom(
            'sum(rate(http_requests_total[5m])) - sum(rate(http_requests_total{status="500"}[5m]))',
            "http_requests_total",
        ),
        slo="own",
    ),
    Case(
        "good and total are counters",
        lambda: World(endpoints=10, rate=lambda _: 0.1, failing=lambda _: 0.01),
        service=custom('http_requests_total{status="200"}', "http_requests_total"),
        slo="own",
    ),
    *(
        Case(
            f'latency, le="{bound}"',
            lambda: World(failing=lambda _: 0.02),
            service=latency(),
            slo="latency",
            inputs=partial(World.histogram, metric=TIMED, bound=bound),
            peers=None,
        )
        for bound in ("1", "1.0")
    ),
    Case(
        "latency, one endpoint without the bucket",
        World,
        truth="nothing",
        service=latency(),
        slo="latency",
        inputs=without_bucket,
        peers=None,
        fast=True,
    ),
    Case(
        "a native histogram",
        lambda: World(hours=2),
        service=latency(histogram="native"),
        slo="latency",
        inputs=native,
        peers=None,
    ),
    Case(
        "a gauge of two targets, one of which fails",
        World,
        service={
            "availability": None,
            "latency": None,
            "slos": [{"name": "own", "objective": 99.5, "gauge": "probe_success"}],
        },
        slo="own",
        inputs=probed,
        peers=None,
    ),
    Case(
        "good minutes",
        World,
        service={"latency": None, "availability": {"timeSlice": {"atLeast": 95}}},
        inputs=minutes,
        peers=None,
    ),
    # Births.
    Case(
        "created timestamps: zeros injected, 30 endpoints, a deploy",
        lambda: World(
            endpoints=30, rate=lambda _: 0.05, failing=lambda _: 0.002, replicas=replicas(4, HOUR), injected=True
        ),
    ),
    Case(
        "created timestamps, deploys every 20 minutes under the same names",
        lambda: World(
            replicas=replicas(2, *range(1200, 10_000, 1200), rename=False), failing=lambda _: 0.01, injected=True
        ),
    ),
    Case(
        "OTLP once a minute with start times, deploys",
        lambda: World(
            scrape=60, up=False, endpoints=5, rate=lambda _: 0.2, replicas=replicas(2, 3000, 6000), injected=True
        ),
        fast=True,
    ),
    Case(
        "OTLP once a minute, one short-lived process after another",
        lambda: World(scrape=60, up=False, injected=True, replicas=replicas(1, *range(900, 10_000, 900))),
    ),
    Case(
        "three errors, each born in another endpoint of another replica",
        lambda: World(
            endpoints=12, replicas=replicas(3), rate=lambda _: 0.1, failing=lambda s: 0.3 if s % 3300 == 1500 else 0
        ),
    ),
    Case(
        "series end at once when a process is replaced",
        lambda: World(endpoints=4, rate=lambda _: 0.3, replicas=replicas(2, HOUR, 7000, rename=False), stale=True),
    ),
    Case(
        "an error class that comes back after each deploy",
        lambda: World(
            endpoints=3,
            rate=lambda _: 0.5,
            failing=lambda s: 0.1 if s % 1500 < 60 else 0,
            replicas=replicas(1, *range(1500, 10_000, 1500), rename=False),
        ),
        fast=True,
    ),
    # Gaps.
    Case(
        "a scrape gap of three minutes soon after a deploy",
        lambda: World(
            replicas=replicas(2, 5000, rename=False), unseen=lambda _r, s: 5400 <= s < 5580, failing=lambda _: 0.02
        ),
        fast=True,
    ),
    Case(
        "failed scrapes end series at once, and requests fail just then",
        lambda: World(
            replicas=replicas(2),
            stale=True,
            failing=outage(4000, 4600, 0.5),
            unseen=lambda _r, s: 3990 <= s < 4640,
        ),
    ),
    Case(
        "two minutes away, every half hour",
        lambda: World(
            away=every(*range(1800, 10_000, 1800), length=120), failing=lambda s: 0.3 if s % 1800 < 200 else 0
        ),
    ),
    Case(
        "every second evaluation is missed for an hour",
        lambda: World(unevaluated=lambda s: 3600 <= s < 7200 and s // 60 % 2 == 0, failing=outage(5000, 5300)),
    ),
    Case(
        "an evaluation is missed exactly at a deploy",
        lambda: World(
            endpoints=6,
            rate=lambda _: 0.2,
            failing=lambda _: 0.01,
            replicas=replicas(2, 4000, 7000, rename=False),
            unevaluated=lambda s: 4060 <= s < 4180 or 7060 <= s < 7180,
        ),
    ),
    Case(
        "no evaluations for 40 minutes while scrapes go on, a deploy in it",
        lambda: World(
            unevaluated=between(4000, 6400), failing=outage(4500, 4800), replicas=replicas(2, 5500, rename=False)
        ),
    ),
    Case(
        "away for 90 minutes",
        lambda: World(hours=5, away=between(5000, 10_400), failing=outage(7000, 8000, 0.5)),
    ),
    # Bad samples.
    Case(
        "NaN, Inf and a low sample in one hour",
        lambda: World(
            sample=lambda labels, s, v: (
                {6000: float("nan"), 7200: float("inf"), 8400: 1.0}.get(s, v) if ("status", "200") in labels else v
            )
        ),
    ),
    Case("a sample is negative", lambda: World(sample=at(6000, -5.0), scrape=60)),
    Case("an error sample is Inf", lambda: World(sample=at(6000, float("inf"), "500"), scrape=15)),
    Case("every fiftieth sample is NaN", lambda: World(sample=lambda _l, s, v: float("nan") if s % 750 == 0 else v)),
    # Pairs of counters.
    Case(
        "`bad:` beside a total",
        lambda: World(endpoints=8, rate=lambda _: 0.2, failing=lambda _: 0.005),
        service=bad('http_requests_total{status="500"}', "http_requests_total"),
        slo="own",
        fast=True,
    ),
    Case(
        "`bad:` with no bad series ever",
        lambda: World(failing=lambda _: 0.0),
        service=bad('http_requests_total{status="500"}', "http_requests_total"),
        slo="own",
    ),
    Case(
        "`bad:` as a sum of rates",
        lambda: World(endpoints=4, rate=lambda _: 0.2, failing=lambda _: 0.02),
        service=bad(
            'sum(rate(http_requests_total{status="500"}[5m]))',
            'sum(rate(http_requests_total{status="200"}[5m])) + sum(rate(http_requests_total{status="500"}[5m]))',
        ),
        slo="own",
    ),
    # Histograms.
    Case(
        "latency in milliseconds",
        lambda: World(failing=lambda _: 0.02),
        service=latency() | {"metrics": {"duration": "http_request_duration_milliseconds", "unit": "milliseconds"}},
        slo="latency",
        inputs=in_milliseconds,
        peers=None,
    ),
    Case(
        "latency, deploys under the same names",
        lambda: World(failing=lambda _: 0.02, replicas=replicas(2, 3000, 6000, rename=False)),
        service=latency(),
        slo="latency",
        inputs=partial(World.histogram, metric=TIMED, bound="1.0"),
        peers=None,
    ),
    # Names.
    Case("no status for 50 minutes", lambda: World(names=statusless_for_a_while), truth="less coverage"),
    Case(
        "the endpoint label is renamed by a deploy",
        lambda: World(
            names=lambda s: {"endpoint": "route"} if s >= 5000 else {},
            replicas=replicas(1, 5000, rename=False),
            failing=lambda s: 0.002 if s < 5000 else 0.02,
        ),
    ),
    # Volumes.
    Case(
        "one request in four minutes, a few fail",
        lambda: World(rate=lambda s: 0.2 if s % 240 == 0 else 0, failing=lambda _: 0.08, seed=9),
    ),
    Case(
        "10 million requests before, then a trickle of errors",
        lambda: World(
            replicas=[Replica("a", history=(10**7, 10**4))], rate=lambda _: 3, failing=outage(8000, 8100, 0.01, 0)
        ),
    ),
    Case(
        "two days, a deploy in each, 30 endpoints, 4 replicas",
        lambda: World(
            hours=48,
            endpoints=30,
            rate=lambda _: 0.01,
            failing=lambda _: 0.002,
            replicas=replicas(4, 10 * HOUR, 34 * HOUR),
            scrape=60,
        ),
        nightly=True,
    ),
    # Evaluations that are missed.
    Case(
        "no evaluations for 40 minutes, a deploy of new names in it",
        lambda: World(unevaluated=between(4000, 6400), failing=outage(4500, 4800), replicas=replicas(2, 5500)),
        # Of processes that ended or came in two hours, values are read that are 5 minutes apart.
        truth="right or less coverage",
    ),
    Case(
        "no evaluations for 4 minutes, a deploy under the same names in it, errors just before",
        lambda: World(
            endpoints=4,
            rate=lambda _: 0.5,
            failing=outage(5000, 5100, 0.3),
            replicas=replicas(2, 5100, rename=False),
            unevaluated=between(4990, 5230),
        ),
        fast=True,
    ),
    Case(
        "no evaluations for 4 minutes, a deploy of new names in it, errors just before",
        lambda: World(
            endpoints=4,
            rate=lambda _: 0.5,
            failing=outage(5000, 5100, 0.3),
            replicas=replicas(2, 5100),
            unevaluated=between(4990, 5230),
        ),
        fast=True,
    ),
    Case(
        "every third evaluation is missed, deploys in between",
        lambda: World(
            replicas=replicas(2, 3000, 6000, rename=False),
            failing=lambda _: 0.02,
            unevaluated=lambda s: s // 60 % 3 == 0,
        ),
    ),
    Case(
        "processes that live for three minutes, no evaluations for ten",
        lambda: World(
            endpoints=2,
            replicas=replicas(1, *range(180, 10_000, 180)),
            unevaluated=between(5000, 5600),
            failing=lambda _: 0.02,
        ),
        truth="right or less coverage",
    ),
    # Bad samples where something else happens too.
    Case(
        "an Inf as the last sample before a gap",
        lambda: World(sample=at(6000, float("inf")), unseen=lambda _r, s: 6000 < s < 6400, failing=lambda _: 0.02),
    ),
    Case(
        "a NaN at a deploy",
        lambda: World(
            sample=at(6015, float("nan"), "500"), replicas=replicas(1, 6000, rename=False), failing=lambda _: 0.02
        ),
    ),
    Case(
        "a sample is too low just before a restart",
        lambda: World(sample=at(5985, 2.0), replicas=replicas(1, 6000, rename=False), failing=lambda _: 0.02),
    ),
    Case(
        "a target that joins with a history has a sample too low",
        lambda: World(
            replicas=[Replica("a"), Replica("b", begins=3600, history=(10**6, 5 * 10**5))],
            sample=lambda labels, s, v: 3.0 if s == 3645 and ("instance", "b") in labels else v,
        ),
    ),
)
