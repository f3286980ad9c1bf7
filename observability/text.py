"""Writes configuration files: YAML whose diffs are small, with a comment about its origin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

# PyYAML's writer in C, if there is one: the same text, ten times as fast.
_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_WIDTH = 10_000  # a PromQL expression stays on its line
_HEADER = "# Rendered by configs/{module}.py from the stack's settings; edit those.\n"


def to_yaml(module: str, document: Mapping[str, Any]) -> str:
    """Return `document` as YAML with its keys in the order given."""
    return _HEADER.format(module=module) + dump(document)


def duration(value: object) -> str:
    """Return a duration in the form of Grafana's alert rules: 0s for None, whole seconds for a number."""
    if value in (None, "", 0):
        return "0s"
    return f"{value}s" if isinstance(value, int) else str(value)


def dump(document: Mapping[str, Any]) -> str:
    """Return `document` as YAML, keys in the order given, nothing folded."""
    text: str = yaml.dump(dict(document), Dumper=_DUMPER, sort_keys=False, allow_unicode=True, width=_WIDTH)
    return text
