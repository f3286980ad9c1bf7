"""Stack Health: the services watching each other, and what each of them costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dashboards import palette, stack_queries, style, tables
from dashboards.limits import add_share_of_limit
from dashboards.model import Override, Query, Thresholds, ValueText
from observability import topology
from observability.configs.collector import QUEUE_BYTES
from observability.names import uids
from observability.rules import containers, host

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dashboards.builder import DashboardBuilder
    from observability.settings import Settings

GROUPS: Final = 4
"""Groups of rules that are shown: the slowest."""
READERS: Final = {
    part.name: f"{part.name} ({part.store.signal})" for part in topology.WRITTEN_BY_COLLECTOR if part.store is not None
}
NO_READS: Final = "Nothing was read in this time range. Widen it, or open a dashboard."


def build(settings: Settings) -> DashboardBuilder:
    """Return the dashboard."""
    db = style.dashboard(
        uids.STACK_HEALTH,
        settings,
        description="Whether the stack's own services are well, how long their space lasts, and what they cost.",
    )
    style.add_worst_service_link(db, settings)
    _state(db, settings)
    _space(db, settings)
    _work(db, settings)
    _rules(db, settings)
    return db


def _state(db: DashboardBuilder, settings: Settings) -> None:
    db.add_stat_panel(
        title="Services",
        query=Query(stack_queries.up(), legend="{{job}}", instant=True),
        unit="none",
        sparkline=False,
        text_mode="value_and_name",
        thresholds=style.UP,
        mappings=style.UP_OR_DOWN,
        no_value=style.NO_PROMETHEUS,
        description=style.describe(
            "Whether Prometheus reaches each of the stack's own services.",
            "read the log of the container that is down (`docker logs`).",
        ),
        width=9,
        height=6,
        key="services",
    )
    db.add_stat_panel(
        title="Targets down",
        query=Query(stack_queries.silent_targets(), legend="targets", instant=True),
        **style.COUNT,
        sparkline=False,
        thresholds=style.NONE_IS_GOOD,
        no_value=style.NO_PROMETHEUS,
        description=style.describe(
            "How many targets, services and stack, Prometheus cannot scrape now.",
            "check on Prometheus' page /targets which they are, whether they run, and whether their address is right.",
        ),
        width=5,
        height=6,
        key="targets-down",
    )
    db.add_stat_panel(
        title="Rules failing",
        query=Query(stack_queries.failed_evaluations(), legend="evaluations", instant=True),
        **style.COUNT,
        sparkline=False,
        thresholds=style.NONE_IS_GOOD,
        no_value=style.NO_PROMETHEUS,
        description=style.describe(
            "Rule evaluations that failed, or were skipped because the one before took too long, in this time range.",
            "read Prometheus' log for the rule and the reason, and look at *Rule evaluation time* below.",
        ),
        width=5,
        height=6,
        key="rule-failures",
    )
    db.add_stat_panel(
        title="Data refused",
        query=[
            Query(expr, legend=name, ref_id=name.replace(" ", "_"), instant=True)
            for name, expr in stack_queries.rejected(settings).items()
        ],
        **style.COUNT,
        sparkline=False,
        text_mode="value_and_name",
        thresholds=style.NONE_IS_GOOD,
        no_value=style.NO_PROMETHEUS,
        description=style.describe(
            "Samples, log lines and spans that were not kept for good, in this time range; what was refused for a "
            "moment and sent again does not count.",
            "read the alert *A service sends what cannot be stored*, which names sender and reason, and else the "
            "collector's log.",
        ),
        width=5,
        height=6,
        key="data-refused",
    )


def _space(db: DashboardBuilder, settings: Settings) -> None:
    columns = stack_queries.cost(settings)
    db.add_table_panel(
        title="Use of the limits",
        query=tables.columns(columns)[0],
        **style.COUNT,
        transformations=tables.joined(
            columns,
            ("container",),
            show=("container", "Memory", "CPU", "Restarts"),
            needs=("Memory",),
            order="Memory",
        ),
        overrides=[
            *(
                Override(
                    name=name,
                    **style.SHARE,
                    cell="color-background",
                    thresholds=style.usage_thresholds(settings),
                    width=style.NUMBER - 2,
                )
                for name in ("Memory", "CPU")
            ),
            Override(name="Restarts", width=style.NUMBER - 2),
        ],
        no_value=style.NOT_RUNNING,
        description=style.describe(
            "Memory and CPU of each container as a share of its limit, and its restarts in this time range.",
            "raise `limits` in the stack's configuration, or lower the load, before CPU or memory reach 100 %.",
        ),
        width=12,
        height=style.table_height(len(settings.containers)),
        key="cost",
    )
    columns = stack_queries.space(settings)
    db.add_table_panel(
        title="Disk space",
        query=tables.columns(columns)[0],
        **style.SHARE,
        transformations=tables.joined(columns, ("part",), show=("part", "Used", "Full in", "Size", "Kept for")),
        overrides=[
            Override(
                name="Used",
                cell="color-background",
                thresholds=style.usage_thresholds(settings),
                width=style.NUMBER - 16,
            ),
            Override(
                name="Full in",
                **style.DAYS,
                cell="color-background",
                thresholds=Thresholds.low_is_bad(
                    settings.thresholds.full_bad_days, settings.thresholds.full_warning_days
                ),
                mappings={(10_000, None): ValueText("years", palette.GOOD)},
                width=style.NUMBER - 4,
            ),
            Override(name="Size", **style.BYTES, width=style.NUMBER + 4),
            Override(name="Kept for", **style.DAYS, width=style.NUMBER - 6),
        ],
        no_value=style.NOT_RUNNING,
        description=style.describe(
            f"How full the host's disk is as `df` counts it, how full the store of metrics is of its limit, and the "
            f"days until then at the present rate, which takes {host.FORECAST_WINDOW} of data.",
            "shorten the retention of what grows, raise `prometheusRetentionSize`, or give the host more disk.",
        ),
        width=12,
        height=style.table_height(len(settings.containers)),
        key="space",
    )
    for key, title, used, limit in (
        ("memory", "Memory, of the limit", containers.MEMORY, containers.MEMORY_LIMIT),
        ("cpu", "CPU, of the limit", containers.CPU, containers.CPU_LIMIT),
    ):
        add_share_of_limit(
            db,
            settings,
            title=title,
            used=used,
            limit=limit,
            link=style.TO_INFRASTRUCTURE,
            description=style.describe(
                "The share of its limit that each container uses.",
                "compare with the ingestion below: a rise together with it is load, a rise alone a leak or a costly "
                "query.",
            ),
            key=key,
        )


def _ingested(settings: Settings) -> Iterator[tuple[str, str, str, str, str, str]]:
    """Yield what comes in, as key, title, query, store, unit and what is counted."""
    yield "metrics-in", "Samples ingested", stack_queries.samples_in(), "prometheus", "suffix:samples/s", "Samples"
    if settings.keeps_logs:
        yield "logs-in", "Log bytes ingested", stack_queries.logs_in(), "loki", "Bps", "Bytes of log lines"
    else:
        sent = stack_queries.sent("log_records", "loki")
        yield "logs-in", "Log lines sent elsewhere", sent, "loki", "suffix:lines/s", "Log lines"
    if settings.keeps_traces:
        yield "traces-in", "Spans ingested", stack_queries.spans_in(), "jaeger", "suffix:spans/s", "Spans"
    else:
        sent = stack_queries.sent("spans", "jaeger")
        yield "traces-in", "Spans sent elsewhere", sent, "jaeger", "suffix:spans/s", "Spans"


def _takes(name: str, settings: Settings) -> str:
    if name in settings.containers:
        return f"{name} accepts from its senders"
    return "the store elsewhere has taken from the collector"


def _work(db: DashboardBuilder, settings: Settings) -> None:
    db.add_row("What comes in, and what is read?", panel_id=104)
    for key, title, query, name, unit, what in _ingested(settings):
        db.add_timeseries_panel(
            title=title,
            query=Query(query, legend=name),
            unit=unit,
            min_val=0,
            overrides=style.colored_stack(),
            no_value=style.NOT_RUNNING,
            description=style.describe(
                f"{what} per second that {_takes(name, settings)}.",
                "check the senders and the network after a fall to nothing, and find who began to send after a sudden "
                "rise.",
            ),
            width=style.THIRD,
            height=style.GRAPH_HEIGHT - 1,
            key=key,
        )
    db.add_timeseries_panel(
        title="Reads",
        query=[
            Query(expr, legend=READERS[name], ref_id=name)
            for name, expr in stack_queries.reads().items()
            if name in settings.containers
        ],
        **style.on_axis(style.REQUEST_RATE),
        min_val=0,
        overrides=style.colored_stack(),
        no_value=style.NOT_RUNNING,
        description=style.describe(
            "Reads per second by dashboards, alerts and people, by what they read.",
            "look for a dashboard that refreshes too often after a sudden rise.",
        ),
        width=style.THIRD,
        height=style.GRAPH_HEIGHT,
        key="reads",
    )
    db.add_timeseries_panel(
        title="Read latency P95",
        query=[
            Query(expr, legend=READERS[name], ref_id=name)
            for name, expr in stack_queries.read_time().items()
            if name in settings.containers
        ],
        **style.LATENCY,
        min_val=0,
        overrides=style.colored_stack(),
        no_value=NO_READS,
        description=style.describe(
            "95 of 100 reads were answered within this time; a gap is a time without reads.",
            "look whether CPU is near its limit, and if not, narrow the wide query or record it by a rule.",
        ),
        width=style.THIRD,
        height=style.GRAPH_HEIGHT,
        key="read-latency",
    )
    db.add_timeseries_panel(
        title="Collector's queues",
        query=Query(stack_queries.waiting(), legend="for {{backend}}"),
        **style.on_axis(style.BYTES),
        min_val=0,
        overrides=[Override(name=f"for {name}", color=color) for name, color in style.OF_STACK.items()],
        no_value=style.NOT_RUNNING,
        description=style.describe(
            f"Accepted data on the collector's disk that its backend has not taken yet, {QUEUE_BYTES // 2**20} MiB at "
            "most for each; then senders are refused.",
            "look at the backend whose queue climbs and at the collector's log; nothing is lost below the limit.",
        ),
        width=style.THIRD,
        height=style.GRAPH_HEIGHT,
        key="collector-queue",
    )
    db.add_timeseries_panel(
        title="Data stored",
        query=[
            Query(expr, legend=name, ref_id=signal)
            for signal, name, expr in (
                ("metrics", "prometheus", stack_queries.metrics_on_disk()),
                ("traces", "jaeger", stack_queries.traces_on_disk()),
            )
            if name in settings.containers
        ],
        **style.on_axis(style.BYTES),
        min_val=0,
        overrides=style.colored_stack(),
        no_value=style.NOT_RUNNING,
        description=style.describe(
            f"Bytes of metrics (blocks, head and write-ahead log){' and of traces' if settings.keeps_traces else ''}.",
            "find which target began to send new series after a steep rise, and drop what is never read.",
        ),
        width=style.THIRD,
        height=style.GRAPH_HEIGHT + 2,
        key="stored",
    )


def _rules(db: DashboardBuilder, settings: Settings) -> None:
    db.add_timeseries_panel(
        title=f"Rule evaluation time, {GROUPS} slowest",
        query=Query(stack_queries.rule_time(GROUPS), legend="{{group}}"),
        **style.LATENCY,
        min_val=0,
        fill_opacity=0,
        no_value=style.NO_RULES_YET,
        description=style.describe(
            f"How long each group of rules took the last time; they run every {settings.rule_interval}.",
            "drop labels that are never read from the service whose group grew, or raise `ruleInterval`.",
        ),
        width=style.THIRD,
        height=style.GRAPH_HEIGHT + 2,
        key="rule-time",
    )
    db.add_timeseries_panel(
        title="Slowest group, of its interval",
        query=Query(stack_queries.rule_share(), legend="slowest group"),
        **style.on_axis(style.SHARE),
        min_val=0,
        soft_max=0.1,
        thresholds=style.usage_thresholds(settings),
        threshold_style="off",
        no_value=style.NO_RULES_YET,
        description=style.describe(
            "How much of the time between two evaluations the slowest group takes; from 100 % on evaluations are "
            "skipped, and every dashboard gets gaps.",
            "raise Prometheus' CPU in `limits`, or `ruleInterval`, well before that.",
        ),
        width=style.THIRD,
        height=style.GRAPH_HEIGHT + 2,
        key="rule-share",
    )
