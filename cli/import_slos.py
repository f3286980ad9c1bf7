"""`import-slos`: reads the SLOs of Sloth, Pyrra and OpenSLO, and writes them as `services:`.

What cannot be expressed is named with its file and line. Each SLO that is written is valid here.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import yaml
from pydantic import ValidationError

from cli.errors import ExitCode, UserError
from cli.slo_import import openslo, pyrra, sloth
from cli.slo_import.found import Found, name_of
from cli.slo_import.located import Located, documents
from observability.settings import Settings, WatchedService
from observability.settings.checks import RESERVED_NAMES, across

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from cli.console import Console

_NO_SLO: Final = "no SLO of Sloth (prometheus/v1), Pyrra or OpenSLO (v1)"


@dataclass(frozen=True, slots=True)
class Options:
    """Where the result goes, and what the files do not say."""

    out: Path | None = None
    service: str = ""
    period: str = sloth.PERIOD
    as_json: bool = False


def run(console: Console, files: Sequence[Path], options: Options) -> int:
    """Import `files`; write YAML to a file or standard output, and what is not carried over to standard error."""
    found = read([(str(path), _text(path)) for path in files], service=options.service, period=options.period)
    text = written(found)
    if options.as_json:
        console.json([_summary(one) for one in found])
    elif options.out is None:
        console.say(text)
    if options.out is not None:
        options.out.write_text(text, encoding="utf-8")
    for line in report(found):
        print(line, file=sys.stderr)
    return ExitCode.FAILED if any(one.refused for one in found) else ExitCode.OK


def read(files: Sequence[tuple[str, str]], *, service: str = "", period: str = sloth.PERIOD) -> list[Found]:
    """Return every SLO of the files, by name and text, as far as it can be expressed.

    Args:
        files: the name and the text of each.
        service: the service that all of them are put into; empty for the services that the files name.
        period: the window of Sloth's SLOs, which Sloth gets on its command line.

    """
    found: list[Found] = []
    parsed: list[Located] = []
    for file, text in files:
        try:
            parsed += documents(text, file)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            one = Found(file, mark.line + 1 if mark else 1, "", file)
            one.refuse(one.line, f"not YAML: {getattr(error, 'problem', None) or 'unreadable'}")
            found.append(one)
    found += _slos(parsed, period)
    for one in found:
        if not one.refused:
            one.service = _service_name(name_of(service) if service else one.service)
            _validate(one)
    _unique(found)
    return found


def _slos(parsed: Sequence[Located], period: str) -> Iterator[Found]:
    """Yield the SLOs of the documents of every format."""
    known = openslo.objects(parsed)
    windows = dict(sloth.windows(document) for document in parsed if sloth.is_windows(document))
    if len(windows) == 1:
        period = next(iter(windows))
    for document in parsed:
        if sloth.is_slo(document):
            yield from sloth.slos(document, period, windows)
        elif pyrra.is_slo(document):
            yield pyrra.slo(document)
        elif openslo.is_openslo(document):
            yield from openslo.slos(document, known)
        elif not sloth.is_windows(document):
            one = Found(document.file, document.line, "", document.at("metadata", "name").text or document.file)
            one.refuse(document.line, _NO_SLO)
            yield one


def services(found: Iterable[Found]) -> list[dict[str, Any]]:
    """Return the configuration of the services, with the SLOs of each."""
    made: dict[str, dict[str, Any]] = {}
    for one in found:
        if not one.refused:
            empty: dict[str, Any] = {
                "name": one.service,
                "selector": one.selector,
                "availability": None,
                "latency": None,
                "slos": [],
            }
            made.setdefault(one.service, empty)["slos"].append(one.slo)
            if one.owner:
                one.slo.setdefault("owner", one.owner)
    return list(made.values())


def written(found: Sequence[Found]) -> str:
    """Return `services:` as YAML, with where each SLO comes from and what is not carried over."""
    kept = [one for one in found if not one.refused]
    if not kept:
        return "# nothing could be imported\nservices: []\n"
    lines = [
        "# For `config: observability:services:` of Pulumi.<stack>.yaml. Add to each service what Prometheus scrapes,",
        '# like targets: ["host:port"]; the selector is for its panels of requests.',
        "services:",
    ]
    for service in services(found):
        slos = service.pop("slos")
        lines += [*_indented({**service}, "  - ", "    "), "    slos:"]
        for slo in slos:
            one = next(f for f in kept if f.slo is slo)
            lines.append(f"      # {one.file}:{one.line}{f': {one.description}' if one.description else ''}")
            lines += [f"      # {note.text} (line {note.line})" for note in one.notes if note.lost]
            lines += _indented(slo, "      - ", "        ")
    return "\n".join(lines) + "\n"


def report(found: Sequence[Found]) -> list[str]:
    """Return, a line each, what became of every SLO and what is not carried over."""
    lines = []
    for one in found:
        name = "/".join(part for part in (one.service, one.name) if part)
        lines.append(f"{one.file}:{one.line}: {name}: {one.state}{f': {one.refused}' if one.refused else ''}")
        lines += [
            f"{one.file}:{note.line}:   {'differs' if note.lost else 'left out'}: {note.text}" for note in one.notes
        ]
    states = [one.state for one in found]
    counts = ", ".join(f"{states.count(state)} {state}" for state in ("imported", "partly", "refused"))
    return [*lines, f"{len(found)} SLOs: {counts}"]


def _summary(one: Found) -> dict[str, Any]:
    return {
        "file": one.file,
        "line": one.line,
        "service": one.service,
        "name": one.name,
        "state": one.state,
        "reason": one.refused,
        "slo": one.slo,
        "notes": [{"line": note.line, "text": note.text, "differs": note.lost} for note in one.notes],
    }


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "no UTF-8 text"
        msg = f"{path}: cannot be read: {reason}"
        raise UserError(msg) from None


def _service_name(name: str) -> str:
    """Return the name of a service; the stack's own containers have theirs already."""
    return f"{name}-slos" if name in RESERVED_NAMES else name or "imported"


def _validate(one: Found) -> None:
    """Refuse what our own settings refuse."""
    made = next(iter(services([one])))
    try:
        settings = Settings(stack="import", services=(WatchedService.model_validate(made),))
    except ValidationError as error:
        one.refuse(one.line, "; ".join(f"{d['loc'][-1] if d['loc'] else 'slo'}: {d['msg']}" for d in error.errors()))
        return
    if problems := across(settings):
        one.refuse(one.line, "; ".join(problem.partition(".slos[0].")[2] or problem for problem in problems))


def _unique(found: Iterable[Found]) -> None:
    """Number those of the same name in one service."""
    seen: dict[tuple[str, str], int] = {}
    for one in found:
        if one.refused:
            continue
        number = seen[one.service, one.name] = seen.get((one.service, one.name), 0) + 1
        if number > 1:
            one.slo["name"] = one.name = f"{one.name[:36]}-{number}"


def _indented(value: dict[str, Any], first: str, rest: str) -> list[str]:
    lines = yaml.safe_dump(value, sort_keys=False, width=1_000, allow_unicode=True).splitlines()
    return [f"{first if number == 0 else rest}{line}" for number, line in enumerate(lines)]
