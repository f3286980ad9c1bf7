"""A stack's settings read from the files alone: no engine, no passphrase. Secrets are stand-ins."""

from __future__ import annotations

import json
from typing import Any

import yaml

from ops import context
from ops.bootstrap import ROOT, CannotGoOn
from settings import OPTIONAL_SECRETS, PROJECT, STAND_IN, Settings, SettingsError, load, secret_keys


def stacks() -> list[str]:
    """Return the stacks that have a configuration file."""
    return sorted(p.name.removeprefix("Pulumi.").removesuffix(".yaml") for p in ROOT.glob("Pulumi.*.yaml"))


def raw(stack: str) -> tuple[dict[str, str], frozenset[str]]:
    """Return the configuration of `stack` as the engine would hand it to the program, and which keys are secret."""
    project = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
    path = ROOT / f"Pulumi.{stack}.yaml"
    given = (yaml.safe_load(path.read_text()) or {}).get("config") or {} if path.exists() else {}
    values: dict[str, Any] = {k: schema.get("default", "") for k, schema in project["config"].items()}
    secret = set()
    for key, value in given.items():
        namespace, _, name = key.rpartition(":")
        if namespace in (PROJECT, ""):
            values[name] = value
            if isinstance(value, dict) and set(value) == {"secure"}:
                values[name] = STAND_IN
                secret.add(name)
    return {k: _text(v) for k, v in values.items()}, frozenset(secret)


def docker_host(stack: str) -> str:
    """Return `docker:host` of `stack`, "" where it has none."""
    path = ROOT / f"Pulumi.{stack}.yaml"
    given = (yaml.safe_load(path.read_text()) or {}).get("config") or {} if path.exists() else {}
    return str(given.get("docker:host") or "")


def settings(stack: str, *, stand_in: bool = False) -> Settings:
    """Return the checked settings of `stack`; CannotGoOn with every problem.

    With `stand_in`, secrets that production needs and nobody has configured yet are stand-ins too: a plan or a
    rendering needs none.
    """
    values, secret = raw(stack)
    if stand_in:
        missing = {k for k in secret_keys() if not values.get(k) and k not in OPTIONAL_SECRETS}
        values |= dict.fromkeys(missing, STAND_IN)
        secret |= missing
    try:
        return load(stack, values, frozenset(secret))
    except SettingsError as error:
        raise CannotGoOn(str(error)) from None


def current(*, stand_in: bool = False) -> Settings:
    """Return the checked settings of the chosen stack."""
    return settings(context.stack(), stand_in=stand_in)


def _text(value: Any) -> str:  # noqa: ANN401 - YAML
    if isinstance(value, str):
        return value
    return json.dumps(value)
