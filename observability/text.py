"""How a configuration file is written: YAML that diffs well and says where it came from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

# The C writer where PyYAML has one: the same text, an order of magnitude sooner.
_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_WIDTH = 10_000  # a PromQL expression stays on its line
_HEADER = "# Rendered by configs/{module}.py from the stack's settings; edit those.\n"


def to_yaml(module: str, document: Mapping[str, Any]) -> str:
    """Return `document` as YAML with its keys in the order given."""
    return _HEADER.format(module=module) + dump(document)


def duration(value: object) -> str:
    """Return a duration as Grafana's alert rules take it: 0s for none, a whole number of seconds for a number."""
    if value in (None, "", 0):
        return "0s"
    return f"{value}s" if isinstance(value, int) else str(value)


def dump(document: Mapping[str, Any]) -> str:
    """Return `document` as YAML, keys in the order given, nothing folded."""
    text: str = yaml.dump(dict(document), Dumper=_DUMPER, sort_keys=False, allow_unicode=True, width=_WIDTH)
    return text
