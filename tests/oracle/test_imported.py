"""What `import-slos` makes of an SLO shows what its original's own arithmetic shows, where the original is right."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cli.import_slos import read, services
from observability.names import series
from observability.rules import slo
from observability.settings import WatchedService
from tests.observability.rules.conftest import Promtool

if TYPE_CHECKING:
    from collections.abc import Mapping

FILES = Path(__file__).parents[1] / "cli" / "slo_files"
WINDOW = "3h"
ERRORS, ALL = 'orders_total{job="shop",outcome="lost"}', 'orders_total{job="shop",outcome="ok"}'
UNPAID = 'payments_total{job="pay",ok="0"}'
MINUTE_BAD, MINUTE_ALL = (f"sum(increase({metric}[2m]))" for metric in (UNPAID, "payments_total"))
LE = 'page_seconds_bucket{job="shop",le="2.0"}'


def rates(bad: str, total: str) -> str:
    """Return Sloth's ratio of a window, and OpenSLO's."""
    return f"sum(rate({bad}[{WINDOW}])) / sum(rate({total}[{WINDOW}]))"


CASES = (
    (
        "sloth", "orders",
        {ERRORS: "0+3x90 270+1x90", ALL: "0+97x180"},
        rates('orders_total{outcome=~"lost|late"}', "orders_total"),
    ),
    (
        "sloth", "slow-pages",
        {LE: "0+90x180", 'page_seconds_count{job="shop"}': "0+100x180"},
        f"1 - {rates('page_seconds_bucket', 'page_seconds_count')}",
    ),
    (
        "sloth", "warm-enough",
        {'room_celsius{job="shop",room="a"}': "20x99 15x81", 'room_celsius{job="shop",room="b"}': "21x180"},
        f"sum_over_time((count(room_celsius < 18))[{WINDOW}:1m]) / sum_over_time((count(room_celsius))[{WINDOW}:1m])",
    ),
    (
        "sloth", "satisfied",
        {'satisfied_ratio{client="a"}': "0.9x180", 'satisfied_ratio{client="b"}': "0.5x180"},
        f"1 - sum(sum_over_time(satisfied_ratio[{WINDOW}])) / sum(count_over_time(satisfied_ratio[{WINDOW}]))",
    ),
    (
        "pyrra", "mail-errors",
        {f'mail_sent_total{{job="mail",result="{r}"}}': f"0+{n}x180" for r, n in (("error", 2), ("ok", 98))},
        f'sum(increase(mail_sent_total{{result="error"}}[{WINDOW}])) / sum(increase(mail_sent_total[{WINDOW}]))',
    ),
    (
        "pyrra", "mail-latency",
        {'mail_seconds_bucket{job="mail",le="1.0"}': "0+80x180", 'mail_seconds_count{job="mail"}': "0+100x180"},
        f"1 - sum(increase(mail_seconds_bucket[{WINDOW}])) / sum(increase(mail_seconds_count[{WINDOW}]))",
    ),
    (
        "pyrra", "reachable",
        {'probe_success{job="probes"}': "1x150 0x29"},
        f"1 - sum(sum_over_time(probe_success[{WINDOW}])) / sum(count_over_time(probe_success[{WINDOW}]))",
    ),
    (
        "openslo", "payments-1",
        {UNPAID: "0+1x90 98+8x89", UNPAID.replace("0", "1"): "0+99x90 9002+92x89"},
        f"1 - avg_over_time((({MINUTE_BAD} / {MINUTE_ALL}) <= bool 0.05)[{WINDOW}:1m])",
    ),
    (
        "openslo", "search",
        {'search_p95_milliseconds{job="shop"}': "300x150 700x29"},
        f"1 - avg_over_time((sum(search_p95_milliseconds) < bool 500)[{WINDOW}:1m])",
    ),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]} {case[1]}")
def test_it_equals_the_original(promtool: str, tmp_path: Path, case: tuple[str, str, Mapping[str, str], str]) -> None:
    file, name, inputs, original = case
    text = (FILES / f"{file}.yaml").read_text(encoding="utf-8")
    (found,) = (one for one in read([(file, text)]) if one.name == name)
    (service,) = services([found])
    own = f'{{service="{found.service}",slo="{name}"}}'
    ours = f"sum({series.ERRORS_PERIOD}{own}) / sum({series.REQUESTS_PERIOD}{own})"
    rules = slo.group(WatchedService.model_validate(service), "1m")
    checks = [("3h", f"abs(({ours}) / ({original}) - 1) < bool 0.02", 1.0), ("3h", f"({original}) > bool 0", 1.0)]
    Promtool(promtool, tmp_path).evaluate(rules, inputs, checks)
