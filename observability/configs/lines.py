"""How the collector parses log lines: their container, level and trace; and how it masks secrets in them.

All regular expressions are RE2's. A level is read where logging libraries write it, never from a word of the message.
A trace ID is stored as 32 lower-case hexadecimal digits, however the line spells it. So one link from the line to the
trace, and one query from the trace to its lines, are enough.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from observability.configs import intake, ottl
from observability.names import labels

if TYPE_CHECKING:
    from observability.settings import Settings

STACK: Final = "stack"
LEVEL: Final = "detected_level"
"""Attribute with the level, which Grafana's log panels read."""
LEVELS: Final = {
    "trace": (1, "trace|trc|finest|finer"),
    "debug": (5, "debug|dbg|fine"),
    "info": (9, "info|information|notice|inf"),
    "warn": (13, "warn|warning|wrn"),
    "error": (17, "error|err|severe"),
    "fatal": (21, "fatal|critical|crit|alert|emerg|emergency|panic"),
}
"""OpenTelemetry's severity numbers (each the first of four), and how logging libraries write them."""

_BODY: Final = "log.body"
_TEXT: Final = f"IsString({_BODY})"
_HERE: Final = "log.attributes"
_LEVEL: Final = 'log.cache["found"]'
_JSON: Final = 'log.cache["json"]'

_ESCAPE: Final = r"\x1b"
_OBJECT: Final = r"^\s*{"

_ACCESS: Final = r'"[A-Z]+ [^"]*HTTP/[0-9.]+" (?P<status>[1-5])[0-9]{2}( |$)'
_UPPER: Final = (
    "TRACE|DEBUG|INFO|NOTICE|WARNING|WARN|ERROR|ERR|SEVERE|CRITICAL|CRIT|FATAL|ALERT|EMERG|PANIC|DBG|INF|WRN|TRC"
)
_BEFORE: Final = r"^\s*(([0-9][0-9TZ:.,+/-]*|\[[^\]]{0,80}\]|\([^)]{0,80}\)|[A-Z][a-z]{2}|[0-9a-f-]{36})[\s|:-]+){0,8}"
"""Text before a level: date and times, a thread or a logger in brackets."""
_IN_TEXT: Final = (
    r'(^|\s)(level|lvl|severity|loglevel)="?(?P<level>[A-Za-z]+)',
    _BEFORE + rf"[\[(<]?(?P<level>{_UPPER})(\b|[\])>:])",
    _BEFORE + rf"[\[(<]([a-z_0-9]+:)?(?P<level>{_UPPER.lower()})[\])>]",
    r"^(?P<level>[IWEF])[0-9]{4} [0-9]{2}:[0-9]{2}:",  # klog, as Kubernetes' components write
)
_KLOG: Final = {"I": "info", "W": "warn", "E": "error", "F": "fatal"}
_JSON_LEVELS: Final = ("level", "severity", "lvl", "levelname", "log.level", "log_level", "loglevel", "@l", "@level")
STACK_TRACE: Final = (
    r"(?m)^[ +]*(Exception Group )?Traceback \(most recent call last\):|^\s+File \".+\", line [0-9]+"
    r"|^\s+at (\S+ )*\S*(\)|:[0-9]+|line [0-9]+)( \{)?$|^\s+from \S+:[0-9]+:in "
    r"|^Exception in thread |^panic: |^fatal error: |^goroutine [0-9]+ \[|^thread '.*' (\([0-9]+\) )?panicked at "
    r"|^Caused by: |^([A-Za-z_$][\w$]*\.)*[A-Z]\w*(Error|Exception)(:|$)"
)
_ERROR_BEGINS: Final = r"^([ +]*(Exception Group )?Traceback \(|Exception in thread |panic: |fatal error: )"
"""Beginning of a stack trace that was printed without a logging library, and so has no level."""

