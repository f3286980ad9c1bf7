"""Two versions of every environment, compared: the same change in several environments is one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from cli.diffing import alerts, containers, content, dashboards, files, rules, settings
from cli.diffing.model import Change, code
from cli.diffing.restarts import Restart, restarts
from cli.diffing.versions import Environment

ENVIRONMENTS: Final = "Environments"
T = TypeVar("T")


@dataclass(frozen=True)
class Difference:
    """Everything that differs; each change, and each restart, with the environments that it is in."""

    environments: tuple[str, ...]
    changes: Mapping[Change, tuple[str, ...]]
    restarts: Mapping[Restart, tuple[str, ...]]

    @property
    def changed(self) -> tuple[str, ...]:
        """Return the environments in which something differs, in their order."""
        names = {name for where in (*self.changes.values(), *self.restarts.values()) for name in where}
        return tuple(name for name in self.environments if name in names)

    @property
    def nothing(self) -> bool:
        """Say whether the versions come to the same."""
        return not self.changed


def compare(before: dict[str, Environment], after: dict[str, Environment]) -> Difference:
    """Compare each environment with itself; one that only one version has is a single change."""
    every = before | after
    names = tuple(sorted(every, key=lambda name: (every[name].settings.get("production") is True, name)))
    both = [name for name in names if name in before and name in after]
    changes = {name: _changes(before[name], after[name]) for name in both}
    for name in names:
        if name not in both:
            changes[name] = [Change(ENVIRONMENTS, code(name), "added" if name in after else "removed")]
    again = {name: restarts(list(before[name].resources), list(after[name].resources)) for name in both}
    return Difference(names, _where(changes), _where(again))


def _changes(before: Environment, after: Environment) -> list[Change]:
    old, new = list(before.resources), list(after.resources)
    parts: Sequence[Callable[[], Iterable[Change]]] = (
        lambda: settings.changes(before.settings, after.settings, given=after.given),
        lambda: containers.changes(old, new),
        lambda: dashboards.changes(old, new),
        lambda: rules.changes(old, new),
        lambda: alerts.changes(old, new),
        lambda: content.changes(old, new),
        lambda: files.changes(old, new, apart=rules.FOLDER),
        lambda: containers.others(old, new),
    )
    return [change for part in parts for change in part()]


def _where(by_environment: Mapping[str, Iterable[T]]) -> dict[T, tuple[str, ...]]:
    where: dict[T, tuple[str, ...]] = {}
    for environment, things in by_environment.items():
        for thing in things:
            where[thing] = (*where.get(thing, ()), environment)
    return where
