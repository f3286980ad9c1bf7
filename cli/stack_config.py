"""A stack's settings read from the files alone: no engine, no passphrase. Secrets are stand-ins."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from cli import context
from cli.bootstrap import ROOT, UserError
from observability.settings import OPTIONAL_SECRETS, PROJECT, STAND_IN, Settings, SettingsError, load


def stacks(root: Path = ROOT) -> list[str]:
    """Return the stacks that have a configuration file in the project at `root`."""
    return sorted(p.name.removeprefix("Pulumi.").removesuffix(".yaml") for p in root.glob("Pulumi.*.yaml"))


def written(stack: str, root: Path = ROOT) -> tuple[dict[str, Any], frozenset[str]]:
    """Return the settings of `stack` as they are written, defaults included, and the keys that its own file has."""
    project = yaml.safe_load((root / "Pulumi.yaml").read_text())
    values: dict[str, Any] = {k: schema.get("default", "") for k, schema in project["config"].items()}
    own = set()
    for key, value in _given(stack, root).items():
        namespace, _, name = key.rpartition(":")
        if namespace in (PROJECT, ""):
            values[name] = value
            own.add(name)
    return values, frozenset(own)


def raw(stack: str, root: Path = ROOT) -> tuple[dict[str, str], frozenset[str]]:
    """Return the configuration of `stack` as the engine would hand it to the program, and which keys are secret."""
    values, _ = written(stack, root)
    secret = frozenset(k for k, v in values.items() if isinstance(v, dict) and set(v) == {"secure"})
    return {k: STAND_IN if k in secret else _text(v) for k, v in values.items()}, secret


def filled(stack: str, root: Path = ROOT) -> tuple[dict[str, str], frozenset[str]]:
    """Return `raw` with stand-ins for the secrets that production needs and nobody has configured yet."""
    values, secret = raw(stack, root)
    if values.get("production") != "true":
        return values, secret
    schema = yaml.safe_load((root / "Pulumi.yaml").read_text())["config"]
    # As that version's schema marks them, which may know other secrets than this one.
    marked = {key for key, entry in schema.items() if str(entry.get("description")).startswith("Secret.")}
    missing = frozenset(key for key in marked - OPTIONAL_SECRETS if not values[key])
    return values | dict.fromkeys(missing, STAND_IN), secret | missing


def docker_host(stack: str) -> str:
    """Return `docker:host` of `stack`, "" where it has none."""
    return str(_given(stack, ROOT).get("docker:host") or "")


def key_services(stack: str) -> frozenset[str]:
    """Return the URLs of the services that keep the key of the stack's secrets: its backend, its secrets provider."""
    path = ROOT / f"Pulumi.{stack}.yaml"
    document = yaml.safe_load(path.read_text(encoding="utf-8")) or {} if path.exists() else {}
    return frozenset({context.backend_url(), str(document.get("secretsprovider") or "")} - {""})


def settings(stack: str, *, stand_in: bool = False) -> Settings:
    """Return the checked settings of `stack`; UserError with every problem.

    With `stand_in`, secrets that production needs and nobody has configured yet are stand-ins too: a plan or a
    rendering needs none.
    """
    values, secret = filled(stack) if stand_in else raw(stack)
    try:
        return load(stack, values, secret)
    except SettingsError as error:
        raise UserError(str(error)) from None


def current(*, stand_in: bool = False) -> Settings:
    """Return the checked settings of the chosen stack."""
    return settings(context.stack(), stand_in=stand_in)


def _given(stack: str, root: Path) -> dict[str, Any]:
    path = root / f"Pulumi.{stack}.yaml"
    given: dict[str, Any] = (yaml.safe_load(path.read_text()) or {}).get("config") or {} if path.exists() else {}
    return given


def _text(value: Any) -> str:  # noqa: ANN401 - YAML
    if isinstance(value, str):
        return value
    return json.dumps(value)
