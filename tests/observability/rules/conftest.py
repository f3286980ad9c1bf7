"""What the rules' tests share: one service, its rules, and promtool."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from observability.rules import slo
from observability.settings import AvailabilitySlo, LatencySlo, Settings, WatchedService

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

INTERVAL = "1m"
_RECORDED = re.compile(r"((?:service|slo|container):\w+:\w+)(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True)
class Promtool:
    """The real one, in an empty directory."""

    binary: str
    folder: Path

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [self.binary, *arguments]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False, timeout=600)

    def lint(self, files: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        for name, text in files.items():
            (self.folder / name).write_text(text)
        return self.run("check", "rules", "--lint=all", "--lint-fatal", *files)

    def evaluate(
        self,
        group: slo.RuleGroup,
        series: Mapping[str, str],
        expected: Iterable[tuple[str, str, float | None]],
        start: int = 0,
    ) -> None:
        """Fail unless each (time, query, value) holds exactly, with `series` sampled every minute. None: nothing.

        Sums only, so that no labels have to be spelled out. Of `group` only what the queries need is evaluated.
        Time begins at `start`, in seconds since 1970.
        """
        checks = list(expected)
        document = {
            "rule_files": ["rules.yml"],
            "evaluation_interval": INTERVAL,
            "tests": [
                {
                    "interval": "1m",
                    **({"start_timestamp": start} if start else {}),
                    "input_series": [{"series": name, "values": values} for name, values in series.items()],
                    "promql_expr_test": [_expectation(*one) for one in checks],
                }
            ],
        }
        (self.folder / "rules.yml").write_text(slo.to_yaml(needed(group, (query for _, query, _ in checks))))
        (self.folder / "test.yml").write_text(yaml.safe_dump(document, width=10_000_000))
        result = self.run("test", "rules", "test.yml")
        if result.returncode:
            pytest.fail(f"promtool:\n{result.stdout}{result.stderr}")


def needed(group: slo.RuleGroup, queries: Iterable[str]) -> slo.RuleGroup:
    """Return `group`, in its order, without the rules that no query reads, directly or through other rules.

    A query that names nothing recorded, `{__name__=~...}`, reads all of them.
    """
    kept: set[int] = set()
    texts = list(queries)
    while texts:
        text = texts.pop()
        read = [(name, set(_MATCHER.findall(matchers))) for name, matchers in _RECORDED.findall(text)]
        for number, rule in enumerate(group.rules):
            wanted = not read or any(
                name == rule.record and all(rule.labels.get(k, v) == v for k, v in matchers) for name, matchers in read
            )
            if wanted and number not in kept:
                kept.add(number)
                texts += [rule.expr] if _RECORDED.search(rule.expr) else []
    return replace(group, rules=tuple(rule for number, rule in enumerate(group.rules) if number in kept))


def near(query: str, truth: float, tolerance: float = 0.001) -> tuple[str, float]:
    """Return a query that is 1 when `query` is within `tolerance` of `truth`: not every promtool has fuzzy_compare."""
    return f"abs(sum({query}) / {truth!r} - 1) <= bool {tolerance!r}", 1


def _expectation(at: str, query: str, value: float | None) -> dict[str, Any]:
    samples = [] if value is None else [{"labels": "{}", "value": value}]
    return {"expr": f"sum({query})", "eval_time": at, "exp_samples": samples}


@pytest.fixture
def promtool(promtool: str, tmp_path: Path) -> Promtool:
    return Promtool(promtool, tmp_path)


@pytest.fixture
def service() -> WatchedService:
    return WatchedService(name="checkout", availability=AvailabilitySlo(), latency=LatencySlo())


@pytest.fixture
def rules(service: WatchedService) -> slo.RuleGroup:
    return slo.group(service, INTERVAL)


@pytest.fixture
def settings() -> Settings:
    renamed = {
        "name": "legacy",
        "selector": 'app="legacy",',
        "errors": "5..|\\d{4}",
        "metrics": {"requests": "app_total", "duration": "app_seconds", "inProgress": None},
        "labels": {"endpoint": "status", "method": None, "status": "code"},
        "availability": {"objective": 99.9, "window": "672h"},
        "latency": {"objective": 95, "threshold": "1s", "window": "1d"},
    }
    single = {"name": "single", "availability": None, "labels": {"endpoint": None}}
    return Settings.model_validate({"stack": "test", "services": [{"name": "checkout"}, renamed, single]})
