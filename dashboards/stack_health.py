"""Stack Health: the five services watching each other, and what each of them costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dashboards import palette, stack_queries, style, tables
from dashboards.limits import add_share_of_limit
from dashboards.model import Legend, Override, Query, Thresholds, ValueText
from observability import topology
from observability.configs.collector import QUEUE_BYTES
from observability.names import uids
from observability.rules import containers

if TYPE_CHECKING:
    from dashboards.builder import DashboardBuilder
    from observability.settings import Settings

GROUPS: Final = 8
"""Groups of rules that are shown: the slowest."""
SOON: Final = (7, 30)
"""Days that space has to last to be bad, and marked."""
READERS: Final = {
    part.name: f"{part.name} ({part.store.signal})" for part in topology.WRITTEN_BY_COLLECTOR if part.store is not None
}
NOT_TOLD: Final = "—"


def build(settings: Settings) -> DashboardBuilder:
    """Return the dashboard."""
    db = style.dashboard(
        uids.STACK_HEALTH,
        settings,
        description="Whether the stack's own five services are well, how long their space lasts, and what they cost.",
        time_from="now-24h",
    )
    _state(db)
    _cost(db, settings)
    _space(db, settings)
    _work(db, settings)
    _rules(db, settings)
    return db


def _state(db: DashboardBuilder) -> None:
    db.add_row("Are they well?", panel_id=101)
    db.add_stat_panel(
        title="Services",
        query=Query(stack_queries.up(), legend="{{job}}", instant=True),
        unit="none",
        sparkline=False,
        text_mode="value_and_name",
        orientation="vertical",
        thresholds=style.UP,
        mappings=style.UP_OR_DOWN,
        no_value="No data: Prometheus itself does not run, or has just started.",
        description=style.describe(
            "Whether Prometheus reaches each of the five.",
            "*Down*: read the container's log (`docker logs`). Nothing at all here: Prometheus is the one.",
        ),
        width=9,
        height=4,
        key="services",
    )
    db.add_stat_panel(
        title="Targets down",
        query=Query(stack_queries.silent_targets(), legend="targets", instant=True),
        unit="none",
        decimals=0,
        sparkline=False,
        thresholds=style.NONE_IS_GOOD,
        mappings={"0": ValueText("All answer", palette.GOOD)},
        no_value=style.NO_RULES_YET,
        description=style.describe(
            "How many of all targets Prometheus cannot scrape now; the table below has their names.",
            "check whether they run and whether their address in the configuration is right.",
        ),
        width=4,
        height=4,
        key="targets-down",
    )
    db.add_stat_panel(
        title="Rule evaluations failed",
        query=Query(stack_queries.failed_evaluations(), legend="evaluations", instant=True),
        unit="none",
        decimals=0,
        sparkline=False,
        thresholds=style.NONE_IS_GOOD,
        mappings={"0": ValueText("None", palette.GOOD)},
        no_value=style.NO_RULES_YET,
        description=style.describe(
            "Evaluations that failed, or were left out because the one before took too long, in this time range.",
            "read Prometheus's log for the rule and the reason; too long: look at *Time to evaluate* below.",
        ),
        width=4,
        height=4,
        key="rule-failures",
    )
    db.add_stat_panel(
        title="Data refused",
        query=[
            Query(expr, legend=name, ref_id=name.replace(" ", "_"), instant=True)
            for name, expr in stack_queries.rejected().items()
        ],
        unit="short",
        decimals=0,
        sparkline=False,
        text_mode="value_and_name",
        orientation="vertical",
        thresholds=style.NONE_IS_GOOD,
        mappings={"0": ValueText("None", palette.GOOD)},
        no_value=style.NO_RULES_YET,
        description=style.describe(
            "Samples, log lines and spans that came in and were not kept, in this time range. What was refused for a "
            "moment and sent again does not count.",
            "the alert *A service sends what cannot be stored* names the sender and the reason; else read the log of "
            "the collector: the store that refused says why.",
        ),
        width=7,
        height=4,
        key="data-refused",
    )


def _cost(db: DashboardBuilder, settings: Settings) -> None:
    db.add_row("What does each part cost?", panel_id=102)
    asked, steps = tables.joined(
        stack_queries.cost(), ("container",), names={"container": "Service"}, needs=("CPU limit",)
    )
    db.add_table_panel(
        title="Cost against the limits",
        query=asked,
        unit="short",
        sort_by="Memory used",
        descending=True,
        cell_height="md",
        transformations=steps,
        overrides=[
            Override(name="CPU", unit="suffix: cores", decimals=3),
            Override(name="CPU limit", unit="suffix: cores", decimals=1),
            *(
                Override(
                    name=name,
                    unit="percentunit",
                    decimals=0,
                    cell="gauge",
                    min_val=0,
                    max_val=1,
                    thresholds=style.USAGE,
                )
                for name in ("CPU used", "Memory used")
            ),
            Override(name="Memory", unit="bytes", decimals=0),
            Override(name="Memory limit", unit="bytes", decimals=0),
            Override(name="On disk", unit="bytes", decimals=1, custom={"noValue": NOT_TOLD}),
            Override(name="Restarts", unit="none", decimals=0),
        ],
        no_value=style.NOT_RUNNING,
        description=style.describe(
            "What each container takes now, averaged over 5 minutes, of what it may take, and how often it was "
            "restarted in this time range. Grafana and Loki do not say what they take on disk.",
            "near its CPU limit a service gets slow, at its memory limit it is killed: raise `limits` in the stack's "
            "configuration, or lower what it is asked for.",
        ),
        width=24,
        height=style.table_height(len(settings.containers), "md"),
        panel_id=5,
    )
    for panel_id, title, used, limit in (
        (6, "CPU, of the limit", containers.CPU, containers.CPU_LIMIT),
        (7, "Memory, of the limit", containers.MEMORY, containers.MEMORY_LIMIT),
    ):
        add_share_of_limit(
            db,
            settings,
            title=title,
            used=used,
            limit=limit,
            link=style.TO_INFRASTRUCTURE,
            description=style.describe(
                "Share of what the container may use, by service. Dashed: where it is marked.",
                "compare with *What comes in* below: rising together means load, rising alone a leak or a costly "
                "query. Raise `limits` or lower the load.",
            ),
            height=style.graph_height(len(settings.containers)),
            panel_id=panel_id,
        )


def _space(db: DashboardBuilder, settings: Settings) -> None:
    db.add_row("How long does the space last?", panel_id=103)
    asked, steps = tables.joined(stack_queries.space(settings), ("part",), names={"part": "Part"})
    db.add_table_panel(
        title="Space",
        query=asked,
        unit="short",
        cell_height="md",
        transformations=steps,
        overrides=[
            Override(name="Part", width=190),
            *(
                Override(name=name, unit=unit, decimals=decimals, width=115, custom={"noValue": NOT_TOLD})
                for name, unit, decimals in (
                    ("Kept for", "suffix: d", 0),
                    ("Oldest", "suffix: d", 1),
                    ("On disk", "bytes", 1),
                    ("Limit", "bytes", 0),
                    ("Used", "percentunit", 1),
                )
            ),
            Override(
                name="Full in",
                unit="suffix: d",
                decimals=0,
                cell="color-text",
                thresholds=Thresholds.low_is_bad(*SOON),
                mappings={"null": ValueText(NOT_TOLD, palette.MUTED), (10_000, None): "years"},
                width=115,
                custom={"noValue": NOT_TOLD},
            ),
        ],
        no_value=style.NOT_RUNNING,
        description=style.describe(
            "*Full in*: days until the limit is reached if it grows on as in the last day; then Prometheus deletes its "
            "oldest data early, and a full host loses new data. It takes a day of blocks to tell, and is a dash while "
            "nothing grows. Jaeger counts files that it has reserved but not filled. Logs and traces have no limit but "
            "their age, so watch the disk of the Docker host, which is shared with everything else on it.",
            "raise `prometheusRetentionSize` or shorten the retention of what grows; give the host more disk.",
        ),
        width=15,
        height=9,
        key="space",
    )
    db.add_timeseries_panel(
        title="Space used",
        query=[
            Query(stack_queries.metrics_on_disk(), legend="prometheus", ref_id="metrics"),
            Query(stack_queries.traces_on_disk(), legend="jaeger", ref_id="traces"),
        ],
        unit="bytes",
        min_val=0,
        legend=Legend(calcs=("lastNotNull", "max")),
        overrides=style.colored(style.colors(settings)),
        no_value=style.NOT_RUNNING,
        description=style.describe(
            "Bytes of metrics (blocks, what is not in a block yet, and the log of writes) and of traces.",
            "a steep rise is new series: find which target began to send them, and drop what nobody reads.",
        ),
        width=9,
        height=9,
        panel_id=9,
    )


def _work(db: DashboardBuilder, settings: Settings) -> None:
    db.add_row("What comes in, and what is asked?", panel_id=104)
    for panel_id, title, query, name, unit, what in (
        (10, "Metrics taken in", stack_queries.samples_in(), "prometheus", "suffix: samples/s", "Samples"),
        (11, "Logs taken in", stack_queries.logs_in(), "loki", "Bps", "Bytes of log lines"),
        (12, "Traces taken in", stack_queries.spans_in(), "jaeger", "suffix: spans/s", "Spans"),
    ):
        db.add_timeseries_panel(
            title=title,
            query=Query(query, legend=name),
            unit=unit,
            min_val=0,
            legend=Legend(mode="list", calcs=("lastNotNull", "max")),
            overrides=style.colored(style.colors(settings)),
            no_value=style.NOT_RUNNING,
            description=style.describe(
                f"{what} per second that {name} accepts from its senders.",
                "a fall to nothing: check the senders and the network. A sudden rise: find who began to send, before "
                "the memory and the disk are full.",
            ),
            width=style.THIRD,
            height=style.GRAPH_HEIGHT,
            panel_id=panel_id,
        )
    db.add_timeseries_panel(
        title="Reads",
        query=[Query(expr, legend=READERS[name], ref_id=name) for name, expr in stack_queries.reads().items()],
        unit="reqps",
        min_val=0,
        legend=style.SHORT_RIGHT,
        overrides=style.colored(style.colors(settings)),
        no_value=style.NOT_RUNNING,
        description=style.describe(
            "How often dashboards, alerts and people read, per second, by what they read.",
            "a sudden rise: look for a dashboard that refreshes too often, and find what it asks.",
        ),
        width=style.HALF,
        height=style.GRAPH_HEIGHT,
        panel_id=13,
    )
    db.add_timeseries_panel(
        title="Time to answer a read, P95",
        query=[Query(expr, legend=READERS[name], ref_id=name) for name, expr in stack_queries.read_time().items()],
        unit="s",
        min_val=0,
        legend=style.SHORT_RIGHT,
        overrides=style.colored(style.colors(settings)),
        no_value="No data: nobody read anything in this time range.",
        description=style.describe(
            "95 of 100 reads were answered within this time; a gap where nobody read.",
            "look whether CPU is near its limit; if not, find the wide query, and narrow it or record it by a rule.",
        ),
        width=style.HALF,
        height=style.GRAPH_HEIGHT,
        panel_id=14,
    )
    db.add_timeseries_panel(
        title="Waiting in the collector",
        query=Query(stack_queries.waiting(), legend="for {{backend}}"),
        unit="bytes",
        min_val=0,
        legend=style.SHORT_RIGHT,
        overrides=[Override(name=f"for {name}", color=color) for name, color in style.colors(settings).items()],
        no_value=style.NOT_RUNNING,
        description=style.describe(
            "What was accepted from senders and is on the collector's disk until its backend takes it. Each backend "
            f"has {QUEUE_BYTES // 2**20} MiB; beyond that senders are told to try again.",
            "climbing means that the backend is down, or refuses: look at it and at the collector's log. Nothing is "
            "lost until the limit.",
        ),
        width=24,
        height=style.GRAPH_HEIGHT,
        key="collector-queue",
    )


def _rules(db: DashboardBuilder, settings: Settings) -> None:
    db.add_row("Do the rules keep up?", panel_id=105)
    db.add_timeseries_panel(
        title=f"Time to evaluate, {GROUPS} slowest groups",
        query=Query(stack_queries.rule_time(GROUPS), legend="{{group}}"),
        unit="s",
        min_val=0,
        fill_opacity=0,
        legend=style.SHORT_RIGHT,
        overrides=style.colored({f"slo-{name}": color for name, color in style.colors(settings).items()}),
        no_value=style.NO_RULES_YET,
        description=style.describe(
            f"How long each group of rules took the last time. They run every {settings.rule_interval}.",
            "look for the group that grew: a service with many endpoints or status codes. Drop labels that nobody "
            "reads, or raise `ruleInterval`.",
        ),
        width=style.HALF,
        height=style.graph_height(GROUPS),
        panel_id=15,
    )
    db.add_timeseries_panel(
        title="Slowest group, of its interval",
        query=Query(stack_queries.rule_share(), legend="slowest group"),
        unit="percentunit",
        decimals=2,
        min_val=0,
        soft_max=0.1,
        thresholds=style.USAGE,
        threshold_style="off",
        legend=Legend(mode="list", calcs=("lastNotNull", "max")),
        no_value=style.NO_RULES_YET,
        description=style.describe(
            "How much of the time between two evaluations the slowest group takes; from 100 % on evaluations are "
            "left out, and the numbers of every dashboard get gaps.",
            "act well before: raise Prometheus's CPU in `limits`, or `ruleInterval`.",
        ),
        width=style.HALF,
        height=style.graph_height(GROUPS),
        panel_id=16,
    )
