"""How a configuration file is written: YAML that diffs well and says where it came from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

_HEADER = "# Rendered by configs/{module}.py from the stack's settings; edit those.\n"


def to_yaml(module: str, document: Mapping[str, Any]) -> str:
    """Return `document` as YAML with its keys in the order given."""
    return _HEADER.format(module=module) + yaml.safe_dump(dict(document), sort_keys=False, width=110)
