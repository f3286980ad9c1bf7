"""Where the time of an `up` that changes nothing goes: CPU by process, and the engine's own trace by kind of call."""

from __future__ import annotations

import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import docker
import psutil

from cli.context import Context
from cli.errors import UserError
from lab.processes import watched
from lab.sandbox import Sandbox, missing

_POLL_SECONDS: Final = 0.02
_CALLS: Final = ("Check", "Diff", "Configure", "RegisterResource", "RegisterResourceOutputs", "Run", "About")
_SLOWEST: Final = 12
_SHOWN: Final = 0.01
"""Least CPU seconds of a process that is listed."""


@dataclass(frozen=True)
class Span:
    """One call in the engine's trace, in seconds since the first one began; `resource` is "" where it is of none."""

    name: str
    began: float
    ended: float
    resource: str

    @property
    def seconds(self) -> float:
        """Return how long it took."""
        return self.ended - self.began


def run(context: Context) -> int:
    """Bring up a stack of staging's of its own, run `up` once more, and print where its time went."""
    if reason := missing():
        msg = f"a profile needs the real stack: {reason}"
        raise UserError(msg)
    with tempfile.TemporaryDirectory(prefix="profile-") as folder:
        stack = Sandbox.make(Path(folder) / "stack", "profile", engine=docker.from_env(), base="staging")
        try:
            stack.up()
            trace = Path(folder) / "trace.json"
            began = time.monotonic()
            processors = _traced(stack, trace)
            seconds = time.monotonic() - began
            spans = read(trace.read_text().splitlines())
        finally:
            stack.sweep()
    say = context.console
    say.say(f"an `up` that changes nothing: {seconds:.2f} s; processors: {sum(processors.values()):.2f} s")
    by_size = sorted(processors.items(), key=lambda item: -item[1])
    say.table("CPU by process", ("process", "s"), [(k, f"{v:.2f}") for k, v in by_size if v >= _SHOWN])
    say.table("calls, all of a kind", ("call", "calls", "s", "first begins", "last ends"), by_call(spans))
    of_resources = sorted((s for s in spans if s.resource), key=lambda span: -span.seconds)[:_SLOWEST]
    rows = [(span.resource, span.name, f"{span.seconds * 1000:.0f} ms") for span in of_resources]
    say.table("slowest resources", ("resource", "call", "took"), rows)
    return 0


def _traced(stack: Sandbox, trace: Path) -> dict[str, float]:
    """Run `up` with a trace; return the CPU seconds of its processes by their names."""
    used: dict[int, tuple[str, float]] = {}  # the last reading of each counts

    def note(name: str, process: psutil.Process) -> None:
        times = process.cpu_times()
        used[process.pid] = name, times.user + times.system

    with watched(note, _POLL_SECONDS):
        done = stack.pulumi("up", "--yes", "--skip-preview", "--otel-traces", f"file://{trace}")
    assert done.returncode == 0, done.stdout + done.stderr
    processors: dict[str, float] = defaultdict(float)
    for name, seconds in used.values():
        processors[name] += seconds
    return processors


def read(lines: Iterable[str]) -> list[Span]:
    """Return the spans of a trace as `pulumi --otel-traces` writes it: one OTLP document in JSON a line."""
    found = [
        span
        for line in lines
        for resource in json.loads(line)["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]
    start = min((int(span["startTimeUnixNano"]) for span in found), default=0)

    def seconds(at: str) -> float:
        return (int(at) - start) / 1e9

    return [
        Span(
            span["name"].rpartition("/")[2].rpartition(".")[2],
            seconds(span["startTimeUnixNano"]),
            seconds(span["endTimeUnixNano"]),
            _resource(span),
        )
        for span in found
    ]


def _resource(span: Mapping[str, Any]) -> str:
    """Return the name of the resource that a provider's span is of."""
    attributes = {a["key"]: next(iter(a["value"].values()), "") for a in span.get("attributes", ())}
    return str(attributes.get("urn", "")).rpartition("::")[2]


def by_call(spans: Iterable[Span]) -> list[tuple[str, str, str, str, str]]:
    """Return a line for each kind of call, in the order in which they begin."""
    calls: dict[str, list[Span]] = defaultdict(list)
    for span in spans:
        if span.name in _CALLS:
            calls[span.name].append(span)
    return [
        (
            name,
            str(len(found)),
            f"{sum(span.seconds for span in found):.2f}",
            f"{min(span.began for span in found):.2f}",
            f"{max(span.ended for span in found):.2f}",
        )
        for name, found in sorted(calls.items(), key=lambda item: min(span.began for span in item[1]))
    ]
