"""Panel ids by key: the part of a link to a panel that has to mean the same for years.

Grafana addresses a panel by a number (`viewPanel=panel-17`), and messages with such links are read long after they were
sent. A number therefore follows from the panel's key, never from its place: panels can be added, moved and removed, and
no old link opens another graph. A leaf: it imports nothing of the project but the dashboards' UIDs.
"""

from __future__ import annotations

from typing import Final
from zlib import crc32

from observability.names import uids

FIRST: Final = 1_000
COUNT: Final = 1_000_000
"""Numbers made of keys lie from FIRST on, above every number that was once written in the code."""

FIXED: Final[dict[str, dict[str, int]]] = {
    uids.SLO_OVERVIEW: {"budget-left": 4, "burn-rate": 8, "requests": 10},
    uids.STACK_HEALTH: {
        "services": 1,
        "targets-down": 2,
        "rule-failures": 3,
        "data-refused": 4,
        "memory": 7,
        "space": 8,
        "collector-queue": 17,
    },
    uids.RUNBOOKS: {
        "collector-waiting": 1,
        "container-memory": 2,
        "container-restarting": 3,
        "disk-filling": 4,
        "disk-full": 5,
        "disk-nearly-full": 6,
        "jaeger-dropping": 7,
        "loki-rejecting": 8,
        "metrics-not-stored": 9,
        "metrics-repaired": 10,
        "metrics-size-limit": 11,
        "queries-failing": 12,
        "rules-failing": 13,
        "service-gone": 14,
        "service-uncounted": 15,
        "slo-budget-nearly-gone": 16,
        "slo-burning-fast": 17,
        "slo-burning-slowly": 18,
        "target-down": 19,
        "watchdog": 20,
    },
}
"""Numbers that messages were sent with before there were keys. Never change one, never use one again."""


def panel_id(uid: str, key: str) -> int:
    """Return the id of the panel `key` of the dashboard `uid`, 1 or more.

    Args:
        uid: the dashboard's UID.
        key: the panel's key, unique in its dashboard; a kind of alert on the page of runbooks.

    """
    fixed = FIXED.get(uid, {}).get(key)
    return FIRST + crc32(f"{uid}/{key}".encode()) % COUNT if fixed is None else fixed
