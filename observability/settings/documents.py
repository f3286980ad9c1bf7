"""Reads the YAML of a stack's configuration as Pulumi does; a mistake is reported with file, line and column.

Pulumi follows YAML 1.2: `yes`, `on`, `18:00` and dates are text. PyYAML by default follows YAML 1.1, in which they are
true, numbers to the base of 60 and dates. With it, `make plan` and `pulumi up` would read different values.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Final

import yaml

from observability.settings.errors import one_line

_TOP_LEVEL: Final = ("config", "encryptionsalt", "encryptedkey", "secretsprovider", "environment")
"""The top-level keys that Pulumi accepts in a stack's file."""


class DocumentError(ValueError):
    """A file that cannot be read as configuration; the message is one line and begins with file, line and column."""


@dataclass(frozen=True)
class Document:
    """A stack's file: the configuration as it is written, by full key, and the position of each value."""

    name: str
    config: Mapping[str, Any]
    positions: Mapping[tuple[str | int, ...], tuple[int, int]] = field(default_factory=dict)

    def position(self, path: tuple[str | int, ...]) -> str:
        """Return ` (Pulumi.dev.yaml, line 3, column 5)` for the value at `path`, or for the one that contains it."""
        while path:
            if path in self.positions:
                line, column = self.positions[path]
                return f" ({self.name}, line {line}, column {column})"
            path = path[:-1]
        return ""


class _Loader(yaml.SafeLoader):
    """A YAML loader that reads values as Pulumi does, and refuses duplicate keys."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - as the base class has it

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002
        """Refuse keys that are not text, and duplicate keys."""
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                problem = "a key that is a list or an object"
                raise yaml.MarkedYAMLError(None, None, problem, key.start_mark)
            if key.tag == "tag:yaml.org,2002:merge":
                continue
            if key.value in seen:
                raise yaml.MarkedYAMLError(
                    None, None, f"the key '{one_line(key.value)}' is given twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        """Return a whole number, which may be written to the base of 10, 16, 8 or 2."""
        text = str(node.value).replace("_", "").lower()
        octal = re.fullmatch(r"([-+]?)0([0-7]+)", text)
        try:
            return int(f"{octal[1]}0o{octal[2]}" if octal else text, 0)
        except ValueError:
            problem = "a number that is too long"
            raise yaml.MarkedYAMLError(None, None, problem, node.start_mark) from None


_PATTERNS: Final = {
    "bool": re.compile(r"true|True|TRUE|false|False|FALSE"),
    "int": re.compile(r"[-+]?(0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|0|[1-9][0-9_]*)"),
    "float": re.compile(
        r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
    ),
    "merge": re.compile(r"<<"),
    "null": re.compile(r"~|null|Null|NULL|"),
}
_PLAIN_TYPES: Final = {
    "bool": "true or false",
    "int": "whole number",
    "float": "number",
    "merge": "merge",
    "null": "null",
}
_MOST_VALUES: Final = 100_000
_TYPES: Final = (*_PATTERNS, "str", "seq", "map")
for _tag, _first in (("bool", "tTfF"), ("int", "-+0123456789"), ("float", "-+0123456789."), ("merge", "<"),
                     ("null", ["~", "n", "N", ""])):  # fmt: skip
    _whole = re.compile(f"^(?:{_PATTERNS[_tag].pattern})$")
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", _whole, list(_first))
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)


def read_text(data: bytes, name: str) -> str:
    """Return the text of a file; DocumentError when it is not UTF-8."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        column = error.start - (data.rfind(b"\n", 0, error.start) + 1) + 1
        raise DocumentError(f"{name}:{line}:{column}: a byte that is no UTF-8 text") from None


def parse(text: str, name: str) -> Document:
    """Return the configuration in the text of a stack's file; DocumentError when it is none."""
    with _one_line_errors(text, name):
        return _parse(text, name)


