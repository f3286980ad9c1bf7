"""The collector's cleaning of pushed telemetry: bad items are dropped and counted, names are repaired, texts truncated.

Prometheus' OTLP receiver rejects a whole request for one bad point, and Loki for one bad attribute name. So every item
that a store is known to reject is found here first. It is marked with the reason (`ottl.REFUSED`), counted by service
and reason, and dropped. The rest of the request is stored.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from observability.configs import ottl
from observability.settings import CONTAINERS

OWN_SERVICES: Final = (*CONTAINERS, "span-metrics")
"""Names of the stack's own services and scrape jobs, which no sender may use."""
UNNAMED: Final = "unknown_service"
"""Service name of a sender without one, as in OpenTelemetry's SDKs."""

OLDEST: Final = "5h55m"
"""Oldest point that is accepted. Prometheus accepts 6 hours (`prometheus.LATE`); the rest is time on the way."""
NEWEST: Final = "9m"
"""Prometheus and Loki reject times more than 10 minutes ahead of their clock."""
OLDEST_LINE: Final = "167h"
"""Loki's `reject_old_samples_max_age` is 168 hours."""
SERIES_OF_METRIC: Final = 2_000
"""Most points of one metric in one push, as in OpenTelemetry's SDKs."""
LABELS: Final = 64
LABEL_BYTES: Final = 1_024
NAME_BYTES: Final = 500

_SENDER: Final = 'otelcol.client.auth.attributes["username"]'
"""The authenticated sender (`configs.otlp_outside`); nil at receivers without authentication."""
Senders = Mapping[str, Sequence[str]]
NO_SENDERS: Final[Senders] = MappingProxyType({})

REFUSED_ITEMS: Final = "collector.refused.items"
_SIGNAL: Final = "refused.signal"
_MARKS: Final = "^refused[.]"
"""Attributes that mark refused items; a sender's own attributes of these names are removed first."""

_NAMELESS: Final = "^[^A-Za-z0-9]*$"
"""An attribute key without an ASCII letter or digit, of which no label name is left."""
_OWN_LABELS: Final = "^(service|job|instance|stack|slo)$"
"""Labels that identify a series' service; only a scrape or a rule may set them."""
_RESOURCE_LABELS: Final = (
    "^((service|container)[^A-Za-z0-9]name|service[^A-Za-z0-9](namespace|version)"
    "|deployment[^A-Za-z0-9]environment[^A-Za-z0-9]name)$"
)
"""Labels that Prometheus sets from a point's resource. An attribute of the point itself that becomes the same label
would replace it, and so name a different service."""
_OWN_METRICS: Final = (
    "prometheus|grafana|loki|jaeger|otelcol|scrape|collector.refused|target.info|traces.span.metrics"
    "|traces.service.graph|ALERTS|GRAFANA.ALERTS"
)
_UNSHOWN: Final = rf"{ottl.ANSI}|{ottl.INVISIBLE}"
_INSIDE: Final = rf"{_UNSHOWN}|\\u00[01][0-9a-f]"
"""The same within a map or a list that is written as JSON."""
LOG_TEXT_BYTES, LOG_ATTRIBUTES, LOG_TEXT_OF_MANY_BYTES = 4_096, 96, 400
"""Limits of a log record's attributes: length of one, their number, and length of each if together they are too long.
Loki rejects a record with more than 128 attributes or 64 KiB of them."""
_SEPARATOR: Final = "[^A-Za-z0-9:]"
_UNIT_NOTE: Final = r"\{[^}]*\}"
_METRIC: Final = 'Concat([metric.name, metric.unit], "_")'
"""Prometheus builds a metric's name from its name and its unit."""


