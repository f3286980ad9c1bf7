"""How events are counted: the PromQL that keeps a running total of counters.

A running total is as a counter ought to be: it only grows, and no restart, gap or new series shows in it. What happened
in a window is the difference of two of its values. One evaluation adds to the total of `k` ago what the counters grew
in `k`, where `k` is one evaluation, 5 minutes and 2 hours (`HOPS`), and keeps the largest of the three: each way of
counting can only miss events, and a gap that hides them from one shows in a longer one.

A series is read as its highest value in the last 2 minutes (`NOW`), now and `k` ago: a sample that is missing, too low
or no number changes nothing, of two writers the higher counts. With `top`, the highest value in between:

    grown      top - before             where that is positive
    restarted  now                      where it is below `before`: the process began again at 0
    born       now                      where there was no series `k` ago, although its target was read then

A series that was not read 5 minutes ago goes on from its last value of half an hour before that (`FORGOTTEN`).

A series of a target that nothing is known of counts from its first sample on: its history is not new.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from promql_parser import (
    AggregateExpr,
    BinaryExpr,
    Call,
    Expr,
    MatrixSelector,
    ParenExpr,
    VectorSelector,
    parse,
)

from observability.rules.windows import BASE_WINDOW, canonical
from observability.settings import milliseconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

NOW: Final = "2m"
"""Two scrapes at the slowest, one minute apart."""
RECOVERY: Final = "2h"
"""A gap in samples or evaluations up to here loses no event that the counters know."""
FORGOTTEN: Final = "30m"
"""A series that returns sooner goes on, one that returns later was born."""
CARRY: Final = "1d"
"""A total is continued after an absence up to here, and begins again at 0 after a longer one."""
TERMS_AT_MOST: Final = 12
"""An expression of more counters is read as rates."""


@dataclass(frozen=True, slots=True)
class Counter:
    """Series that only grow.

    Args:
        selector: a vector selector; what it finds are cumulative numbers of events.
        value: for native histograms, what makes such a number of the selector (`{}`).
        sign: -1 where its events are taken away.
        whole: what tells a restart, where `value` may fall without one: the share of a histogram whose buckets became
            wider is estimated anew.

    """

    selector: str
    value: str = ""
    sign: int = 1
    whole: str = ""

    def highest(self, window: str, ago: str = "") -> str:
        """Return the highest value of each series in a window that ended `ago`."""
        offset = f" offset {ago}" if ago else ""
        if not self.value:
            return f"max_over_time({self.selector}[{window}]{offset})"
        step = "30s" if milliseconds(window) <= milliseconds(BASE_WINDOW) else NOW
        return f"max_over_time(({self.value.format(self.selector)})[{window}:{step}]{offset})"

    def before(self, ago: str) -> str:
        """Return what each series had reached `ago`; 5 minutes ago also one that was not read just then."""
        just_then = self.highest(NOW, ago)
        return f"({just_then} or {self.last(ago)})" if ago == BASE_WINDOW else just_then

    def last(self, ago: str) -> str:
        """Return the last value of each series that is not forgotten, as of `ago`."""
        if self.value:
            return self.highest(FORGOTTEN, ago)
        return f"last_over_time({self.selector}[{FORGOTTEN}] offset {ago})"

    def restarted(self, ago: str) -> str:
        """Return the value of each series whose process began again within `ago`."""
        whole = replace(self, value=self.whole, whole="") if self.whole else self
        fell = f"{whole.highest(NOW)} < ({whole.before(ago)} < Inf)"
        return f"{self.highest(NOW)} and {fell}" if self.whole else fell

    def grown(self, window: str) -> str:
        """Return the growth of each series that has any past."""
        return f"({self.highest(window)} - {self.before(window)}) >= 0 < Inf"


@dataclass(frozen=True, slots=True)
class Rate:
    """An expression that gives events per second, over the last 5 minutes."""

    expr: str
    sign: int = 1

    @property
    def numbers(self) -> str:
        """Return what of it is a number of events."""
        return f"({self.expr}) >= 0 < Inf"


@dataclass(frozen=True, slots=True)
class Samples:
    """The samples of a gauge from 0 to 1: all of them, or what they lack of 1. None of a series that leaves 0 to 1.

    Args:
        gauge: a selector, or another expression, which has a sample at each evaluation.
        step: time between two evaluations, for such an expression; empty for a selector.
        lacking: whether what is counted is what the samples lack of 1.
        sign: 1; a gauge is no part of a sum.

    """

    gauge: str
    step: str = ""
    lacking: bool = False
    sign: int = 1

    def within(self, window: str) -> str:
        """Return how many there are in a window, by series."""
        samples = f"({self.gauge})[{window}:{self.step}]" if self.step else f"{self.gauge}[{window}]"
        count, good = f"count_over_time({samples})", f"sum_over_time({samples})"
        return f"({count} - {good}) >= 0" if self.lacking else f"{count} and ({count} - {good}) >= 0"


Term = Counter | Rate | Samples


@dataclass(frozen=True, slots=True)
class Events:
    """A sum of terms, and the series that prove that a target is read: those of `family`, and `up` of `job`."""

    terms: tuple[Term, ...]
    family: tuple[Counter, ...]
    job: str

    @property
    def exact(self) -> bool:
        """Whether all of it is counted from counters."""
        return all(isinstance(term, (Counter, Samples)) for term in self.terms)

    def running_total(self, record: str, interval: str, measured: str) -> str:
        """Return the next value of the running total that is recorded as `record`."""
        last = f"last_over_time({record}[{CARRY}])"
        begun = f"{last} or 0 * {measured}"
        if self.exact:
            steps = [self._step(record, hop, interval, measured) for hop in hops(interval)]
            return largest(begun, *steps)
        # The 5-minute rates of one evaluation in five are a whole: five chains, each complete in itself.
        base = self._step(record, BASE_WINDOW, interval, measured)
        first = f"sum({last}) + {self._increase(interval)} and on () {measured}"
        return largest(begun, f"({base} or {first})")

    def present(self) -> str:
        """Return 1 where any of the series is there or a target answers; of a gauge, where it has a valid sample."""
        if gauges := [term for term in self.terms if isinstance(term, Samples)]:
            return " or ".join(f"group({gauge.within(NOW)})" for gauge in gauges)
        presence = [f"group({series.highest(NOW)})" for series in self.family]
        presence += [f"group({term.numbers})" for term in self.terms if isinstance(term, Rate)]
        return " or ".join([*presence, f"group({_answering(self.job)})"])

    def _step(self, record: str, hop: str, interval: str, measured: str) -> str:
        """Return the total of `hop` ago, where just then it was recorded, and what came since."""
        every = milliseconds(interval)
        span, ago = canonical(f"{every // 2}ms"), canonical(f"{milliseconds(hop) - every // 4}ms")
        before = f"sum(last_over_time({record}[{span}] offset {ago}))"
        return f"{before} + {self._increase(hop)} and on () {measured}"

    def _increase(self, hop: str) -> str:
        parts = [("-" if term.sign < 0 else "+", self._of(term, hop)) for term in self.terms]
        return "(" + " ".join(f"{sign} {part}" for sign, part in parts).removeprefix("+ ") + ")"

    def _of(self, term: Term, hop: str) -> str:
        if isinstance(term, Samples):
            return f"(sum({term.within(hop)}) or vector(0))"
        if isinstance(term, Rate):
            length = Decimal(milliseconds(hop)) / 1000
            return f"({float(length):g} * sum({term.numbers}) or vector(0))"
        now = term.highest(NOW)
        parts = [term.grown(hop), term.restarted(hop)]
        if milliseconds(hop) >= milliseconds(BASE_WINDOW):
            presence = [f"group by (job, instance) ({series.highest(NOW, hop)})" for series in self.family]
            presence += [
                f"group by (job, instance) ({_answering(self.job, hop)})",
                f"group({_answering(self.job, hop)})",
            ]
            parts.append(f"({now} unless {term.last(hop)}) < Inf and on (job, instance) ({' or '.join(presence)})")
        return "(" + " + ".join(f"(sum({part}) or vector(0))" for part in parts) + ")"


def events_of(text: str, job: str) -> Events:
    """Return what a selector or expression of the configuration counts.

    A selector is a counter, and so is the rate of one; sums and differences of them are counted one by one. Anything
    else gives events per second.
    """
    end = "\n" if "#" in text else ""  # after a comment
    expression = parse(text)
    if isinstance(expression, VectorSelector) and ":" not in (expression.name or ""):
        return counted((Counter(f"{text}{end}"),), job)
    if "\\" not in text and "`" not in text:
        terms = tuple(_terms(expression, 1))
        counters = tuple(term for term in terms if term is not None)
        if len(counters) == len(terms) <= TERMS_AT_MOST:
            return counted(counters, job)
    return Events((Rate(f"{text}{end}"),), (), job)


def samples_of(gauge: str, job: str, interval: str) -> tuple[Events, Events]:
    """Return what counts the samples of a gauge, and what they lack of 1."""
    end = "\n" if "#" in gauge else ""  # after a comment
    step = "" if isinstance(parse(gauge), VectorSelector) else interval
    every = Samples(f"{gauge}{end}", step)
    return Events((every,), (), job), Events((replace(every, lacking=True),), (), job)


def counted(counters: tuple[Counter, ...], job: str, family: Sequence[Counter] = ()) -> Events:
    """Return the sum of counters; their own series prove that a target was read, unless `family` does."""
    proof = dict.fromkeys(replace(counter, sign=1) for counter in family or counters)
    return Events(counters, tuple(proof), job)


def hops(interval: str) -> tuple[str, ...]:
    """Return how long ago the totals are that an evaluation builds on."""
    ranges = {canonical(hop) for hop in (interval, BASE_WINDOW, RECOVERY)}
    return tuple(sorted(ranges, key=milliseconds))


def _terms(expression: Expr, sign: int) -> Iterator[Counter | None]:
    """Yield the counters that an expression adds up, and None for what is anything else."""
    if isinstance(expression, ParenExpr):
        yield from _terms(expression.expr, sign)
    elif isinstance(expression, BinaryExpr) and str(expression.op) in {"+", "-"} and expression.modifier is None:
        yield from _terms(expression.lhs, sign)
        yield from _terms(expression.rhs, -sign if str(expression.op) == "-" else sign)
    elif isinstance(expression, AggregateExpr) and str(expression.op) == "sum" and expression.modifier is None:
        yield _rated(expression.expr, sign)
    else:
        yield None


def _rated(expression: Expr, sign: int) -> Counter | None:
    while isinstance(expression, ParenExpr):
        expression = expression.expr
    if (
        not isinstance(expression, Call)
        or expression.func.name != "rate"
        or not isinstance(expression.args[0], MatrixSelector)
    ):
        return None
    selector = expression.args[0].vector_selector
    plain = selector.offset is None and selector.at is None and " or " not in str(selector)
    return Counter(str(selector), sign=sign) if plain else None


def _answering(job: str, ago: str = "") -> str:
    offset = f" offset {ago}" if ago else ""
    return f"last_over_time(up{{job={json.dumps(job)}}}[{NOW}]{offset}) == 1"


def largest(*expressions: str) -> str:
    """Return the largest of single values, of those that there are."""
    numbered: Iterable[str] = (
        f'label_replace({expr}, "way", "{number}", "", "")' for number, expr in enumerate(expressions)
    )
    return f"max({' or '.join(numbered)})"