def parse_file(text: str, name: str) -> tuple[Any, Mapping[tuple[str | int, ...], tuple[int, int]]]:
    """Return the value in the text of any YAML or JSON file, and the line and column of each value by its path.

    Raises:
        DocumentError: the text is no YAML, or has more than one document.

    """
    with _one_line_errors(text, name):
        loader = _Loader(text)
        try:
            root = loader.get_single_node()
            if root is None:
                return None, {}
            _check_nodes(root)
            positions: dict[tuple[str | int, ...], tuple[int, int]] = {}
            _positions(root, (), positions)
            return loader.construct_document(root), positions
        finally:
            loader.dispose()


@contextmanager
def _one_line_errors(text: str, name: str) -> Iterator[None]:
    """Turn every error of the YAML reader into a DocumentError of one line."""
    try:
        yield
    except DocumentError:
        raise
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        line, column = before.count("\n") + 1, error.position - (before.rfind("\n") + 1) + 1
        raise DocumentError(f"{name}:{line}:{column}: a control character, which YAML does not have") from None
    except yaml.MarkedYAMLError as error:
        mark = _mark(error)
        where = f"{mark.line + 1}:{mark.column + 1}" if mark is not None else "1:1"
        raise DocumentError(f"{name}:{where}: {_problem(error)}") from None
    except (RecursionError, ValueError, OverflowError):
        raise DocumentError(f"{name}:1:1: values nested too deeply, or a number that is too long") from None


def _parse(text: str, name: str) -> Document:
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        if root is None or (isinstance(root, yaml.ScalarNode) and root.tag.endswith(":null")):
            return Document(name, {})
        _check_nodes(root)
        _expect_mapping(root, name, "the file")
        for key, value in root.value:
            if isinstance(key, yaml.ScalarNode) and key.value not in _TOP_LEVEL:
                _unknown(key, name)
            if getattr(key, "value", None) == "config" and not value.tag.endswith(":null"):
                _expect_mapping(value, name, "config")
        document: dict[str, Any] = loader.construct_document(root)
    finally:
        loader.dispose()
    config = next((v for k, v in root.value if k.value == "config"), None)
    positions: dict[tuple[str | int, ...], tuple[int, int]] = {}
    if config is not None:
        _positions(config, (), positions)
    values = document.get("config") or {}
    return Document(name, {str(k): v for k, v in values.items()}, positions)


def _check_nodes(root: yaml.Node) -> None:
    """Refuse YAML that no file of settings needs.

    That is: tags of other types, values that do not match their tag, an anchor within itself, half a surrogate pair,
    and nested anchors that expand to more than memory holds.
    """
    sizes: dict[int, int] = {}

    def unfolded(node: yaml.Node) -> int:
        """Return the number of values in a node, with each alias expanded."""
        if sizes.get(id(node)) == 0:
            raise yaml.MarkedYAMLError(None, None, "a value that contains itself", node.start_mark)
        if id(node) not in sizes:
            _check_node(node)
            sizes[id(node)] = 0
            parts = [p for pair in node.value for p in pair] if isinstance(node, yaml.MappingNode) else node.value
            inside = sum(unfolded(part) for part in parts) if isinstance(node, yaml.CollectionNode) else 0
            if inside >= _MOST_VALUES:
                problem = f"a value that unfolds to more than {_MOST_VALUES} values"
                raise yaml.MarkedYAMLError(None, None, problem, node.start_mark)
            sizes[id(node)] = 1 + inside
        return sizes[id(node)]

    unfolded(root)


