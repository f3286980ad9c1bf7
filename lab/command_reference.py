"""The reference of all commands, from the commands themselves."""

from __future__ import annotations

from typing import Any, Final

import typer.main

from cli.app import app
from cli.errors import ExitCode

_INTRODUCTION: Final = """# Commands

Each command runs as `obs <command>` (`.venv/bin/obs`), as `python -m cli <command>`, which first installs what is
missing, or as `make <command>`. Options can be set by the environment variables named beside them. `obs <command>
--help` shows the same; `obs --install-completion` sets up completion for your shell.

## Exit codes

`make` itself ends with 2 whenever a command fails; `obs` ends with these:

| code | meaning |
|---|---|
"""


def page() -> str:
    """Return the page as Markdown."""
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
