"""A corrupted byte on disk: in Prometheus's write-ahead log, and at several places in Grafana's database.

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
from lab.fault_injection import Outcome, Scenario, after, log_line, missed, settle
from lab.fault_injection.alarms import watched
from lab.load_generator import Backends
from lab.sandbox import Sandbox
from observability.names import uids

_BACK_SECONDS: Final = 60.0
_WRITING_SECONDS: Final = 120.0
"""Seconds of scrapes in the write-ahead log before it is corrupted."""
_ALERT_SECONDS: Final = 240.0
_ORDER_SECONDS: Final = 10.0
"""The log may hold samples out of order by this much: the longest duration of a scrape."""
_UNMANAGED: Final = "unmanaged"
_TITLE: Final = "SLO Overview"
_MODEL: Final = f"SELECT value FROM resource WHERE name = '{uids.SLO_OVERVIEW}'"  # noqa: S608 - ours
_LOG: Final = r"(?i)corrupt|malformed|not a database|checksum|repair"


def data(stack: Sandbox, service: str) -> Path:
    """Return the directory of a service's data on this machine."""
    return Path(stack.docker.volumes.get(f"observability-{stack.name}-{service}-data").attrs["Mountpoint"])


def flip(file: Path, offset: int) -> None:
    """Invert every bit of one byte."""
    with file.open("r+b") as connection:
        connection.seek(offset)
        (byte,) = connection.read(1)
        connection.seek(offset)
        connection.write(bytes((byte ^ 0xFF,)))


def fold(database: Path) -> None:
    """Checkpoint SQLite's write-ahead log. Otherwise its copy of a page would hide the corrupted one."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def prometheus_log(stack: Sandbox, _after: ExitStack) -> Outcome:
    """Corrupt a byte in the middle of the write-ahead log."""
    settle(stack)
    backends = Backends.of(stack)
    time.sleep(_WRITING_SECONDS)
    at = time.time()
    before = backends.scrapes(at)
    with watched(stack) as alarms:
        began = alarms.now()
        stack.container("prometheus").kill()  # through the engine, which then does not restart it
        segment = max((data(stack, "prometheus") / "wal").glob("0*"))
        size = segment.stat().st_size
        flip(segment, size // 2)
        started = time.time()
        stack.container("prometheus").start()
        well = until(lambda: stack.serves("prometheus") and stack.healthy("prometheus"), _BACK_SECONDS)
        remaining = backends.scrapes(at)
        until(lambda: alarms.fired, _ALERT_SECONDS, every=1)
    newest = max((when for _, when in remaining), default=0.0)
    missing = before.keys() - remaining.keys()
    return Outcome(
        f"a byte of prometheus's write-ahead log flipped, in the middle of {size // 1024} KiB",
        f"{sum(before[scrape] for scrape in missing):,} of {sum(before.values()):,} scraped samples: those of the last"
        f" {after(at - newest)}, which follow it in the log",
        f"{after(well)}, without help",
        f"{alarms.summary(began) or 'no alert'}; log: {log_line(stack, 'prometheus', _LOG, started) or 'nothing'}",
        missed(
            {
                "it recovers without help": well <= _BACK_SECONDS,
                "samples before the corrupted byte are kept": remaining
                and not [when for _, when in missing if when < newest - _ORDER_SECONDS],
                "an alert fires": alarms.fired,
            }
        ),
    )


def _header(_database: Path) -> int:
    return 3


def _schema(_database: Path) -> int:
    return 100  # the header of the first page, after the header of the file: the type of the page


def _table(database: Path) -> int:
    page, size = (
        _query_database(database, "SELECT rootpage FROM sqlite_master WHERE name = 'alert_rule'"),
        _query_database(database, "PRAGMA page_size"),
    )
    return int((page - 1) * size)


def _text(database: Path) -> int:
    """Return the offset of a letter in the dashboard's current title; former versions lie elsewhere."""
    for match in re.finditer(f'"title":"{_TITLE}"}}'.encode(), database.read_bytes()):
        offset = match.start() + len('"title":"SLO ')
        before = _query_database(database, _MODEL)
        flip(database, offset)
        now = _query_database(database, _MODEL)
        flip(database, offset)
        if now != before:
            return offset
    raise AssertionError("the dashboard's title is not in Grafana's database")


def _query_database(database: Path, query: str) -> Any:  # noqa: ANN401 - one value
    """Return a query's first value from a closed database, without creating files next to it."""
    with closing(sqlite3.connect(f"file:{database}?immutable=1", uri=True)) as connection:
        return connection.execute(query).fetchone()[0]


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
        stack.grafana().request("POST", "/api/folders", {"uid": _UNMANAGED, "title": "Unmanaged"})
        rules = _rules(stack)
        grafana = stack.container("grafana")
        grafana.stop(timeout=60)
        database = data(stack, "grafana") / "grafana.db"
        fold(database)
        flip(database, offset(database))
        started = time.time()
        grafana.start()
        well = until(
            lambda: _rules(stack) == rules and _stores_annotation(stack) and _title(stack), _BACK_SECONDS, every=1
        )
        visible = log_line(stack, "grafana", _LOG, started) or "nothing in its log"
        if well <= _BACK_SECONDS:
            visible += f"; the dashboard is called '{_title(stack)}'"
        how, began = f"without help after {after(well)}", time.monotonic()
        if well > _BACK_SECONDS:
            say("  it does not recover without help: recreating the database …")
            how = "not without help; database removed, then `make up`"
            recreate_grafana(stack)
        elif _title(stack) != _TITLE:
            say("  its content is wrong: restoring it …")
            how += ", with wrong content; restored by `make up REFRESH=1`"
            stack.up(refresh=True)
        repaired = time.monotonic() - began
        folder_kept = _folder(stack)
        return Outcome(
            f"a byte of grafana's database flipped, in {title}",
            "nothing" if folder_kept else "unmanaged content (users, annotations, folders) unless a backup is restored",
            how + (f": {repaired:.0f} s" if "make up" in how else ""),
            visible,
            missed(
                {
                    "managed content is there again": _rules(stack) == rules and _title(stack) == _TITLE,
                    "it stores new content": _stores_annotation(stack),
                    "unmanaged content is kept if Grafana starts": folder_kept or well > _BACK_SECONDS,
                }
            ),
        )

    return scenario


def _rules(stack: Sandbox) -> int:
    """Return how many alert rules Grafana reads. It reads none from a corrupted table."""
    try:
        return len(stack.grafana().request("GET", "/api/v1/provisioning/alert-rules"))
    except (GrafanaError, OSError, ValueError, KeyError):
        return 0


def _stores_annotation(stack: Sandbox) -> bool:
    try:
        stack.grafana().request("POST", "/api/annotations", {"text": "fault injection", "tags": ["faults"]})
    except (GrafanaError, OSError, KeyError):
        return False
    return True


def _title(stack: Sandbox) -> str:
    """Return the dashboard's title; "" if it cannot be read."""
    try:
        answer = stack.grafana().request("GET", f"/api/dashboards/uid/{uids.SLO_OVERVIEW}")
        return str(answer["dashboard"]["title"])
    except (GrafanaError, OSError, ValueError, KeyError):
        return ""


def _folder(stack: Sandbox) -> bool:
    return stack.grafana().find(f"/api/folders/{_UNMANAGED}") is not None


def recreate_grafana(stack: Sandbox) -> None:
    """Remove the database and create its content again, as docs/how-to/troubleshoot.md describes."""
    stack.container("grafana").remove(force=True)
    stack.docker.volumes.get(f"observability-{stack.name}-grafana-data").remove(force=True)
    stack.up()
