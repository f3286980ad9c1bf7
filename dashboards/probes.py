"""Probes: what is tried from outside, whether it succeeds, how long it takes, and when certificates expire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dashboards import style, tables
from dashboards.model import Override, PanelQuery, Query, Thresholds
from observability.names import uids

if TYPE_CHECKING:
    from dashboards.builder import DashboardBuilder
    from observability.settings import Settings

VARIABLE: Final = "probe"
_MADE: Final = f'service=~"${VARIABLE}"'
"""By a label that only a scrape sets: what senders push has other ones."""
_DAY: Final = 86_400
NAMES: Final = {"service": "Probe", "tried": "Probe and its target"}
"""The head of each label's column."""
NO_PROBES: Final = "No data: no probe has been made yet, or the blackbox exporter does not run. Check `docker ps`."
NO_CERTIFICATE: Final = "No certificate: no chosen probe that answered uses TLS. Choose all, and check *Probes now*."


def build(settings: Settings) -> DashboardBuilder:
    """Return the dashboard."""
    db = style.dashboard(
        uids.PROBES,
        settings,
        description="Addresses that are tried from outside: whether they answer, how fast, and their certificates.",
    )
    style.add_worst_service_link(db, settings)
    names = [probe.name for probe in settings.probes]
    db.add_custom_variable(VARIABLE, "Probe", names, multi=True, include_all=True, all_value="|".join(names))
    _table(db, settings)
    _graphs(db, settings)
    return db


def _table(db: DashboardBuilder, settings: Settings) -> None:
    labels = ("service", "instance", "tried")
    columns = {
        "State": _tried(_by("probe_success")),
        "Success": _by(f"avg_over_time(probe_success{{{_MADE}}}[$__range])", raw=True),
        "Took": _by("probe_duration_seconds"),
        "Expires in": f"({_by('probe_ssl_earliest_cert_expiry')} - time()) / {_DAY}",
    }
    warn = max((p.certificate_days or 0 for p in settings.probes if p.uses_tls), default=0) or 14
    db.add_table_panel(
        title="Probes now",
        query=tables.columns(columns)[0],
        **style.COUNT,
        transformations=tables.joined(
            columns,
            labels,
            show=("service", "State", "Success", "Took"),
            names=NAMES,
        ),
        overrides=[
            Override(name="Probe", links=[style.to_slo("${__value.text}"), style.to_detail("${__value.text}")]),
            Override(
                name="State",
                mappings=style.UP_OR_DOWN,
                thresholds=style.UP,
                cell="color-background",
                width=style.NUMBER - 12,
                custom=style.LEFT,
            ),
            Override(name="Success", **style.ERROR_RATE, width=style.NUMBER + 4),
            Override(name="Took", **style.LATENCY, width=style.NUMBER - 6),
        ],
        no_value=NO_PROBES,
        description=style.describe(
            "Each probe's last result, the share that succeeded in this time range, and how long the last one took.",
            "open the target yourself, check whether DNS, network, certificate or the service fails, and look at the "
            "phases below.",
        ),
        paged=style.paged(len(settings.probes)),
        width=style.HALF,
        height=style.table_height(len(settings.probes)),
        key="probes",
    )
    db.add_table_panel(
        title="Targets and certificates",
        query=PanelQuery("probes"),
        **style.COUNT,
        transformations=tables.joined(columns, labels, show=("tried", "Expires in"), names=NAMES),
        overrides=[
            Override(
                name="Expires in",
                **style.DAYS,
                cell="color-background",
                thresholds=Thresholds.low_is_bad(*sorted({3, max(warn, 4)})),
                width=style.NUMBER - 2,
            ),
        ],
        no_value=NO_PROBES,
        description=style.describe(
            "What each probe tries, and the days in which a certificate of it expires; a dash is a target without one.",
            "renew the certificate that expires soon, and check why that did not happen by itself.",
        ),
        paged=style.paged(len(settings.probes)),
        width=style.HALF,
        height=style.table_height(len(settings.probes)),
        key="targets",
    )


def _graphs(db: DashboardBuilder, settings: Settings) -> None:
    success = _few(
        settings, f"avg by (service) (avg_over_time(probe_success{{{_MADE}}}[$__rate_interval]))", "probe_success"
    )
    for key, title, query, legend, scale, options, missing, shows, when_bad in (
        (
            "success",
            "Probes that succeeded",
            success,
            "{{service}}",
            style.SHARE,
            {"max_val": 1.0},
            NO_PROBES,
            "The share of each probe's tries that succeeded; a gap is where none was made.",
            "check what all failing probes share, such as a host, a network or a name server; a gap is the exporter's.",
        ),
        (
            "duration",
            "Duration",
            _few(
                settings,
                f"max by (service) (probe_duration_seconds{{{_MADE}}})",
                "probe_duration_seconds",
                highest=True,
            ),
            "{{service}}",
            style.LATENCY,
            {},
            NO_PROBES,
            "How long each probe took as a whole, name lookup and connection included.",
            "compare with the phases beside: a slow lookup is the name server, slow processing the service itself.",
        ),
        (
            "phases",
            "Duration of HTTP, by phase",
            f"avg by (phase) (probe_http_duration_seconds{{{_MADE}}})",
            "{{phase}}",
            style.LATENCY,
            {"stacking": "normal"},
            "No data: none of the chosen probes is of type http. Choose another one above.",
            "What the chosen HTTP probes spend their time on, on average: lookup, connection, TLS, waiting, reading.",
            "look for the phase that grew, and choose one probe above to see whether it is all of them.",
        ),
        (
            "certificates",
            "Days until certificates expire",
            _few(
                settings,
                f"min by (service) (probe_ssl_earliest_cert_expiry{{{_MADE}}} - time()) / {_DAY}",
                "probe_ssl_earliest_cert_expiry",
            ),
            "{{service}}",
            style.DAYS,
            {},
            NO_CERTIFICATE,
            "The days until the first certificate of each target's chain expires; it jumps up when one is renewed.",
            "check why it was not renewed, well before it reaches 0, where clients refuse it.",
        ),
    ):
        db.add_timeseries_panel(
            title=title,
            query=Query(query, legend=legend),
            **style.on_axis(scale),
            min_val=0,
            fill_opacity=10 if options.get("stacking") else 0,
            **options,
            overrides=style.colored(settings) if legend == "{{service}}" else [],
            no_value=missing,
            description=style.describe(shows, when_bad),
            width=style.HALF,
            height=style.GRAPH_HEIGHT,
            key=key,
        )


def _few(settings: Settings, expr: str, metric: str, *, highest: bool = False) -> str:
    """Return `expr` by probe: of all, or of the few that are lowest or highest in `metric` in this time range."""
    if len(settings.probes) <= style.LINES:
        return expr
    average = f"avg by (service) (avg_over_time({metric}{{{_MADE}}}[$__range] @ end()))"
    return f"({expr}) and on (service) {'topk' if highest else 'bottomk'}({style.LINES}, {average})"


def _tried(expr: str) -> str:
    """Return `expr` with a label `tried`: the probe, a space for a second line, and its target without a scheme."""
    target = f'label_replace({expr}, "tried", "$1", "instance", "(?:[a-z]+://)?(.*?)/?")'
    return f'label_join({target}, "tried", ": ", "service", "tried")'


def _by(expr: str, *, raw: bool = False) -> str:
    """Return the number of each probe: of a metric, or of an expression (`raw`)."""
    return f"max by (service, instance) ({expr if raw else f'{expr}{{{_MADE}}}'})"
