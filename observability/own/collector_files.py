"""Partial configurations of the collector, added to the program's: what is new is added, lists in pipelines grow."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from observability.own.model import Json
from observability.own.reading import File, texts
from observability.own.secret_references import REFERENCE

COMPONENTS: Final = ("receivers", "processors", "exporters", "connectors", "extensions")
_ENVIRONMENT: Final = re.compile(r"\$\{env:[^}]*\}|(?<!\$)\$\{[A-Za-z_][A-Za-z0-9_]*\}|(?<!\$)\$[A-Z_]{2,}\b")


def partials(files: Iterable[File]) -> dict[str, Json]:
    """Return each file's configuration, with references to secrets as they are written."""
    found: dict[str, Json] = {}
    for file in files:
        document = file.mapping(file.value, ())
        service = document.get("service") or {}
        for key in document:
            if key not in {*COMPONENTS, "service"}:
                file.refuse((key,), f"unknown section; accepted: {', '.join(COMPONENTS)} and service")
        for key in COMPONENTS:
            file.mapping(document.get(key) or {}, (key,))
        for key in file.mapping(service, ("service",)):
            if key not in {"pipelines", "extensions"}:
                file.warn(("service", key), "left out: the collector's own telemetry is the program's")
        for name, pipeline in file.mapping(service.get("pipelines") or {}, ("service", "pipelines")).items():
            file.mapping(pipeline, ("service", "pipelines", name))
        for path, text in texts(document, ()):
            if match := _ENVIRONMENT.search(REFERENCE.sub("", text)):
                file.refuse(
                    path, f"'{match[0]}' is a variable of an environment; accepted: a value, or ${{secret:name}}"
                )
        found[file.name] = document
    return found


def merged(ours: Json, own: Mapping[str, Json]) -> Json:
    """Return our configuration with the team's own in it; a component that we have stays as it is.

    A pipeline of ours gets the receivers, processors (before its exporters, behind our processors) and exporters that
    it does not have yet.
    """
    result: Json = {**ours, **{key: dict(ours.get(key) or {}) for key in COMPONENTS}}
    result["service"] = {**ours["service"], "pipelines": dict(ours["service"]["pipelines"])}
    for document in own.values():
        for key in COMPONENTS:
            result[key] = {**(document.get(key) or {}), **result[key]}
        service = document.get("service") or {}
        result["service"]["extensions"] = _with(result["service"]["extensions"], service.get("extensions"))
        for name, pipeline in (service.get("pipelines") or {}).items():
            before = result["service"]["pipelines"].get(name) or {}
            result["service"]["pipelines"][name] = {
                key: _with(before.get(key) or [], pipeline.get(key))
                for key in ("receivers", "processors", "exporters")
                if before.get(key) or pipeline.get(key)
            }
    # As it was, and no sections that are empty.
    return {key: value for key, value in result.items() if value}


def kept(ours: Json, own: Mapping[str, Json]) -> list[str]:
    """Return what stays as the program has it, one line each."""
    return [
        f"{name}: {key}.{component}: left out: the program has one of this name"
        for name, document in own.items()
        for key in COMPONENTS
        for component, value in (document.get(key) or {}).items()
        if component in (ours.get(key) or {}) and value != ours[key][component]
    ]


def _with(before: list[Any], more: object) -> list[Any]:
    return [*before, *(item for item in (more if isinstance(more, list) else []) if item not in before)]
