"""YAML values that know the line they stand in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Located:
    """A value, or None where there is none, and its line in `file`."""

    value: Any
    file: str
    line: int

    def get(self, *keys: str) -> Located:
        """Return the value of the first of `keys` that an object has."""
        for key in keys:
            if isinstance(self.value, dict) and key in self.value:
                found: Located = self.value[key]
                return found
        return Located(None, self.file, self.line)

    def at(self, *path: str) -> Located:
        """Return the value below a path of keys."""
        found = self
        for key in path:
            found = found.get(key)
        return found

    def items(self) -> list[Located]:
        """Return the items of a list; none of anything else."""
        return self.value if isinstance(self.value, list) else []

    def keys(self) -> list[str]:
        """Return the keys of an object; none of anything else."""
        return list(self.value) if isinstance(self.value, dict) else []

    @property
    def text(self) -> str:
        """The value as text; empty where there is none, or it is a list or an object."""
        return "" if self.value is None or isinstance(self.value, (dict, list)) else str(self.value).strip()

    def __bool__(self) -> bool:
        """Return whether there is a value."""
        return self.value not in (None, "", {}, [])


def documents(text: str, file: str) -> Iterator[Located]:
    """Yield the documents of a YAML file that are not empty; yaml.YAMLError for what is not YAML."""
    for node in yaml.compose_all(text, Loader=yaml.SafeLoader):
        if node is not None:
            yield _located(node, file, 0)


_DEEPEST = 50


def _located(node: yaml.Node, file: str, depth: int) -> Located:
    line = node.start_mark.line + 1
    if depth > _DEEPEST:
        raise yaml.MarkedYAMLError(None, None, "values nested too deeply", node.start_mark)
    if isinstance(node, yaml.MappingNode):
        found = {}
        for key, value in node.value:
            one = _located(value, file, depth + 1)
            found[str(key.value)] = Located(one.value, file, key.start_mark.line + 1)
        return Located(found, file, line)
    if isinstance(node, yaml.SequenceNode):
        return Located([_located(item, file, depth + 1) for item in node.value], file, line)
    loader = yaml.SafeLoader("")
    value = node.value if node.tag.endswith(":timestamp") else loader.construct_object(node)
    return Located(value, file, line)
