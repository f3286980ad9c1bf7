"""A difference as Markdown for a pull request's comment: nothing from the program is shown outside of code."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Final

from cli.diffing import alerts, containers, content, dashboards, files, rules, settings
from cli.diffing.compare import ENVIRONMENTS, Difference
from cli.diffing.model import Change, code
from cli.diffing.restarts import Restart

SECTIONS: Final = (
    ENVIRONMENTS, settings.SECTION, containers.IMAGES, containers.DATA, rules.SLOS, alerts.SECTION, dashboards.SECTION,
    *content.KINDS, rules.SECTION, files.SECTION, containers.SECTION, "Other resources",
)  # fmt: skip
"""In the order of the report."""
FOLLOWING: Final = (rules.SECTION, files.SECTION)
"""What mostly follows from the settings and SLOs above it."""
_OPEN: Final = 5
"""Changes of those that are shown unfolded."""
_CLOSED: Final = "</details>"
_INLINE: Final = 60
"""Characters that fit beside what they are about."""
_LONGEST: Final = 400
"""Characters shown of a value."""
_CONTEXT: Final = 60
"""Characters shown before the first and after the last difference of two long values."""
LONGEST_COMMENT: Final = 60_000
"""Bytes; GitHub takes 65,536 characters."""
_LINES: Final = 20
_SUBJECTS: Final = 4
"""Things named one by one that all change alike."""
_BULLETS: Final = 25
"""Different changes listed in a section."""

WHOLE: Final = ("added", "removed", "layout")
"""Facts that have one value: what the thing is, or was."""

Block = tuple[tuple[str, str | None, str | None], ...]


def markdown(difference: Difference, base: str, pictures: Mapping[str, tuple[str, str]] | None = None) -> str:
    """Return the comment; one line where nothing differs. `pictures` maps a dashboard to the files before and after."""
    shown = ", ".join(difference.environments)
    if difference.nothing:
        return f"No change in meaning against {base} in {shown}.\n"
    parts = [f"## What changes against {base}", f"Evaluated without an engine for {shown}."]
    if difference.restarts:
        parts += ["### Restarts", _restarts(difference.restarts)]
    for section in SECTIONS:
        lines = _section(section, difference)
        if lines:
            parts += [f"### {section}", *_folded(section, lines)]
    if pictures:
        parts += ["### Pictures", *(_pictures(uid, *files) for uid, files in pictures.items())]
    return _fitting("\n\n".join(parts) + "\n")


def _folded(section: str, lines: list[str]) -> list[str]:
    """Fold many changes that follow from others: a reviewer reads decisions first."""
    bullets = sum(line.startswith("- ") for line in lines)
    if section not in FOLLOWING or bullets <= _OPEN:
        return ["\n".join(lines)]
    return [f"<details><summary>{section}: {bullets} kinds of change</summary>", "\n".join(lines), _CLOSED]


def fenced(language: str, lines: list[str]) -> list[str]:
    """Return `lines` in a fence that nothing in them can close."""
    ticks = "`" * max((len(run) + 1 for run in re.findall("`+", "\n".join(lines))), default=3)
    ticks = ticks if len(ticks) > 3 else "```"  # noqa: PLR2004 - Markdown's shortest
    return [f"{ticks}{language}", *lines, ticks]


def _fitting(whole: str) -> str:
    """Return what a comment holds of `whole`, cut where a line ends outside of a fence."""
    if len(whole.encode()) <= LONGEST_COMMENT:
        return whole
    kept: list[str] = []
    size, fences = 0, 0
    for line in whole.splitlines():
        kept.append(line)
        size += len(line.encode()) + 1
        fences += line.lstrip().startswith("```")
        if size > LONGEST_COMMENT - _LONGEST and not fences % 2:
            break
    open_ = sum(line.startswith("<details>") for line in kept) > kept.count(_CLOSED)
    return "\n".join([*kept, *(["", _CLOSED] if open_ else [])]) + "\n\nand more than a comment holds\n"


def _restarts(restarts: Mapping[Restart, tuple[str, ...]]) -> str:
    rows = ["| container | because of | away for | meanwhile | in |", "|---|---|---|---|---|"]
    rows += [
        f"| {_cell(code(r.name))} | {r.why} | {r.away} | {r.meanwhile} | {', '.join(where)} |"
        for r, where in restarts.items()
    ]
    return "\n".join(rows)


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def _section(section: str, difference: Difference) -> list[str]:
    """Return a bullet for each subject, or for several that change alike in the same environments."""
    mine = [(change, where) for change, where in difference.changes.items() if change.section == section]
    subjects: dict[tuple[str, tuple[str, ...]], list[Change]] = {}
    for change, where in mine:
        subjects.setdefault((change.subject, where), []).append(change)
    alike: dict[tuple[Block, tuple[str, ...]], list[str]] = {}
    for (subject, where), changes in subjects.items():
        block = tuple((c.what, c.before, c.after) for c in changes)
        alike.setdefault((block, where), []).append(subject)
    lines: list[str] = []
    for (block, where), names in list(alike.items())[:_BULLETS]:
        lines += _bullet(names, block, ", ".join(where) if len(difference.environments) > 1 else "")
    rest = [name for names in list(alike.values())[_BULLETS:] for name in names]
    if rest:
        lines.append(f"- and {len(rest)} more")
    return lines


def _bullet(names: list[str], block: Block, where: str) -> list[str]:
    named = "; ".join(names[:_SUBJECTS]) + (f" and {len(names) - _SUBJECTS} more" if len(names) > _SUBJECTS else "")
    suffix = f" ({where})" if where else ""
    new = any(what == "added" for what, _, _ in block)
    facts = [_fact(*fact, new=new) for fact in block]
    if len(facts) == 1 and len(facts[0]) == 1:
        return [f"- {named}: {facts[0][0]}{suffix}"]
    lines = [f"- {named}{suffix}"]
    for fact in facts:
        lines += [f"  - {fact[0]}", *(f"    {line}" for line in fact[1:])]
    return lines


def _fact(what: str, before: str | None, after: str | None, *, new: bool) -> list[str]:
    """Return one fact, of something `new` without what it was: a line, or a line and a fence."""
    if before is None and after is None:
        return [what]
    name = f"{what} " if what and re.fullmatch(r"[a-z ,()]+", what) else f"{code(what)} " if what else ""
    values = [value for value in (before, after) if value is not None]
    if what in WHOLE:
        return [f"{what}: {code(*values)}"]
    if all(len(value) <= _INLINE and len(value.splitlines()) <= 1 for value in values):
        shown = ["(none)" if v is None else code(v) if v else "(empty)" for v in (before, after)]
        return [name + (shown[1] if new else " → ".join(shown))]
    return [name.strip() or "value", *_fence(before, after)]


def _fence(before: str | None, after: str | None) -> list[str]:
    if any(len((value or "").splitlines()) > 1 for value in (before, after)):
        lines = [
            line
            for line in difflib.unified_diff((before or "").splitlines(), (after or "").splitlines(), lineterm="", n=0)
            if not line.startswith(("---", "+++", "@@"))
        ]
        more = len(lines) - _LINES
        lines = [_cut(line) for line in lines[:_LINES]] + ([f"# and {more} more lines"] if more > 0 else [])
    else:
        lines = [
            f"{sign} {value}" for sign, value in zip("-+", _around(before, after), strict=True) if value is not None
        ]
    return fenced("diff", lines)


def _around(before: str | None, after: str | None) -> tuple[str | None, str | None]:
    """Return both values without what is long and the same at their ends."""
    if before is None or after is None or max(len(before), len(after)) <= _LONGEST:
        return (None if before is None else _cut(before)), (None if after is None else _cut(after))
    start = max(0, _common(before, after) - _CONTEXT)
    end = max(0, _common(before[start:][::-1], after[start:][::-1]) - _CONTEXT)

    def shown(value: str) -> str:
        middle = value[start : len(value) - end]
        return ("…" if start else "") + _cut(middle) + ("…" if end else "")

    return shown(before), shown(after)


def _common(one: str, other: str) -> int:
    """Return how many characters both start with."""
    pairs = zip(one, other, strict=False)
    return next((place for place, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _cut(value: str) -> str:
    return value if len(value) <= _LONGEST else f"{value[:_LONGEST]}… ({len(value):,} characters)"


def _pictures(uid: str, before: str, after: str) -> str:
    return f"{code(uid)}: before {code(before)}, after {code(after)}"
