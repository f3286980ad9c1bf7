"""With REQUIRE_ALL=1 a skipped test fails, so that CI cannot be green without having run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.bootstrap import ROOT

TESTS = """
import pytest

def test_runs(): pass
@pytest.mark.optional
def test_may_skip(): pytest.skip("not for this environment")
@pytest.mark.slow
def test_slow(): pass
@pytest.mark.nightly
def test_nightly(): pass
"""
PROMISED = '\n@pytest.mark.skip(reason="promtool is not on PATH")\ndef test_promised(): pass\n'


@pytest.mark.parametrize(
    ("tests", "require", "code"), [(TESTS + PROMISED, "1", 1), (TESTS + PROMISED, "", 0), (TESTS, "1", 0)]
)
def test_a_promised_test_that_skips_fails(tmp_path: Path, tests: str, require: str, code: int) -> None:
    (tmp_path / "conftest.py").write_text(
        "from tests.conftest import pytest_collection_modifyitems, pytest_runtest_makereport\n"
    )
    (tmp_path / "test_x.py").write_text(tests)
    environment = os.environ | {"REQUIRE_ALL": require, "NIGHTLY": "", "E2E_SLOW": ""}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(tmp_path),
         "-p", "no:cacheprovider", str(tmp_path)],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    assert ("REQUIRE_ALL=1: " in done.stdout) is bool(code)
    assert ("promtool is not on PATH" in done.stdout) is ("promised" in tests)