def _check_node(node: yaml.Node) -> None:
    kind = node.tag.removeprefix("tag:yaml.org,2002:")
    problem = ""
    if kind not in _TYPES:
        problem = f"a tag !{one_line(kind.lstrip('!'))}, which settings do not have; write the value alone"
    elif isinstance(node, yaml.ScalarNode):
        if kind in _PATTERNS and not _PATTERNS[kind].fullmatch(node.value):
            problem = f"a value that is no {_PLAIN_TYPES[kind]}"
        elif any("\ud800" <= c <= "\udfff" for c in node.value):
            problem = "a code of half a character"
    elif isinstance(node, yaml.CollectionNode) and kind != ("map" if isinstance(node, yaml.MappingNode) else "seq"):
        problem = "a tag that says other than what follows; write the value alone"
    if problem:
        raise yaml.MarkedYAMLError(None, None, problem, node.start_mark)


def _expect_mapping(node: yaml.Node, name: str, what: str) -> None:
    if not isinstance(node, yaml.MappingNode):
        kind = "a list" if isinstance(node, yaml.SequenceNode) else "text"
        mark = node.start_mark
        raise DocumentError(
            f"{name}:{mark.line + 1}:{mark.column + 1}: {what} is {kind}; accepted: keys with values, like"
            f" {'observability:demo: true' if what == 'config' else 'config:'}"
        )


def _unknown(key: yaml.ScalarNode, name: str) -> None:
    near = get_close_matches(key.value, _TOP_LEVEL, n=1)
    meant = f"did you mean `{near[0]}`? " if near else "settings belong below `config:`. "
    mark = key.start_mark
    raise DocumentError(
        f"{name}:{mark.line + 1}:{mark.column + 1}: unknown key '{one_line(key.value)}'; {meant}Keys are:"
        f" {', '.join(_TOP_LEVEL)}"
    )


def _positions(
    node: yaml.Node, path: tuple[str | int, ...], positions: dict[tuple[str | int, ...], tuple[int, int]]
) -> None:
    """Record the position of the value at each path; each node once, so that an anchor within itself ends."""
    waiting: list[tuple[yaml.Node, tuple[str | int, ...]]] = [(node, path)]
    seen: set[int] = set()
    while waiting:
        current, here = waiting.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        if isinstance(current, yaml.MappingNode):
            for key, value in current.value:
                own = (*here, str(key.value).removeprefix("observability:") if not here else str(key.value))
                positions[own] = (key.start_mark.line + 1, key.start_mark.column + 1)
                waiting.append((value, own))
        elif isinstance(current, yaml.SequenceNode):
            for index, value in enumerate(current.value):
                positions[(*here, index)] = (value.start_mark.line + 1, value.start_mark.column + 1)
                waiting.append((value, (*here, index)))


def _mark(error: yaml.MarkedYAMLError) -> yaml.Mark | None:
    """Return the position of the mistake; for a bracket or quote that is not closed, where it begins."""
    unclosed = "<stream end>" in (error.problem or "") or "end of stream" in (error.problem or "")
    first, second = (error.context_mark, error.problem_mark) if unclosed else (error.problem_mark, error.context_mark)
    return first if first is not None else second


def _problem(error: yaml.MarkedYAMLError) -> str:
    """Return the mistake in plain words, without PyYAML's excerpt of the file, which may contain a secret."""
    problem, context = error.problem or "", error.context or ""
    if "'\\t'" in problem or "tab" in problem:
        return "a tab; indent with spaces"
    if "but found another document" in problem or "single document" in context:
        return "a second document begins; accepted: one document in a file"
    if "<stream end>" in problem or "end of stream" in problem:
        closing = {
            "sequence": "a list: its ] is missing",
            "mapping": "an object: its } is missing",
            "flow node": "a list or an object: its ] or } is missing",
        }
        missing = next(
            (text for kind, text in closing.items() if kind in context), "a text: its closing quote is missing"
        )
        return f"not closed: {missing}"
    if "mapping values are not allowed" in problem:
        return "a second `:` in one line, or a line indented too far; put text with `: ` in quotes"
    if problem.startswith(("the key ", "a key ", "a number ", "a tag ", "a value ", "a code ")):
        return problem
    return one_line(f"not YAML: {problem}" if problem else "not YAML")
