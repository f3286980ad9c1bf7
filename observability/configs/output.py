"""How the collector joins what containers print: the parts of a long line, and the lines of one stack trace.

The Docker engine splits a line into parts of 16 KiB and marks each part; it does not recognise stack traces. Only the
collector's receivers for files can join records (with the operator `recombine`), so the lines go through a file on the
collector's volume:

```
Docker engine ──► fluent_forward ──► masked, packed ──► file/lines ──► file_log ──► joined, read ──► Loki
```

The file is written at once, and its reader stores its position on disk, so a restart loses no acknowledged line. A
killed process loses only the lines of the last seconds that were being joined.
"""

from __future__ import annotations

from typing import Any, Final

from observability.configs import ottl

FILE: Final = "file/container_lines"
RECEIVER: Final = "file_log/container_lines"
LONGEST_LINE: Final = 256 * 1024
"""Length of the longest joined line, which is Loki's limit."""
_FILE_MIB: Final = 16
_OLD_FILES: Final = 4
"""Most lines, in bytes, that the files keep while Loki's queue is full; the oldest are lost first."""
_JOIN_SECONDS: Final = 2
"""How long a line waits for further lines of its stack trace."""
_END_SECONDS: Final = 5
"""How long a part waits for the last part, which itself waits for further lines."""
_HERE: Final = "log.attributes"

CONTINUES: Final = (
    r"^\s*$"
    r"|^\s+[^\s+]"  # anything indented: source code, `at …`, `File "…"`, `... 3 more`
    r"|^\s+\+[ -](-|[^E\s])"  # the frames of Python's exception groups, not their first line
    r"|^[}\])]+[,;]?\s*$"
    r"|^Caused by: "
    r"|^During handling of the above exception, another exception occurred:$"
    r"|^The above exception was the direct cause of the following exception:$"
    r"|^goroutine [0-9]+( [a-z0-9=]+)* \[[^\]]*\]:$"
    r"|^created by \S+"
    r"|^\[signal [A-Za-z0-9]+"
    r"|^([\w.-]+/)*[\w.-]+\.(\(\*?[\w.\[\]]+\)\.)?[\w.\[\]]+\((\.\.\.|[0-9a-fx{}?, .]*)\)$"  # a function of Go
    r"|^panic\((\{[0-9a-fx?, ]*\}|[0-9a-fx?, {}])*\)$"
    r"|^exit status [0-9]+$"
    r"|^Node\.js v[0-9]"
    r"|^Stack trace:$|^#[0-9]+ "  # PHP
    r"|^stack backtrace:$|^note: run with `RUST_BACKTRACE"
)
"""A line that always continues the one before it."""
UNFINISHED: Final = (
    r"(?m)^Traceback \(most recent call last\):(\n\s.*)*\z"
    r"|(?m)^During handling of the above exception, another exception occurred:\s*\z"
    r"|(?m)^The above exception was the direct cause of the following exception:\s*\z"
    r"|^\S+:[0-9]+\n.*\n\s+\^+\s*\z"  # where an uncaught error of Node's was thrown
    r"|^thread '.*' (\([0-9]+\) )?panicked at .*:\s*\z"
)
"""A stack trace, with its continuation lines, that still lacks its last line, the exception."""


def packed() -> dict[str, Any]:
    """Return the transform processor's settings that pack a whole record into its body as JSON, for the file."""
    part = {"part": "partial_id", "last": "partial_last"}
    return {
        "error_mode": "ignore",
        "log_statements": [
            ottl.group(
                "log",
                'set(log.cache["line"], log.body)',
                'set(log.cache["time"], String(log.time_unix_nano))',
                f'set(log.cache["source"], Concat([{_HERE}["container_id"], {_HERE}["source"]], "/"))',
                *(f'set(log.cache["{key}"], {_HERE}["{name}"])' for key, name in part.items()),
                f'delete_matching_keys({_HERE}, "^(partial_.*|container_id|source)$$")',
                f'set(log.cache["attributes"], {_HERE})',
                "set(log.body, String(log.cache))",
                f'keep_matching_keys({_HERE}, "^$$")',
            )
        ],
    }


def exporter(folder: str) -> dict[str, Any]:
    """Return the settings of the exporter that writes the file below `folder`."""
    return {
        "path": f"{folder}/container-lines/lines.json",
        "create_directory": True,
        "directory_permissions": "0700",
        "rotation": {"max_megabytes": _FILE_MIB, "max_backups": _OLD_FILES},
    }


def receiver(folder: str) -> dict[str, Any]:
    """Return the settings of the receiver that reads the file and joins the lines."""
    return {
        "include": [f"{folder}/container-lines/lines*.json"],
        "start_at": "beginning",
        "storage": "file_storage",
        "poll_interval": "200ms",
        "force_flush_period": "200ms",
        "include_file_name": False,
        # Splits between records: quotation marks within a text are escaped.
        "multiline": {"line_start_pattern": r'\{"timeUnixNano":"'},
        "max_log_size": "1MiB",
        "retry_on_failure": {"enabled": True, "max_elapsed_time": "0s"},
        "operators": [
            # The separator between two requests has no body.
            {"type": "filter", "expr": 'not (body startsWith "{\\"timeUnixNano\\":")'},
            {
                "type": "regex_parser",
                "regex": r'(?s)^.*?"body":(?P<packed>\{"stringValue":"(?:[^"\\]|\\.)*"\})',
                "parse_to": "attributes",
            },
            {"type": "json_parser", "parse_from": "attributes.packed", "parse_to": "attributes.outer"},
            {"type": "json_parser", "parse_from": "attributes.outer.stringValue", "parse_to": "attributes"},
            {"type": "time_parser", "parse_from": "attributes.time", "layout_type": "epoch", "layout": "ns"},
            {"type": "move", "from": "attributes.line", "to": "body"},
            # All parts of a line of more than 16 KiB have the same ID.
            {
                "type": "recombine",
                "id": "parts",
                "if": "attributes.part != nil",
                "combine_field": "body",
                "combine_with": "",
                "is_last_entry": 'attributes.last == "true"',
                **_joining("attributes.part", _END_SECONDS),
            },
            {
                "type": "recombine",
                "id": "continued",
                "combine_field": "body",
                "combine_with": "\n",
                "is_first_entry": f"not (body matches {_expression(CONTINUES)})",
                **_joining("attributes.source", _JOIN_SECONDS),
            },
            {
                "type": "recombine",
                "id": "finished",
                "combine_field": "body",
                "combine_with": "\n",
                "is_last_entry": f"not (body matches {_expression(UNFINISHED)})",
                **_joining("attributes.source", _END_SECONDS),
            },
            {"type": "flatten", "field": "attributes.attributes"},
            *(
                {"type": "remove", "field": f"attributes.{name}", "if": f"attributes.{name} != nil"}
                for name in ("packed", "outer", "time", "source", "part", "last")
            ),
        ],
    }


def _joining(source: str, seconds: int) -> dict[str, Any]:
    return {
        "source_identifier": source,
        "overwrite_with": "oldest",
        "force_flush_period": f"{seconds}s",
        "max_log_size": LONGEST_LINE,
    }


def _expression(pattern: str) -> str:
    """Return `pattern` as a text in the language of the operators' conditions, past the collector's `$`."""
    escaped = pattern.replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return f'"{escaped}"'
