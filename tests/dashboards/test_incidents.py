"""What the report says of an incident, by promtool over the recorded series."""

from __future__ import annotations

from pathlib import Path

from dashboards import report_queries
from observability.rules import slo
from observability.settings import WatchedService
from tests.observability.rules.conftest import Promtool

REQUESTS = 'http_requests_total{{service="shop",endpoint="/pay",method="GET",status="{}"}}'


def test_three_minutes_without_an_answer(promtool: str, tmp_path: Path) -> None:
    """60 requests a minute, all of which fail from 2:00 to 2:03: 60 % of the worst 5 minutes, and 180 seconds."""
    inputs = {
        REQUESTS.format(200): "0+60x120 7200x2 7260+60x240",
        REQUESTS.format(500): "0x120 60 120 180x241",
        'up{job="shop",instance="a"}': "1x400",
    }
    rules = slo.group(WatchedService(name="shop", latency=None), "1m")
    # promtool knows nothing that comes later: at the end of the block instead of at its beginning.
    worst, lasted = (
        query.replace(f" offset -{report_queries.BLOCK}", "")
        for query in (report_queries.block_worst(), report_queries.block_duration())
    )
    checks = [(report_queries.BLOCK, f"round({worst}, 0.001)", 0.6), (report_queries.BLOCK, lasted, 180.0)]
    Promtool(promtool, tmp_path).evaluate(rules, inputs, checks)
