"""What the collector refuses, renames and cuts of what senders push, so that one bad item harms only itself.

Prometheus' OTLP receiver rolls a whole request back for one point that it cannot take, and Loki refuses a whole request
for one attribute name. So everything that is known to be refused there is found here first. It is marked with its
reason (`ottl.REFUSED`), counted by service and reason, and dropped; the rest of the request goes on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from observability.configs import ottl
from observability.settings import CONTAINERS

OWN_SERVICES: Final = (*CONTAINERS, "span-metrics")
"""Names of the stack's own services and scrape jobs: no sender may call itself one of these."""
UNNAMED: Final = "unknown_service"
"""The service of a sender that gives no name, as OpenTelemetry's SDKs call it."""

OLDEST: Final = "5h55m"
"""Prometheus takes points of the last 6 hours (`prometheus.LATE`); the rest of them is time on the way."""
NEWEST: Final = "9m"
"""Prometheus and Loki refuse what is more than 10 minutes ahead of their clock."""
OLDEST_LINE: Final = "167h"
"""Loki's `reject_old_samples_max_age` is 168 hours."""
SERIES_OF_METRIC: Final = 2_000
"""Points that one metric may have in one push: OpenTelemetry's SDKs have this limit too."""
LABELS: Final = 64
LABEL_BYTES: Final = 1_024
NAME_BYTES: Final = 500

_SENDER: Final = 'otelcol.client.auth.attributes["username"]'
"""Who sends, as the authenticator found out (`configs.otlp_outside`); nil at doors that ask nobody."""
Senders = Mapping[str, Sequence[str]]
NO_SENDERS: Final[Senders] = MappingProxyType({})

REFUSED_ITEMS: Final = "collector.refused.items"
_SIGNAL: Final = "refused.signal"
_MARKS: Final = "^refused[.]"
"""Attributes that mark what is refused; a sender's own are removed first."""

_NAMELESS: Final = "^[^A-Za-z0-9]*$"
"""An attribute key without an ASCII letter or digit: nothing is left of it as a label."""
_OWN_LABELS: Final = "^(service|job|instance|stack|slo)$"
"""Labels that say who is meant; only a scrape or a rule may set them."""
_RESOURCE_LABELS: Final = (
    "^((service|container)[^A-Za-z0-9]name|service[^A-Za-z0-9](namespace|version)"
    "|deployment[^A-Za-z0-9]environment[^A-Za-z0-9]name)$"
)
"""Labels of a point that are its resource's: one of the point's own, in any spelling that Prometheus turns into the
same label, would take its place, and so name another service."""
_OWN_METRICS: Final = (
    "prometheus|grafana|loki|jaeger|otelcol|scrape|collector.refused|target.info|traces.span.metrics"
    "|traces.service.graph|ALERTS|GRAFANA.ALERTS"
)
_UNSHOWN: Final = rf"{ottl.ANSI}|{ottl.INVISIBLE}"
_INSIDE: Final = rf"{_UNSHOWN}|\\u00[01][0-9a-f]"
"""The same in a map or a list that is written as JSON."""
LOG_TEXT_BYTES, LOG_ATTRIBUTES, LOG_TEXT_OF_MANY_BYTES = 4_096, 96, 400
"""What is kept of one attribute of a record, how many, and of each of many that are long together: Loki refuses a
record with more than 128, or with 64 KiB."""
_SEPARATOR: Final = "[^A-Za-z0-9:]"
_UNIT_NOTE: Final = r"\{[^}]*\}"
_METRIC: Final = 'Concat([metric.name, metric.unit], "_")'
"""Prometheus makes a metric's name of both."""


def own_metric_name() -> str:
    """Return the regular expression of names that only the stack's rules and scrapes may write.

    Prometheus turns every other character into `_`, drops it at the ends, and appends the unit: `.up` becomes `up`.
    """
    separator = _SEPARATOR
    prefixes = _OWN_METRICS.replace(".", f"{separator}+")
    return (
        ":"  # recorded series: slo:…, service:…, container:…
        f"|^{separator}*up({separator}|{_UNIT_NOTE})*$"
        f"|^{separator}*({prefixes})({separator}|$)"
    )