def own_metric_name() -> str:
    """Return the regular expression of metric names that only the stack's rules and scrapes may write.

    Prometheus replaces other characters by `_`, removes them at both ends, and appends the unit: `.up` becomes `up`.
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
        senders: the services that each sender from outside may send for, if each sender has its own token.

    """
    none = "METRIC_DATA_TYPE_"
    summed = " or ".join(f"metric.type == {none}{kind}" for kind in ("SUM", "HISTOGRAM", "EXPONENTIAL_HISTOGRAM"))
    reason, point = f'metric.metadata["{ottl.REFUSED}"]', f'datapoint.attributes["{ottl.REFUSED}"]'
    return _transform(
        "metric",
        _resource(),
        # Attributes of a resource become labels of its series `target_info`.
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
    """Return the transform processor's settings for log records; `senders` as for `metrics`."""
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
    """Return the transform processor's settings for spans; `senders` as for `metrics`."""
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
    """Return the statement that counts a refused item for its resource's service, not for one that the item names."""
    return (
        f'set({context}.attributes["service.name"], resource.attributes["service.name"])'
        f' where {context}.attributes["{ottl.REFUSED}"] != nil'
    )


def refused(signal: str) -> dict[str, Any]:
    """Return the routing connector's settings: marked items are counted, all others go to their store."""
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
    """Return the routing connector's settings that separate exponential histograms from other metrics.

    Prometheus rejects the whole request of a histogram with a wrong count or offset, which OTTL cannot see. So each
    exponential histogram gets a request of its own.
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
    """Return the count connector's settings: refused items, by service and reason."""
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
    """Return the filter processor's settings that drop the connector's default counts."""
    return {"error_mode": "ignore", "metrics": {"metric": [f'metric.name != "{REFUSED_ITEMS}"']}}


def counts() -> dict[str, Any]:
    """Return the transform processor's settings for these counts, which keep two labels and none of their sender."""
    return _transform(
        "metric",
        ottl.group(
            "datapoint",
            'set(datapoint.attributes["service_name"], datapoint.attributes["service.name"])',
            f'set(datapoint.attributes["reason"], datapoint.attributes["{ottl.REFUSED}"])',
            f'set(datapoint.attributes["signal"], datapoint.attributes["{_SIGNAL}"])',
            'keep_keys(datapoint.attributes, ["service_name", "reason", "signal"])',
            # The connector copies the time of the item that it counts, which may be the reason for the refusal.
            "set(datapoint.time, Now())",
            "set(datapoint.start_time, Now())",
        ),
        ottl.group("resource", 'keep_matching_keys(resource.attributes, "^$")'),
    )


def _transform(signal: str, *groups: dict[str, Any]) -> dict[str, Any]:
    return {"error_mode": "ignore", f"{signal}_statements": list(groups)}


def _resource() -> dict[str, Any]:
    """Return the statements that give each resource a service name that every store accepts, and repair its keys."""
    name = 'resource.attributes["service.name"]'
    return ottl.group(
        "resource",
        f"delete_matching_keys(resource.attributes, {ottl.quoted(_MARKS)})",
        _renamed("resource.attributes"),
        f"set({name}, String({name})) where {name} != nil and not IsString({name})",
        *_shown("resource.attributes"),
        ottl.replace(name, ottl.UNSEEN_IN_NAMES, "", where=f"{name} != nil"),
        # Dashboards quote service names with backquotes.
        ottl.replace(name, "`", "'", where=f"{name} != nil"),
        f'set({name}, "{UNNAMED}") where {name} == nil or {name} == ""',
        *cut(name, NAME_BYTES),
        f"truncate_all(resource.attributes, {LABEL_BYTES})",
    )


def _renamed(attributes: str) -> str:
    """Return the statement that replaces a key without any ASCII letter or digit by digits, always the same ones."""
    pattern = ottl.quoted(f"({_NAMELESS})")
    return f'replace_all_patterns({attributes}, "key", {pattern}, "$$1", Murmur3Hash, "attribute_%s")'


def _not_own_labels(attributes: str) -> str:
    """Return the statement that renames attributes which would become the labels that identify a service."""
    return f'replace_all_patterns({attributes}, "key", {ottl.quoted(_OWN_LABELS)}, "exported_$$1")'


def _not_of_resource(attributes: str) -> list[str]:
    """Return the statements that rename a point's attributes which would replace labels of its resource.

    An attribute that says the same as the resource, as gateways write it, is removed.
    """
    name = f'{attributes}["service.name"]'
    return [
        f'delete_key({attributes}, "service.name") where {name} == resource.attributes["service.name"]',
        f'replace_all_patterns({attributes}, "key", {ottl.quoted(_RESOURCE_LABELS)}, "exported_$$1")',
    ]


def _shown(attributes: str) -> list[str]:
    """Return the statements that remove terminal codes and invisible characters from keys and values.

    OTTL replaces only in texts, so maps and lists with such characters become texts first.
    """
    unshown = ottl.quoted(_UNSHOWN)
    where = ottl.matches(f"String({attributes})", _INSIDE)
    return [
        f"flatten({attributes}) where {where}",
        f'replace_all_patterns({attributes}, "value", {unshown}, "") where {where}',
        f'replace_all_patterns({attributes}, "key", {unshown}, "") where {where}',
    ]


def _shown_body() -> list[str]:
    """Return the statements that do the same with a body that is a map or a list (`configs.lines` cleans texts).

    A list becomes a map of texts, because OTTL can only change maps in place.
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
    """Return the statement that removes terminal codes and invisible characters from one text."""
    return [ottl.replace(text, _UNSHOWN, "", where=ottl.matches(text, _UNSHOWN))]


def _scope() -> list[str]:
    return [*_text("scope.name"), *_text("scope.version"), *_shown("scope.attributes")]


def _of_another_sender(mark: str, senders: Senders) -> list[str]:
    """Return the statement that refuses items of services that their authenticated sender may not send for.

    Items of other receivers have no authenticated sender, and are not refused.
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
    """Return the statements that truncate the text at `text` to `most` bytes.

    They use the one OTTL function that never cuts within a character: half a character is no valid label value.
    """
    cache = f"{text.partition('.')[0]}.cache"
    long = f"where IsString({text}) and Len({text}) > {most}"
    return [
        f'set({cache}["text"], {text}) {long}',
        f"truncate_all({cache}, {most}) {long}",
        f'set({text}, {cache}["text"]) {long}',
    ]