_HEX32: Final = "[0-9a-f]{32}"
_HEX16: Final = "[0-9a-f]{16}"
_UUID: Final = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_AFTER_KEY: Final = r'\\?["\']?\s*[:=]\s*\\?["\']?'
_TRACE_IDS: Final = (
    rf"(?i)\btraceparent{_AFTER_KEY}[0-9a-f]{{2}}-(?P<id>{_HEX32})-{_HEX16}",
    rf"(?i)\bb3{_AFTER_KEY}(?P<id>{_HEX32}|{_HEX16})-{_HEX16}",
    rf"(?i)\buber-trace-id{_AFTER_KEY}(?P<id>{_HEX32}|{_HEX16}):",
    rf"(?i)\b(x-b3-|otel_?)?trace[ ._-]?id{_AFTER_KEY}(?P<id>{_UUID}|{_HEX32}|{_HEX16})([^0-9a-z-]|-{_HEX16}|$)",
    rf'(?i)"trace"\s*:\s*\{{[^{{}}]*"id"\s*:\s*"(?P<id>{_UUID}|{_HEX32}|{_HEX16})"',
    rf"(?i)\[[^\[\],]*,\s*(?P<id>{_HEX32}|{_HEX16}),\s*{_HEX16}[,\]]",  # Spring Cloud Sleuth: [app,trace,span]
    rf"(?i)\[([^\[\],]*,\s*)?(?P<id>{_HEX32})-{_HEX16}\]",  # Spring Boot 3: [trace-span]
)
_MAY_HAVE_TRACE: Final = r"(?i)trace|b3|[0-9a-f]{16}[,-]"
_TRACE_KEYS: Final = ("trace_id", "trace.id", "traceId", "traceID", "TraceId", "otelTraceID", "traceid")
_SPAN_ID: Final = rf"(?i)\b(otel_?)?span[ ._-]?id{_AFTER_KEY}(?P<id>{_HEX16})([^0-9a-z]|$)"
_NO_TRACE: Final = f"log.trace_id == TraceID(0x{'0' * 32})"
_NO_SPAN: Final = f"log.span_id == SpanID(0x{'0' * 16})"

PART_BYTES: Final = 16 * 1024
"""Length of the longest line that the Docker engine does not split."""
MASK: Final = "****"
_SENSITIVE: Final = (
    r"pass(word|wd|phrase)?|pwd|secret|(access|auth|refresh|id|bearer|session|csrf)[_-]?token|token"
    r"|api[_-]?key|access[_-]?key|private[_-]?key|client[_-]?secret|credentials?"
)
_ASSIGNED_SECRET: Final = rf"(?i)\b(([a-z0-9]+[_.-])*({_SENSITIVE})\\?[\"']?\s*[:=]\s*\\?[\"']?)[^\s\"'&,;|{{}}\[\]\\]+"
_HEADER: Final = (
    r"(?i)\b((proxy-)?authorization\\?[\"']?\s*[:=]\s*\\?[\"']?((bearer|basic|digest|token)\s+)?)[^\s\"',;\\]+"
)
_URL_LOGIN: Final = r"(://[^/\s:@]*:)[^/\s@]+@"
SECRET_KEYS: Final = (
    rf"(?i)(^|[_.-])({_SENSITIVE})$",
    r"(?i)(^|[_.-])(proxy[_-])?authorization$",
    r"(?i)(^|[_.-])(set[_-])?cookie$",
    r"(?i)(^|[_.-])x[_-](api[_-]key|auth[_-]token)$",
)
"""Keys of attributes, and of fields of structured lines, whose values are masked as a whole."""
SECRET_VALUES: Final = (
    r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",  # a JSON web token
    r"\b(AKIA|ASIA)[A-Z0-9]{16}\b",
    r"\bgh[pousr]_[A-Za-z0-9]{36,}\b",
    r"\bgithub_pat_[A-Za-z0-9_]{22,}\b",
    r"\bglpat-[A-Za-z0-9_-]{20,}\b",
    r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}",
    r"\bglsa_[A-Za-z0-9]{32}_[0-9a-f]{8}\b",
    r"\bsk_live_[A-Za-z0-9]{16,}\b",
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(-----END [A-Z ]*PRIVATE KEY-----|$)",
)
"""Secrets that their form alone reveals, anywhere in a text."""
_ASSIGNMENT: Final = r"(?i)pass|pwd|secret|token|key|credential|authorization|://"
"""A quick pattern that matches every text in which the slower ones for assigned secrets could match."""


def of_containers(settings: Settings) -> dict[str, Any]:
    """Return the settings that turn the Docker engine's message into a log record of the container that printed it.

    The engine adds the container's name and, as attributes, some of its labels. Any container can have such a label, so
    the name of a part of the stack is only accepted from the stack's own containers.
    """
    service, name = f'{_HERE}["service.name"]', f'{_HERE}["container.name"]'
    claimed = f'{_HERE}["{labels.SERVICE}"]'
    optional = [name for name in settings.containers if name not in intake.OWN_SERVICES]
    own = "|".join((*intake.OWN_SERVICES, *optional))
    ours = f"^{re.escape(settings.prefix)}-({own})$"
    return {
        "error_mode": "ignore",
        "log_statements": [
            ottl.group(
                "log",
                f'replace_pattern({_HERE}["container_name"], "^/", "")',
                f'set({name}, {_HERE}["container_name"])',
                f'set({service}, "{intake.UNNAMED}")',
                f"set({service}, {name}) where {name} != nil",
                f'set({service}, {claimed}) where IsString({claimed}) and {claimed} != ""',
                f'set({service}, Concat(["docker", {service}], "/")) where {ottl.matches(service, f"^({own})$")}',
                f"set({service}, {name}) where {ottl.matches(name, ours)}",
                ottl.replace(service, ours, "$1"),
                f'set({_HERE}["{STACK}"], "{settings.stack}")',
                f'set({_HERE}["log.iostream"], {_HERE}["source"])',
                f'keep_keys({_HERE}, ["service.name", "{STACK}", "container.name", "log.iostream",'
                ' "container_id", "source", "partial_id", "partial_last"])',
                *_cleaned(),
            )
        ],
    }


