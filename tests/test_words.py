"""Documents, comments and docstrings use the project's words (docs/style.md): Vale where it is installed."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from cli.bootstrap import ROOT

CHECKED = (
    *("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "docs"),
    *("__main__.py", "cli", "components", "dashboards", "demo", "lab", "observability", "policies", "tests"),
)


@pytest.fixture
def vale() -> str:
    found = shutil.which("vale")
    if found is None:
        pytest.skip("vale is not on PATH (`make tools` brings the pinned one)")
    return found


def run(vale: str, *paths: str) -> subprocess.CompletedProcess[str]:
    command = [vale, "--no-global", "--output=line", "--glob=!tests/golden/**", *paths]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_words_and_sentences(vale: str) -> None:
    done = run(vale, *CHECKED)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(("suffix", "text"), [("md", "Nobody mends it."), ("py", '"""Nobody mends it."""\n')])
def test_private_words_are_found(vale: str, suffix: str, text: str) -> None:
    done = subprocess.run(
        [vale, "--no-global", "--output=line", f"--ext=.{suffix}"],
        cwd=ROOT, input=text, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Project.Sentences" in done.stdout, done
    assert "Project.Words" in done.stdout
