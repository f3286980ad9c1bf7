"""`reference`: docs/reference/commands.md, written from the commands themselves."""

from __future__ import annotations

from typing import Any, Final

import typer.main

from cli.bootstrap import ROOT
from cli.errors import ExitCode, UserError

PAGE: Final = ROOT / "docs" / "reference" / "commands.md"
_INTRODUCTION: Final = """<!-- Written by `python -m cli reference`; a test fails when this page is stale. -->

# Commands

Each command runs as `obs <command>` (`.venv/bin/obs`), as `python -m cli <command>`, which first installs what is
missing, or as `make <command>`. Options can be set by the environment variables named beside them. `obs <command>
--help` shows the same; `obs --install-completion` sets up completion for your shell.

## Exit codes

`make` itself ends with 2 whenever a command fails; `obs` ends with these:

| code | meaning |
|---|---|
"""


def run(*, check: bool) -> int:
    """Write the page, or with `check` only compare it."""
    text = page()
    if check:
        if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
            msg = f"{PAGE.relative_to(ROOT)} is stale: run `python -m cli reference`"
            raise UserError(msg)
        return 0
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(text, encoding="utf-8")
    return 0


def page() -> str:
    """Return the page as Markdown."""
    from cli.app import app  # noqa: PLC0415 - the commands import this module

    root: Any = typer.main.get_command(app)
    codes = "".join(f"| {code.value} | {code.meaning} |\n" for code in ExitCode)
    sections = [_section(name, command) for name, command in sorted(root.commands.items()) if not command.hidden]
    return _INTRODUCTION + codes + "\n" + "\n".join(sections)


def _section(name: str, command: Any) -> str:  # noqa: ANN401 - a command of typer's own click
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option"]
    usage = " ".join([f"obs {name}", *("[OPTIONS]" if options else "",), *map(_metavar, arguments)])
    lines = [f"## {name}", "", command.help or "", "", "```sh", usage, "```", ""]
    if arguments or options:
        lines += ["| argument or option | variable | default | |", "|---|---|---|---|"]
        lines += [
            f"| `{_metavar(p) if p in arguments else ', '.join(p.opts)}` | {_variable(p)} | {_default(p)} |"
            f" {(p.help or '').replace('|', chr(92) + '|')} |"
            for p in (*arguments, *options)
        ]
        lines.append("")
    return "\n".join(lines)


def _metavar(parameter: Any) -> str:  # noqa: ANN401 - as above
    name = str(parameter.metavar or parameter.name.upper())
    name += "..." if parameter.nargs == -1 else ""
    return name if parameter.required else f"[{name}]"


def _variable(parameter: Any) -> str:  # noqa: ANN401 - as above
    return f"`{parameter.envvar}`" if getattr(parameter, "envvar", None) else ""


def _default(parameter: Any) -> str:  # noqa: ANN401 - as above
    value = parameter.default
    return "" if value in (None, False, "", [], ()) or parameter.required else f"`{value}`"
