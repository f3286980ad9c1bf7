"""What a stack runs, and what this commit would make of it: the facts of components/deployment.py, compared."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from cli import pulumi, stack_config
from cli.bootstrap import ROOT, UserError
from observability.settings import OPTIONAL_SECRETS, STAND_IN, secret_keys

Facts = Mapping[str, str]

_TYPE = "grafana:Deployment"


def expected(stack: str) -> Facts:
    """Return what this commit would deploy to `stack`; needs neither engine nor passphrase."""
    values, secret = stack_config.raw(stack)
    missing = {k for k in secret_keys() if not values.get(k) and k not in OPTIONAL_SECRETS}
    given = {
        "stack": stack,
        "raw": values | dict.fromkeys(missing, STAND_IN),
        "secret": sorted(secret | missing),
    }
    # A process of its own: Pulumi's runtime is made for one program.
    done = subprocess.run(
        [sys.executable, "-m", "cli.mocked"],
        cwd=ROOT,
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise UserError(done.stderr.strip().splitlines()[-1])
    return _facts(json.loads(done.stdout), "inputs") or {}


def running(stack: str) -> Facts | None:
    """Return what the last `up` of `stack` deployed, None where nothing was."""
    names = {found["name"].rsplit("/", 1)[-1] for found in json.loads(pulumi.ask("stack", "ls", "--json"))}
    if stack not in names:
        return None
    state: dict[str, Any] = json.loads(pulumi.ask("stack", "export", "--stack", stack))
    return _facts(state["deployment"].get("resources") or [], "outputs")


def commit(stack: str) -> str:
    """Return the commit of the last `up` of `stack`, as Pulumi noted it; "" where it did not."""
    updates = json.loads(pulumi.ask("stack", "history", "--json", "--page-size", "1", "--stack", stack) or "[]")
    environment = updates[0].get("environment", {}) if updates else {}
    head = str(environment.get("git.head", ""))
    return head[:10] + (" with changes" if head and environment.get("git.dirty") == "true" else "")


def checked_out() -> tuple[str, bool]:
    """Return this clone's commit, "" where there is no git, and whether files differ from it."""
    git = shutil.which("git")
    if git is None:
        return "", False
    head = subprocess.run([git, "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603
    if head.returncode:
        return "", False
    changed = subprocess.run(  # noqa: S603 - as above
        [git, "status", "--porcelain"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return head.stdout.strip()[:10], bool(changed.stdout.strip())


def _facts(resources: list[dict[str, Any]], side: str) -> Facts | None:
    found = next((r[side] for r in resources if str(r["type"]).endswith(_TYPE)), None)
    return None if found is None else dict(found["facts"])
