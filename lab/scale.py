"""`scale`: what a stack of a given size needs, and which signal has to leave the one machine first.

A model with few constants, each with its source: measured here, published by an engine's makers, or assumed. The page
docs/explanation/scale.md has its table and says what each figure is worth.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

from cli.bootstrap import ROOT
from observability import rules
from observability.settings import load

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cli.context import Context

PAGE: Final = ROOT / "docs" / "explanation" / "scale.md"
BEGIN, END = "<!-- begin: make scale -->\n", "<!-- end: make scale -->\n"
_DAY: Final = 86_400
_MIB, _GIB = 1 / 1024, 1.0
"""In GiB, the model's unit of memory and disk."""
_BYTES: Final = 1 / 1024**3

# Measured here: docs/measurements.md and the table in docs/explanation/scale.md.
PROMETHEUS_BASE: Final = 88 * _MIB
PROMETHEUS_SERIES: Final = 1_900 * _BYTES
"""Memory of one active series, scraped every 15 s, freshly started; see GROWS."""
PROMETHEUS_SAMPLE_CORES: Final = 2.6e-6
"""Cores for one sample a second: scraping, parsing, appending."""
RULE_CORES: Final = 9.8 / 60 / 8_510
"""Cores for one rule a minute: 100 services, 8,510 rules, all of Prometheus' CPU."""
SAMPLE_DISK: Final = 1.5 * _BYTES
LOG_BASE, LOG_LINE_MEMORY, LOG_LINE_CORES = 54 * _MIB, 199 / 2_000 * _MIB, 0.051 / 2_000
"""Loki at 2,000 lines a second, over what it takes at rest."""
LOG_LINE_DISK: Final = 197 * 1024**2 / 518_400 * _BYTES
TRACE_BASE, SPAN_MEMORY, SPAN_CORES = 107 * _MIB, 507 / 5_000 * _MIB, 0.272 / 5_000
"""Jaeger on Badger at 5,000 spans a second, over what it takes at rest."""
REQUEST_DISK: Final = 244 * 1024**2 / 259_200 * _BYTES
"""Jaeger's disk for one traced request of the demo."""
COLLECTOR_ITEM_CORES: Final = 0.111 / 7_000
"""Cores of the collector for one span or line a second."""

# Published by the engines' makers, for the far side.
MIMIR_SERIES: Final = 300_000
"""In-memory series of an ingester with 1 core, 2.5 GB of memory and 5 GB of disk; each series is in three of them."""
MIMIR_SAMPLES: Final = 25_000
"""Samples a second of a distributor with one core."""
MIMIR_RULE_CORES: Final = 0.2 / 85 / 60
"""Measured: a group of 85 rules took 0.12 to 0.27 s."""
LOKI_PROCESS_GIB_A_DAY: Final = 20
CLICKHOUSE_SPANS: Final = 13_000
"""Spans a second of one core, as Jaeger's benchmark has it."""

# Assumed.
GROWS: Final = 2.0
"""Memory of a series after hours: churn, queries, the garbage collector's room."""
FILL: Final = 0.6
"""How full a machine may be at the busiest hour."""
LINE_BYTES: Final = 300


@dataclass(frozen=True)
class Size:
    """What is watched; a reader's own numbers go here.

    Attributes:
        services: services with SLOs.
        hosts: Docker hosts.
        instances: processes of one service.
        series: series that one instance shows.
        containers: containers of one host.
        requests: requests a second of one service.
        spans: spans of one request that are kept.
        lines: lines of one request.
        scrape: seconds between two scrapes.
        metric_days: how long metrics are kept.
        log_days: how long logs are kept.
        trace_days: how long traces are kept.
    """

    services: int = 10
    hosts: int = 1
    instances: int = 3
    series: int = 500
    containers: int = 30
    requests: float = 10
    spans: float = 5
    lines: float = 2
    scrape: int = 15
    metric_days: int = 40
    log_days: int = 31
    trace_days: int = 3


@dataclass(frozen=True)
class Machine:
    """One Docker host, and what things cost a month (assumed; in any currency)."""

    cores: float = 8
    memory: float = 32
    disk: float = 1_000
    core_price: float = 20
    memory_price: float = 3
    disk_price: float = 0.10
    object_price: float = 0.025


@dataclass(frozen=True)
class Need:
    """What a signal needs: cores, memory and disk in GiB, and of that disk what may be object storage."""

    cores: float
    memory: float
    disk: float
    objects: float = 0

    def share(self, machine: Machine) -> float:
        """Return how full a machine is with it, by what fills it first."""
        return max(self.cores / machine.cores, self.memory / machine.memory, self.disk / machine.disk)

    def price(self, machine: Machine) -> float:
        """Return what it costs a month."""
        return (
            self.cores * machine.core_price
            + self.memory * machine.memory_price
            + self.disk * machine.disk_price
            + self.objects * machine.object_price
        )


def rules_of_a_service() -> int:
    """Return how many recording rules a service adds, as rendered."""
    named = '[{"name": "one", "targets": ["one:1"]}]'
    with_one, without = (load("scale", {"watchStack": "false", "services": text}) for text in (named, "[]"))
    return sum(
        "".join(rules.render(s).values()).count("- record:") * sign for s, sign in ((with_one, 1), (without, -1))
    )


