"""Plain Pulumi from a fresh clone, as its page shows it; then the commands of this project on the same state."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator

import pytest

from cli.bootstrap import ROOT
from lab.sandbox import Sandbox
from tests import readme

PAGE = ROOT / "docs" / "how-to" / "use-plain-pulumi.md"
OF_OTHERS = ("PULUMI_BACKEND_URL", "PULUMI_ACCESS_TOKEN", "PULUMI_CONFIG_PASSPHRASE", "PULUMI_STACK", "STACK", "MAKE")
"""Beginnings of variables that a person who types the page's commands has not set."""


@pytest.fixture(scope="module")
def clone(make_real: Callable[[str], Sandbox]) -> Iterator[Sandbox]:
    """A copy of the project as git gives it: no packages, no state."""
    stack = make_real("e2e-plain")
    (stack.folder / ".venv").unlink()
    (stack.folder / ".state").rmdir()
    yield stack
    stack.sweep()


def type_in(clone: Sandbox, commands: str) -> str:
    """Return the output of shell commands in the clone, after the page's exports."""
    exports = "\n".join(line for line in page(clone).splitlines() if line.startswith("export "))
    environment = {key: value for key, value in os.environ.items() if not key.startswith(OF_OTHERS)}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f"{exports}\n{commands}"],
        # The confirmations are the only words that a person adds.
        cwd=clone.folder, env=environment | {"PULUMI_SKIP_CONFIRMATIONS": "true", "YES": clone.name},
        capture_output=True, text=True, check=False, timeout=1_800,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6_000:] + done.stderr[-6_000:]
    return done.stdout


def page(clone: Sandbox) -> str:
    """Return the page's commands, for the clone's stack."""
    block = re.search(r"^```sh\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert block is not None
    select = readme.line("pulumi stack select --create dev")
    assert {select, readme.line("pulumi install && pulumi up")} <= set(block[1].splitlines())
    return block[1].replace(select, select.replace("dev", clone.name))


def test_a_fresh_clone_comes_up(clone: Sandbox) -> None:
    output = type_in(clone, page(clone))
    assert "grafanaUrl" in output
    assert all(clone.healthy(name) or clone.serves(name) for name in clone.ids())
    assert (clone.folder / ".venv").is_dir()
    assert (clone.folder / ".state" / "passphrase").stat().st_mode & 0o777 == 0o600


def test_a_second_up_changes_nothing(clone: Sandbox) -> None:
    type_in(clone, f"{readme.line('pulumi up')} --expect-no-changes")


def test_make_runs_the_same_stack(clone: Sandbox) -> None:
    before = clone.ids()
    type_in(clone, f"{readme.line('make up')} STACK={clone.name}")
    assert clone.ids() == before
    type_in(clone, "pulumi up --expect-no-changes")


def test_plain_destroy_leaves_nothing(clone: Sandbox) -> None:
    type_in(clone, readme.line("pulumi destroy"))
    prefix = f"observability-{clone.name}-"
    assert not clone.docker.containers.list(all=True, filters={"name": prefix})
    assert not clone.docker.volumes.list(filters={"name": prefix})
