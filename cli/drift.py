"""`drift`: compares the running stack with the program and with the state. Changes nothing.

Exit code 0: they agree. DRIFTED: they differ, and a Markdown report is written. Any other code: the comparison failed.
`make` itself exits with 2 for both of these; the report tells them apart.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from cli.context import Context
from cli.diffing.markdown import fenced
from cli.errors import ExitCode, UsageError

_COMPARISONS: Final = (
    ("What runs is not what the state believes", ("refresh", "--preview-only", "--expect-no-changes")),
    ("The program says something else than what is deployed", ("preview", "--expect-no-changes")),
)
_REPORT_LINES: Final = 200
"""Most lines of each part of a report."""


def run(context: Context, *, report: Path | None, as_json: bool) -> int:
    """Compare the host with the state, then the state with the program; stop when a comparison fails."""
    if report is not None and (report.is_dir() or not report.absolute().parent.is_dir()):
        msg = f"REPORT={report}: cannot be written; accepted: a file in a folder that is there"
        raise UsageError(msg)
    _ = context.settings, context.engine
    context.pulumi.select()
    say = context.console.say
    drifted: dict[str, str] = {}
    for title, arguments in _COMPARISONS:
        code, printed = context.pulumi.capture(*arguments, "--stack", context.stack)
        if not as_json:
            say(printed)
        if code == ExitCode.DRIFTED:
            drifted[title] = "\n".join(printed.splitlines()[-_REPORT_LINES:])
        elif code:
            if as_json:
                say(printed)
            say(f"`make drift` could not determine whether stack '{context.stack}' drifted; the reason is above.")
            return ExitCode.FAILED
    if as_json:
        context.console.json({"stack": context.stack, "drifted": bool(drifted), "changes": drifted})
    else:
        say(f"stack '{context.stack}' has {'' if drifted else 'not '}drifted")
    if not drifted:
        return ExitCode.OK
    if report is not None:
        report.write_text(_markdown(context.stack, drifted), encoding="utf-8")
    return ExitCode.DRIFTED


def _markdown(stack: str, drifted: dict[str, str]) -> str:
    parts = [f"Stack `{stack}` has drifted; `make up REFRESH=1` corrects it."]
    for title, printed in drifted.items():
        parts += [f"### {title}", "\n".join(fenced("", printed.splitlines()))]
    return "\n\n".join(parts) + "\n"