def metrics(senders: Senders = NO_SENDERS) -> dict[str, Any]:
    """Return the transform processor's settings for metrics.

    Args:
        senders: Who may send from outside for which services, where each sender has a token of its own.
    """
    none = "METRIC_DATA_TYPE_"
    summed = " or ".join(f"metric.type == {none}{kind}" for kind in ("SUM", "HISTOGRAM", "EXPONENTIAL_HISTOGRAM"))
    reason, point = f'metric.metadata["{ottl.REFUSED}"]', f'datapoint.attributes["{ottl.REFUSED}"]'
    return _transform(
        "metric",
        _resource(),
        # A resource's are labels of its `target_info`.
        ottl.group("resource", _not_own_labels("resource.attributes")),
        ottl.group("scope", *_scope()),
        ottl.group(
            "metric",
            f"delete_matching_keys(metric.metadata, {ottl.quoted(_MARKS)})",
            *_text("metric.description"),
            f'set({reason}, "too many series in one metric") where Len(metric.data_points) > {SERIES_OF_METRIC}',
            f'set({reason}, "neither delta nor cumulative")'
            f" where ({summed}) and metric.aggregation_temporality == AGGREGATION_TEMPORALITY_UNSPECIFIED",
            f'set({reason}, "metric name without a letter") where {ottl.matches("metric.name", _NAMELESS)}',
            f'set({reason}, "name of one of the stack\'s own metrics")'
            f" where {ottl.matches(_METRIC, own_metric_name())}",
            f'set({reason}, "name of one of the stack\'s own services") where {_own_service()}',
            *_of_another_sender(reason, senders),
        ),
        ottl.group(
            "datapoint",
            f"delete_matching_keys(datapoint.attributes, {ottl.quoted(_MARKS)})",
            _renamed("datapoint.attributes"),
            *_shown("datapoint.attributes"),
            _not_own_labels("datapoint.attributes"),
            *_not_of_resource("datapoint.attributes"),
            f"truncate_all(datapoint.attributes, {LABEL_BYTES})",
            f"limit(datapoint.attributes, {LABELS}, [])",
            f'set({point}, "too old") where datapoint.time < Now() - Duration("{OLDEST}")',
            f'set({point}, "in the future") where datapoint.time > Now() + Duration("{NEWEST}")',
            f'set({point}, "histogram too coarse") where metric.type == {none}EXPONENTIAL_HISTOGRAM'
            " and datapoint.scale < -4",
            f"set({point}, {reason}) where {reason} != nil",
        ),
    )


def logs(senders: Senders = NO_SENDERS) -> dict[str, Any]:
    """Return the transform processor's settings for log records; `senders` as of `metrics`."""
    mark = f'log.attributes["{ottl.REFUSED}"]'
    return _transform(
        "log",
        _resource(),
        ottl.group("resource", 'delete_key(resource.attributes, "stack")'),
        ottl.group("scope", _renamed("scope.attributes"), *_scope()),
        ottl.group(
            "log",
            f"delete_matching_keys(log.attributes, {ottl.quoted(_MARKS)})",
            _renamed("log.attributes"),
            *_shown("log.attributes"),
            *_shown_body(),
            *_text("log.severity_text"),
            f"truncate_all(log.attributes, {LOG_TEXT_BYTES})",
            f"limit(log.attributes, {LOG_ATTRIBUTES}, [])",
            f"truncate_all(log.attributes, {LOG_TEXT_OF_MANY_BYTES})"
            f" where Len(String(log.attributes)) > {LOG_ATTRIBUTES * LOG_TEXT_OF_MANY_BYTES}",
            f'set({mark}, "name of one of the stack\'s own services") where {_own_service()}',
            f'set({mark}, "too old") where log.time_unix_nano != 0 and log.time < Now() - Duration("{OLDEST_LINE}")',
            f'set({mark}, "in the future") where log.time > Now() + Duration("{NEWEST}")',
            *_of_another_sender(mark, senders),
            _counted_for_its_sender("log"),
        ),
    )


