"""A resource as the checks see it: plain values, and which of them are kept as secrets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

UNKNOWN: Final = frozenset(
    {
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "04da6b54-80e4-46f7-96ec-b56ff0331ba9",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    }
)
"""What stands for a value that a preview does not know yet, by its kind."""


@dataclass(frozen=True)
class Hidden:
    """A value that Pulumi keeps as a secret."""

    value: Any


@dataclass(frozen=True)
class Resource:
    """Type token, name, inputs with their secrets as `Hidden`, and whether it is protected."""

    type: str
    name: str
    inputs: Mapping[str, Any]
    protected: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Of the policy: see __main__.py."""

    def get(self, key: str, default: Any = None) -> Any:  # noqa: ANN401 - JSON
        """Return an input without its secrecy; the default where it is missing or not known yet."""
        value = opened(self.inputs.get(key, default))
        return default if unknown(value) or value is None else value

    def known(self, key: str) -> bool:
        """Say whether a preview knows the input already; one that is missing is known to be."""
        return not unknown(opened(self.inputs.get(key)))

    @property
    def labels(self) -> dict[str, str]:
        """Return the labels of a container or a volume."""
        return {label["label"]: str(label.get("value", "")) for label in self.get("labels", ())}


def unknown(value: Any) -> bool:  # noqa: ANN401 - JSON
    """Say whether `value` stands for one that is not known yet."""
    return isinstance(value, str) and value in UNKNOWN


def opened(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Return `value` with nothing hidden in it."""
    if isinstance(value, Hidden):
        return opened(value.value)
    if isinstance(value, Mapping):
        return {key: opened(item) for key, item in value.items()}
    return [opened(item) for item in value] if isinstance(value, (list, tuple)) else value


def texts(value: Any, path: str = "", *, hidden: bool = False) -> Iterator[tuple[str, str, bool]]:  # noqa: ANN401 - JSON
    """Yield every text in `value`: where it is, what it is, and whether it is kept as a secret."""
    if isinstance(value, Hidden):
        yield from texts(value.value, path, hidden=True)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from texts(item, f"{path}.{key}" if path else str(key), hidden=hidden)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for place, item in enumerate(value):
            yield from texts(item, f"{path}[{place}]", hidden=hidden)
    elif isinstance(value, str) and not unknown(value):
        yield path, value, hidden
