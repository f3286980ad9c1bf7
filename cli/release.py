"""The release fingerprint of a running stack, and that of this commit (components/release_fingerprint.py)."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from typing import Any

from cli import stack_config
from cli.bootstrap import ROOT
from cli.evaluation import evaluate
from cli.pulumi import Pulumi
from observability.settings import GENERATED_SECRETS, STAND_IN, secret_keys

Fingerprint = Mapping[str, str]
"""A version or a hash of everything that is deployed, by its name."""

_TYPE = "grafana:Deployment"


def expected(stack: str) -> Fingerprint:
    """Return what this commit would deploy to `stack`; needs neither engine nor passphrase."""
    values, secret = stack_config.raw(stack)
    missing = {k for k in secret_keys() if not values.get(k) and k in GENERATED_SECRETS}
    resources = evaluate(stack, values | dict.fromkeys(missing, STAND_IN), secret | missing)
    return _fingerprint((r.type, r.inputs) for r in resources) or {}


def running(pulumi: Pulumi, stack: str) -> Fingerprint | None:
    """Return what the last `up` of `stack` deployed, None if there was none."""
    names = {listed["name"].rsplit("/", 1)[-1] for listed in json.loads(pulumi.output("stack", "ls", "--json"))}
    if stack not in names:
        return None
    state: dict[str, Any] = json.loads(pulumi.output("stack", "export", "--stack", stack))
    return _fingerprint((r["type"], r["outputs"]) for r in state["deployment"].get("resources") or () if "outputs" in r)


def commit(pulumi: Pulumi, stack: str) -> str:
    """Return the commit of the last `up` of `stack` in Pulumi's history, "" if it is not recorded."""
    updates = json.loads(pulumi.output("stack", "history", "--json", "--page-size", "1", "--stack", stack) or "[]")
    environment = updates[0].get("environment", {}) if updates else {}
    head = str(environment.get("git.head", ""))
    return head[:10] + (" with changes" if head and environment.get("git.dirty") == "true" else "")


def checked_out() -> tuple[str, bool]:
    """Return this clone's commit ("" without git), and whether files differ from it."""
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


def _fingerprint(resources: Iterable[tuple[str, Mapping[str, Any]]]) -> Fingerprint | None:
    values = next((values for type_, values in resources if type_.endswith(_TYPE)), None)
    return None if values is None else dict(values["facts"])  # the state's name for it