def traces(senders: Senders = NO_SENDERS) -> dict[str, Any]:
    """Return the transform processor's settings for spans; `senders` as of `metrics`."""
    mark = f'span.attributes["{ottl.REFUSED}"]'
    return _transform(
        "trace",
        _resource(),
        ottl.group("scope", *_scope()),
        ottl.group(
            "span",
            f"delete_matching_keys(span.attributes, {ottl.quoted(_MARKS)})",
            f'set({mark}, "name of one of the stack\'s own services") where {_own_service()}',
            *_text("span.name"),
            *_text("span.status.message"),
            *_text("span.trace_state"),
            *_shown("span.attributes"),
            f'set({mark}, "no trace ID") where span.trace_id == TraceID(0x{"0" * 32})',
            f'set({mark}, "no span ID") where span.span_id == SpanID(0x{"0" * 16})',
            *_of_another_sender(mark, senders),
            _counted_for_its_sender("span"),
        ),
        ottl.group("spanevent", *_text("spanevent.name"), *_shown("spanevent.attributes")),
    )


def _counted_for_its_sender(context: str) -> str:
    """Return the statement by which what is refused is counted for its resource's service, whatever itself says."""
    return (
        f'set({context}.attributes["service.name"], resource.attributes["service.name"])'
        f' where {context}.attributes["{ottl.REFUSED}"] != nil'
    )


def refused(signal: str) -> dict[str, Any]:
    """Return the routing connector's settings: what is marked goes to be counted, the rest on to its store."""
    context = {"metrics": "datapoint", "logs": "log", "traces": "span"}[signal]
    return {
        "default_pipelines": [f"{signal}/accepted"],
        "error_mode": "ignore",
        "table": [
            {
                "context": context,
                "condition": f'attributes["{ottl.REFUSED}"] != nil',
                "pipelines": [f"{signal}/refused"],
            }
        ],
    }


def apart() -> dict[str, Any]:
    """Return the routing connector's settings that part exponential histograms from other metrics.

    Prometheus refuses the request of one whose count or offset is wrong, which no statement here can see: so each is a
    request of its own.
    """
    return {
        "default_pipelines": ["metrics/stored"],
        "error_mode": "ignore",
        "table": [
            {
                "context": "metric",
                "condition": "type == METRIC_DATA_TYPE_EXPONENTIAL_HISTOGRAM",
                "pipelines": ["metrics/exponential"],
            }
        ],
    }


def counted() -> dict[str, Any]:
    """Return the count connector's settings: what was refused, by service and reason."""
    by = [{"key": "service.name", "default_value": UNNAMED}, {"key": ottl.REFUSED}]
    return {
        what: {
            REFUSED_ITEMS: {
                "description": "What the collector dropped because a store could not take it",
                "attributes": [*by, {"key": _SIGNAL, "default_value": signal}],
            }
        }
        for what, signal in (("datapoints", "points"), ("logs", "lines"), ("spans", "spans"))
    }


def only_counts() -> dict[str, Any]:
    """Return the filter processor's settings that leave out the connector's other counts, which are on by default."""
    return {"error_mode": "ignore", "metrics": {"metric": [f'metric.name != "{REFUSED_ITEMS}"']}}


def counts() -> dict[str, Any]:
    """Return the transform processor's settings for these counts: two labels, and no others of their sender."""
    return _transform(
        "metric",
        ottl.group(
            "datapoint",
            'set(datapoint.attributes["service_name"], datapoint.attributes["service.name"])',
            f'set(datapoint.attributes["reason"], datapoint.attributes["{ottl.REFUSED}"])',
            f'set(datapoint.attributes["signal"], datapoint.attributes["{_SIGNAL}"])',
            'keep_keys(datapoint.attributes, ["service_name", "reason", "signal"])',
            # The connector takes the time of what it counts, which may be why that is refused.
            "set(datapoint.time, Now())",
            "set(datapoint.start_time, Now())",
        ),
        ottl.group("resource", 'keep_matching_keys(resource.attributes, "^$")'),
    )


def _transform(signal: str, *groups: dict[str, Any]) -> dict[str, Any]:
    return {"error_mode": "ignore", f"{signal}_statements": list(groups)}


def _resource() -> dict[str, Any]:
    """Give every sender a name, of a length that every store takes, and every attribute a name of its own."""
    name = 'resource.attributes["service.name"]'
    return ottl.group(
        "resource",
        f"delete_matching_keys(resource.attributes, {ottl.quoted(_MARKS)})",
        _renamed("resource.attributes"),
        f"set({name}, String({name})) where {name} != nil and not IsString({name})",
        *_shown("resource.attributes"),
        ottl.replace(name, ottl.UNSEEN_IN_NAMES, "", where=f"{name} != nil"),
        # Dashboards put names into backquotes, where nothing but a backquote ends a text.
        ottl.replace(name, "`", "'", where=f"{name} != nil"),
        f'set({name}, "{UNNAMED}") where {name} == nil or {name} == ""',
        *cut(name, NAME_BYTES),
        f"truncate_all(resource.attributes, {LABEL_BYTES})",
    )


