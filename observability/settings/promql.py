"""Checks of PromQL and regular expressions in the configuration, before rules are made of them.

The pinned Prometheus accepts everything that is accepted here. The parser is a port of Prometheus' own, regular
expressions are RE2's, and syntax that only the port accepts (`or` between matchers, functions that need a feature flag)
is refused. A property test runs promtool on rules from generated settings.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Annotated, Any, Final

import promql_parser
import re2

from observability.settings.value_types import Accepts, RefusedError, to_text

LONGEST: Final = 4_000
"""Most characters of one expression."""
DEEPEST: Final = 100
"""Most nested brackets in one expression; beyond it the parser's stack would overflow."""
_RESERVED_MATCHERS: Final = frozenset({"le", "quantile", "__name__"})
COUNTER_ENDS: Final = ("_total", "_count", "_sum", "_bucket")
_GAUGE_ENDS: Final = (
    "_in_progress", "_in_flight", "_inflight", "_inflight_requests", "_active_requests", "_active", "_current",
    "_bytes", "_ratio", "_percent", "_info", "_seconds", "_milliseconds", "_timestamp", "_connections", "_depth",
    "_size", "_length", "_usage", "_temperature", "_goroutines", "_threads", "_per_second", "_minutes", "_microseconds",
    "_nanoseconds", "_ms",
)  # fmt: skip
_NO_EVENTS: Final = frozenset({
    "absent", "absent_over_time", "delta", "deriv", "histogram_avg", "histogram_quantile", "histogram_stddev", "idelta",
    "predict_linear", "quantile_over_time", "timestamp",
})  # fmt: skip
"""Functions whose values are times, slopes or presence."""
_GAUGES: Final = frozenset({"up", "probe_success"})


def quoted(text: str) -> str:
    """Return `text` as a PromQL string; characters beyond 16 bits stay plain, because PromQL has no surrogate pairs."""
    return json.dumps(text, ensure_ascii=False)


def looks_like_a_gauge(metric: str) -> bool:
    """Return whether a metric's name is, by convention, that of a gauge."""
    return not metric.endswith(COUNTER_ENDS) and (metric in _GAUGES or metric.endswith(_GAUGE_ENDS))


def check_regex(pattern: str) -> None:
    """Raise RefusedError unless `pattern` is a regular expression of RE2, which Prometheus and Loki use."""
    options = re2.Options()
    options.log_errors = False
    reason = ""
    try:
        re2.compile(pattern, options)
    except re2.error as error:
        message = error.args[0] if error.args else ""
        reason = message.decode(errors="replace") if isinstance(message, bytes) else str(message)
    if "\\C" in pattern.replace("\\\\", ""):  # RE2 in C++ knows it, RE2 in Go does not
        reason = r"invalid escape sequence: \C"
    if "(?" in reason:
        reason += "; RE2 has no lookahead, no lookbehind and no backreferences"
    if reason:
        raise RefusedError(f"a regular expression of RE2, as Prometheus reads it, like 5.. ({reason})")


def _regex(value: object) -> str:
    text = to_text(value)
    if not text:
        raise ValueError
    check_regex(text)
    return text


def selects_one(selector: str, label: str) -> bool:
    """Return whether label matchers let a single value of a label through."""
    if not selector:
        return False
    matchers = parse(f"up{{{selector}}}").matchers.matchers
    return any(m.name == label and m.op == promql_parser.MatchOp.Equal for m in matchers)


def is_selector(text: str) -> bool:
    """Return whether an expression is only a selector."""
    return isinstance(parse(text), promql_parser.VectorSelector)


def _error_statuses(value: object) -> str:
    text = _regex(value)
    if re.fullmatch(r"(?i)[1-5]xx(\|[1-5]xx)*", text):
        dots = re.sub("(?i)x", ".", text)
        raise RefusedError(f"a regular expression: {dots} is 500 as well as the text 5xx, {text} that text alone")
    if text != text.strip():
        raise RefusedError("a regular expression of RE2 without spaces around it, like 5..")
    if re2.fullmatch(text, ""):
        raise RefusedError(
            "a regular expression of RE2 that does not match an empty status, like 5..: a request without a status"
            " would be a failed one"
        )
    if re2.fullmatch(text, "200"):
        raise RefusedError(
            "a regular expression of RE2 that does not match 200, like 5..: a success would be a failure"
        )
    return text


