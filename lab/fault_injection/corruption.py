"""A flipped byte on the disk: in Prometheus's write-ahead log, and in Grafana's database at several places.

The service is killed (Grafana is stopped), a byte is flipped in its data volume, and it is started again.
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Final

from cli.console import say
from cli.waiting import until
from components.grafana_api import GrafanaError
from lab.fault_injection import Outcome, Scenario, after, missed, said, settle
from lab.fault_injection.alarms import watched
from lab.load_generator import Backends
from lab.sandbox import Sandbox
from observability.names import uids

_BACK_SECONDS: Final = 60.0
_WRITING_SECONDS: Final = 120.0
"""Of scrapes in the write-ahead log before it is damaged."""
_TOLD_SECONDS: Final = 240.0
_LATE_SECONDS: Final = 10.0
"""By how much a scrape that began earlier may stand later in the log: the longest that one may take."""
_BY_HAND: Final = "by-hand"
_TITLE: Final = "SLO Overview"
_MODEL: Final = f"SELECT value FROM resource WHERE name = '{uids.SLO_OVERVIEW}'"  # noqa: S608 - ours
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


def fold(database: Path) -> None:
    """Write SQLite's log of changes into the database: a page that has a copy there is whole again when it is read."""
    with closing(sqlite3.connect(database)) as opened:
        opened.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def prometheus_log(stack: Sandbox, _after: ExitStack) -> Outcome:
    """A byte in the middle of the write-ahead log."""
    settle(stack)
    where = Backends.of(stack)
    time.sleep(_WRITING_SECONDS)
    at = time.time()
    before = where.scrapes(at)
    with watched(stack) as alarms:
        began = alarms.now()
        stack.container("prometheus").kill()  # by the engine, which then does not start it again
        segment = max((data(stack, "prometheus") / "wal").glob("0*"))
        size = segment.stat().st_size
        flip(segment, size // 2)
        started = time.time()
        stack.container("prometheus").start()
        well = until(lambda: stack.serves("prometheus") and stack.healthy("prometheus"), _BACK_SECONDS)
        left = where.scrapes(at)
        until(lambda: alarms.fired, _TOLD_SECONDS, every=1)
    newest = max((when for _, when in left), default=0.0)
    missing = before.keys() - left.keys()
    return Outcome(
        f"a byte of prometheus's write-ahead log flipped, in the middle of {size // 1024} KiB",
        f"{sum(before[scrape] for scrape in missing):,} of {sum(before.values()):,} samples scraped: those of the last"
        f" {after(at - newest)}, which stand after it in the log",
        f"{after(well)}, by itself",
        f"{alarms.told(began) or 'no alert'}; log: {said(stack, 'prometheus', _LOG, started) or 'nothing'}",
        missed(
            {
                "it comes back by itself": well <= _BACK_SECONDS,
                "what is before the damage is kept": left
                and not [when for _, when in missing if when < newest - _LATE_SECONDS],
                "somebody is told": alarms.fired,
            }
        ),
    )


def _header(_database: Path) -> int:
    return 3


def _schema(_database: Path) -> int:
    return 100  # the first page's own header, after the file's: what kind of page it is


def _table(database: Path) -> int:
    page, size = (
        _asked(database, "SELECT rootpage FROM sqlite_master WHERE name = 'alert_rule'"),
        _asked(database, "PRAGMA page_size"),
    )
    return int((page - 1) * size)


def _text(database: Path) -> int:
    """A letter of the dashboard's title as it is now; its history, in the same words, stands elsewhere."""
    for found in re.finditer(f'"title":"{_TITLE}"}}'.encode(), database.read_bytes()):
        offset = found.start() + len('"title":"SLO ')
        before = _asked(database, _MODEL)
        flip(database, offset)
        now = _asked(database, _MODEL)
        flip(database, offset)
        if now != before:
            return offset
    raise AssertionError("the dashboard's title is not in Grafana's database")


def _asked(database: Path, query: str) -> Any:  # noqa: ANN401 - one value
    """Return what a query gives of a database that nobody has open, without leaving files beside it."""
    with closing(sqlite3.connect(f"file:{database}?immutable=1", uri=True)) as opened:
        return opened.execute(query).fetchone()[0]


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
        stack.grafana().request("POST", "/api/folders", {"uid": _BY_HAND, "title": "Made by hand"})
        rules = _rules(stack)
        grafana = stack.container("grafana")
        grafana.stop(timeout=60)
        database = data(stack, "grafana") / "grafana.db"
        fold(database)
        flip(database, offset(database))
        started = time.time()
        grafana.start()
        well = until(lambda: _rules(stack) == rules and _saves(stack) and _title(stack), _BACK_SECONDS, every=1)
        seen = said(stack, "grafana", _LOG, started) or "nothing in its log"
        if well <= _BACK_SECONDS:
            seen += f"; the dashboard is called '{_title(stack)}'"
        how, began = f"by itself after {after(well)}", time.monotonic()
        if well > _BACK_SECONDS:
            say("  it does not come back by itself: from nothing …")
            how = "not by itself; from nothing, and `make up`"
            from_nothing(stack)
        elif _title(stack) != _TITLE:
            say("  it reads wrong: looked for, and put back …")
            how += ", with what reads wrong; put back by `make up REFRESH=1`"
            stack.up(refresh=True)
        repaired = time.monotonic() - began
        kept = _folder(stack)
        return Outcome(
            f"a byte of grafana's database flipped, in {title}",
            "nothing" if kept else "what was made by hand (users, annotations, folders) unless it is restored",
            how + (f": {repaired:.0f} s" if "make up" in how else ""),
            seen,
            missed(
                {
                    "what the program made is there again": _rules(stack) == rules and _title(stack) == _TITLE,
                    "it takes something new": _saves(stack),
                    "what was made by hand is there where Grafana starts": kept or well > _BACK_SECONDS,
                }
            ),
        )

    return scenario


def _rules(stack: Sandbox) -> int:
    """Return how many alert rules Grafana reads: of a damaged table it says that there are none."""
    try:
        return len(stack.grafana().request("GET", "/api/v1/provisioning/alert-rules"))
    except (GrafanaError, OSError, ValueError, KeyError):
        return 0


def _saves(stack: Sandbox) -> bool:
    try:
        stack.grafana().request("POST", "/api/annotations", {"text": "whole?", "tags": ["faults"]})
    except (GrafanaError, OSError, KeyError):
        return False
    return True


def _title(stack: Sandbox) -> str:
    """Return what the dashboard is called, "" where it cannot be read."""
    try:
        found = stack.grafana().request("GET", f"/api/dashboards/uid/{uids.SLO_OVERVIEW}")
        return str(found["dashboard"]["title"])
    except (GrafanaError, OSError, ValueError, KeyError):
        return ""


def _folder(stack: Sandbox) -> bool:
    return stack.grafana().find(f"/api/folders/{_BY_HAND}") is not None


def from_nothing(stack: Sandbox) -> None:
    """Remove the database and let the program create its content again, as docs/how-to/troubleshoot.md says."""
    stack.container("grafana").remove(force=True)
    stack.docker.volumes.get(f"observability-{stack.name}-grafana-data").remove(force=True)
    stack.up()
