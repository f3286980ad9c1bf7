"""Addresses of Grafana's Explore: a query, ready to be looked at."""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import parse_qs, quote, urlsplit

VALUE: Final = "${__value.raw}"
"""What Grafana replaces by the value that was clicked."""


def address(root: str, datasource: str, query: dict[str, Any], *, start: str, end: str = "now") -> str:
    """Return the address below `root` (with a trailing slash) that asks `datasource` (UID and type are one)."""
    request = {"refId": "A", "datasource": {"type": datasource, "uid": datasource}, **query}
    pane = {"datasource": datasource, "queries": [request], "range": {"from": start, "to": end}}
    panes = quote(json.dumps({"a": pane}, separators=(",", ":")), safe=",:")
    return f"{root}explore?schemaVersion=1&orgId=1&panes={panes.replace(quote(VALUE), VALUE)}"


def queries_of(url: str) -> list[dict[str, Any]]:
    """Return the queries that the page behind an address asks; ValueError when it is none of Explore's."""
    panes = parse_qs(urlsplit(url).query).get("panes")
    if panes is None:
        msg = f"not an address of Explore: {url}"
        raise ValueError(msg)
    return [query for pane in json.loads(panes[0]).values() for query in pane["queries"]]