@dataclass(frozen=True)
class Model:
    """What a size needs, here and elsewhere."""

    size: Size
    rules_a_service: int

    @property
    def active_series(self) -> float:
        """Active series: what is scraped, what is recorded, and what each container and host adds."""
        size = self.size
        recorded = 0.6 * self.rules_a_service * size.services  # not every rule has a series for every label
        scraped = size.services * size.instances * size.series + size.hosts * (300 + 45 * size.containers)
        return 5_000 + scraped + recorded

    @property
    def samples(self) -> float:
        """Samples a second."""
        return self.active_series / self.size.scrape

    @property
    def lines(self) -> float:
        """Lines a second."""
        return self.size.services * self.size.requests * self.size.lines

    @property
    def spans(self) -> float:
        """Spans a second."""
        return self.size.services * self.size.requests * self.size.spans

    @property
    def log_gib_a_day(self) -> float:
        """Logs a day, as they are sent."""
        return self.lines * LINE_BYTES * _DAY * _BYTES

    def metrics_here(self) -> Need:
        """Return what Prometheus needs."""
        rule_cores = RULE_CORES * self.rules_a_service * self.size.services
        return Need(
            rule_cores + PROMETHEUS_SAMPLE_CORES * self.samples,
            PROMETHEUS_BASE + GROWS * PROMETHEUS_SERIES * self.active_series,
            SAMPLE_DISK * self.samples * _DAY * self.size.metric_days,
        )

    def logs_here(self) -> Need:
        """Return what Loki needs."""
        disk = LOG_LINE_DISK * self.lines * _DAY * self.size.log_days
        return Need(LOG_LINE_CORES * self.lines, LOG_BASE + LOG_LINE_MEMORY * self.lines, disk)

    def traces_here(self) -> Need:
        """Return what Jaeger needs."""
        disk = REQUEST_DISK * self.size.services * self.size.requests * _DAY * self.size.trace_days
        return Need(SPAN_CORES * self.spans, TRACE_BASE + SPAN_MEMORY * self.spans, disk)

    def metrics_there(self) -> Need:
        """Return what a Mimir with three replicas and an object store needs."""
        ingesters = 3 * self.active_series / MIMIR_SERIES
        rule_cores = MIMIR_RULE_CORES * self.rules_a_service * self.size.services
        cores = max(3.0, ingesters + self.samples / MIMIR_SAMPLES + rule_cores)
        stored = SAMPLE_DISK * self.samples * _DAY * self.size.metric_days
        return Need(cores, max(6.0, 2.5 * ingesters + cores), 5 * ingesters, stored)

    def logs_there(self) -> Need:
        """Return what a Loki of three or more processes on an object store needs."""
        processes = max(3.0, -(-self.log_gib_a_day // LOKI_PROCESS_GIB_A_DAY))
        return Need(processes, 2 * processes, 10 * processes, self.logs_here().disk)

    def traces_there(self) -> Need:
        """Return what a Jaeger on one ClickHouse needs, as Jaeger's own benchmark has it."""
        cores = max(2.0, self.spans / CLICKHOUSE_SPANS)
        return Need(cores, 4 * cores, self.traces_here().disk / 4)

    def signals(self) -> Iterator[tuple[str, Need, Need]]:
        """Yield each signal with what it needs here and there."""
        yield "metrics", self.metrics_here(), self.metrics_there()
        yield "logs", self.logs_here(), self.logs_there()
        yield "traces", self.traces_here(), self.traces_there()

    def moves(self, machine: Machine) -> list[str]:
        """Return the signals that have to leave the machine, the largest first, until the rest fits."""
        here = {name: need for name, need, _ in self.signals()}
        gone: list[str] = []
        while here:
            total = Need(*(sum(getattr(n, f.name) for n in here.values()) for f in fields(Need)))
            if total.share(machine) <= FILL:
                break
            largest = max(here, key=lambda name: here[name].share(machine))
            gone.append(largest)
            del here[largest]
        return gone


SIZES: Final = (
    Size(),
    Size(services=50, hosts=5),
    Size(services=100, hosts=10),
    Size(services=300, hosts=30),
    Size(services=1_000, hosts=100),
)


def table(sizes: Sequence[Size] = SIZES, machine: Machine = Machine()) -> str:
    """Return the model's answers as Markdown tables."""
    count = rules_of_a_service()
    models = [Model(size, count) for size in sizes]
    lines = [
        "| services, hosts | series | samples/s | rules | lines/s, GiB/day | spans/s | leaves one machine, in order |",
        "|---|---|---|---|---|---|---|",
    ]
    for m in models:
        moves = ", ".join(m.moves(machine)) or "nothing"
        lines.append(
            f"| {m.size.services:,}, {m.size.hosts:,} | {_round(m.active_series)} | {_round(m.samples)}"
            f" | {m.size.services * count:,} | {_round(m.lines)}, {m.log_gib_a_day:.0f} | {_round(m.spans)} | {moves} |"
        )
    lines += [
        "",
        "| services | signal | here: cores, memory, disk | elsewhere: cores, memory, disk, objects | its month |",
        "|---|---|---|---|---|",
    ]
    for m in models:
        for name, here, there in m.signals():
            lines.append(
                f"| {m.size.services:,} | {name} | {here.cores:.1f}, {here.memory:.1f}, {_round(here.disk)}"
                f" | {there.cores:.0f}, {there.memory:.0f}, {_round(there.disk)}, {_round(there.objects)}"
                f" | {_round(there.price(machine))} |"
            )
    return "\n".join(lines) + "\n"


def _round(value: float) -> str:
    """Return a number with two digits that count, which is more than the model knows."""
    return f"{float(f'{value:.2g}'):,.0f}"


def page(text: str) -> str:
    """Return the page with today's table."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n{table()}\n{END}{rest.partition(END)[2]}"


def run(context: Context, size: Size | None) -> int:
    """Print the answers for one size; without one, write those of the page."""
    if size is not None:
        context.console.say(table([size]))
        return 0
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    context.console.say(f"{PAGE.relative_to(ROOT)} written")
    return 0
