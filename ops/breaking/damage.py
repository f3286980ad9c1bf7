"""A flipped byte on the disk: in Prometheus's write-ahead log, and in Grafana's database at several places.

The service is killed, a byte is flipped in its data volume, and it is started again.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Final

from components.grafana_api import GrafanaError
from dashboards import uids
from ops.breaking import Outcome, Scenario, after, missed, said, settle
from ops.breaking.alarms import watched
from ops.console import say
from ops.sandbox import Sandbox
from ops.traffic import Backends
from ops.waiting import until

_BACK_SECONDS: Final = 60.0
_WRITING_SECONDS: Final = 120.0
"""Of scrapes in the write-ahead log before it is damaged."""
_TOLD_SECONDS: Final = 240.0
_SCRAPED: Final = "sum(sum_over_time(scrape_samples_scraped[1h] @ {at:.0f}))"
"""Each scrape says itself how many samples came with it, and is lost with them."""
_LOG: Final = r"(?i)corrupt|malformed|not a database|checksum|repair"


def data(stack: Sandbox, service: str) -> Path:
    """Return where a service's data is on this machine."""
    return Path(stack.docker.volumes.get(f"observability-{stack.name}-{service}-data").attrs["Mountpoint"])


def flip(file: Path, offset: int) -> None:
    """Turn every bit of one byte."""
    with file.open("r+b") as opened:
        opened.seek(offset)
        (byte,) = opened.read(1)
        opened.seek(offset)
        opened.write(bytes((byte ^ 0xFF,)))


def prometheus_log(stack: Sandbox, _after: ExitStack) -> Outcome:
    """A byte in the middle of the write-ahead log."""
    settle(stack)
    where = Backends.of(stack)
    time.sleep(_WRITING_SECONDS)
    at = time.time()
    before = where.value(_SCRAPED.format(at=at))
    with watched(stack) as alarms:
        began = alarms.now()
        stack.container("prometheus").kill()  # by the engine, which then does not start it again
        segment = max((data(stack, "prometheus") / "wal").glob("0*"))
        flip(segment, segment.stat().st_size // 2)
        started = time.time()
        stack.container("prometheus").start()
        well = until(lambda: stack.serves("prometheus") and stack.healthy("prometheus"), _BACK_SECONDS)
        left = where.value(_SCRAPED.format(at=at))
        until(lambda: alarms.fired, _TOLD_SECONDS, every=1)
    return Outcome(
        f"a byte of prometheus's write-ahead log flipped, in the middle of {segment.stat().st_size // 1024} KiB",
        f"{before - left:,.0f} of {before:,.0f} samples, those after it in the log",
        f"{after(well)}, by itself",
        f"{alarms.told(began) or 'no alert'}; log: {said(stack, 'prometheus', _LOG, started) or 'nothing'}",
        missed(
            {
                "it comes back by itself": well <= _BACK_SECONDS,
                "what is before the damage is kept": left >= before * 0.3,
                "somebody is told": alarms.fired,
            }
        ),
    )


def _header(_database: Path) -> int:
    return 3


def _schema(_database: Path) -> int:
    return 100  # the first page's own header, after the file's: what kind of page it is


def _table(database: Path) -> int:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as opened:
        ((page,), (size,)) = (
            opened.execute("SELECT rootpage FROM sqlite_master WHERE name = 'alert_rule'").fetchone(),
            opened.execute("PRAGMA page_size").fetchone(),
        )
    return int((page - 1) * size)


def _text(database: Path) -> int:
    """A letter of a dashboard, in a page that stays a valid one."""
    return database.read_bytes().index(b'"SLO Overview"') + 5


PLACES: Final[dict[str, tuple[str, Callable[[Path], int]]]] = {
    "header": ("the file's header", _header),
    "schema": ("the page of the schema", _schema),
    "table": ("the page of its alert rules", _table),
    "text": ("the text of a dashboard", _text),
}


def grafana_database(place: str) -> Scenario:
    """Return the scenario of this place in Grafana's database."""
    title, offset = PLACES[place]

    def scenario(stack: Sandbox, _after: ExitStack) -> Outcome:
        settle(stack)
        stack.grafana().request("POST", "/api/folders", {"uid": "by-hand", "title": "Made by hand"})
        grafana = stack.container("grafana")
        grafana.stop(timeout=60)  # what is in its log of changes goes into the database: that is what is damaged
        database = data(stack, "grafana") / "grafana.db"
        grafana.start()
        until(lambda: stack.serves("grafana"), _BACK_SECONDS)
        grafana.kill()
        flip(database, offset(database))
        started = time.time()
        stack.container("grafana").start()
        well = until(lambda: _whole(stack), _BACK_SECONDS, every=1)
        seen = said(stack, "grafana", _LOG, started)
        repaired, kept = 0.0, True
        if well > _BACK_SECONDS:
            say("  it does not come back by itself: from nothing …")
            began = time.monotonic()
            _from_nothing(stack)
            repaired, kept = time.monotonic() - began, False
        return Outcome(
            f"a byte of grafana's database flipped, in {title}",
            "what was made by hand (users, annotations, folders) unless it is restored" if not kept else "nothing",
            f"by itself after {after(well)}" if kept else f"not by itself; {repaired:.0f} s from nothing, by hand",
            seen or "nothing in its log",
            missed({"what the program made is there again": _whole(stack)}),
        )

    return scenario


def _whole(stack: Sandbox) -> bool:
    """Tell whether Grafana serves what the program made and what was made by hand, and takes something new."""
    try:
        stack.grafana().request("GET", f"/api/dashboards/uid/{uids.SLO_OVERVIEW}")
        stack.grafana().request("GET", "/api/v1/provisioning/alert-rules")
        stack.grafana().request("POST", "/api/annotations", {"text": "whole?", "tags": ["faults"]})
    except (GrafanaError, OSError, KeyError):
        return False
    return True


def _from_nothing(stack: Sandbox) -> None:
    """Do what docs/operations says: throw the database away, and let the program make all of its content again."""
    stack.container("grafana").remove(force=True)
    stack.docker.volumes.get(f"observability-{stack.name}-grafana-data").remove(force=True)
    stack.up()