def parse(text: str) -> Any:  # noqa: ANN401 - the parser's types have no common base
    """Return the expression.

    Raises:
        RefusedError: Prometheus would not accept it.

    """
    if len(text) > LONGEST:
        raise RefusedError(f"PromQL of at most {LONGEST} characters")
    depth = 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        if depth > DEEPEST:
            raise RefusedError(f"PromQL with at most {DEEPEST} nested brackets")
    if text.count("-") + text.count("+") > LONGEST // 4:
        raise RefusedError("PromQL with fewer signs")
    expression = promql_parser.parse(text)
    for part in _parts(expression):
        _check(part)
    return expression


def _parts(expression: Any) -> Iterator[Any]:  # noqa: ANN401 - as above
    """Yield the expression and every expression within it."""
    waiting = [expression]
    while waiting:
        part = waiting.pop()
        yield part
        if isinstance(part, promql_parser.BinaryExpr):
            waiting += [part.lhs, part.rhs]
        elif isinstance(part, promql_parser.Call):
            waiting += part.args
        elif isinstance(part, promql_parser.AggregateExpr):
            waiting += [p for p in (part.expr, part.param) if p is not None]
        elif isinstance(part, (promql_parser.ParenExpr, promql_parser.UnaryExpr, promql_parser.SubqueryExpr)):
            waiting.append(part.expr)
        elif isinstance(part, promql_parser.MatrixSelector):
            waiting.append(part.vector_selector)


def _check(part: Any) -> None:  # noqa: ANN401 - as above
    """Raise RefusedError for syntax that this parser accepts and Prometheus does not."""
    if isinstance(part, promql_parser.VectorSelector):
        if part.matchers.or_matchers:
            raise RefusedError('PromQL without `or` between matchers: write a=~"x|y", or two selectors')
        for matcher in part.matchers.matchers:
            if matcher.op in (promql_parser.MatchOp.Re, promql_parser.MatchOp.NotRe):
                check_regex(matcher.value)
    elif isinstance(part, promql_parser.Call):
        if part.func.experimental or part.func.name in {"start", "end", "step", "range"}:
            raise RefusedError(f"PromQL without {part.func.name}, which Prometheus has behind a feature flag")
        if part.func.name == "label_replace":
            check_regex(part.args[4].val)
    elif isinstance(part, promql_parser.AggregateExpr) and str(part.op) in {"limitk", "limit_ratio"}:
        raise RefusedError(f"PromQL without {part.op}, which Prometheus has behind a feature flag")


def _selector(value: object) -> str:
    text = _multiline(value)
    if not text.strip():
        return ""
    try:
        selector = parse(f"up{{{text}}}")
    except RefusedError:
        raise
    except ValueError as error:
        raise RefusedError(f"{_MATCHERS} ({_first_line(error)}{_dotted(text)})") from None
    plain = isinstance(selector, promql_parser.VectorSelector) and selector.name == "up"
    if not plain or selector.offset is not None or selector.at is not None or not selector.matchers.matchers:
        raise RefusedError(f"{_MATCHERS}, without braces, and nothing else")
    for matcher in selector.matchers.matchers:
        if matcher.name in _RESERVED_MATCHERS:
            raise RefusedError(f"label matchers without {matcher.name}, which the rules set themselves")
    if text.count("#") > sum(m.value.count("#") for m in selector.matchers.matchers):
        raise RefusedError("label matchers without a comment")
    return text