def read() -> dict[str, Any]:
    """Return the settings that clean a line and parse its level, trace and request."""
    return {
        "error_mode": "silent",  # a line that only looks like JSON is not the collector's error
        "log_statements": [
            ottl.group(
                "log",
                *_cleaned(),
                f"set({_JSON}, ParseJSON({_BODY})) where {_TEXT} and {ottl.matches(_BODY, _OBJECT)}",
                *_level(),
                *_named_level(),
                *_trace(),
                *_request(),
            )
        ],
    }


def redacted(signal: str) -> dict[str, Any]:
    """Return the transform processor's settings that mask secrets after their name, like `password=…`."""
    targets = {"log": ("log.attributes",), "trace": ("span.attributes",), "metric": ("datapoint.attributes",)}
    context = {"log": "log", "trace": "span", "metric": "datapoint"}[signal]
    statements = [
        f'replace_all_patterns({target}, "value", {ottl.quoted(pattern)}, {ottl.quoted(replacement)})'
        for target in targets[signal]
        for pattern, replacement in _assigned()
    ]
    groups = [ottl.group(context, *statements)]
    if signal == "log":
        where = f"{_TEXT} and {ottl.matches(_BODY, _ASSIGNMENT)}"
        groups.append(
            ottl.group(
                "log",
                *(ottl.replace(_BODY, pattern, replacement) for pattern, replacement in _assigned()),
                conditions=(where,),
            )
        )
    return {"error_mode": "ignore", f"{signal}_statements": groups}


def joined(mask: bool) -> dict[str, Any]:  # noqa: FBT001 - a setting
    """Return the settings for joined container lines, masked again: a secret may have been split between parts."""
    secrets = [*_assigned(), *((pattern, MASK) for pattern in SECRET_VALUES)]
    several = ottl.matches(_BODY, r"\n")
    of_parts = f"{_TEXT} and (Len({_BODY}) > {PART_BYTES} or {several})"
    again = ottl.group("log", *(ottl.replace(_BODY, *secret) for secret in secrets), conditions=(of_parts,))
    return {
        "error_mode": "ignore",
        "log_statements": [
            # The time at which the file was read differs for every line, and is of no use.
            ottl.group(
                "log",
                "set(log.observed_time_unix_nano, 0)",
                ottl.replace(_BODY, r"\s+$", "", where=ottl.matches(_BODY, r"\n\s*$")),
            ),
            *([again] if mask else []),
        ],
    }


def masked() -> dict[str, Any]:
    """Return the redaction processor's settings: it masks secrets by the key of their attribute, or by their form."""
    return {
        "allow_all_keys": True,
        "blocked_key_patterns": list(SECRET_KEYS),
        "blocked_values": list(SECRET_VALUES),
        "summary": "silent",
    }


def _assigned() -> tuple[tuple[str, str], ...]:
    return (
        (_HEADER, f"${{1}}{MASK}"),
        (_ASSIGNED_SECRET, f"${{1}}{MASK}"),
        (_URL_LOGIN, f"${{1}}{MASK}@"),
    )


def _cleaned() -> list[str]:
    return [
        ottl.replace(_BODY, ottl.ANSI, "", where=f"{_TEXT} and {ottl.matches(_BODY, _ESCAPE)}"),
        ottl.replace(_BODY, ottl.INVISIBLE, "", where=f"{_TEXT} and {ottl.matches(_BODY, ottl.INVISIBLE)}"),
    ]


