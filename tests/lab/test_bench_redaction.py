"""The bench of redaction compares two collectors that differ in redaction alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from lab import bench_redaction
from observability.configs import collector
from observability.settings import load

if TYPE_CHECKING:
    from pathlib import Path


def test_the_two_collectors_differ_in_redaction_alone() -> None:
    masked, plain = (
        bench_redaction._only_logs(yaml.safe_load(collector.render(load("dev", {"redaction": value}))), 4318)
        for value in ("true", "false")
    )
    accepted = masked["service"]["pipelines"]["logs/accepted"]["processors"]
    assert set(masked["processors"]) - set(plain["processors"]) == {"transform/mask_log", "redaction"}
    assert [name for name in accepted if name in plain["processors"]] == (
        plain["service"]["pipelines"]["logs/accepted"]["processors"]
    )


def test_without_a_collector_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    ((_, _, said, *_),) = bench_redaction.rows(tmp_path)
    assert said == "otelcol-contrib is not on PATH"
