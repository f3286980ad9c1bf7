"""`make drift`: whether the stack is what the program says and what the state believes. Changes nothing.

Exit code 0: it is. DRIFTED: it is not, and a Markdown report goes to the file that is the first argument. Any other:
nothing could be told. `make` itself ends with 2 for both; the report tells them apart.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from cli import context, engine, pulumi, stack_config
from cli.console import say
from cli.diffing.markdown import fenced

DRIFTED: Final = 7
"""Pulumi's own exit code for changes where none were expected."""
_ASKED: Final = (
    ("What runs is not what the state believes", ("refresh", "--preview-only", "--expect-no-changes")),
    ("The program says something else than what is deployed", ("preview", "--expect-no-changes")),
)
_LONGEST: Final = 200
"""Lines of a report's part."""


def main(arguments: list[str]) -> int:
    """Compare the host with the state, then the state with the program; stop at what cannot be told."""
    stack_config.current()
    engine.connect()
    pulumi.select()
    parts: list[str] = []
    for title, asked in _ASKED:
        code, said = pulumi.look(*asked, "--stack", context.stack())
        say(said)
        if code == DRIFTED:
            parts += [f"### {title}", "\n".join(fenced("", said.splitlines()[-_LONGEST:]))]
        elif code:
            say(f"`make drift` could not tell whether stack '{context.stack()}' drifted; the reason is above.")
            return 1
    if not parts:
        say(f"stack '{context.stack()}' has not drifted")
        return 0
    report = "\n\n".join([f"Stack `{context.stack()}` has drifted; `make up REFRESH=1` puts it back.", *parts]) + "\n"
    if arguments:
        Path(arguments[0]).write_text(report, encoding="utf-8")
    say(f"stack '{context.stack()}' has drifted")
    return DRIFTED
