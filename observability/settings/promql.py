"""PromQL that the configuration may hold, parsed before a rule is made of it."""

from __future__ import annotations

from typing import Annotated

import promql_parser
from pydantic import AfterValidator


def _selector(value: str) -> str:
    try:
        promql_parser.parse(f"up{{{value}}}")
    except ValueError as error:
        msg = f'PromQL label matchers, like service="checkout" ({str(error).splitlines()[0]})'
        raise ValueError(msg) from None
    return value


def _events(value: str) -> str:
    try:
        vector = _is_vector(promql_parser.parse(value))
    except ValueError as error:
        msg = f"PromQL for events per second, like sum(rate(orders_total[5m])) ({str(error).splitlines()[0]})"
        raise ValueError(msg) from None
    if not vector:
        msg = "PromQL that gives an instant vector: a counter like orders_total, or its rate"
        raise ValueError(msg)
    return value.strip()


def _is_vector(expr: promql_parser.Expr) -> bool:
    if isinstance(expr, (promql_parser.ParenExpr, promql_parser.UnaryExpr)):
        return _is_vector(expr.expr)
    if isinstance(expr, promql_parser.BinaryExpr):
        return _is_vector(expr.lhs) or _is_vector(expr.rhs)
    if isinstance(expr, promql_parser.Call):
        return bool(expr.func.return_type == promql_parser.ValueType.Vector)
    return isinstance(expr, (promql_parser.VectorSelector, promql_parser.AggregateExpr))


Selector = Annotated[str, AfterValidator(_selector)]
Events = Annotated[str, AfterValidator(_events)]
