"""URLs of Grafana's Explore, with a query."""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import parse_qs, quote, urlsplit

VALUE: Final = "${__value.raw}"
"""Variable that Grafana replaces by the clicked value."""


def address(root: str, datasource: str, query: dict[str, Any], *, start: str, end: str = "now") -> str:
    """Return the URL below `root` (with a trailing slash) of a query to `datasource`, whose UID is also its type."""
    request = {"refId": "A", "datasource": {"type": datasource, "uid": datasource}, **query}
    pane = {"datasource": datasource, "queries": [request], "range": {"from": start, "to": end}}
    panes = quote(json.dumps({"a": pane}, separators=(",", ":")), safe=",:")
    return f"{root}explore?schemaVersion=1&orgId=1&panes={panes.replace(quote(VALUE), VALUE)}"


def queries_of(url: str) -> list[dict[str, Any]]:
    """Return the queries in a URL of Explore; raise ValueError for any other URL."""
    panes = parse_qs(urlsplit(url).query).get("panes")
    if panes is None:
        msg = f"not an address of Explore: {url}"
        raise ValueError(msg)
    return [query for pane in json.loads(panes[0]).values() for query in pane["queries"]]
