"""`promote`: brings the version that one stack runs to the next stack.

It shows what differs between the two, checks that the source runs exactly this commit and works, asks, and runs `up`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cli import release, stack_config, up, verify
from cli.context import Context
from cli.errors import UsageError, UserError
from components.deployment import changes
from observability.settings import GENERATED_SECRETS, secret_keys

_WIDTH = 60


@dataclass(frozen=True)
class Steps:
    """The steps of a promotion; tests replace them."""

    checked_out: Callable[[], tuple[str, bool]] = release.checked_out
    expected: Callable[[str], release.Fingerprint] = release.expected
    verify: Callable[[Context], int] = lambda context: verify.run(context, as_json=False)
    up: Callable[[Context], int] = lambda context: up.run(context, refresh=False)


def run(from_: Context, to: Context, *, confirmation: str | None, steps: Steps | None = None) -> int:
    """Bring the version of stack `from_` to stack `to`, once its name is typed or given as `confirmation`."""
    steps = steps or Steps()
    source, target = from_.stack, to.stack
    _check(source, target)
    here = _commit_of_clone(*steps.checked_out())
    _ = from_.settings, to.settings
    say, table = to.console.say, to.console.table
    table(
        f"settings that differ between '{source}' and '{target}'",
        ("setting", source, target),
        differing(source, target),
    )
    running, before = release.running(from_.pulumi, source), release.running(to.pulumi, target)
    commits = [
        ("this clone", here or "no git"),
        (source, _commit(from_, running)),
        (target, _commit(to, before)),
    ]
    table("the commits of the last `up`", ("where", "commit"), commits)
    pending = changes(before or {}, steps.expected(target))
    say(f"`up` changes in '{target}': {', '.join(pending) or 'nothing'}")
    if running is None:
        msg = f"stack '{source}' is not up: there is nothing to promote. Nothing was changed."
        raise UserError(msg)
    other = changes(running, steps.expected(source))
    if other:
        msg = (
            f"stack '{source}' does not run what this commit makes of it ({', '.join(other)}):"
            f" `make up STACK={source}` first. Nothing was changed."
        )
        raise UserError(msg)
    if steps.verify(from_):
        msg = f"stack '{source}' does not work, see above: it is not promoted. Nothing was changed."
        raise UserError(msg)
    to.confirm(f"This changes stack '{target}'.", "nothing was changed", given=confirmation)
    return steps.up(to)


def _check(source: str, target: str) -> None:
    known = stack_config.stacks()
    for key, value in (("FROM", source), ("TO", target)):
        if value not in known:
            msg = f"{key}: '{value}'; accepted: {', '.join(known)}, as in `make promote FROM=staging TO=prod`"
            raise UsageError(msg)
    if source == target:
        msg = f"TO: '{target}'; accepted: another stack than FROM"
        raise UsageError(msg)


def _commit_of_clone(commit: str, changed: bool) -> str:  # noqa: FBT001 - as release.checked_out returns it
    """Return the commit; raise UserError if files differ from it."""
    if changed:
        msg = f"files differ from commit {commit}: commit them, run `up` on FROM, then promote. Nothing was changed."
        raise UserError(msg)
    return commit


def differing(source: str, target: str) -> list[tuple[str, str, str]]:
    """Return the settings that differ between two stacks: key and both values, secrets hidden."""
    (one, hidden_one), (other, hidden_other) = stack_config.raw(source), stack_config.raw(target)
    return rows(one, hidden_one, other, hidden_other)


def rows(
    one: dict[str, str], hidden_one: frozenset[str], other: dict[str, str], hidden_other: frozenset[str]
) -> list[tuple[str, str, str]]:
    """Return the settings that differ between two configurations, each with the keys that are secret."""
    candidates = (
        (key, _shown(key, one, hidden_one), _shown(key, other, hidden_other)) for key in sorted({*one, *other})
    )
    return [row for row in candidates if row[1] != row[2]]


def _shown(key: str, values: dict[str, str], secret: frozenset[str]) -> str:
    """Return a setting's effective value in one line; for a secret, only whether it is set."""
    value = values.get(key, "")
    if key in secret or key in secret_keys():
        return "set" if value else "generated" if key in GENERATED_SECRETS else "not set"
    line = " ".join(value.split())
    return line if len(line) <= _WIDTH else f"{line[: _WIDTH - 1]}…"


def _commit(context: Context, running: release.Fingerprint | None) -> str:
    return "never" if running is None else release.commit(context.pulumi, context.stack) or "not recorded"