def _level() -> list[str]:
    """Return the statements that find a line's level, from a status code, a field, the text or a stack trace."""
    statements = [
        f'set({_LEVEL}, "") where log.severity_number == SEVERITY_NUMBER_UNSPECIFIED',
        f'set({_LEVEL}, log.severity_text) where {_LEVEL} == "" and log.severity_text != ""',
        f'set(log.cache["access"], ExtractPatterns({_BODY}, {ottl.quoted(_ACCESS)})) where {_TEXT} and {_LEVEL} == ""',
        f'set({_LEVEL}, "info") where log.cache["access"]["status"] != nil',
        f'set({_LEVEL}, "warn") where log.cache["access"]["status"] == "4"',
        f'set({_LEVEL}, "error") where log.cache["access"]["status"] == "5"',
    ]
    for key in _JSON_LEVELS:
        value = f'{_JSON}["{key}"]'
        statements.append(f'set({_LEVEL}, {value}) where {_LEVEL} == "" and {value} != nil')
    nested = f'{_JSON}["log"]["level"]'
    statements.append(f'set({_LEVEL}, {nested}) where {_LEVEL} == "" and {nested} != nil')
    # Numeric levels: syslog's 0 to 7, or the tens of pino and bunyan.
    number = f"IsDouble({_LEVEL})"
    for least, level in ((0, "fatal"), (3, "error"), (4, "warn"), (5, "info"), (7, "debug"), (8, "trace"),
                         (20, "debug"), (30, "info"), (40, "warn"), (50, "error"), (60, "fatal")):  # fmt: skip
        statements.append(f'set(log.cache["number"], "{level}") where {number} and {_LEVEL} >= {least}')
    statements.append(f'set({_LEVEL}, log.cache["number"]) where {number}')
    plain = f'{_TEXT} and {_LEVEL} == "" and {_JSON} == nil'
    statements.append(f'set({_LEVEL}, "error") where {plain} and {ottl.matches(_BODY, _ERROR_BEGINS)}')
    for pattern in _IN_TEXT:
        statements += [
            f'set(log.cache["text"], ExtractPatterns({_BODY}, {ottl.quoted(pattern)})) where {plain}',
            f'set({_LEVEL}, log.cache["text"]["level"]) where {plain} and log.cache["text"]["level"] != nil',
        ]
    statements += [f'set({_LEVEL}, "{level}") where {_LEVEL} == "{letter}"' for letter, level in _KLOG.items()]
    statements.append(f'set({_LEVEL}, "error") where {plain} and {ottl.matches(_BODY, STACK_TRACE)}')
    for level, (number_of_level, names) in LEVELS.items():
        matching = ottl.matches(_LEVEL, f"(?i)^({names})$")
        statements += [
            f"set(log.severity_number, {number_of_level}) where {matching}",
            f'set(log.severity_text, "{level.upper()}") where {matching}',
        ]
    return statements


def _named_level() -> list[str]:
    return [
        f'set({_HERE}["{LEVEL}"], "{level}") where log.severity_number >= {least} and log.severity_number < {least + 4}'
        for level, (least, _) in LEVELS.items()
    ]


def _trace() -> list[str]:
    """Return the statements that find the trace of a line that has none yet.

    An ID without any of the letters a to f is ignored: it may be decimal, as Datadog's tracers write them.
    """
    trace = 'log.cache["trace"]'
    statements = [f'set({trace}, "known") where not ({_NO_TRACE})']
    statements += [
        f'set({trace}, {_HERE}["{key}"]) where {trace} == nil and IsString({_HERE}["{key}"])' for key in _TRACE_KEYS
    ]
    may = f"{_TEXT} and {trace} == nil and {ottl.matches(_BODY, _MAY_HAVE_TRACE)}"
    for pattern in _TRACE_IDS:
        statements += [
            f'set(log.cache["match"], ExtractPatterns({_BODY}, {ottl.quoted(pattern)})) where {may}',
            f'set({trace}, log.cache["match"]["id"]) where {trace} == nil and log.cache["match"]["id"] != nil',
        ]
    valid = ottl.matches(trace, f"(?i)^({_HEX32}|{_HEX16})$") + f" and {ottl.matches(trace, '(?i)[a-f]')}"
    text = f"IsString({trace})"
    return [
        *statements,
        f'replace_pattern({trace}, "-", "") where {text}',
        f"set({trace}, ToLowerCase({trace})) where {text}",
        f'set({trace}, Concat(["{"0" * 16}", {trace}], "")) where {text} and Len({trace}) == 16 and {valid}',
        f"set(log.trace_id.string, {trace}) where {text} and Len({trace}) == 32 and {valid}",
        f'delete_matching_keys({_HERE}, "^trace[._]id$$") where not ({_NO_TRACE})',
        f'set(log.cache["span"], ExtractPatterns({_BODY}, {ottl.quoted(_SPAN_ID)})) where {_TEXT} and {_NO_SPAN}',
        'set(log.span_id.string, ToLowerCase(log.cache["span"]["id"])) where log.cache["span"]["id"] != nil',
    ]


def _request() -> list[str]:
    key = f'{_JSON}["request_id"]'
    return [f'set({_HERE}["request_id"], {key}) where IsString({key})']
