"""Reads a stack's settings from its files only, without engine and passphrase. Secrets are stand-ins."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from cli.bootstrap import ROOT
from cli.errors import InvalidSettingsError
from observability import own, own_checks
from observability.settings import GENERATED_SECRETS, PROJECT, STAND_IN, Settings, SettingsError, load
from observability.settings.documents import Document, DocumentError, parse, read_text

SECRET_OBJECT = "scrapeSecrets"  # noqa: S105 - the name of a setting
OWN_SECRETS = "ownSecrets"
OTLP_TOKENS = "otlpTokens"
"""The secret settings that are objects: each of their secrets has a name."""


def stacks(root: Path = ROOT) -> list[str]:
    """Return the stacks that have a configuration file in the project at `root`."""
    return sorted(p.name.removeprefix("Pulumi.").removesuffix(".yaml") for p in root.glob("Pulumi.*.yaml"))


def written(stack: str, root: Path = ROOT) -> tuple[dict[str, Any], frozenset[str]]:
    """Return the settings of `stack` as they are written, defaults included, and the keys that its own file has."""
    project = yaml.safe_load((root / "Pulumi.yaml").read_text(encoding="utf-8"))
    values: dict[str, Any] = {k: schema.get("default", "") for k, schema in project["config"].items()}
    own = set()
    for key, value in _document(stack, root).config.items():
        namespace, _, name = key.rpartition(":")
        if namespace in (PROJECT, ""):
            if name in own:
                raise InvalidSettingsError(
                    f"Pulumi.{stack}.yaml: the setting '{name}' is given twice, with and without {PROJECT}:"
                )
            values[name] = value
            own.add(name)
    return values, frozenset(own)


def raw(stack: str, root: Path = ROOT) -> tuple[dict[str, str], frozenset[str]]:
    """Return the configuration of `stack` as the engine would pass it to the program, and the secret keys."""
    values, _ = written(stack, root)
    try:
        secret = frozenset(k for k, v in values.items() if _encrypted(v))
        return {k: _text(_with_stand_ins(k, v, values)) for k, v in values.items()}, secret
    except (ValueError, TypeError, RecursionError):
        raise InvalidSettingsError(f"Pulumi.{stack}.yaml: a value that is within itself, or binary") from None


def filled(stack: str, root: Path = ROOT) -> tuple[dict[str, str], frozenset[str]]:
    """Return `raw` with stand-ins for the secrets that production needs and that are not configured yet."""
    values, secret = raw(stack, root)
    if values.get("production") != "true":
        return values, secret
    schema = yaml.safe_load((root / "Pulumi.yaml").read_text(encoding="utf-8"))["config"]
    # As that version's schema marks them, which may know other secrets than this one.
    marked = {key for key, entry in schema.items() if str(entry.get("description")).startswith("Secret.")}
    missing = frozenset(key for key in marked & GENERATED_SECRETS if not values[key])
    return values | dict.fromkeys(missing, STAND_IN), secret | missing


def docker_host(stack: str) -> str:
    """Return `docker:host` of `stack`, "" where it has none."""
    return str(_document(stack, ROOT).config.get("docker:host") or "")


def key_services(stack: str, backend: str) -> frozenset[str]:
    """Return the URLs of the services with the key of the stack's secrets: its backend, its secrets provider."""
    path = ROOT / f"Pulumi.{stack}.yaml"
    document = yaml.safe_load(path.read_text(encoding="utf-8")) or {} if path.exists() else {}
    return frozenset({backend, str(document.get("secretsprovider") or "")} - {""})


def settings(stack: str, *, stand_in: bool = False) -> Settings:
    """Return the checked settings of `stack`; InvalidSettingsError with every problem.

    With `stand_in`, secrets that production needs and that are not configured yet are stand-ins too: a plan or a
    rendering needs none.
    """
    values, secret = filled(stack, ROOT) if stand_in else raw(stack, ROOT)
    document = _document(stack, ROOT)
    _say_once(missing_file(stack, ROOT))
    try:
        found = load(stack, values, secret, document.config)
        own_checks.check(found)
    except own.OwnContentError as error:
        raise InvalidSettingsError(str(error)) from None
    except SettingsError as error:
        problems = [problem + document.position(_path(problem)) for problem in error.problems]
        raise InvalidSettingsError(str(SettingsError(stack, problems))) from None
    return found


def missing_file(stack: str, root: Path = ROOT) -> str:
    """Return the sentence for a stack that has no configuration file; "" for one that has."""
    known = stacks(root)
    if stack in known:
        return ""
    near = get_close_matches(stack, known, n=1, cutoff=0.5)
    meant = f" Did you mean {near[0]}?" if near else ""
    return (
        f"note: there is no Pulumi.{stack}.yaml, so stack '{stack}' has nothing but defaults.{meant}"
        f" Stacks with a file: {', '.join(known) or 'none'}."
    )


@cache
def _say_once(sentence: str) -> None:
    if sentence:
        print(sentence, file=sys.stderr)


def _path(problem: str) -> tuple[str | int, ...]:
    """Return the path that a problem begins with: `services[0].name: …`."""
    start = re.match(r"[A-Za-z0-9_:.\[\]-]+", problem)
    parts = re.findall(r"\[(\d+)\]|([^.\[\]]+)", start[0].rstrip(":") if start else "")
    return tuple(int(index) if index else name for index, name in parts)


def _document(stack: str, root: Path) -> Document:
    path = root / f"Pulumi.{stack}.yaml"
    if not path.exists():
        return Document(path.name, {})
    try:
        return parse(read_text(path.read_bytes(), path.name), path.name)
    except DocumentError as error:
        raise InvalidSettingsError(str(error)) from None


def _encrypted(value: object) -> bool:
    """Return whether a value is encrypted: itself, or all of the texts in an object."""
    if isinstance(value, dict) and set(value) == {"secure"}:
        return True
    return isinstance(value, dict) and bool(value) and all(_encrypted(v) for v in value.values())


def _with_stand_ins(key: str, value: Any, values: dict[str, Any]) -> Any:  # noqa: ANN401 - YAML
    """Return `value` with a stand-in for everything that is encrypted."""
    if isinstance(value, dict) and set(value) == {"secure"}:
        # An object that is encrypted as a whole: the only names known are those that services and files refer to.
        if key == OWN_SECRETS:
            return dict.fromkeys(own.referenced(own.folder(str(values.get("ownFolder") or ""))), STAND_IN)
        if key == OTLP_TOKENS:
            senders = values.get("otlpSenders")
            return dict.fromkeys(senders if isinstance(senders, dict) else (), STAND_IN)
        return dict.fromkeys(_secret_names(values.get("services")), STAND_IN) if key == SECRET_OBJECT else STAND_IN
    if isinstance(value, dict):
        return {k: _with_stand_ins("", v, values) for k, v in value.items()}
    return [_with_stand_ins("", v, values) for v in value] if isinstance(value, list) else value


def _secret_names(services: object) -> Iterator[str]:
    """Yield every name of a secret that the fields `…Secret` of services give."""
    if isinstance(services, list):
        for service in services:
            yield from _secret_names(service)
    elif isinstance(services, dict):
        for key, value in services.items():
            if str(key).endswith("Secret") and isinstance(value, str):
                yield value
            else:
                yield from _secret_names(value)


def _text(value: object) -> str:
    """Return a value as the engine hands it to the program; null is as if nothing were written."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)
