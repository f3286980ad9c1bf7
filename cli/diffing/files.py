"""The files that services are started with, read out of the containers that lay them down."""

from __future__ import annotations

import contextlib
from typing import Any, Final

import yaml

from cli.diffing.model import Change, Facts, code, differences, flatten
from cli.evaluation import Registered

SECTION: Final = "Configuration files"
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def loader_of(resource: Registered) -> str | None:
    """Return `config` or `secrets` where `resource` is the container that lays such files down, else None."""
    kinds = ("config", "secrets")
    return next((kind for kind in kinds if resource.name.endswith(f"-{kind}-loader")), None)


def texts(resources: list[Registered]) -> dict[str, str]:
    """Return every file that is no secret: `service path` → content."""
    return {
        f"{_service(r)} {upload['file']}": str(upload["content"])
        for r in resources
        if loader_of(r) == "config"
        for upload in r.inputs["uploads"]
    }


def changes(before: list[Registered], after: list[Registered], *, apart: str) -> list[Change]:
    """Return what differs in the files; those with `apart` in their path are reported elsewhere."""
    old, new = (_documents(resources, apart) for resources in (before, after))
    diff: list[Change] = []
    for name in (*new, *(name for name in old if name not in new)):
        if name not in old or name not in new:
            diff.append(Change(SECTION, code(name), "added" if name in new else "removed"))
        else:
            diff += differences(SECTION, code(name), old[name], new[name])
    return diff


def _documents(resources: list[Registered], apart: str) -> dict[str, Facts]:
    plain = {name: _facts(content) for name, content in texts(resources).items() if apart not in name}
    secret = {
        f"{_service(r)} {upload['file']}": {"content": "(secret)"}
        for r in resources
        if loader_of(r) == "secrets"
        for upload in r.inputs["uploads"]
    }
    return plain | secret


def _facts(content: str) -> Facts:
    with contextlib.suppress(yaml.YAMLError):
        document = yaml.load(content, _LOADER)  # noqa: S506 - a safe loader
        if isinstance(document, (dict, list)):
            return flatten(document)
    return {"content": content}


def _service(resource: Registered) -> str:
    labels = {label["label"]: label["value"] for label in resource.inputs["labels"]}
    return str(next((v for k, v in labels.items() if k.endswith(".service")), resource.name))