def _parsed(text: str, accepted: str) -> tuple[Any, bool]:
    """Return the parsed expression, and whether it is an instant vector.

    Raises:
        RefusedError: it is no expression; the message is `accepted`.

    """
    try:
        expression = parse(text)
        return expression, _is_vector(expression)
    except RefusedError:
        raise
    except ValueError as error:
        raise RefusedError(f"{accepted} ({_first_line(error)}{_dotted(text)})") from None


def _events(value: object) -> str:
    text = _multiline(value).strip()
    expression, vector = _parsed(text, _EVENTS)
    if not vector:
        raise RefusedError("PromQL that gives an instant vector: a counter like orders_total, or its rate")
    if isinstance(expression, promql_parser.VectorSelector):
        _check_counter(expression)
        return text
    if level := _counter_level(expression):
        raise RefusedError(
            f"events per second: the rate of {level}, which only ever grows, like sum(rate({level}[5m])); a counter"
            " alone is written without anything around it"
        )
    _check_per_second(expression)
    return text


def _check_per_second(expression: Any) -> None:  # noqa: ANN401 - the parser's type
    """Raise RefusedError for an expression that cannot be a number of events per second that changes with them."""
    if any(getattr(part, "at", None) is not None for part in _parts(expression)):
        raise RefusedError("events per second, without @: it would count those of one moment for ever")
    if isinstance(expression, promql_parser.UnaryExpr):
        raise RefusedError("events per second, which are never negative")
    for part in _values(expression):
        if isinstance(part, promql_parser.Call) and part.func.name in _NO_EVENTS:
            raise RefusedError(f"{_EVENTS}; {part.func.name} does not count events")


def counted_ranges(text: str) -> frozenset[str]:
    """Return the ranges over which an expression counts events: those of `increase` that no number divides."""
    return frozenset(
        str(part.args[0].range)
        for part in _values(parse(text))
        if isinstance(part, promql_parser.Call) and part.func.name == "increase"
        if isinstance(part.args[0], promql_parser.MatrixSelector)
    )


def _values(expression: Any) -> Iterator[Any]:  # noqa: ANN401 - as above
    """Yield the parts whose values the result is made of, without those that a number scales or that only filter."""
    waiting = [expression]
    while waiting:
        part = waiting.pop()
        yield part
        if isinstance(part, promql_parser.BinaryExpr):
            filters = str(part.op) in {"and", "unless"}
            scaled = any(isinstance(side, promql_parser.NumberLiteral) for side in (part.lhs, part.rhs))
            waiting += [] if scaled else [part.lhs] if filters else [part.lhs, part.rhs]
        elif isinstance(part, (promql_parser.AggregateExpr, promql_parser.ParenExpr)):
            waiting.append(part.expr)


def _counter_level(expression: Any) -> str:  # noqa: ANN401 - the parser's types have no common base
    """Return the name of a counter that the expression uses without a rate, "" for none."""
    waiting = [expression]
    while waiting:
        part = waiting.pop()
        if isinstance(part, promql_parser.VectorSelector):
            name = part.name or ""
            if name.endswith(COUNTER_ENDS) and ":" not in name:
                return name
        elif isinstance(part, promql_parser.BinaryExpr):
            filters = str(part.op) in {"and", "unless"}  # the right side only selects series
            waiting += [part.lhs] if filters else [part.lhs, part.rhs]
        elif isinstance(part, promql_parser.Call):
            waiting += [] if part.func.name in _OF_PRESENCE else part.args
        elif isinstance(part, promql_parser.AggregateExpr):
            waiting += [] if str(part.op) in _OF_PRESENCE else [part.expr]
        elif isinstance(part, (promql_parser.ParenExpr, promql_parser.UnaryExpr)):
            waiting.append(part.expr)
    return ""


