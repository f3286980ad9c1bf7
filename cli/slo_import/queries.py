"""PromQL of other tools' SLOs, as ours needs it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import promql_parser
from promql_parser import AggregateExpr, BinaryExpr, Call, NumberLiteral, ParenExpr, SubqueryExpr, VectorSelector

from cli.slo_import.found import CannotExpressError
from observability.settings.promql import COUNTER_ENDS

if TYPE_CHECKING:
    from cli.slo_import.located import Located

RANGE: Final = "5m"
"""The range of every rate in our expressions."""
_WINDOW: Final = re.compile(r"\{\{-?\s*\.window\s*-?\}\}")
_BOUND: Final = re.compile(r'\ble="(\d+)(?:\.0)?"')
_JOB: Final = re.compile(r'\bjob="([^"]+)"')
_OPPOSITE: Final = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}


class Sampled(NamedTuple):
    """A gauge, as an expression whose samples are from 0 to 1."""

    gauge: str


def parsed(text: str, where: Located) -> Any:  # noqa: ANN401 - the parser's types have no common base
    """Return the expression; CannotExpressError for what Prometheus does not know."""
    try:
        return promql_parser.parse(text)
    except ValueError as error:
        first = (str(error).splitlines() or [""])[0]
        raise CannotExpressError(where, f"no PromQL that Prometheus reads: {first[:120]}") from None


def templated(where: Located) -> str:
    """Return a query of Sloth's with its window as ours; both spellings of whole bounds, of scrapes and of pushes."""
    text = _WINDOW.sub(RANGE, where.text)
    if "{{" in text:
        raise CannotExpressError(where, "a template with more in it than {{.window}}")
    parsed(text, where)
    return bounds(text)


def bounds(text: str) -> str:
    """Return `text` with `le="5"` as a scrape and a push both write it: Prometheus 3 stores what it scrapes as 5.0."""
    return _BOUND.sub(r'le=~"\1([.]0)?"', text)


def events(text: str, where: Located) -> str:
    """Return what counts events, from a query of events in a window: a rate, or the increase in a window."""
    parsed(text, where)
    return re.sub(r"\bincrease\s*\(", "rate(", " ".join(text.split()))


def counter(where: Located) -> str:
    """Return what counts the events of a counter's selector."""
    text = " ".join(where.text.split())
    found = parsed(text, where)
    if not isinstance(found, VectorSelector):
        raise CannotExpressError(where, "no plain selector of a counter")
    name = found.name or ""
    return bounds(text if name.endswith(COUNTER_ENDS) else f"sum(rate({text}[{RANGE}]))")


def sampled(errors: str, total: str, where: Located) -> Sampled | None:
    """Return the gauge of `sum_over_time(count(x < 1)[w:])` by `sum_over_time(count(x)[w:])`; None of anything else."""
    bad, every = _counted(parsed(errors, where)), _counted(parsed(total, where))
    while isinstance(bad, ParenExpr):
        bad = bad.expr
    if not isinstance(bad, BinaryExpr) or every is None or str(bad.lhs) != str(every):
        return None
    operator = str(bad.op).split()[0]
    if operator not in _OPPOSITE or not isinstance(bad.rhs, NumberLiteral):
        return None
    return Sampled(f"{every} {_OPPOSITE[operator]} bool {bad.rhs.val:g}")


def averaged(text: str, where: Located) -> Sampled | None:
    """Return the gauge of `1 - sum(sum_over_time(x[w])) / sum(count_over_time(x[w]))`; None of anything else."""
    found = _inside(parsed(text, where))
    if not isinstance(found, BinaryExpr) or str(found.op) != "-" or not isinstance(found.lhs, NumberLiteral):
        return None
    share = _inside(found.rhs)
    if not isinstance(share, BinaryExpr) or str(share.op) != "/" or found.lhs.val != 1:
        return None
    over, under = _over_time(share.lhs, "sum_over_time"), _over_time(share.rhs, "count_over_time")
    return Sampled(over.removesuffix("{}")) if over is not None and over == under else None


def selector(texts: list[str], service: str) -> str:
    """Return matchers that select the series of a service: its job where the queries name one."""
    jobs = {job for text in texts for job in _JOB.findall(text)}
    return f'job="{jobs.pop()}"' if len(jobs) == 1 else f'service="{service}"'


def _inside(found: Any) -> Any:  # noqa: ANN401 - as above
    while isinstance(found, ParenExpr):
        found = found.expr
    return found


def _counted(found: Any) -> Any:  # noqa: ANN401 - as above
    """Return `x` of `sum_over_time((count(x))[w:])`, whatever stands after `or`."""
    found = _inside(found)
    if isinstance(found, BinaryExpr) and str(found.op) == "or":
        found = _inside(found.lhs)
    if not isinstance(found, Call) or found.func.name != "sum_over_time" or not isinstance(found.args[0], SubqueryExpr):
        return None
    inner = _inside(found.args[0].expr)
    return _inside(inner.expr) if isinstance(inner, AggregateExpr) and str(inner.op) == "count" else None


def _over_time(found: Any, function: str) -> str | None:  # noqa: ANN401 - as above
    """Return the selector of `sum(function(selector[w]))`."""
    found = _inside(found)
    if not isinstance(found, AggregateExpr) or str(found.op) != "sum":
        return None
    call = _inside(found.expr)
    if not isinstance(call, Call) or call.func.name != function:
        return None
    return str(call.args[0].vector_selector) if hasattr(call.args[0], "vector_selector") else None
