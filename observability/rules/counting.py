"""How events are counted: the PromQL that keeps a running total of counters.

A running total is as a counter ought to be: it only grows, and no restart, gap or new series shows in it. What happened
in a window is the difference of two of its values. One evaluation adds to the total of `k` ago what the counters grew
in `k`, where `k` is one evaluation, 5 minutes and 2 hours (`HOPS`), and keeps the largest of the three: each way of
counting can only miss events, and a gap that hides them from one shows in a longer one.

A series is read as its highest value in the last 2 minutes (`NOW`), now and `k` ago: a sample that is missing, too low
or no number changes nothing, of two writers the higher counts. A series that was not read `k` ago goes on from its last
value of half an hour before that (`FORGOTTEN`). It adds

    now - before        where that is not negative
    now                 where it is: its process began again at 0
    now                 where there was no series, although its target was read `k` ago: it was born
    now - first         where nothing was known of its target: its history is not new

Over 5 minutes and 2 hours, a process that ended or began again also adds what it had reached by then (`reached`). In a
step of one evaluation a restart does not show in a series that soon counts as much as before. It shows in others of
the same process: see `Events.restarted`.
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
    from collections.abc import Callable, Iterable, Iterator, Sequence

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

    def first(self, window: str) -> str:
        """Return the first value of each series in a window: a later one may be too low."""
        if milliseconds(window) > milliseconds(BASE_WINDOW):
            return f"first_over_time(({self.value.format(self.selector) or self.selector})[{window}:{BASE_WINDOW}])"
        return self.highest(window).replace("max_over_time", "first_over_time", 1)

    def last(self, ago: str) -> str:
        """Return the last value of each series that is not forgotten, as of `ago`."""
        if self.value:
            return self.highest(FORGOTTEN, ago)
        return f"last_over_time({self.selector}[{FORGOTTEN}] offset {ago})"

    @property
    def process(self) -> Counter:
        """Return what falls only when its process begins again."""
        return replace(self, value=self.whole, whole="") if self.whole else self

    def seen(self, window: str) -> str:
        """Return the highest value of each series that was there in a window; in a long one, of values now and then."""
        if milliseconds(window) <= milliseconds(BASE_WINDOW):
            return self.highest(window)
        value = self.value.format(self.selector) if self.value else self.selector
        return f"max_over_time(({value})[{window}:{BASE_WINDOW}])"

    def reached(self, window: str) -> str:
        """Return what each series reached in a window: after a restart in both of its lives, or before its end."""
        now, process = self.highest(NOW), self.process
        fell = f"{process.highest(window)} > {process.highest(NOW)} < Inf"
        both = fell if process == self else f"{self.highest(window)} and {fell}"
        return f"({now} + ({both}) or {now} or {self.seen(window)})"

    def growth(self, reached: Callable[[Counter], str], before: Callable[[Counter], str]) -> str:
        """Return the growth of each series whose process goes on; after a restart, only what both lives tell."""
        grown, process = f"{reached(self)} - {before(self)}", self.process
        if process == self:
            return f"({grown}) >= 0"
        return f"clamp_min({grown}, 0) and {before(process)} <= {reached(process)}"

    def came(self, window: str) -> str:
        """Return how much of each series came in a window, with all of one that was not there at its beginning."""
        now = self.highest(NOW)
        return f"({now} - {self.highest(NOW, window)} or {now}) >= 0 < Inf"

    def grown(self, window: str) -> str:
        """Return the growth of each series that was there at the beginning of a window."""
        return f"({self.highest(NOW)} - {self.highest(NOW, window)}) >= 0 < Inf"


@dataclass(frozen=True, slots=True)
class Processes:
    """What is recorded of the processes that are read, by job and instance.

    Args:
        read: the selector of those that were read; see `Events.read`.
        restarted: the selector of those that began again; see `Events.restarted`.
        interval: time between two evaluations.

    """

    read: str
    restarted: str
    interval: str

    def known(self, hop: str) -> str:
        """Return those that were read a hop ago."""
        return _recorded(self.read, hop, self.interval)

    def begun(self) -> str:
        """Return those that began again since the last evaluation."""
        return f"last_over_time({self.restarted}[{canonical(f'{milliseconds(self.interval) // 2}ms')}])"

    def begun_lately(self) -> str:
        """Return those that began again since a series is forgotten, and were read at the last evaluation."""
        return f"last_over_time({self.restarted}[{FORGOTTEN}]) and on (job, instance) {self.known(self.interval)}"


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

    def running_total(self, record: str, measured: str, processes: Processes) -> str:
        """Return the next value of the running total that is recorded as `record`.

        Args:
            record: its own name, with its labels.
            measured: what is there while anything can be counted.
            processes: what is recorded of them.

        """
        last = f"last_over_time({record}[{CARRY}])"
        begun = f"{last} or 0 * {measured}"
        if self.exact:
            steps = [self._step(record, hop, measured, processes) for hop in hops(processes.interval)]
            return largest(begun, *steps)
        # The 5-minute rates of one evaluation in five are a whole: five chains, each complete in itself.
        base = self._step(record, BASE_WINDOW, measured, processes)
        first = f"sum({last}) + {self._increase(processes.interval, processes)} and on () {measured}"
        return largest(begun, f"({base} or {first})")

    def total_of_each(self, record: str, *, label: str, known: str, measured: str, processes: Processes) -> str:
        """Return the next values of running totals that are kept by the values of a label, as `value`.

        Args:
            record: their name, with its labels.
            label: whose values.
            known: what is there, by `value`, for those that are kept.
            measured: what is there while anything can be counted.
            processes: what is recorded of them.

        """
        none = f"0 * group by (value) ({known})"

        def grown(term: Term, hop: str) -> str:
            assert isinstance(term, Counter)  # noqa: S101 - settings refuse anything else
            return f"({by_value(f'sum by ({label}) ({self._each(term, hop, processes)})', label)} or {none})"

        def step(hop: str) -> str:
            before = f"sum by (value) ({_recorded(record, hop, processes.interval)})"
            if hop == canonical(processes.interval):
                before = f"({before} or {none})"
            signed = " ".join(f"{'-' if term.sign < 0 else '+'} {grown(term, hop)}" for term in self.terms)
            return f"{before} {signed} and on () {measured}"

        last = f"sum by (value) ({remembered(record)}) or {none}"
        return f"{largest(last, *map(step, hops(processes.interval)), by='value')} and on (value) {known}"

    def values(self, label: str) -> str:
        """Return 1 for each value of a label that a series of the family has now, by `value`."""
        found = " or ".join(series.highest(NOW) for series in self.family)
        return by_value(f"group by ({label}) ({found})", label)

    def read(self) -> str:
        """Return the processes, by job and instance, whose series are there or that answer; 1 for all that answer."""
        answering = _answering(self.job)
        series = " or ".join([*(series.highest(NOW) for series in self.family), answering])
        return f"group by (job, instance) ({series}) or group({answering})"

    def restarted(self, interval: str) -> str:
        """Return the processes, by job and instance, that began again at 0 since the last evaluation.

        Such a process has series that fell. What these have counted since is more than any of its other series has:
        one that had counted long before would be larger. A single series that begins again makes no restart of it.
        """
        parts = []
        for series in self.family:
            now, before = series.highest(NOW), series.highest(NOW, interval)
            fresh = f"sum by (job, instance) ({now} < ({before} < Inf))"
            others = f"max by (job, instance) ({now} * ({now} >= bool {before}))"
            parts.append(f"({fresh} >= {others})")
        return " or ".join(parts)

    def present(self) -> str:
        """Return 1 where any of the series is there or a target answers; of a gauge, where it has a valid sample."""
        if gauges := [term for term in self.terms if isinstance(term, Samples)]:
            return " or ".join(f"group({gauge.within(NOW)})" for gauge in gauges)
        presence = [f"group({series.highest(NOW)})" for series in self.family]
        presence += [f"group({term.numbers})" for term in self.terms if isinstance(term, Rate)]
        return " or ".join([*presence, f"group({_answering(self.job)})"])

    def _step(self, record: str, hop: str, measured: str, processes: Processes) -> str:
        """Return the total of `hop` ago, where just then it was recorded, and what came since."""
        before = f"sum({_recorded(record, hop, processes.interval)})"
        if self.family and hop == canonical(processes.interval):  # of a total of counters that begins now, too
            before = f"({before} or 0 * group({measured}))"
        return f"{before} + {self._increase(hop, processes)} and on () {measured}"

    def _increase(self, hop: str, processes: Processes) -> str:
        parts = [("-" if term.sign < 0 else "+", self._of(term, hop, processes)) for term in self.terms]
        return "(" + " ".join(f"{sign} {part}" for sign, part in parts).removeprefix("+ ") + ")"

    def _of(self, term: Term, hop: str, processes: Processes) -> str:
        if isinstance(term, Samples):
            return f"(sum({term.within(hop)}) or vector(0))"
        if isinstance(term, Rate):
            length = Decimal(milliseconds(hop)) / 1000
            return f"({float(length):g} * sum({term.numbers}) or vector(0))"
        return f"(sum({self._each(term, hop, processes)}) or vector(0))"

    def _each(self, term: Counter, hop: str, processes: Processes) -> str:
        """Return what each series counted in a hop."""
        known = processes.known(hop)
        each = self._over_a_gap(term, known) if hop == RECOVERY else self._step_by_step(term, hop, known, processes)
        return f"({each}) < Inf"

    @staticmethod
    def _step_by_step(term: Counter, hop: str, known: str, processes: Processes) -> str:
        """Return what each series counted in a short hop, Inf included."""
        long_ago = canonical(f"{milliseconds(hop) + milliseconds(NOW)}ms")
        every = hop == canonical(processes.interval)  # a longer hop cannot tell old from new

        def before(counter: Counter) -> str:
            then, last = counter.highest(NOW, hop), counter.last(hop)
            if every:
                # What a process that began again counts is all new, whatever its old series had reached.
                # The last evaluation has counted what it had by then above these.
                old = f"{counter.highest(NOW, long_ago)} and on (job, instance) {processes.begun()}"
                counted = f"clamp_min({then} - {counter.highest(hop, NOW)}, 0) and ({old}) or "
                then = f"{counted if milliseconds(hop) <= milliseconds(NOW) else ''}{then} unless ({old})"
                last = f"({last} unless on (job, instance) ({processes.begun_lately()}))"
            return f"({then} or {last})"

        def reached(counter: Counter) -> str:
            return counter.highest(NOW) if every else counter.reached(hop)

        now, ago = term.highest(NOW), term.highest(NOW, hop)
        if every:
            ago = f"({ago} or {term.last(hop)})"
        grown = term.growth(reached, before)
        again = f"{now} + 0 * {ago}"
        born = f"{now if every else f'({now} or {term.seen(hop)})'} and on (job, instance) {known}"
        arrived = f"clamp_min({now} - {term.first(hop)}, 0)"
        return f"{grown} or {again} or {born} or {arrived}"

    @staticmethod
    def _over_a_gap(term: Counter, known: str) -> str:
        """Return what each series counted in 2 hours, with what it had reached when its process began again."""
        now, then = term.highest(NOW), term.highest(NOW, RECOVERY)
        born = f"0 * ({now} or {term.seen(RECOVERY)}) and on (job, instance) {known}"
        new = f"({born} or {term.first(RECOVERY)}) unless {term.last(RECOVERY)}"
        return f"clamp_min({term.reached(RECOVERY)} - ({then} or {new}), 0)"


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


def _recorded(record: str, hop: str, interval: str) -> str:
    """Return what was recorded at the evaluation a hop ago."""
    every = milliseconds(interval)
    span, ago = canonical(f"{every // 2}ms"), canonical(f"{milliseconds(hop) - every // 4}ms")
    return f"last_over_time({record}[{span}] offset {ago})"


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


def _answering(job: str) -> str:
    return f"last_over_time(up{{job={json.dumps(job)}}}[{NOW}]) == 1"


def remembered(record: str) -> str:
    """Return the last value within a day, of many series cheaply."""
    return f"(last_over_time({record}[{BASE_WINDOW}]) or last_over_time({record}[{CARRY}:{BASE_WINDOW}]))"


def by_value(expr: str, label: str) -> str:
    """Return what is summed by a label with its values in the label `value` instead."""
    return f'sum by (value) (label_replace({expr}, "value", "$1", "{label}", "(.*)"))'


def largest(*expressions: str, by: str = "") -> str:
    """Return the largest of values, of those that there are: of all, or by a label."""
    numbered: Iterable[str] = (
        f'label_replace({expr}, "way", "{number}", "", "")' for number, expr in enumerate(expressions)
    )
    return f"max{f' by ({by}) ' if by else ''}({' or '.join(numbered)})"
