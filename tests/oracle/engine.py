"""Prometheus' own engine, by promtool: what rules record of a world, and what the peers' rules would."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest
import yaml

from observability.names import series
from observability.rules import slo
from tests.observability.rules.conftest import needed
from tests.oracle.world import STEP, World

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from observability.settings import WatchedService

EVALUATING = "oracle_evaluating"
_ANSWER = re.compile(r'expr: "(.*)", time: (\S+),\s*\n\s*exp: *(?:nil)?\s*\n\s*got: *(?:\{\} )?(\S+)')


@dataclass(frozen=True)
class Shown:
    """What an SLO shows at the end; None where it shows nothing."""

    requests: float | None
    errors: float | None
    ratio: float | None
    left: float | None
    coverage: float | None
    sloth: float | None = None
    pyrra: float | None = None


def sloth(window: str, errors: str, total: str) -> tuple[slo.RecordingRule, str]:
    """Return Sloth's rule for 5 minutes, and its ratio of a window: an average of these."""
    name = "slo:sli_error:ratio_rate5m"
    rule = slo.RecordingRule(name, f"(sum(rate({errors}[5m]))) / (sum(rate({total}[5m])))", {})
    return rule, f"sum_over_time({name}[{window}]) / count_over_time({name}[{window}])"


def pyrra(window: str, errors: str, total: str) -> str:
    """Return Pyrra's ratio of a window: increases of the raw counters."""
    return f"(sum(increase({errors}[{window}])) or vector(0)) / sum(increase({total}[{window}]))"


def observe(
    promtool: str,
    folder: Path,
    service: WatchedService,
    world: World,
    inputs: Mapping[str, str],
    *,
    name: str = "availability",
    interval: str = "1m",
    peers: tuple[str, str] | None = None,
) -> Shown:
    """Evaluate the rules over `inputs` and return what they show at the end."""
    end = f"{world.seconds - 60}s"
    own = f'{{service="{service.name}", slo="{name}"}}'
    window = next(s for n, s in service.slo_by_name.items() if n == name).window
    queries = {
        "requests": series.REQUESTS_PERIOD + own,
        "errors": series.ERRORS_PERIOD + own,
        "ratio": series.error_ratio(window) + own,
        "left": series.BUDGET_REMAINING + own,
        "coverage": series.COVERAGE + own,
    }
    rules = needed(slo.group(service, interval), [q.replace(", ", ",") for q in queries.values()])
    extra: tuple[slo.RecordingRule, ...] = ()
    if peers is not None:
        rule, queries["sloth"] = sloth(window, *peers)
        queries["pyrra"] = pyrra(window, *peers)
        extra = (rule,)
    evaluating = tuple(
        replace(rule, expr=f"({rule.expr}) and on () ({EVALUATING} == 1)") for rule in (*rules.rules, *extra)
    )
    (folder / "rules.yml").write_text(slo.to_yaml(replace(rules, rules=evaluating)))
    shown = " ".join("1" if there else "0" for there in world.evaluations())
    document = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": interval,
        "tests": [
            {
                "interval": f"{STEP}s",
                "input_series": [
                    {"series": key, "values": values} for key, values in {**inputs, EVALUATING: shown}.items()
                ],
                "promql_expr_test": [
                    {
                        "expr": f"sum({query}) + 1e-300",
                        "eval_time": end,
                        "exp_samples": [{"labels": '{no="answer"}', "value": 0}],
                    }
                    for query in queries.values()
                ],
            }
        ],
    }
    (folder / "test.yml").write_text(yaml.safe_dump(document, width=10_000_000))
    command = [promtool, "test", "rules", "test.yml"]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=900)
    output = (result.stdout + result.stderr).replace('\\"', '"')
    answers = dict.fromkeys(queries, None)
    blocks = re.split(r'(?=expr: ")', output)
    for block in blocks[1:]:
        got = re.search(r"got: *(?:\{\} )?(\S*)", block)
        key = next((k for k, q in queries.items() if block.startswith(f'expr: "sum({q}) + 1e-300"')), None)
        if key is not None and got is not None and got[1] not in {"", "nil"}:
            answers[key] = float(got[1])
    if len(blocks) != len(queries) + 1:
        pytest.fail(f"promtool:\n{output[:4000]}")
    return Shown(**answers)
