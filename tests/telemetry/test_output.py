"""What the Docker engine cuts is whole again: long lines, and stack traces as Python, Java, Go and Node print them.

The traces are what these runtimes printed, in the version that a file's name says.
"""

from __future__ import annotations

import time
import uuid
from pathlib import Path
from typing import Final

import pytest

from observability.configs import collector, output
from tests.telemetry.conftest import Stores, wait_for

TRACES: Final = {path.stem: path.read_text().rstrip() for path in sorted((Path(__file__).parent / "traces").iterdir())}
PART: Final = 16 * 1024
NO_TRACE: Final = {
    "indented text is the line before it": ("found:\n  - tea\n  - milk", ""),
    "an info with more lines": ("INFO:     started\n   at dawn, as always", "info"),
    "a dump": ('answer = {\n    "a": 1\n}', ""),
}


def stored(stores: Stores, name: str) -> list[tuple[str, str]]:
    """Return the text and the level of each line of a container."""
    found = stores.lines(f'{{container_name="{name}"}}')
    return sorted((text, labels.get("detected_level", "")) for labels, text in found)


def print_all(stores: Stores, name: str, text: str, **record: str) -> None:
    for line in text.split("\n"):
        stores.print_line(line, container_name=f"/{name}", container_id=name, **record)


def print_long(stores: Stores, name: str, line: str, **record: str) -> None:
    """Print a line in the parts that the Docker engine makes of it (daemon/logger/fluentd)."""
    parts = [line[n : n + PART] for n in range(0, len(line), PART)]
    for n, part in enumerate(parts, 1):
        stores.print_line(
            part, container_name=f"/{name}", container_id=name, partial_message="true", partial_id=f"id-{line[:9]}",
            partial_ordinal=str(n), partial_last=str(n == len(parts)).lower(), **record,
        )  # fmt: skip


def test_a_stack_trace_is_one_line_and_an_error(line_stores: Stores) -> None:
    names = {kind: f"trace-{uuid.uuid4().hex[:8]}" for kind in TRACES}
    for kind, name in names.items():
        print_all(line_stores, name, f"INFO:     before\n{TRACES[kind]}\nINFO:     after")
    expected = {
        kind: sorted([("INFO:     before", "info"), (text, "error"), ("INFO:     after", "info")])
        for kind, text in TRACES.items()
    }
    wait_for(lambda: all(len(stored(line_stores, name)) >= 3 for name in names.values()), 30)
    assert {kind: stored(line_stores, name) for kind, name in names.items()} == expected


def test_a_stack_trace_with_nothing_after_it_is_whole_too(line_stores: Stores) -> None:
    name = f"last-{uuid.uuid4().hex[:8]}"
    print_all(line_stores, name, TRACES["python-3.11-chained"])
    wait_for(lambda: stored(line_stores, name), 30)
    assert stored(line_stores, name) == [(TRACES["python-3.11-chained"], "error")]


def test_lines_of_two_streams_and_two_containers_are_not_mixed(line_stores: Stores) -> None:
    one, other = (f"{kind}-{uuid.uuid4().hex[:8]}" for kind in ("one", "other"))
    trace = TRACES["java-17-printed"]
    for n, line in enumerate(trace.split("\n")):
        line_stores.print_line(line, container_name=f"/{one}", container_id=one, source="stderr")
        line_stores.print_line(f"INFO {n}", container_name=f"/{one}", container_id=one, source="stdout")
        line_stores.print_line(line, container_name=f"/{other}", container_id=other, source="stderr")
    lines = [(f"INFO {n}", "info") for n in range(len(trace.split("\n")))]
    wait_for(lambda: len(stored(line_stores, one)) > len(lines) and stored(line_stores, other), 30)
    assert stored(line_stores, one) == sorted([(trace, "error"), *lines])
    assert stored(line_stores, other) == [(trace, "error")]


@pytest.mark.parametrize("kind", NO_TRACE)
def test_what_only_looks_like_one_is_no_error(line_stores: Stores, kind: str) -> None:
    text, level = NO_TRACE[kind]
    name = f"none-{uuid.uuid4().hex[:8]}"
    print_all(line_stores, name, f"{text}\nafter")
    wait_for(lambda: len(stored(line_stores, name)) == 2, 30)
    assert stored(line_stores, name) == sorted([(text, level), ("after", "")])


def test_a_line_over_16_kib_is_one_line(line_stores: Stores) -> None:
    name, small = f"long-{uuid.uuid4().hex[:8]}", f"short-{uuid.uuid4().hex[:8]}"
    long = '{"level": "warn", "order": "' + "x" * 40_000 + '", "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736"}'
    print_long(line_stores, name, long)
    # The last part may be all that is left of a line, and no part at all may be missing.
    print_long(line_stores, small, "y" * PART + "z")
    wait_for(lambda: stored(line_stores, name) and stored(line_stores, small), 30)
    ((labels, text),) = line_stores.lines(f'{{container_name="{name}"}}')
    assert (text, labels["detected_level"], labels["trace_id"]) == (long, "warn", "4bf92f3577b34da6a3ce929d0e0e4736")
    assert stored(line_stores, small) == [("y" * PART + "z", "")]


def test_a_part_whose_end_never_comes_is_stored_all_the_same(line_stores: Stores) -> None:
    name = f"cut-{uuid.uuid4().hex[:8]}"
    line_stores.print_line(
        "begun", container_name=f"/{name}", partial_message="true", partial_id=name, partial_ordinal="1",
        partial_last="false",
    )  # fmt: skip
    wait_for(lambda: stored(line_stores, name) == [("begun", "")], 30)


def test_a_secret_across_two_parts_is_masked_and_none_is_on_disk(line_stores: Stores) -> None:
    name = f"secret-{uuid.uuid4().hex[:8]}"
    before = "x" * (PART - 16) + " "
    print_long(line_stores, name, f"{before}password=hunter2hunter3 end")
    print_all(line_stores, name, "password=hunter4")
    wait_for(lambda: len(stored(line_stores, name)) == 2, 30)
    assert stored(line_stores, name) == [("password=****", ""), (f"{before}password=**** end", "")]
    files = list((line_stores.folder / "collector").glob("container-lines/*"))
    assert files
    assert not any("hunter4" in file.read_text() for file in files)


def test_a_restart_of_the_collector_loses_no_line(line_stores: Stores) -> None:
    name = f"kept-{uuid.uuid4().hex[:8]}"
    lines = [f"INFO {n:03}" for n in range(100)]
    for line in lines[:60]:
        line_stores.print_line(line, container_name=f"/{name}", container_id=name)
    line_stores.stop("collector")
    line_stores.start("collector")
    for line in lines[60:]:
        line_stores.print_line(line, container_name=f"/{name}", container_id=name)
    wait_for(lambda: len(stored(line_stores, name)) >= len(lines), 30)
    time.sleep(1)
    assert [text for text, _ in stored(line_stores, name)] == lines


def test_what_waits_on_disk_is_bounded() -> None:
    rotation = output.exporter(collector.DATA)["rotation"]
    assert rotation["max_megabytes"] * (rotation["max_backups"] + 1) <= 100