def _gauge(value: object) -> str:
    text = _multiline(value).strip()
    expression, vector = _parsed(text, _A_GAUGE)
    if not vector:
        raise RefusedError(f"{_A_GAUGE}: an instant vector")
    if isinstance(expression, promql_parser.VectorSelector):
        name = expression.name or ""
        if expression.offset is not None or expression.at is not None:
            raise RefusedError("a gauge without offset and @")
        if name.endswith(COUNTER_ENDS):
            raise RefusedError(f"{_A_GAUGE}; {name} is named like a counter: use good and total")
    elif isinstance(expression, promql_parser.BinaryExpr) and str(expression.op) in _COMPARISONS:
        modifier = expression.modifier
        if modifier is None or not modifier.return_bool:
            op = str(expression.op)
            raise RefusedError(
                f"a comparison with bool, which gives 1 or 0, like x {op} bool 300; without it there is no sample where"
                " it does not hold"
            )
    return text


def _check_counter(selector: Any) -> None:  # noqa: ANN401 - the parser's type
    """Raise RefusedError if the expression is only a selector of which no rate can be taken."""
    name = selector.name or next((m.value for m in selector.matchers.matchers if m.name == "__name__"), "")
    if selector.offset is not None or selector.at is not None:
        raise RefusedError(
            f"a counter without offset and @, because its rate is taken here; write them out where they are meant:"
            f" rate({name or 'orders_total'}[5m] offset 5m)"
        )
    if ":" in name:  # a recorded series is a rate already
        return
    if not name.endswith(COUNTER_ENDS):
        raise RefusedError(
            f"a counter, whose name ends in {', '.join(COUNTER_ENDS)}, because its rate is taken here. A gauge counts"
            f" no events; of a counter with another name write the rate: rate({name or 'orders'}[5m])"
        )


def _is_vector(expr: Any) -> bool:  # noqa: ANN401 - the parser's types have no common base
    """Return whether an expression is an instant vector."""
    if isinstance(expr, (promql_parser.ParenExpr, promql_parser.UnaryExpr)):
        return _is_vector(expr.expr)
    if isinstance(expr, promql_parser.BinaryExpr):
        return _is_vector(expr.lhs) or _is_vector(expr.rhs)
    if isinstance(expr, promql_parser.Call):
        return bool(expr.func.return_type == promql_parser.ValueType.Vector)
    return isinstance(expr, (promql_parser.VectorSelector, promql_parser.AggregateExpr))


def _multiline(value: object) -> str:
    """Return text, which may have several lines."""
    if isinstance(value, str) and len(value) <= LONGEST:
        to_text(" ".join(value.split())[:1_000])
        return value
    raise RefusedError(f"PromQL of at most {LONGEST} characters")


def _dotted(text: str) -> str:
    """Return a clause with Prometheus' spelling of the first dotted name outside of quotation marks, "" without one."""
    bare = re.sub(r"""(["'`]).*?\1""", "", text)
    name = re.search(r"[A-Za-z_][A-Za-z0-9_:]*(\.[A-Za-z_][A-Za-z0-9_]*)+", bare)
    return f"; Prometheus stores {name[0]} as {name[0].replace('.', '_')}" if name else ""


def _first_line(error: ValueError) -> str:
    return (str(error).splitlines() or [""])[0][:120]


_OF_PRESENCE: Final = frozenset({"absent", "count", "group", "timestamp"})
"""Functions and aggregations whose result depends on the series, not on their values."""
_MATCHERS: Final = 'PromQL label matchers, like service="checkout"'
_EVENTS: Final = "PromQL for events per second, like sum(rate(orders_total[5m]))"

_A_GAUGE: Final = "PromQL of a gauge that is 1 when good and 0 when not, like probe_success"
_COMPARISONS: Final = frozenset({"==", "!=", "<", ">", "<=", ">="})

ErrorStatuses = Annotated[
    str, Accepts("a regular expression of RE2, as Prometheus reads it, like 5..", _error_statuses)
]
Regex = Annotated[str, Accepts("a regular expression of RE2, as Prometheus reads it, like 5..", _regex)]
Selector = Annotated[str, Accepts(_MATCHERS, _selector)]
Events = Annotated[str, Accepts(_EVENTS, _events)]
Gauge = Annotated[str, Accepts(_A_GAUGE, _gauge)]