def _renamed(attributes: str) -> str:
    """Return the statement that gives a key without any ASCII letter or digit a name of digits, always the same."""
    pattern = ottl.quoted(f"({_NAMELESS})")
    return f'replace_all_patterns({attributes}, "key", {pattern}, "$$1", Murmur3Hash, "attribute_%s")'


def _not_own_labels(attributes: str) -> str:
    """Return the statement that renames the attributes which would be labels of who is meant."""
    return f'replace_all_patterns({attributes}, "key", {ottl.quoted(_OWN_LABELS)}, "exported_$$1")'


def _not_of_resource(attributes: str) -> list[str]:
    """Return the statements that rename a point's attributes which would be labels of its resource.

    A gateway may say of a point, as of its resource, whose it is: that one is left out.
    """
    name = f'{attributes}["service.name"]'
    return [
        f'delete_key({attributes}, "service.name") where {name} == resource.attributes["service.name"]',
        f'replace_all_patterns({attributes}, "key", {ottl.quoted(_RESOURCE_LABELS)}, "exported_$$1")',
    ]


def _shown(attributes: str) -> list[str]:
    """Return the statements that remove from keys and values what would be shown as something else.

    Only texts are replaced, so a map or a list becomes texts first, if there is something in it.
    """
    unshown = ottl.quoted(_UNSHOWN)
    where = ottl.matches(f"String({attributes})", _INSIDE)
    return [
        f"flatten({attributes}) where {where}",
        f'replace_all_patterns({attributes}, "value", {unshown}, "") where {where}',
        f'replace_all_patterns({attributes}, "key", {unshown}, "") where {where}',
    ]


def _shown_body() -> list[str]:
    """Return the statements that do the same with a body that is a map or a list; a text is cleaned where it is read.

    A list becomes a map of texts, because only maps can be changed inside.
    """
    body, kept = "log.body", 'log.cache["body"]'
    inside = ottl.matches(f"String({body})", _INSIDE)
    return [
        f"set({kept}, {body}) where IsList({body}) and {inside}",
        f"flatten(log.cache) where {kept} != nil",
        f"set({body}, log.cache) where IsList({body}) and {inside}",
        *(statement.replace(" where ", f" where IsMap({body}) and ") for statement in _shown(body)),
    ]


def _text(text: str) -> list[str]:
    """Return the statement that does the same with one text."""
    return [ottl.replace(text, _UNSHOWN, "", where=ottl.matches(text, _UNSHOWN))]


def _scope() -> list[str]:
    return [*_text("scope.name"), *_text("scope.version"), *_shown("scope.attributes")]


def _of_another_sender(mark: str, senders: Senders) -> list[str]:
    """Return the statement that refuses what a sender with a token of its own says in another's name.

    Who comes by another door than that for senders outside has no such name.
    """
    if not senders:
        return []
    allowed = "|".join(
        f"{re.escape(name)}\n({'|'.join(re.escape(service) for service in services or (name,))})"
        for name, services in sorted(senders.items())
    )
    pair = f'Concat([{_SENDER}, resource.attributes["service.name"]], "\\n")'
    another = f"{_SENDER} != nil and not {ottl.matches(pair, f'^({allowed})$')}"
    return [f'set({mark}, "name of a service that is not this sender\'s") where {another}']


def _own_service() -> str:
    return ottl.matches('resource.attributes["service.name"]', f"^({'|'.join(OWN_SERVICES)})$")


def cut(text: str, most: int) -> list[str]:
    """Return the statements that cut the text at `text` to `most` bytes.

    By way of the one function that does not cut through a character: half a one is no label of a metric.
    """
    cache = f"{text.partition('.')[0]}.cache"
    long = f"where IsString({text}) and Len({text}) > {most}"
    return [
        f'set({cache}["text"], {text}) {long}',
        f"truncate_all({cache}, {most}) {long}",
        f'set({text}, {cache}["text"]) {long}',
    ]
